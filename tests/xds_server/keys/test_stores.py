"""Virtual keys on real servers that several machines share: made, told, lost, and found again."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import psycopg
import pytest
import redis as redis_py

from extproc.adapters.key_directory import KeyDirectory
from extproc.adapters.key_places import reader_at
from extproc.adapters.key_tables import KeyReader
from extproc.keys import HeldKey, KeysUnavailable
from gateway.ledger_place import LedgerPlace
from gateway.virtual_keys import VirtualKey
from tests.kit.in_a_loop import PATIENCE_SECONDS, play, until
from tests.kit.key_store_suite import DEED, NOW, KeyStoreSuite, Read, virtual_key
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import (
    Network,
    Server,
    free_port,
    network,
    postgres,
    redis,
    redis_cli,
    redis_cluster,
    sentinel,
)
from xds_server.keys import store as keys
from xds_server.keys.store import KeyStore
from xds_server.keys.stores import StoreInForce, store_at

SCHEMES = {"redis": "redis", "cluster": "redis+cluster", "postgres": "postgresql"}
START = {"redis": redis, "cluster": redis_cluster, "postgres": postgres}
KEY = virtual_key(1)
CAN_BE_CUT = pytest.mark.parametrize("server", ["redis", "postgres"], indirect=True)
"""Clients of a cluster go where the cluster says that it is, which is not through our network."""
KNOWN_SECONDS = 1.0
"""Within which every worker knows of a change."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server with keys of this test alone, at a place of theirs."""

    server: Server
    place: LedgerPlace

    @property
    def store(self) -> KeyStore:
        return store_at(Path("unused"), self.place)

    def through(self, way: Network) -> LedgerPlace:
        url = self.place.url.replace(f":{self.server.port}", f":{way.port}")
        return replace(self.place, url=url, answer_seconds=0.5)

    @asynccontextmanager
    async def worker(
        self, place: LedgerPlace | None = None, stale_seconds: float = 300.0
    ) -> AsyncIterator[KeyDirectory]:
        loop = asyncio.get_running_loop()
        reader = reader_at(place or self.place)
        directory = KeyDirectory(reader, lambda: NOW, loop, stale_seconds=stale_seconds)
        try:
            yield directory
        finally:
            await directory.close()


