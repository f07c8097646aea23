"""The shared ledger: the contract, several workers on one file, and a store that fails."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from extproc.adapters.lease import MOST_PER_CALL
from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.levels import LEVEL_FLUSHES
from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Booking, Exhausted, LedgerUnavailable, Level, Spent
from tests.kit.ledger_suite import MONTH, LedgerSuite, ask, charge, hold, level

NAME = "ledger.db"
FLUSH_SECONDS = 0.005
Scene = Callable[..., Awaitable[None]]


async def open_quick(directory: Path, worker: str, busy_seconds: float = 1.0) -> LeasedLedger:
    return await open_ledger(
        directory / NAME, worker=worker, flush_seconds=FLUSH_SECONDS, busy_seconds=busy_seconds
    )


class TestSqliteLedger(LedgerSuite):
    @asynccontextmanager
    async def opened(self, directory: Path) -> AsyncIterator[LeasedLedger]:
        ledger = await open_quick(directory, "only")
        try:
            yield ledger
        finally:
            await ledger.close()


def with_workers(directory: Path, count: int, scene: Scene) -> None:
    """Play a scene with so many workers on one file."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            ledgers = [await open_quick(directory, f"w{each}") for each in range(count)]
            for ledger in ledgers:
                stack.push_async_callback(ledger.close)
            await scene(*ledgers)

    asyncio.run(main())


def rows(directory: Path, query: str) -> list[tuple[object, ...]]:
    """What another process sees, which knows the file and nothing of us."""
    with closing(sqlite3.connect(directory / NAME)) as database:
        return database.execute(query).fetchall()


def test_the_second_call_does_not_ask_the_store(tmp_path: Path) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        (await hold(ledger, charge(5, limit=10_000))).settle([5])
        at_once = ledger.reserve([charge(5, limit=10_000)])
        assert not isinstance(at_once, Awaitable)

    with_workers(tmp_path, 1, scene)


def test_workers_share_one_budget(tmp_path: Path) -> None:
    async def scene(first: LeasedLedger, second: LeasedLedger) -> None:
        await hold(first, charge(60))
        assert await ask(second, charge(60)) == Exhausted(charge(60), 60)
        (await hold(second, charge(40))).settle([40])
        await second.flush()
        assert await ask(first, charge(1)) == Exhausted(charge(1), 100)

    with_workers(tmp_path, 2, scene)


def test_an_idle_slice_is_called_back_before_anyone_is_refused(tmp_path: Path) -> None:
    async def scene(idle: LeasedLedger, busy: LeasedLedger) -> None:
        (await hold(idle, charge(10, limit=1000))).settle([10])
        for _ in range(99):
            (await hold(busy, charge(10, limit=1000))).settle([10])
        assert await busy.spent("b|team=a", MONTH) == Spent(1000, 0)
        assert isinstance(await ask(idle, charge(1, limit=1000)), Exhausted)

    with_workers(tmp_path, 2, scene)


def test_three_workers_spend_a_budget_to_the_last_unit(tmp_path: Path) -> None:
    async def scene(*ledgers: LeasedLedger) -> None:
        async def spend(ledger: LeasedLedger) -> int:
            total = 0
            while not isinstance(held := await ask(ledger, charge(3, limit=3000)), Exhausted):
                held.settle([3])
                total += 3
                await asyncio.sleep(0)
            return total

        assert sum(await asyncio.gather(*[spend(ledger) for ledger in ledgers])) == 3000

    with_workers(tmp_path, 3, scene)


def test_the_limit_holds_in_the_file_at_every_moment(tmp_path: Path) -> None:
    promised = (
        "SELECT settled + (SELECT COALESCE(SUM(ceiling - applied), 0) FROM leases) FROM counters"
    )

    async def scene(*ledgers: LeasedLedger) -> None:
        for step in range(60):
            held = await ask(ledgers[step % 3], charge(17, limit=500))
            if not isinstance(held, Exhausted):
                held.settle([step % 17])
            assert rows(tmp_path, promised)[0] <= (500,)

    with_workers(tmp_path, 3, scene)


def test_a_refused_client_does_not_reach_the_store_again_at_once(tmp_path: Path) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        await hold(ledger, charge(95))
        assert await ask(ledger, charge(6)) == Exhausted(charge(6), 95)
        assert ledger.reserve([charge(6)]) == Exhausted(charge(6), 95)
        await hold(ledger, charge(5))

    with_workers(tmp_path, 1, scene)


