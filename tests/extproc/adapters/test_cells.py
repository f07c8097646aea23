"""Cells: written at once, locked while their owner lives, and readable however they were cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from extproc.adapters.cells import CellFile, Recall, boot_id, open_orphan


def orphan_value(path: Path, slot: int) -> int | None:
    orphan = open_orphan(path)
    assert orphan is not None
    try:
        return orphan.value(slot)
    finally:
        orphan.close()


def test_what_is_stored_is_in_the_file_before_anything_is_closed(tmp_path: Path) -> None:
    cells = CellFile(tmp_path / "cells")
    slot, view, index = cells.allocate()
    view[index] = 12_345_678_901
    copy = tmp_path / "copy"
    copy.write_bytes((tmp_path / "cells").read_bytes())
    assert orphan_value(copy, slot) == 12_345_678_901
    cells.close()


def test_a_living_owner_cannot_be_inherited_from(tmp_path: Path) -> None:
    cells = CellFile(tmp_path / "cells")
    assert open_orphan(tmp_path / "cells") is None
    cells.close()
    assert orphan_value(tmp_path / "cells", 0) == 0


def test_the_file_grows_and_a_freed_cell_starts_at_nothing(tmp_path: Path) -> None:
    cells = CellFile(tmp_path / "cells")
    allocated = [cells.allocate() for _ in range(20_000)]
    assert len({slot for slot, _, _ in allocated}) == 20_000
    for slot, view, index in allocated:
        view[index] = slot + 1
    cells.free(allocated[7][0])
    slot, view, index = cells.allocate()
    assert (slot, view[index]) == (allocated[7][0], 0)
    last = max(each[0] for each in allocated)
    allocated.clear()
    cells.close()
    assert orphan_value(tmp_path / "cells", last) == last + 1


def test_nobody_else_can_make_the_same_file(tmp_path: Path) -> None:
    cells = CellFile(tmp_path / "cells")
    with pytest.raises(FileExistsError):
        CellFile(tmp_path / "cells")
    assert cells.is_in_place
    (tmp_path / "cells").unlink()
    assert not cells.is_in_place
    cells.close()


def test_a_file_of_an_earlier_boot_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "cells"
    cells = CellFile(path)
    cells.close()
    orphan = open_orphan(path)
    assert orphan is not None
    assert orphan.is_of_this_boot
    orphan.close()
    data = path.read_bytes()
    path.write_bytes(data.replace(boot_id(), b"0" * len(boot_id())))
    orphan = open_orphan(path)
    assert orphan is not None
    assert not orphan.is_of_this_boot
    assert orphan.value(0) == 0
    orphan.close()


def test_a_cut_file_says_nothing_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "cells"
    CellFile(path).close()
    os.truncate(path, 65536 + 8 + 7)
    assert orphan_value(path, 0) == 0
    assert orphan_value(path, 1) is None
    os.truncate(path, 3)
    assert orphan_value(path, 0) is None


def test_a_recall_is_heard_once_by_all_others_and_not_by_the_caller(tmp_path: Path) -> None:
    caller, first, second = (Recall(tmp_path / "recall") for _ in range(3))
    assert not first.is_heard()
    caller.call()
    assert not caller.is_heard()
    assert first.is_heard()
    assert not first.is_heard()
    assert second.is_heard()
    for each in (caller, first, second):
        each.close()