@pytest.fixture(params=list(START), scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    with START[request.param](tmp_path_factory.mktemp(request.param) / "server") as running:
        database = "/ledger" if request.param == "postgres" else ""
        yield f"{SCHEMES[request.param]}://127.0.0.1:{running.port}{database}", running


@pytest.fixture
def served(server: tuple[str, Server], tmp_path: Path) -> Served:
    return Served(server[1], place_at(server[0], name_of(tmp_path)))


def name_of(directory: Path) -> str:
    return "k" + "".join(each for each in directory.name.lower() if each.isalnum())[-29:]


async def found(directory: KeyDirectory, id: str = KEY.id) -> HeldKey | None:
    answer = directory.find(id)
    return await answer if isinstance(answer, Awaitable) else answer


async def is_open(directory: KeyDirectory, id: str = KEY.id) -> bool:
    held = await found(directory, id)
    return held is not None and held.opens("secret", NOW)


async def is_refused(directory: KeyDirectory, id: str = KEY.id) -> bool:
    try:
        await found(directory, id)
    except KeysUnavailable:
        return True
    return False


def revoked(key: VirtualKey) -> VirtualKey:
    return msgspec.structs.replace(key, secrets=(), revoked=NOW)


async def revoke(served: Served, id: str = KEY.id) -> None:
    assert await asyncio.to_thread(served.store.change, id, revoked, DEED) is not None


class TestRemoteKeyStore(KeyStoreSuite):
    """The contract of all stores, on each server."""

    @pytest.fixture(autouse=True)
    def on(self, server: tuple[str, Server]) -> Iterator[None]:
        self._url = server[0]
        self._open: list[tuple[asyncio.Runner, KeyReader]] = []
        yield
        for runner, reader in self._open:
            runner.run(reader.close())
            runner.close()

    def opened(self, directory: Path) -> KeyStore:
        return store_at(directory, place_at(self._url, name_of(directory)))

    def _reader(self, directory: Path) -> tuple[asyncio.Runner, KeyReader]:
        async def made() -> KeyReader:
            return reader_at(place_at(self._url, name_of(directory)))

        runner = asyncio.Runner()
        self._open.append((runner, runner.run(made())))
        return self._open[-1]

    def read(self, directory: Path) -> Read:
        runner, reader = self._reader(directory)

        def read(
            ids: Sequence[str], since: int
        ) -> tuple[int, Sequence[str], dict[str, VirtualKey]]:
            reading = runner.run(reader.read(ids, since))
            assert not reading.unreadable
            return reading.last, reading.changed, dict(reading.keys)

        return read

    def use(self, directory: Path, ids: Sequence[str], at: int) -> None:
        runner, reader = self._reader(directory)
        runner.run(reader.note_uses(ids, at))


def test_a_revocation_on_one_machine_is_known_to_workers_of_all(served: Served) -> None:
    async def scene() -> None:
        served.store.add([KEY, virtual_key(2)], DEED)
        async with served.worker() as a, served.worker() as b:
            held = [await found(each, virtual_key(2).id) for each in (a, b)]
            assert await is_open(a)
            assert await is_open(b)
            began = time.monotonic()
            await revoke(served)
            for each in (a, b):
                await until(lambda each=each: _not(is_open(each)), KNOWN_SECONDS)  # type: ignore[misc]
            assert time.monotonic() - began < KNOWN_SECONDS
            assert [await found(each, virtual_key(2).id) for each in (a, b)] == held

    play(scene())


async def _not(claim: Awaitable[bool]) -> bool:
    return not await claim


def test_a_key_that_was_guessed_before_it_was_made_is_found(served: Served) -> None:
    async def scene() -> None:
        async with served.worker() as worker:
            assert await found(worker) is None
            assert worker.find(KEY.id) is None
            await asyncio.to_thread(served.store.add, [KEY], DEED)
            await until(lambda: is_open(worker), KNOWN_SECONDS)

    play(scene())


@CAN_BE_CUT
def test_known_keys_open_while_nobody_answers_and_a_revocation_is_known_after_it(
    served: Served,
) -> None:
    async def scene() -> None:
        served.store.add([KEY, virtual_key(2)], DEED)
        async with network(served.server.port) as way, served.worker(served.through(way)) as worker:
            await until(lambda: _opens_or_not(worker, KEY.id))
            way.cut()
            await revoke(served)  # by another machine, which is not cut off
            await until(lambda: is_refused(worker, virtual_key(2).id))
            slowest = 0.0
            for _ in range(100):
                began = time.monotonic()
                assert await is_open(worker)
                slowest = max(slowest, time.monotonic() - began)
                await asyncio.sleep(0.01)
            assert slowest < 0.4  # nobody waits for another failure
            with pytest.raises(KeysUnavailable):
                await worker.look_again(KEY.id)
            way.mend()
            await until(lambda: _not(is_open(worker)))
            assert await is_open(worker, virtual_key(2).id)

    play(scene())


@CAN_BE_CUT
def test_known_keys_are_refused_when_nobody_has_answered_for_too_long(served: Served) -> None:
    async def scene() -> None:
        served.store.add([KEY], DEED)
        async with (
            network(served.server.port) as way,
            served.worker(served.through(way), stale_seconds=2.0) as worker,
        ):
            await until(lambda: _opens_or_not(worker, KEY.id))
            way.cut()
            began = time.monotonic()
            await until(lambda: is_refused(worker))
            assert 1.5 < time.monotonic() - began < 4.5
            way.mend()
            await until(lambda: _opens_or_not(worker, KEY.id))

    play(scene())


def test_a_server_that_is_killed_and_started_again_is_asked_again(served: Served) -> None:
    async def scene() -> None:
        served.store.add([KEY, virtual_key(2)], DEED)
        async with served.worker(replace(served.place, answer_seconds=0.5)) as worker:
            await until(lambda: _opens_or_not(worker, KEY.id))
            await asyncio.to_thread(served.server.kill)
            with pytest.raises(keys.KeysUnavailable, match="ledger '"):
                await asyncio.to_thread(served.store.change, KEY.id, revoked, DEED)
            with pytest.raises(keys.KeysUnavailable, match="ledger '"):
                await asyncio.to_thread(served.store.find, KEY.id)
            assert await is_open(worker)
            assert await is_refused(worker, virtual_key(2).id)
            await asyncio.to_thread(served.server.start)
            await until(lambda: _opens_or_not(worker, virtual_key(2).id))
            await asyncio.to_thread(retried, lambda: served.store.change(KEY.id, revoked, DEED))
            await until(lambda: _not(is_open(worker)))

    play(scene())


async def _opens_or_not(worker: KeyDirectory, id: str) -> bool:
    return not await is_refused(worker, id) and await is_open(worker, id)


def retried(what: Callable[[], object]) -> None:
    """Until the server, which has just been started, does it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            what()
        except keys.KeysUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@CAN_BE_CUT
def test_a_change_that_gets_no_answer_fails_in_time_and_says_so(served: Served) -> None:
    async def scene() -> None:
        served.store.add([KEY], DEED)
        async with network(served.server.port) as way:
            there = store_at(Path("unused"), served.through(way))
            assert await asyncio.to_thread(there.find, KEY.id) is not None
            way.cut()
            with pytest.raises(keys.KeysUnavailable, match="ledger '"):
                await asyncio.to_thread(there.change, KEY.id, revoked, DEED)
        assert served.store.find(KEY.id) == keys.Stored(KEY, None)

    play(scene())


def test_a_key_that_cannot_be_understood_is_refused_and_no_other(served: Served) -> None:
    async def scene() -> None:
        served.store.add([KEY, virtual_key(2)], DEED)
        spoil(served, KEY.id)
        async with served.worker() as worker:
            answers = await asyncio.gather(
                found(worker), found(worker, virtual_key(2).id), return_exceptions=True
            )
            assert isinstance(answers[0], KeysUnavailable)
            assert "unheard_of" in str(answers[0])
            assert isinstance(answers[1], HeldKey)
        with pytest.raises(keys.KeysUnavailable, match="unheard_of"):
            served.store.find(KEY.id)

    play(scene())


def spoil(served: Served, id: str) -> None:
    """As a newer version would write it."""
    record = '{"unheard_of":1,"id":"' + id + '","name":"n","secrets":[],"created":1}'
    name = served.place.name
    if served.place.url.startswith("postgresql"):
        with psycopg.connect(served.place.url, user="gateway", autocommit=True) as connection:
            connection.execute(
                f"UPDATE {name}.virtual_keys SET record = %s WHERE id = %s", (record, id)
            )
        return
    with redis_py.Redis(port=served.server.port) as client:
        client.hset(f"{{{name}}}:keys", id, record)


def test_a_replica_that_lacks_the_latest_changes_is_noticed_also_when_others_follow(
    tmp_path: Path,
) -> None:
    """What was told by the first is believed no more: neither that a key is there, nor that not."""

    async def scene(place: LedgerPlace, files: Path, server: Server) -> None:
        store = store_at(Path("unused"), place)
        store.add([KEY], DEED)
        shutil.copytree(files / "appendonlydir", files / "saved")
        later, other = virtual_key(2), virtual_key(3)
        reader = reader_at(replace(place, answer_seconds=0.5))
        directory = KeyDirectory(
            reader, lambda: NOW, asyncio.get_running_loop(), stale_seconds=300.0
        )
        store.add([later], DEED)
        assert await is_open(directory, later.id)
        assert await found(directory, other.id) is None
        server.kill()
        shutil.rmtree(files / "appendonlydir")
        (files / "saved").rename(files / "appendonlydir")
        server.start()
        retried(lambda: store.add([other], DEED))  # the same number of changes as before
        await until(lambda: _opens_or_not(directory, other.id))
        assert await found(directory, later.id) is None
        assert await is_open(directory)
        await directory.close()

    files = tmp_path / "redis"
    with redis(files) as server:
        place = place_at(f"redis://127.0.0.1:{server.port}", "k")
        play(scene(place, files, server))


def test_keys_follow_a_failover_that_sentinels_make(tmp_path: Path) -> None:
    with redis(tmp_path / "one") as one, redis(tmp_path / "two") as two:
        subprocess.run(redis_cli(two.port, "replicaof", "127.0.0.1", str(one.port)), check=True)
        two.until(redis_cli(two.port, "info", "replication"), b"master_link_status:up")
        with sentinel(tmp_path / "sentinel", one.port) as watch:
            url = f"redis+sentinel://127.0.0.1:{watch.port}/ledger/0"
            served = Served(one, place_at(url, "k", answer_seconds=1.0))

            async def scene() -> None:
                await asyncio.to_thread(served.store.add, [KEY, virtual_key(2)], DEED)
                async with served.worker() as worker:
                    assert await is_open(worker)
                    await asyncio.sleep(0.1)  # the replica hears of it
                    await asyncio.to_thread(one.kill)
                    assert await is_open(worker)
                    await asyncio.to_thread(
                        retried, lambda: served.store.change(KEY.id, revoked, DEED)
                    )
                    await until(lambda: _not(is_open(worker)))
                    await until(lambda: _opens_or_not(worker, virtual_key(2).id))

            play(scene())


def test_the_store_in_force_is_that_of_the_ledger_in_force(served: Served, tmp_path: Path) -> None:
    places = [LedgerPlace()]
    store = StoreInForce(tmp_path / "ledger.db", lambda: places[-1])
    store.add([KEY], DEED)
    places.append(served.place)
    assert store.find(KEY.id) is None
    store.add([virtual_key(2)], DEED)
    store.change(virtual_key(2).id, lambda key: key, DEED)
    assert [each.key for each in store.page("", 5)] == [virtual_key(2)]
    assert store.remove(virtual_key(2).name, DEED) == virtual_key(2)
    assert len(store.log(None, 9)) == 3
    places.append(LedgerPlace())
    assert [each.key for each in store.page("", 5)] == [KEY]


def test_nobody_is_reached_where_nobody_listens() -> None:
    for url in (f"redis://127.0.0.1:{free_port()}", f"postgresql://127.0.0.1:{free_port()}/x"):
        with pytest.raises(keys.KeysUnavailable, match="refused"):
            store_at(Path("unused"), place_at(url, "k")).page("", 5)
