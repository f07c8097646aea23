"""Budgets are looked up, topped up and reset while workers draw on them, in every store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Charge, Exhausted, Reservation, Spent
from gateway.ledger_place import LedgerPlace
from tests.kit.in_a_loop import play, until
from tests.kit.ledger_suite import MONTH, ask, charge, hold
from tests.kit.remote_ledgers import opened, place_at
from tests.kit.servers import Server, free_port, network, postgres, redis, redis_cluster
from xds_server.budgets.store import (
    RESET,
    TOP_UP,
    Alert,
    Asked,
    BudgetStore,
    BudgetsUnavailable,
    Deed,
    Done,
    Refusal,
    Stands,
)
from xds_server.budgets.stores import store_at

COUNTER = "b|team=a"
HERE = LedgerPlace()
SCHEMES = {"redis": "redis", "cluster": "redis+cluster", "postgres": "postgresql"}


@dataclass(frozen=True, slots=True)
class Ledger:
    """One ledger, for workers and for the control plane."""

    file: Path
    place: LedgerPlace
    port: int = 0

    @property
    def store(self) -> BudgetStore:
        return store_at(self.file, self.place)

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[LeasedLedger]:
        if self.place != HERE:
            async with opened(self.place, name) as ledger:
                yield ledger
            return
        ledger = await open_ledger(self.file, worker=name, flush_seconds=0.005)
        try:
            yield ledger
        finally:
            await ledger.close()


@pytest.fixture(params=["sqlite", "redis", "cluster", "postgres"], scope="module")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server | None]]:
    kind = request.param
    if kind == "sqlite":
        yield "", None
        return
    start = {"redis": redis, "cluster": redis_cluster, "postgres": postgres}[kind]
    with start(tmp_path_factory.mktemp(kind) / "server") as server:
        database = "/ledger" if kind == "postgres" else ""
        yield f"{SCHEMES[kind]}://127.0.0.1:{server.port}{database}", server


@pytest.fixture
def ledger(served: tuple[str, Server | None], tmp_path: Path) -> Ledger:
    url, server = served
    place = place_at(url, tmp_path.name, answer_seconds=5.0) if server else HERE
    return Ledger(tmp_path / "ledger.db", place, server.port if server else 0)


def deed(what: str, request: str, amount: int = 0, counter: str = COUNTER) -> Deed:
    return Deed(request, 1_800_000_000, "ann@127.0.0.1", what, counter, amount, "a launch: 50 %")


async def applied(
    ledger: Ledger, deed: Deed, *counters: tuple[str, int], most: int = 2**52
) -> Done:
    asked = Asked(deed, counters or [(deed.counter, MONTH)], most)
    return await asyncio.to_thread(ledger.store.apply, asked)


async def stands(ledger: Ledger) -> list[Stands]:
    return list(await asyncio.to_thread(ledger.store.counters))


def test_where_nothing_was_counted_there_is_nothing(ledger: Ledger) -> None:
    assert list(ledger.store.counters()) == []
    assert list(ledger.store.log(None, 10)) == []


def test_what_workers_have_settled_and_hold_is_told(ledger: Ledger) -> None:
    async def scene() -> None:
        async with ledger.worker("a") as a, ledger.worker("b") as b:
            (await hold(a, charge(30))).settle([25])
            held = await hold(b, charge(11))
            await a.flush()
            await b.flush()
            assert await stands(ledger) == [Stands(COUNTER, MONTH, 25, 11, 0)]
            held.release()

    play(scene())


def test_a_top_up_is_there_for_the_next_call(ledger: Ledger) -> None:
    async def scene() -> None:
        async with ledger.worker("a") as a, ledger.worker("b") as b:
            (await hold(a, charge(60))).settle([60])
            held = await hold(b, charge(40))
            assert isinstance(await ask(a, charge(1)), Exhausted)
            done = await applied(ledger, deed(TOP_UP, "1", 50))
            assert not done.is_repeated
            assert [each.topped_up for each in done.entry.before] == [0]

            async def is_known() -> bool:  # a refusal is remembered for a moment
                answer = await ask(a, charge(50))
                if isinstance(answer, Exhausted):
                    return False
                answer.settle([50])
                return True

            await until(is_known)
            assert await ask(b, charge(1)) == Exhausted(charge(1), 150, topped_up=50)
            held.settle([40])
            await a.flush()
            assert await b.spent(COUNTER, MONTH) == Spent(150, 0, topped_up=50)

    play(scene())


def test_a_top_up_is_of_one_period_and_one_counter(ledger: Ledger) -> None:
    async def scene() -> None:
        async with ledger.worker("a") as a:
            await applied(ledger, deed(TOP_UP, "1", 50))
            other = Charge(COUNTER, MONTH + 3600, 100, 101)
            assert isinstance(await ask(a, other), Exhausted)
            assert isinstance(await ask(a, charge(101, counter="b|team=b")), Exhausted)
            (await hold(a, charge(150))).settle([150])

    play(scene())


def test_counters_of_the_present_periods_are_told_alone(ledger: Ledger) -> None:
    store = ledger.store
    assert list(store.counters([MONTH])) == []
    for at, start in enumerate((MONTH, MONTH + 3600, 0)):
        store.apply(Asked(deed(TOP_UP, f"{at}", at + 1), [(COUNTER, start)], 100))
    assert len(store.counters()) == 3
    assert [each.topped_up for each in store.counters([MONTH, 0])] == [3, 1]
    assert list(store.counters([])) == []


def test_a_counter_that_nobody_drew_on_can_be_topped_up(ledger: Ledger) -> None:
    ledger.store.apply(Asked(deed(TOP_UP, "1", 50), [(COUNTER, MONTH)], 1000))
    assert list(ledger.store.counters()) == [Stands(COUNTER, MONTH, 0, 0, 50)]

    async def scene() -> None:
        async with ledger.worker("a") as a:
            (await hold(a, charge(150))).settle([150])

    play(scene())


def test_the_same_request_is_done_once_however_many_ask(ledger: Ledger) -> None:
    async def scene() -> None:
        await applied(ledger, deed(TOP_UP, "0", 1))  # the tables are there
        many = [applied(ledger, deed(TOP_UP, "again", 50)) for _ in range(8)]
        done = await asyncio.gather(*many)
        assert sorted(each.is_repeated for each in done) == [False] + 7 * [True]
        assert len({each.entry.seq for each in done}) == 1
        assert [each.topped_up for each in await stands(ledger)] == [51]
        with pytest.raises(Refusal, match=r"'again' was a top-up of 'b\|team=a'"):
            await applied(ledger, deed(RESET, "again"))
        with pytest.raises(Refusal, match="'again' was a top-up"):
            await applied(ledger, deed(TOP_UP, "again", 51))

    play(scene())


def test_who_topped_up_when_and_why_is_written_down_for_good(ledger: Ledger) -> None:
    first, second = deed(TOP_UP, "1", 50), deed(RESET, "2")
    store = ledger.store
    store.apply(Asked(first, [(COUNTER, MONTH)], 1000))
    store.apply(Asked(second, [(COUNTER, MONTH)], 1000))
    newest, oldest = store.log(None, 10)
    assert (newest.deed, oldest.deed) == (second, first)
    assert newest.before == (Stands(COUNTER, MONTH, 0, 0, 50),)
    assert newest.seq > oldest.seq
    assert list(store.log(newest.seq, 10)) == [oldest]
    assert list(store.log(None, 1)) == [newest]
    assert list(store.log(oldest.seq, 10)) == []


def test_more_than_a_ledger_holds_changes_nothing(ledger: Ledger) -> None:
    store, two = ledger.store, [(COUNTER, MONTH), ("b|team=b", MONTH)]
    store.apply(Asked(deed(TOP_UP, "1", 60, "b|team=b"), [("b|team=b", MONTH)], 100))
    with pytest.raises(Refusal, match=r"'b\|team=b' would be topped up by more"):
        store.apply(Asked(deed(TOP_UP, "2", 60), two, 100))
    assert sum(each.topped_up for each in store.counters()) == 60
    assert len(store.log(None, 10)) == 1
    store.apply(Asked(deed(TOP_UP, "2", 40), two, 100))


def test_a_reset_forgets_what_is_spent_and_not_what_is_held(ledger: Ledger) -> None:
    async def scene() -> None:
        async with ledger.worker("a") as a, ledger.worker("b") as b:
            (await hold(a, charge(60))).settle([60])
            held, late = await hold(b, charge(15)), await hold(a, charge(25))
            await a.flush()
            await b.flush()
            done = await applied(ledger, deed(RESET, "1"))
            assert done.entry.before == (Stands(COUNTER, MONTH, 60, 40, 0),)
            assert await stands(ledger) == [Stands(COUNTER, MONTH, 0, 40, 0)]
            held.settle([10])
            late.settle([25])
            await b.flush()
            await a.flush()
            assert await a.spent(COUNTER, MONTH) == Spent(35, 0)

            async def is_known() -> bool:
                answer = await ask(b, charge(65))
                return not isinstance(answer, Exhausted)

            await until(is_known)
            assert isinstance(await ask(a, charge(1)), Exhausted)

    play(scene())


def test_a_reset_keeps_what_was_topped_up(ledger: Ledger) -> None:
    async def scene() -> None:
        async with ledger.worker("a") as a:
            await applied(ledger, deed(TOP_UP, "1", 50))
            (await hold(a, charge(150))).settle([150])
            await a.flush()
            await applied(ledger, deed(RESET, "2"))
            assert await stands(ledger) == [Stands(COUNTER, MONTH, 0, 0, 50)]
            (await hold(a, charge(150, limit=100))).settle([150])

    play(scene())


def test_nothing_is_lost_or_gained_while_calls_come_and_go(ledger: Ledger) -> None:
    """Three workers spend flat out while the budget is topped up again and again."""

    async def spend(worker: LeasedLedger) -> int:
        total = 0
        while True:
            answer: Reservation | Exhausted = await ask(worker, charge(3))
            if not isinstance(answer, Exhausted):
                answer.settle([3])
                total += 3
            elif answer.topped_up == 260:  # not a refusal remembered from before the last one
                return total
            await asyncio.sleep(0)

    async def scene() -> None:
        async with ledger.worker("a") as a, ledger.worker("b") as b, ledger.worker("c") as c:
            jobs = [asyncio.ensure_future(spend(each)) for each in (a, b, c)]
            for number in range(10):
                await applied(ledger, deed(TOP_UP, f"{number}", 26))
            assert sum(await asyncio.gather(*jobs)) == 360
            assert await a.spent(COUNTER, MONTH) == Spent(360, 0, topped_up=260)

    play(scene())


def test_what_a_dead_worker_held_is_not_given_back_twice(ledger: Ledger) -> None:
    """It is booked as estimated, forgotten by a reset, and then told to have been less."""
    if not ledger.port:
        pytest.skip("who is dead on one machine does not come back")
    if "cluster" in ledger.place.url:
        pytest.skip("a cluster's client finds the server without our wire")

    async def scene() -> None:
        mortal = replace(ledger.place, dead_seconds=0.4, is_strict=False)
        async with network(ledger.port) as wire:
            far = mortal.url.replace(f":{ledger.port}", f":{wire.port}")
            cut_off = replace(mortal, answer_seconds=0.5, url=far)
            async with opened(cut_off, "a") as a, opened(mortal, "b") as b:
                held = await hold(a, charge(30))
                await a.flush()
                wire.cut()

                async def is_buried() -> bool:
                    return await b.spent(COUNTER, MONTH) == Spent(30, 0)

                await until(is_buried)
                await applied(ledger, deed(RESET, "1"))
                (await hold(b, charge(20))).settle([20])
                held.settle([7])
                wire.mend()

                async def is_told() -> bool:
                    await a.flush()
                    return True

                await until(is_told)
                assert (await b.spent(COUNTER, MONTH)).settled == 20

    play(scene())


def test_an_alert_is_claimed_by_one_until_it_is_sent_or_forgotten(ledger: Ledger) -> None:
    store = ledger.store
    alert, other = Alert(COUNTER, MONTH, 800), Alert(COUNTER, MONTH, 900)
    assert store.claim(alert, "one", 100, 160) == "one"
    assert store.claim(alert, "two", 159, 200) is None
    assert store.claim(other, "three", 100, 160) == "three"
    assert store.claim(alert, "four", 160, 220) == "one", "under the same id"
    store.sent(alert, "four")  # which nobody claimed
    assert store.claim(alert, "five", 220, 280) == "one"
    store.sent(alert, "one")
    assert store.claim(alert, "six", 10**10, 10**11) is None
    assert store.claim(Alert(COUNTER, MONTH + 3600, 800), "seven", 100, 160) == "seven"
    assert store.claim(Alert("b|team=b", MONTH, 800), "eight", 100, 160) == "eight"
    store.apply(Asked(deed(TOP_UP, "1", 5), [(COUNTER, MONTH)], 100))
    assert store.claim(alert, "nine", 10**10, 10**11) is None
    store.apply(Asked(deed(RESET, "2"), [(COUNTER, MONTH)], 100))
    assert store.claim(alert, "ten", 100, 160) == "ten"


def test_many_claim_an_alert_and_one_has_it(ledger: Ledger) -> None:
    async def scene() -> None:
        alert = Alert(COUNTER, 0, 800)
        claims = [
            asyncio.to_thread(ledger.store.claim, alert, f"{each}", 100, 160) for each in range(8)
        ]
        assert len([each for each in await asyncio.gather(*claims) if each]) == 1

    ledger.store.apply(Asked(deed(TOP_UP, "1", 5), [(COUNTER, MONTH)], 100))  # tables are there
    play(scene())


def test_a_ledger_of_before_is_read_and_made_whole(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with closing(sqlite3.connect(file)) as database:
        for statement in (
            "CREATE TABLE counters (counter TEXT NOT NULL, window_start INTEGER NOT NULL, "
            "settled INTEGER NOT NULL, PRIMARY KEY (counter, window_start)) WITHOUT ROWID",
            "CREATE TABLE leases (counter TEXT, window_start INTEGER, reserved INTEGER)",
            f"INSERT INTO counters VALUES ('{COUNTER}', {MONTH}, 7)",
            "PRAGMA user_version = 1",
        ):
            database.execute(statement)
        database.commit()
    store = store_at(file, HERE)
    assert list(store.counters()) == [Stands(COUNTER, MONTH, 7, 0, 0)]
    assert list(store.log(None, 10)) == []
    store.apply(Asked(deed(TOP_UP, "1", 5), [(COUNTER, MONTH)], 100))
    assert list(store.counters()) == [Stands(COUNTER, MONTH, 7, 0, 5)]


def test_a_ledger_that_is_being_made_has_no_counters(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    assert list(store_at(tmp_path / "ledger.db", HERE).counters()) == []


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_a_server_that_is_down_is_said_to_be(scheme: str, tmp_path: Path) -> None:
    place = place_at(f"{scheme}://127.0.0.1:{free_port()}/0", "mine", password="geheim")
    with pytest.raises(BudgetsUnavailable, match=f"ledger '{scheme}://127.0.0.1") as raised:
        store_at(tmp_path, place).counters()
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize("content", [b"no database", None])
def test_a_file_that_is_no_ledger_is_said_to_be(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    if content is None:
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA user_version = 9")
    else:
        file.write_bytes(content * 100)
    with pytest.raises(BudgetsUnavailable, match="ledger '"):
        store_at(file, HERE).apply(Asked(deed(TOP_UP, "1", 5), [(COUNTER, MONTH)], 100))
