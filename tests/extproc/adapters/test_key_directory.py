"""Keys in memory, and the store behind them: what has changed is known within a second."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from extproc.adapters.key_directory import Bounds, KeyDirectory, open_directory
from extproc.adapters.key_tables import KeyTables, Reading, TablesInThread
from extproc.keys import HeldKey, KeysUnavailable
from gateway.virtual_keys import VirtualKey
from tests.kit.key_store_suite import DEED, NOW, virtual_key
from xds_server.keys.store import SqliteKeyStore

KEY = virtual_key(1)


@dataclass(slots=True)
class Counted:
    """The tables of a file, and what was asked of them; they can be told to fail."""

    path: Path
    asked: list[tuple[str, ...]] = field(default_factory=list)
    uses: list[tuple[str, ...]] = field(default_factory=list)
    is_broken: bool = False

    def connect(self) -> KeyTables:
        return _Watched(self)


class _Watched(KeyTables):
    def __init__(self, counted: Counted) -> None:
        super().__init__(counted.path, 0.1)
        self._counted = counted

    def read(self, ids: Sequence[str], since: int) -> Reading:
        if self._counted.is_broken:
            raise KeysUnavailable("broken")
        self._counted.asked.append(tuple(ids))
        return super().read(ids, since)

    def note_uses(self, ids: Sequence[str], now: int) -> None:
        self._counted.uses.append(tuple(ids))
        super().note_uses(ids, now)


@dataclass(slots=True)
class Scene:
    store: SqliteKeyStore
    counted: Counted
    directory: KeyDirectory


async def found(directory: KeyDirectory, id: str) -> HeldKey | None:
    answer = directory.find(id)
    return await answer if isinstance(answer, Awaitable) else answer


async def soon(claim: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Fails unless it holds within the time."""
    end = time.monotonic() + seconds
    while not await claim():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


class Play(Protocol):
    """Runs a scene over a store that has one key."""

    def __call__(
        self, scene: Callable[[Scene], Awaitable[None]], bounds: Bounds | None = None
    ) -> None: ...


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(scene: Callable[[Scene], Awaitable[None]], bounds: Bounds | None = None) -> None:
        async def main() -> None:
            store = SqliteKeyStore(tmp_path / "ledger.db")
            store.add([KEY], DEED)
            counted = Counted(tmp_path / "ledger.db")
            reader = TablesInThread(counted.connect, ThreadPoolExecutor(1))
            loop = asyncio.get_running_loop()
            directory = KeyDirectory(reader, lambda: NOW, loop, bounds)
            try:
                await scene(Scene(store, counted, directory))
            finally:
                await directory.close()

        asyncio.run(main())

    return run


def test_a_key_is_looked_up_once_and_then_known(play: Play) -> None:
    async def scene(on: Scene) -> None:
        first = on.directory.find(KEY.id)
        assert isinstance(first, Awaitable)
        held = await first
        assert isinstance(held, HeldKey)
        assert held.id == KEY.id
        assert on.directory.find(KEY.id) is held
        assert on.counted.asked == [(KEY.id,)]

    play(scene)


def test_what_there_is_not_is_not_asked_for_again(play: Play) -> None:
    async def scene(on: Scene) -> None:
        assert await found(on.directory, "nobody") is None
        assert on.directory.find("nobody") is None
        assert on.counted.asked == [("nobody",)]

    play(scene)


def test_those_who_ask_at_once_share_a_look(play: Play) -> None:
    async def scene(on: Scene) -> None:
        ids = [KEY.id, "a", "b", KEY.id, "c"] * 50
        answers = await asyncio.gather(*[found(on.directory, id) for id in ids])
        assert {held.id for held in answers if held is not None} == {KEY.id}
        assert answers.count(None) == 150
        assert len(on.counted.asked) == 2
        assert sorted(sum(on.counted.asked, ())) == sorted(["a", "b", "c", KEY.id])

    play(scene)


@pytest.mark.parametrize("what", ["change", "delete"])
def test_a_change_is_known_within_a_second_and_nobody_asked_for_it(play: Play, what: str) -> None:
    def changed(key: VirtualKey) -> VirtualKey:
        return msgspec.structs.replace(key, enabled=False)

    async def scene(on: Scene) -> None:
        held = await found(on.directory, KEY.id)
        assert held is not None
        assert held.opens("secret", NOW)
        if what == "change":
            on.store.change(KEY.id, changed, DEED)
        else:
            on.store.remove(KEY.id, DEED)

        async def is_shut() -> bool:
            now = await found(on.directory, KEY.id)
            return now is None or not now.opens("secret", NOW)

        await soon(is_shut, 1.0)

    play(scene)


def test_a_key_that_was_guessed_before_it_was_made_is_found(play: Play) -> None:
    async def scene(on: Scene) -> None:
        later = virtual_key(2)
        assert await found(on.directory, later.id) is None
        on.store.add([later], DEED)

        async def is_there() -> bool:
            return await found(on.directory, later.id) is not None

        await soon(is_there, 1.0)

    play(scene)


