"""What a dead worker leaves is booked: exactly where its cells are whole, never too little."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from extproc.adapters.ledger_store import LedgerStore
from extproc.adapters.reports import Report, Standing
from extproc.ports import LedgerUnavailable, Spent

LIMIT = 1000


def open_store(directory: Path, worker: str) -> LedgerStore:
    return LedgerStore(directory / "ledger.db", worker, 1.0)


def report(slot: int, *, needs: tuple[int, ...] = (), **said: int) -> Report:
    numbers = {"settled": 0, "booked": 0, "ceiling": 0, "wish": 0, **said}
    return Report(
        counter="b", window_start=0, limit=LIMIT, slot=slot, needs=needs, is_last=False, **numbers
    )


def leave_dead(directory: Path) -> None:
    """A worker dies with 40 booked of 50 leased; 10 of them are applied already."""
    store = open_store(directory, "dead")
    slot, view, index = store.cells.allocate()
    assert store.visit([report(slot, needs=(50,))], False)[0].ceiling == 50
    view[index] = 10
    store.visit([report(slot, settled=10, booked=10, ceiling=50)], False)
    view[index] = 40
    del view
    store.close()


def spent_after_recovery(directory: Path) -> int:
    heir = open_store(directory, "heir")
    spent = heir.spent("b", 0)
    heir.leave([])
    heir.close()
    assert spent.reserved == 0
    assert not list(directory.glob("*-cells-*"))
    return spent.settled


def test_the_dead_are_booked_exactly_and_once(tmp_path: Path) -> None:
    leave_dead(tmp_path)
    assert spent_after_recovery(tmp_path) == 40
    assert spent_after_recovery(tmp_path) == 40


CUTS = (*range(70), 65535, *range(65536, 65536 + 20), 100_000, 131_071, 131_072)


def test_however_the_cells_are_cut_no_less_is_booked_and_no_more_than_leased(
    tmp_path: Path,
) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    leave_dead(origin)
    booked = {}
    for cut in CUTS:
        directory = tmp_path / str(cut)
        shutil.copytree(origin, directory)
        (cells,) = directory.glob("*-cells-*")
        cells.write_bytes(cells.read_bytes()[:cut])
        booked[cut] = spent_after_recovery(directory)
        shutil.rmtree(directory)
    whole = 65536 + 8
    assert {booked[cut] for cut in CUTS if cut < whole} == {50}
    assert {booked[cut] for cut in CUTS if cut >= whole} == {40}


def test_cells_that_are_gone_are_booked_as_leased(tmp_path: Path) -> None:
    leave_dead(tmp_path)
    for cells in tmp_path.glob("*-cells-*"):
        cells.unlink()
    assert spent_after_recovery(tmp_path) == 50


def test_after_the_machine_went_down_cells_are_not_believed_too_low(tmp_path: Path) -> None:
    leave_dead(tmp_path)
    (cells,) = tmp_path.glob("*-cells-*")
    data = bytearray(cells.read_bytes())
    data[20] ^= 1  # in the boot's identity
    cells.write_bytes(data)
    assert spent_after_recovery(tmp_path) == 50


def test_the_living_are_left_alone(tmp_path: Path) -> None:
    living, heir = open_store(tmp_path, "living"), open_store(tmp_path, "heir")
    slot, view, index = living.cells.allocate()
    living.visit([report(slot, needs=(50,))], False)
    view[index] = 50
    heir.recover()
    assert heir.spent("b", 0) == Spent(0, 50)
    del view
    living.close()
    heir.recover()
    assert heir.spent("b", 0) == Spent(50, 0)
    heir.close()


def test_a_repeated_report_counts_once(tmp_path: Path) -> None:
    store = open_store(tmp_path, "w")
    slot, _, _ = store.cells.allocate()
    store.visit([report(slot, needs=(50,))], False)
    for _ in range(3):
        store.visit([report(slot, settled=20, booked=30, ceiling=50)], False)
    assert store.spent("b", 0) == Spent(20, 10)
    store.leave([])
    store.close()


def test_a_standing_tells_what_others_hold_and_what_lies_idle(tmp_path: Path) -> None:
    first, second = open_store(tmp_path, "first"), open_store(tmp_path, "second")
    first.visit([report(0, settled=5, booked=25, ceiling=65)], False)
    (standing,) = second.visit([report(0, needs=(10,), wish=80)], False)
    # 1000 - 5 settled - 60 leased, of which each of two workers may hold a quarter
    assert standing == Standing(ceiling=80, booked_besides=25, idle_elsewhere=40, share=233)
    first.leave([])
    second.leave([])
    first.close()
    second.close()


def test_a_transaction_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    store = open_store(tmp_path, "w")
    good, bad = report(0, needs=(50,)), report(2**70)
    with pytest.raises(OverflowError):
        store.visit([good, bad], False)
    assert store.counters() == []
    store.leave([])
    store.close()


def test_cells_of_a_worker_that_was_never_known_are_removed(tmp_path: Path) -> None:
    (tmp_path / "ledger.db-cells-stray-1").write_bytes(b"")
    store = open_store(tmp_path, "w")
    assert [each.name for each in tmp_path.glob("*-cells-*")] == [store.cells.path.name]
    store.leave([])
    store.close()


def test_a_worker_that_was_buried_is_told(tmp_path: Path) -> None:
    store = open_store(tmp_path, "w")
    store.cells.path.unlink()
    open_store(tmp_path, "other").close()
    with pytest.raises(LedgerUnavailable, match="taken for dead"):
        store.visit([], False)
    store.close()


def test_a_worker_waits_for_others_that_make_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE something (x)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM something").fetchall()
        with pytest.raises(LedgerUnavailable, match="locked"):
            LedgerStore(path, "hasty", 0.01)
        end = Timer(0.05, lambda: other.execute("COMMIT"))
        end.start()
        store = LedgerStore(path, "patient", 30.0)
        end.join()
    store.leave([])
    store.close()