def test_closing_books_everything_and_leaves_only_counters(tmp_path: Path) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        (await hold(ledger, charge(10))).settle([4])
        late = await hold(ledger, charge(10))
        await ledger.close()
        late.settle([1])
        with pytest.raises(LedgerUnavailable):
            await ask(ledger, charge(1))

    with_workers(tmp_path, 1, scene)
    assert rows(tmp_path, "SELECT * FROM counters") == [("b|team=a", MONTH, 14, 0)]
    assert rows(tmp_path, "SELECT * FROM spending") == [("b|team=a", MONTH, 14, 0)]
    assert rows(tmp_path, "SELECT * FROM leases") == []
    assert rows(tmp_path, "SELECT * FROM workers") == []
    assert not cell_files(tmp_path)


def test_what_dies_unheard_is_booked_by_the_next_that_opens(tmp_path: Path) -> None:
    async def main() -> None:
        dying = await open_quick(tmp_path, "dying")
        for _ in range(5):
            (await hold(dying, charge(4))).settle([3])
        await hold(dying, charge(20))
        (await hold(dying, charge(30))).release()
        (await hold(dying, charge(30))).book([9])
        await dying.abandon()
        heir = await open_quick(tmp_path, "heir")
        assert await heir.spent("b|team=a", MONTH) == Spent(45, 0)
        await hold(heir, charge(55))
        await heir.close()

    asyncio.run(main())
    assert not cell_files(tmp_path)


def test_a_dead_workers_slice_is_taken_over_when_it_is_needed(tmp_path: Path) -> None:
    async def scene(living: LeasedLedger, dying: LeasedLedger) -> None:
        (await hold(dying, charge(10, limit=1000))).settle([10])
        await dying.abandon()
        (await hold(living, charge(990, limit=1000))).settle([990])
        await living.flush()

    async def main() -> None:
        living, dying = await open_quick(tmp_path, "living"), await open_quick(tmp_path, "dying")
        await scene(living, dying)
        await living.close()

    asyncio.run(main())
    assert rows(tmp_path, "SELECT settled FROM counters") == [(1000,)]


def test_a_caller_that_goes_away_keeps_nothing(tmp_path: Path) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        asked = [asyncio.ensure_future(ask(ledger, charge(10))) for _ in range(10)]
        await asyncio.sleep(0)
        for each in asked[:5]:
            each.cancel()
        held = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(not isinstance(each, BaseException) for each in held) == 5
        assert await ledger.spent("b|team=a", MONTH) == Spent(0, 50)

    with_workers(tmp_path, 1, scene)


def test_an_answer_that_crosses_a_cancellation_is_given_back(tmp_path: Path) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        first = asyncio.ensure_future(hold(ledger, charge(1, counter="c")))
        await asyncio.sleep(0)  # the store is being asked: the next two go together
        asked = asyncio.ensure_future(ask(ledger, charge(10)))
        await ledger.flush()
        asked.cancel()  # its answer is there, and has not been seen
        with pytest.raises(asyncio.CancelledError):
            await asked
        await first
        assert await ledger.spent("b|team=a", MONTH) == Spent(0, 0)

    with_workers(tmp_path, 1, scene)


def test_a_locked_store_refuses_and_then_recovers(tmp_path: Path) -> None:
    async def main() -> None:
        ledger = await open_quick(tmp_path, "w", busy_seconds=0.01)
        (await hold(ledger, charge(10))).settle([10])
        with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailable, match="locked"):
                await ask(ledger, charge(10, counter="c"))
            assert ledger.trouble is not None
            other.execute("ROLLBACK")
        await hold(ledger, charge(10, counter="c"))
        assert ledger.trouble is None
        assert await ledger.spent("b|team=a", MONTH) == Spent(10, 0)
        await ledger.close()

    asyncio.run(main())