def test_only_what_has_changed_is_forgotten(play: Play) -> None:
    async def scene(on: Scene) -> None:
        other = virtual_key(2)
        on.store.add([other], DEED)
        first, second = await found(on.directory, KEY.id), await found(on.directory, other.id)
        on.store.change(KEY.id, lambda key: msgspec.structs.replace(key, team="blue"), DEED)

        async def is_new() -> bool:
            return await found(on.directory, KEY.id) is not first

        await soon(is_new, 1.0)
        assert await found(on.directory, other.id) is second
        changed = await found(on.directory, KEY.id)
        assert changed is not None
        assert changed.principal.team == "blue"

    play(scene)


def test_what_is_known_is_not_believed_when_nobody_can_look(play: Play) -> None:
    async def scene(on: Scene) -> None:
        assert await found(on.directory, KEY.id) is not None
        on.counted.is_broken = True

        async def is_refused() -> bool:
            try:
                await found(on.directory, KEY.id)
            except KeysUnavailable:
                return True
            return False

        await soon(is_refused, 1.5)
        on.counted.is_broken = False
        assert await found(on.directory, KEY.id) is not None

    play(scene)


def test_nobody_looks_when_nobody_asks_and_then_nothing_old_is_believed(play: Play) -> None:
    async def scene(on: Scene) -> None:
        await found(on.directory, KEY.id)

        async def is_quiet() -> bool:
            before = len(on.counted.asked)
            await asyncio.sleep(0.1)
            return len(on.counted.asked) == before

        await soon(is_quiet, 3.0)
        on.store.remove(KEY.id, DEED)
        assert await found(on.directory, KEY.id) is None

    play(scene, Bounds(poll_seconds=0.001, believed_seconds=0.05))


def test_uses_are_told_at_the_end_at_the_latest(play: Play, tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        key = await found(on.directory, KEY.id)
        assert key is not None
        on.directory.note_use(key)
        on.directory.note_use(key)
        assert on.counted.uses == []

    play(scene)
    stored = SqliteKeyStore(tmp_path / "ledger.db").find(KEY.id)
    assert stored is not None
    assert stored.last_used == NOW


def test_uses_are_told_when_it_is_time(play: Play) -> None:
    async def scene(on: Scene) -> None:
        key = await found(on.directory, KEY.id)
        assert key is not None
        told: list[tuple[str, ...]] = []

        async def is_told() -> bool:
            return on.counted.uses == told

        for _ in range(2):
            told.append((KEY.id,))
            on.directory.note_use(key)
            await soon(is_told, 1.0)

    play(scene, Bounds(uses_seconds=0.05))


def test_neither_guesses_nor_keys_take_room_without_end(play: Play) -> None:
    async def scene(on: Scene) -> None:
        on.store.add([virtual_key(n) for n in range(2, 9)], DEED)
        for number in range(25):
            await found(on.directory, f"guess-{number}")
        for number in range(1, 9):
            await found(on.directory, virtual_key(number).id)
        on.counted.asked.clear()
        remembered = [f"guess-{n}" for n in range(15, 25)]
        remembered += [virtual_key(n).id for n in (6, 7, 8)]
        for id in remembered:
            assert not isinstance(on.directory.find(id), Awaitable)
        assert isinstance(on.directory.find("guess-14"), Awaitable)
        assert isinstance(on.directory.find(virtual_key(5).id), Awaitable)

    play(scene, Bounds(most_known=3, most_unknown=10, believed_seconds=60))


def test_an_older_file_in_its_place_is_read_anew(play: Play) -> None:
    async def scene(on: Scene) -> None:
        on.store.change(KEY.id, lambda key: key, DEED)
        before = await found(on.directory, KEY.id)
        with closing(sqlite3.connect(on.counted.path)) as database, database:
            database.execute("DELETE FROM key_log WHERE seq > 1")  # as it is in a copy

        async def is_new() -> bool:
            return await found(on.directory, KEY.id) is not before

        await soon(is_new, 1.0)

    play(scene)


def test_whoever_looks_again_is_told_what_is_there_now(play: Play) -> None:
    async def scene(on: Scene) -> None:
        before = await found(on.directory, KEY.id)
        on.store.change(KEY.id, lambda key: msgspec.structs.replace(key, team="blue"), DEED)
        now = await on.directory.look_again(KEY.id)
        assert now is not before
        assert now is not None
        assert now.principal.team == "blue"
        assert on.directory.find(KEY.id) is now

    play(scene)


def test_whoever_leaves_does_not_take_the_answer_from_others(play: Play) -> None:
    async def scene(on: Scene) -> None:
        first, second = on.directory.find(KEY.id), on.directory.find(KEY.id)
        assert isinstance(first, asyncio.Future)
        assert isinstance(second, asyncio.Future)
        first.cancel()
        held = await second
        assert held is not None

    play(scene)


def test_after_the_end_nothing_is_found(tmp_path: Path) -> None:
    async def main() -> None:
        SqliteKeyStore(tmp_path / "ledger.db").add([KEY], DEED)
        directory = open_directory(tmp_path / "ledger.db", lambda: NOW)
        waiting = directory.find(KEY.id)
        assert isinstance(waiting, asyncio.Future)
        await directory.close()
        await directory.close()
        with pytest.raises(KeysUnavailable):
            await waiting
        with pytest.raises(KeysUnavailable):
            await found(directory, "other")

    asyncio.run(main())


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
        directory = open_directory(tmp_path / "ledger.db", lambda: NOW)
        with pytest.raises(KeysUnavailable, match="not a database"):
            await found(directory, KEY.id)
        await directory.close()

    asyncio.run(main())
