"""Which keys a worker knows, over changes of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.adapters.key_directory import open_directory
from extproc.adapters.key_places import KeyPlaces
from extproc.keys import KeysUnavailable
from gateway.ledger_place import LedgerPlace
from tests.kit.key_store_suite import DEED, NOW, virtual_key
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import free_port, redis
from xds_server.keys.store import SqliteKeyStore
from xds_server.keys.stores import store_at

HERE, THERE = virtual_key(1), virtual_key(2)


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110 - a task that nobody has tells a server
            await asyncio.sleep(0.01)


def test_keys_are_those_of_the_ledger_that_the_configuration_names(tmp_path: Path) -> None:
    async def scene(place: LedgerPlace) -> None:
        SqliteKeyStore(tmp_path / "ledger.db").add([HERE], DEED)
        store_at(tmp_path, place).add([THERE], DEED)
        local = open_directory(tmp_path / "ledger.db", lambda: NOW)
        places = KeyPlaces(local, lambda: NOW, left_seconds=0.01)
        assert places.at(LedgerPlace(), 300.0) is local
        far = await asyncio.to_thread(places.at, place, 300.0)
        assert places.at(place, 60.0) is far
        assert (far.stale_seconds, local.stale_seconds) == (60.0, 0.0)
        assert await far.look_again(HERE.id) is None
        there = await far.look_again(THERE.id)
        assert there is not None
        assert await local.look_again(HERE.id) is not None  # of requests that go on
        far.note_use(there)
        assert places.at(LedgerPlace(), 60.0) is local
        await until(lambda: store_at(tmp_path, place).page("", 1)[0].last_used == NOW)
        with pytest.raises(KeysUnavailable):
            await far.look_again(THERE.id)
        assert await local.look_again(THERE.id) is None
        await places.close()
        with pytest.raises(KeysUnavailable):
            await local.look_again(HERE.id)

    with redis(tmp_path / "redis") as server:
        asyncio.run(scene(place_at(f"redis://127.0.0.1:{server.port}", "k")))


def test_a_server_that_is_down_refuses_and_keeps_nobody_from_leaving(tmp_path: Path) -> None:
    async def scene() -> None:
        places = KeyPlaces(open_directory(tmp_path / "ledger.db", lambda: NOW), lambda: NOW)
        missed: list[None] = []
        places.missed = lambda: missed.append(None)
        for url in (f"redis://127.0.0.1:{free_port()}", f"postgresql://127.0.0.1:{free_port()}/x"):
            with pytest.raises(KeysUnavailable, match=f"keys in '{url}'"):
                await places.at(place_at(url, "k"), 300.0).look_again(HERE.id)
        assert len(missed) >= 2
        await places.close()

    asyncio.run(scene())
