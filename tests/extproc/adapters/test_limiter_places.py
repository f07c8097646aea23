"""Which limiter counts, over changes of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from extproc.adapters.limiter_places import LimiterPlaces
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.adapters.shared_limiter import AHEAD, SharedLimiter
from extproc.ports import Limiter, LimitsUnavailable, Pace, Take
from gateway.ledger_place import LedgerPlace
from gateway.limits import Algorithm
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import Server, free_port, network, postgres, redis

PACE = Pace(10, 3600 * 10**9, Algorithm.SLIDING_WINDOW)


async def take(limiter: Limiter, wanted: int) -> Take:
    found = limiter.take([(limiter.meter("m", PACE, is_shared=True), wanted, True)])
    return await found if isinstance(found, Awaitable) else found


def test_machines_count_together_where_the_ledger_is_a_server(tmp_path: Path) -> None:
    async def scene(place: LedgerPlace) -> None:
        machines = []
        for name in "ab":
            (tmp_path / name).mkdir()
            local = MappedLimiter(tmp_path / name)
            machines.append(LimiterPlaces(local, name, left_seconds=0.01))
            assert machines[-1].at(LedgerPlace()) is local
        here, there = [await asyncio.to_thread(each.at, place) for each in machines]
        assert machines[0].at(place) is here
        assert isinstance(here, SharedLimiter)
        assert not (await take(here, 7))[2]
        assert (await take(there, 4))[2]
        assert not (await take(there, 3))[2]
        assert not (await take(machines[0].at(LedgerPlace()), 10))[2]
        await asyncio.sleep(0.05)
        with pytest.raises(LimitsUnavailable, match="closed"):
            await take(here, 1)
        for each in machines:
            await each.close()

    with redis(tmp_path / "redis") as server:
        asyncio.run(scene(place_at(f"redis://127.0.0.1:{server.port}", "k")))


def test_a_server_that_is_down_is_as_none_or_refuses(tmp_path: Path) -> None:
    async def scene() -> None:
        places = LimiterPlaces(MappedLimiter(tmp_path), "w")
        missed: list[None] = []
        places.missed = lambda: missed.append(None)
        for url in (f"redis://127.0.0.1:{free_port()}", f"postgresql://127.0.0.1:{free_port()}/x"):
            place = place_at(url, "k")
            assert not (await take(places.at(place), 5))[2]
            with pytest.raises(LimitsUnavailable):
                await take(places.at(replace(place, are_limits_strict=True)), 1)
        assert len(missed) >= 4
        await places.close()

    asyncio.run(scene())


@pytest.fixture(params=["redis", "postgres"], scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    start, form = {
        "redis": (redis, "redis://127.0.0.1:{}"),
        "postgres": (postgres, "postgresql://127.0.0.1:{}/ledger"),
    }[request.param]
    with start(tmp_path_factory.mktemp(request.param) / "server") as running:
        yield form, running


@asynccontextmanager
async def machine(folder: Path, name: str, place: LedgerPlace) -> AsyncIterator[SharedLimiter]:
    (folder / name).mkdir()
    places = LimiterPlaces(MappedLimiter(folder / name), name)
    found = places.at(place)
    assert isinstance(found, SharedLimiter)
    try:
        yield found
    finally:
        await places.close()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_flood_on_several_machines_is_let_through_once_and_hardly_more(
    tmp_path: Path, server: tuple[str, Server], algorithm: Algorithm
) -> None:
    """Each call of its own task, many at once, with corrections between; nothing comes back."""
    form, running = server
    amount, machines = 200, 3
    pace = Pace(amount, 86400 * 10**9, algorithm)

    async def flood(limiter: SharedLimiter) -> int:
        meter = limiter.meter("m", pace, is_shared=True)
        passed = 0

        async def call(number: int) -> int:
            await asyncio.sleep(0.003 * (number % 40))
            found = limiter.take([(meter, 2, True)])
            at, _, is_refused = await found if isinstance(found, Awaitable) else found
            if is_refused:
                return 0
            await asyncio.sleep(0.005)
            limiter.correct([(meter, -1)], at)  # it was less than estimated
            return 1

        for _ in range(4):
            passed += sum(await asyncio.gather(*[call(each) for each in range(100)]))
        return passed

    async def scene() -> None:
        place = place_at(form.format(running.port), f"flood_{algorithm.value[:6]}")
        async with AsyncExitStack() as stack:
            limiters = [
                await stack.enter_async_context(machine(tmp_path, f"m{each}", place))
                for each in range(machines)
            ]
            passed = sum(await asyncio.gather(*[flood(each) for each in limiters]))
            assert amount - 4 <= passed <= amount + amount // AHEAD

    asyncio.run(scene())


def test_a_machine_that_is_cut_off_counts_for_itself_and_then_with_the_others(
    tmp_path: Path, server: tuple[str, Server]
) -> None:
    form, running = server
    pace = Pace(100, 86400 * 10**9, Algorithm.SLIDING_WINDOW)

    async def take(limiter: SharedLimiter, wanted: int) -> Take:
        found = limiter.take([(limiter.meter("cut", pace, is_shared=True), wanted, True)])
        return await found if isinstance(found, Awaitable) else found

    async def scene() -> None:
        place = place_at(form.format(running.port), "cut")
        async with network(running.port) as way:
            there = replace(place, url=form.format(way.port), answer_seconds=1.0)
            async with (
                machine(tmp_path, "near", place) as near,
                machine(tmp_path, "far", there) as far,
            ):
                assert not (await take(near, 0))[2]  # who comes first makes tables, too
                assert not (await take(far, 30))[2]
                way.cut()
                loop = asyncio.get_running_loop()
                began = loop.time()
                assert not (await take(far, 50))[2]
                assert loop.time() - began < 4.0
                began = loop.time()
                assert not (await take(far, 50))[2]  # of its own amount, and nobody is waited for
                assert (await take(far, 1))[2]
                assert loop.time() - began < 0.9  # nobody waits for another failure
                assert not (await take(near, 60))[2]
                way.mend()
                async with asyncio.timeout(20):
                    while far.is_away:  # noqa: ASYNC110 - it asks again by itself
                        await asyncio.sleep(0.01)
                assert (await take(far, 11))[2]
                assert not (await take(far, 10))[2]
                assert (await take(near, 6))[2]  # more than its part ahead, so it asks

    asyncio.run(scene())