def test_what_a_failing_close_cannot_book_the_next_one_does(tmp_path: Path) -> None:
    async def main() -> None:
        ledger = await open_quick(tmp_path, "w", busy_seconds=0.01)
        (await hold(ledger, charge(10))).settle([7])
        with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailable):
                await ledger.close()
            other.execute("ROLLBACK")
        heir = await open_quick(tmp_path, "heir")
        assert await heir.spent("b|team=a", MONTH) == Spent(7, 0)
        await heir.close()

    asyncio.run(main())


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """No file may grow beyond this: what a full disk does to those that write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        ledger = await open_quick(tmp_path, "w")
        held = await hold(ledger, charge(10))
        with files_limited_to(4096):
            held.settle([7])
            with pytest.raises(LedgerUnavailable, match="disk"):
                await hold(ledger, charge(10, counter="c"))
        await hold(ledger, charge(10, counter="c"))
        assert await ledger.spent("b|team=a", MONTH) == Spent(7, 0)
        await ledger.close()

    asyncio.run(main())


def test_no_room_for_cells_is_told_at_once(tmp_path: Path) -> None:
    asyncio.run(close_at_once(tmp_path))
    with files_limited_to(100_000), pytest.raises(LedgerUnavailable, match="too large"):
        asyncio.run(open_quick(tmp_path, "w"))
    asyncio.run(close_at_once(tmp_path))
    assert not cell_files(tmp_path)


async def close_at_once(directory: Path) -> None:
    await (await open_quick(directory, "w")).close()


def cell_files(directory: Path) -> list[Path]:
    return list(directory.glob("*-cells-*"))


@pytest.mark.parametrize("content", [b"this is no database, " * 500, b"\0" * 10_000])
def test_a_damaged_file_is_told_at_once(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(LedgerUnavailable, match="not a database"):
        asyncio.run(open_quick(tmp_path, "w"))


def test_a_directory_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="unable to open"):
        asyncio.run(open_quick(tmp_path / "missing", "w"))


def test_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        database.execute("PRAGMA user_version = 7")
    with pytest.raises(LedgerUnavailable, match="version 7"):
        asyncio.run(open_quick(tmp_path, "w"))
    assert rows(tmp_path, "PRAGMA user_version") == [(7,)]


def test_a_worker_whose_cells_were_deleted_refuses(tmp_path: Path) -> None:
    async def main() -> None:
        robbed = await open_quick(tmp_path, "robbed")
        (await hold(robbed, charge(10))).settle([10])
        for path in cell_files(tmp_path):
            path.unlink()
        other = await open_quick(tmp_path, "other")
        with pytest.raises(LedgerUnavailable, match="taken for dead"):
            await robbed.flush()
        await robbed.abandon()
        assert (await other.spent("b|team=a", MONTH)).settled >= 10
        await other.close()

    asyncio.run(main())


def test_nonsense_of_a_provider_does_not_overflow(tmp_path: Path) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        (await hold(ledger, charge(10))).settle([2**200])
        (await hold(ledger, charge(10, counter="c", limit=2**70))).settle([10])
        assert (await ledger.spent("b|team=a", MONTH)).settled == 2**50
        assert await ledger.spent("c", MONTH) == Spent(10, 0)

    with_workers(tmp_path, 1, scene)


def test_work_is_booked_once_by_all_workers_also_by_those_who_come_later(tmp_path: Path) -> None:
    async def seen(*ledgers: LeasedLedger) -> None:
        booking = [Booking("b|team=a", MONTH, 40)]
        told = await asyncio.gather(
            *(each.book_once("p/batch_1", 3, booking, MONTH) for each in ledgers * 5)
        )
        booked.append(sum(told))
        for ledger in ledgers:
            assert await ledger.spent("b|team=a", MONTH) == Spent(40, 0)
            assert isinstance(await ask(ledger, charge(61)), Exhausted)

    booked: list[int] = []
    for _ in range(2):
        with_workers(tmp_path, 2, seen)
    assert booked == [1, 0]


def test_what_lies_idle_goes_back_when_work_has_used_up_the_rest(tmp_path: Path) -> None:
    async def scene(first: LeasedLedger, second: LeasedLedger) -> None:
        for ledger in (first, second):
            (await hold(ledger, charge(1, limit=10_000))).release()
        used_up = [Booking("b|team=a", MONTH, 10_000)]
        assert await first.book_once("p/batch_1", 1, used_up, MONTH)
        async with asyncio.timeout(5):
            for ledger in (first, second):
                while not isinstance(await ask(ledger, charge(1, limit=10_000)), Exhausted):
                    await ledger.flush()

    with_workers(tmp_path, 2, scene)


def test_who_asked_for_work_is_known_to_all_workers_and_after_they_were_killed(
    tmp_path: Path,
) -> None:
    async def asked(first: LeasedLedger, second: LeasedLedger) -> None:
        await first.remember("p/batch_1", "anna", MONTH)
        assert await second.owner("p/batch_1") == "anna"
        await second.book_once("p/batch_2", 1, [Booking("b", MONTH, 5)], MONTH)
        await first.abandon()
        await second.abandon()

    async def later(ledger: LeasedLedger) -> None:
        assert await ledger.owner("p/batch_1") == "anna"
        assert await ledger.spent("b", MONTH) == Spent(5, 0)

    async def killed() -> None:
        await asked(await open_quick(tmp_path, "w1"), await open_quick(tmp_path, "w2"))

    asyncio.run(killed())
    with_workers(tmp_path, 1, later)


def test_a_ledger_that_knew_nothing_of_such_work_learns_it_and_keeps_its_version(
    tmp_path: Path,
) -> None:
    async def spend(ledger: LeasedLedger) -> None:
        (await hold(ledger, charge(30))).settle([30])

    async def book(ledger: LeasedLedger) -> None:
        assert await ledger.book_once("p/batch_1", 1, [Booking("b|team=a", MONTH, 5)], MONTH)
        assert await ledger.spent("b|team=a", MONTH) == Spent(35, 0)

    with_workers(tmp_path, 1, spend)
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        database.executescript("DROP TABLE works; DROP TABLE booked")
    with_workers(tmp_path, 1, book)
    assert rows(tmp_path, "PRAGMA user_version") == [(1,)]


def test_a_ledger_that_is_closed_books_no_work(tmp_path: Path) -> None:
    async def main() -> None:
        ledger = await open_quick(tmp_path, "w1")
        await ledger.close()
        with pytest.raises(LedgerUnavailable, match="closed"):
            await ledger.book_once("p/batch_1", 1, [], MONTH)

    asyncio.run(main())


def test_more_than_any_call_may_cost_does_not_overflow(tmp_path: Path) -> None:
    async def book(ledger: LeasedLedger) -> None:
        for each in range(3):
            assert await ledger.book_once(f"p/{each}", 1, [Booking("b", MONTH, 2**62)], MONTH)
        assert await ledger.spent("b", MONTH) == Spent(3 * MOST_PER_CALL, 0)

    with_workers(tmp_path, 1, book)


def test_where_a_counter_stands_is_known_without_waiting_once_it_was_asked_for(
    tmp_path: Path,
) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        first = ledger.level(charge(1))
        assert isinstance(first, Awaitable)
        assert (await first).spent == 0
        held = await hold(ledger, charge(60))
        assert ledger.level(charge(1)) == Level(60, 0)
        held.settle([7])
        assert ledger.level(charge(1)) == Level(7, 0)

    with_workers(tmp_path, 1, scene)


def test_what_another_worker_spends_is_known_within_the_bound(tmp_path: Path) -> None:
    """At most `LEVEL_FLUSHES` since one has looked, and as many ticks as the other tells it in."""

    async def scene(first: LeasedLedger, second: LeasedLedger) -> None:
        assert (await level(second, 10**6)).spent == 0
        # comfortable, so that it is told as seldom as it ever is
        (await hold(first, charge(10, limit=10**6))).settle([10])
        (await hold(first, charge(10, limit=10**6))).settle([10])
        began = asyncio.get_running_loop().time()
        while (await level(second, 10**6)).spent < 20:
            await second.flush()  # which passes the time, and does not look at others
        flushes = (asyncio.get_running_loop().time() - began) / FLUSH_SECONDS
        assert flushes < 2 * (LEVEL_FLUSHES + 10), "with as much again for a busy machine"

    with_workers(tmp_path, 2, scene)


def test_a_level_is_not_told_while_the_store_gives_no_answer(tmp_path: Path) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        await ledger.close()
        with pytest.raises(LedgerUnavailable):
            await level(ledger)
        with pytest.raises(LedgerUnavailable):
            ledger.note([charge(1)])

    with_workers(tmp_path, 1, scene)


def test_what_was_noted_while_the_store_was_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    async def scene(ledger: LeasedLedger) -> None:
        with closing(sqlite3.connect(tmp_path / NAME)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            noted = [ledger.note([charge(80)]) for _ in range(3)]
            with pytest.raises(LedgerUnavailable):
                await ledger.flush()
            noted[0].settle([100])
            blocker.execute("ROLLBACK")
        assert await ledger.spent("b|team=a", MONTH) == Spent(100, 160)

    async def main() -> None:
        ledger = await open_quick(tmp_path, "w", busy_seconds=0.01)
        try:
            await scene(ledger)
        finally:
            await ledger.close()

    asyncio.run(main())
