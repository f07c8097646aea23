"""Ledgers on real servers that die, are cut off, and are replaced; and workers that do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.remote_store import BURIED_SECONDS, Patience, RemoteCells, RemoteStore
from extproc.adapters.reports import Report, Standing
from extproc.ports import Exhausted, LedgerUnavailable, Reservation, Spent
from gateway.ledger_place import LedgerPlace
from tests.kit.in_a_loop import play, until
from tests.kit.ledger_suite import MONTH, ask, charge, hold
from tests.kit.remote_ledgers import open_at, opened, place_at
from tests.kit.servers import Server, network, postgres, redis, redis_cli, sentinel

COUNTER = "b|team=a"


@pytest.fixture(params=["redis", "postgres"], scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    start = {"redis": redis, "postgres": postgres}[request.param]
    with start(tmp_path_factory.mktemp(request.param) / "server") as running:
        yield running


def url(server: Server, port: int = 0) -> str:
    port = port or server.port
    if "redis-server" in server.command[0]:
        return f"redis://127.0.0.1:{port}"
    return f"postgresql://127.0.0.1:{port}/ledger"


@pytest.fixture
def place(server: Server, tmp_path: Path) -> LedgerPlace:
    """Patient: on a busy machine, an answer may take its time."""
    return place_at(url(server), tmp_path.name, answer_seconds=5.0)


def leased(place: LedgerPlace, **changes: Any) -> LedgerPlace:
    return replace(place, **{"ahead_permille": 500, "is_strict": False, **changes})


async def spend(ledger: LeasedLedger, limit: int, each: int = 3) -> int:
    total = 0
    while not isinstance(held := await ask(ledger, charge(each, limit=limit)), Exhausted):
        held.settle([each])
        total += each
    return total


def test_workers_share_a_budget_to_the_last_unit(place: LedgerPlace) -> None:
    async def scene() -> None:
        async with opened(place, "a") as a, opened(place, "b") as b, opened(place, "c") as c:
            assert sum(await asyncio.gather(*(spend(each, 300) for each in (a, b, c)))) == 300
            assert await a.spent(COUNTER, MONTH) == Spent(300, 0)

    play(scene())


def test_what_one_machine_holds_another_sees_at_once(place: LedgerPlace) -> None:
    async def scene() -> None:
        async with opened(place, "a") as a, opened(place, "b") as b:
            held = await hold(a, charge(60))
            assert await ask(b, charge(41)) == Exhausted(charge(41), 60)
            other = await hold(b, charge(40))
            held.settle([60])
            other.settle([40])

    play(scene())


def test_of_a_leased_budget_no_more_than_its_share_lies_idle(place: LedgerPlace) -> None:
    async def scene() -> None:
        tenth = leased(place, ahead_permille=100)
        async with opened(tenth, "a") as a, opened(tenth, "b") as b:
            assert isinstance(await ask(b, charge(1001, limit=1000)), Exhausted)  # both are known
            (await hold(a, charge(10, limit=1000))).settle([10])
            # a holds at most a tenth of what is left, for two workers
            (await hold(b, charge(940, limit=1000))).settle([940])
            await b.flush()
            await a.flush()
            assert (await a.spent(COUNTER, MONTH)).settled == 950

    play(scene())


def test_a_killed_server_refuses_and_nothing_is_lost_or_counted_twice(
    place: LedgerPlace, server: Server
) -> None:
    async def scene() -> None:
        async with opened(place, "a") as a, opened(place, "b") as b:
            (await hold(a, charge(10))).settle([10])
            held = await hold(b, charge(20))
            await a.flush()
            server.kill()
            held.settle([15])
            with pytest.raises(LedgerUnavailable):
                await ask(a, charge(1))
            server.start()

            async def is_back() -> bool:
                return await a.spent(COUNTER, MONTH) == Spent(25, 0)

            await until(is_back)
            assert isinstance(await ask(b, charge(76)), Exhausted)
            (await hold(b, charge(75))).settle([75])

    play(scene())


def test_a_cut_network_lets_leased_calls_go_on(place: LedgerPlace, server: Server) -> None:
    async def scene() -> None:
        async with network(server.port) as wire:
            open_ = opened(leased(place, answer_seconds=0.5), "a", url(server, wire.port))
            async with open_ as a, opened(place, "b") as b:
                (await hold(a, charge(10, limit=10_000))).settle([10])
                wire.cut()
                with pytest.raises(LedgerUnavailable):
                    await a.flush()
                spent = 10
                for _ in range(7):  # a newcomer has room for eight
                    held = a.reserve([charge(10, limit=10_000)])
                    assert not isinstance(held, Awaitable | Exhausted)
                    held.settle([9])
                    spent += 9
                with pytest.raises(LedgerUnavailable):
                    await ask(a, charge(5_000, limit=10_000))
                wire.mend()

                async def is_told() -> bool:
                    return (await b.spent(COUNTER, MONTH)).settled == spent

                await until(is_told)

    play(scene())


def test_a_strict_ledger_refuses_while_it_cannot_ask(place: LedgerPlace, server: Server) -> None:
    async def scene() -> None:
        async with network(server.port) as wire:
            strict = leased(place, is_strict=True, answer_seconds=0.5)
            async with opened(strict, "a", url(server, wire.port)) as a:
                (await hold(a, charge(10, limit=10_000))).settle([10])
                assert not isinstance(a.reserve([charge(10, limit=10_000)]), Awaitable)
                wire.cut()
                with pytest.raises(LedgerUnavailable):
                    await a.flush()
                with pytest.raises(LedgerUnavailable):
                    await ask(a, charge(10, limit=10_000))
                wire.mend()

                async def is_back() -> bool:
                    return not isinstance(await ask(a, charge(10, limit=10_000)), Exhausted)

                await until(is_back)

    play(scene())


def test_what_a_dead_machine_held_is_booked_as_estimated(place: LedgerPlace) -> None:
    async def scene() -> None:
        mortal = leased(place, ahead_permille=0, dead_seconds=0.4)
        a = open_at(mortal, "a")
        (await hold(a, charge(10))).settle([4])
        await hold(a, charge(30))
        await a.flush()
        await a.abandon()
        async with opened(mortal, "b") as b:
            assert isinstance(await ask(b, charge(67)), Exhausted)

            async def is_buried() -> bool:
                return await b.spent(COUNTER, MONTH) == Spent(34, 0)

            await until(is_buried)

    play(scene())


def test_who_was_taken_for_dead_tells_better_when_it_comes_back(
    place: LedgerPlace, server: Server
) -> None:
    async def scene() -> None:
        mortal = leased(place, ahead_permille=0, dead_seconds=0.4)
        async with network(server.port) as wire:
            quick = replace(mortal, answer_seconds=0.5)
            open_ = opened(quick, "a", url(server, wire.port))
            async with open_ as a, opened(mortal, "b") as b:
                held, other = await hold(a, charge(30)), await hold(a, charge(20))
                await a.flush()
                await b.flush()
                wire.cut()

                async def is_buried() -> bool:
                    return await b.spent(COUNTER, MONTH) == Spent(50, 0)

                await until(is_buried)
                held.settle([7])
                wire.mend()

                async def is_told() -> bool:
                    return await b.spent(COUNTER, MONTH) == Spent(7, 20)

                await until(is_told)
                other.release()

    play(scene())


def test_a_network_that_fails_again_and_again_counts_nothing_twice(
    place: LedgerPlace, server: Server
) -> None:
    """Calls end in all ways while answers get lost; at the end the store says what they do."""
    chance = random.Random(5)

    async def work(ledger: LeasedLedger, booked: list[int]) -> None:
        for _ in range(150):
            try:
                held = await ask(ledger, charge(chance.randint(1, 9), limit=10**6))
            except LedgerUnavailable:
                await asyncio.sleep(0.01)
                continue
            assert not isinstance(held, Exhausted)
            amount = chance.randint(0, 12)
            if chance.random() < 0.2:
                held.release()
            else:
                held.settle([amount])
                booked.append(amount)
            await asyncio.sleep(0)

    async def scene() -> None:
        booked: list[int] = []
        quick = leased(place, answer_seconds=0.3)
        async with network(server.port) as wire, opened(place, "judge") as judge:
            there = url(server, wire.port)
            async with opened(quick, "a", there) as a, opened(quick, "b", there) as b:
                jobs = [asyncio.ensure_future(work(each, booked)) for each in (a, b)]
                while not all(job.done() for job in jobs):
                    await asyncio.sleep(chance.random() / 10)
                    wire.cut()
                    await asyncio.sleep(chance.random() / 5)
                    wire.mend()
                await asyncio.gather(*jobs)

                async def is_told() -> bool:
                    return await judge.spent(COUNTER, MONTH) == Spent(sum(booked), 0)

                await until(is_told)
            assert await judge.spent(COUNTER, MONTH) == Spent(sum(booked), 0)

    play(scene())


def test_what_a_replica_did_not_hear_is_told_again_when_it_takes_over(tmp_path: Path) -> None:
    async def scene(master: Server, replica: Server, guard: Server) -> None:
        there = place_at(f"redis+sentinel://127.0.0.1:{guard.port}/ledger/0", "failover")
        async with opened(there, "a") as a:
            (await hold(a, charge(10))).settle([10])
            held = await hold(a, charge(20))
            await a.flush()
            ask_replica = await asyncio.create_subprocess_exec(
                *redis_cli(replica.port, "client", "kill", "type", "master"),
                stdout=asyncio.subprocess.DEVNULL,
            )
            await ask_replica.wait()
            held.settle([17])
            (await hold(a, charge(30))).settle([25])
            await a.flush()
            master.kill()

            async def is_told() -> bool:
                return await a.spent(COUNTER, MONTH) == Spent(52, 0)

            await until(is_told)
            assert isinstance(await ask(a, charge(49)), Exhausted)
            (await hold(a, charge(48))).settle([48])

    with (
        redis(tmp_path / "master") as master,
        redis(tmp_path / "replica", "--replicaof", f"127.0.0.1 {master.port}") as replica,
    ):
        replica.until(redis_cli(replica.port, "info", "replication"), b"master_link_status:up")
        with sentinel(tmp_path / "sentinel", master.port) as guard:
            play(scene(master, replica, guard))


class FakeServer:
    """Takes down whatever is said, or fails."""

    address, largest_limit = "fake", 1000

    def __init__(self) -> None:
        self.is_down = False
        self.visits: list[tuple[list[int], list[int]]] = []

    async def visit(
        self, worker: str, reports: list[Report], forgotten: list[int]
    ) -> list[Standing]:
        if self.is_down:
            raise LedgerUnavailable("down")
        if reports or forgotten:
            self.visits.append(([each.slot for each in reports], list(forgotten)))
        return [Standing(each.slot, 0, 0, 0) for each in reports]

    async def bury_dead(self) -> None:
        if self.is_down:
            raise LedgerUnavailable("down")

    def break_off(self) -> None: ...

    async def close(self) -> None: ...


def report(slot: int, *, is_last: bool = False) -> Report:
    return Report("c", 0, 100, slot, 0, 0, 0, (), 0, is_last)


def test_ends_are_told_again_after_a_failure_and_forgotten_after_a_while() -> None:
    async def scene() -> None:
        server, now = FakeServer(), [0.0]
        loop = asyncio.get_running_loop()
        store = RemoteStore(server, "w", loop, Patience(1.0, 30.0), lambda: now[0])  # type: ignore[arg-type]
        await store.visit([report(1, is_last=True), report(2)], False)
        server.is_down = True
        with pytest.raises(LedgerUnavailable, match="'fake': down"):
            await store.visit([report(3)], False)
        assert store.has_been_away
        server.is_down = False

        async def is_back() -> bool:
            return [each.ceiling for each in await store.visit([report(3)], False)] == [3]

        await until(is_back)
        assert not store.has_been_away
        now[0] = 61.0
        await store.visit([report(3)], False)
        await store.visit([report(3)], False)
        assert server.visits == [
            ([1, 2], []),
            ([1, 3], []),
            ([3], [1]),
            ([3], []),
        ]
        assert not store.is_forgotten
        now[0] += BURIED_SECONDS
        assert store.is_forgotten
        await store.close()

    play(scene())


def test_a_server_that_is_down_is_left_alone_for_a_moment() -> None:
    async def scene() -> None:
        server = FakeServer()
        server.is_down = True
        asked = 0

        async def owner(name: str) -> str | None:
            nonlocal asked
            asked += 1
            raise LedgerUnavailable("down")

        server.owner = owner  # type: ignore[attr-defined]
        loop = asyncio.get_running_loop()
        store = RemoteStore(server, "w", loop, Patience(1.0, 30.0))  # type: ignore[arg-type]
        for _ in range(50):
            with pytest.raises(LedgerUnavailable, match="'fake': down"):
                await store.owner("x")
        assert asked == 1

    play(scene())


def test_a_slot_is_never_used_again() -> None:
    cells = RemoteCells()
    first, view, index = cells.allocate()
    view[index] = 5
    cells.free(first)
    second, view, index = cells.allocate()
    assert (second, view[index]) == (first + 1, 0)


def test_calls_of_leases_that_the_store_forgot_go_nowhere(place: LedgerPlace) -> None:
    async def scene() -> None:
        async with opened(place, "a") as a, opened(place, "b") as b:
            held: Reservation = await hold(a, charge(30))
            await a.flush()
            a._store._heard_at = 0.0  # type: ignore[attr-defined]
            (await hold(a, charge(5))).settle([5])
            await a.flush()
            held.settle([12])
            await a.flush()
            assert await b.spent(COUNTER, MONTH) == Spent(5, 30)

    play(scene())
