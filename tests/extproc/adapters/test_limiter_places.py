"""Which limiter counts, over changes of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest

from extproc.adapters.limiter_places import LimiterPlaces
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.adapters.shared_limiter import SharedLimiter
from extproc.ports import Limiter, LimitsUnavailable, Pace, Take
from gateway.ledger_place import LedgerPlace
from gateway.limits import Algorithm
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import free_port, redis

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
        for url in (f"redis://127.0.0.1:{free_port()}", f"postgresql://127.0.0.1:{free_port()}/x"):
            place = place_at(url, "k")
            assert not (await take(places.at(place), 5))[2]
            with pytest.raises(LimitsUnavailable):
                await take(places.at(replace(place, are_limits_strict=True)), 1)
        await places.close()

    asyncio.run(scene())
