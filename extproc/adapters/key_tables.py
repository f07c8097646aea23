"""A worker's look at the virtual keys: what a look brings, and the ledger's SQLite database.

Made by `xds_server/keys/store.py`; the schema is described in docs/decisions/0017-virtual-keys.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from extproc.keys import KeysUnavailable
from gateway.virtual_keys import VirtualKey, from_json

NOTHING_KNOWN = 1 << 62
"""Later than any change: for whoever knows no key, nothing has changed."""
MOST_CHANGES = 10_000
"""Of more, servers do not tell whose they are."""
_MOST_AT_ONCE = 500
"""Ids in a question, and uses in a transaction: others want to write, too."""
_LAST = "SELECT COALESCE(MAX(seq), 0) FROM key_log"
_CHANGED = "SELECT DISTINCT id FROM key_log WHERE seq > ?"
_USED = """
INSERT INTO key_uses (id, last_used) SELECT id, ?2 FROM virtual_keys WHERE id = ?1
ON CONFLICT DO UPDATE SET last_used = MAX(last_used, excluded.last_used)
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was in the store at one moment."""

    last: int
    """The number of the last change; 0: none was ever made."""
    changed: Sequence[str]
    """The ids of the keys that have changed since the change that was known."""
    keys: Mapping[str, VirtualKey]
    """Those that were asked for, as far as there are any."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Those of them that cannot be understood, and why."""
    is_another: bool = False
    """Nothing holds any more that was read before: it is another store, or an older copy of it, or
    too much has changed."""


class KeyReader(Protocol):
    """What a worker asks the store of keys. Each raises KeysUnavailable; one is asked at a time."""

    async def read(self, ids: Sequence[str], since: int) -> Reading:
        """These keys, and what has changed since that change, all of one moment."""

    async def note_uses(self, ids: Sequence[str], now: int) -> None:
        """Keys that were used up to now, in Unix seconds."""

    async def close(self) -> None:
        """Let go of the store."""


_Result = TypeVar("_Result")


def decoded(
    records: Iterable[tuple[str, bytes | str | None]],
) -> tuple[dict[str, VirtualKey], dict[str, str]]:
    """Keys by their ids; and of those that cannot be understood, why."""
    readable: dict[str, VirtualKey] = {}
    unreadable: dict[str, str] = {}
    for id, record in records:
        if record is None:
            continue
        try:
            readable[id] = from_json(record)
        except msgspec.DecodeError as error:
            unreadable[id] = f"the key {id}: {error}"
    return readable, unreadable


class TablesInThread:
    """The tables of a file, which is opened when it is first read, in a thread of their own."""

    def __init__(self, connect: Callable[[], KeyTables], thread: ThreadPoolExecutor) -> None:
        self._connect = connect
        self._thread = thread
        self._tables: KeyTables | None = None

    async def read(self, ids: Sequence[str], since: int) -> Reading:
        return await self._there(lambda: self._opened().read(ids, since))

    async def note_uses(self, ids: Sequence[str], now: int) -> None:
        await self._there(lambda: self._opened().note_uses(ids, now))

    async def close(self) -> None:
        try:
            if self._tables is not None:
                await self._there(self._tables.close)
        finally:
            self._thread.shutdown()

    def _opened(self) -> KeyTables:
        if self._tables is None:
            self._tables = self._connect()
        return self._tables

    async def _there(self, what: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)


class KeyTables:
    """One connection. Used from one thread at a time; it may block."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path = path
        with self._telling():
            self._database = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA synchronous = NORMAL")

    def read(self, ids: Sequence[str], since: int) -> Reading:
        """All of one moment. Raises KeysUnavailable."""
        with self._telling():
            self._database.execute("BEGIN")
            try:
                return self._read(ids, since)
            finally:
                self._database.execute("COMMIT")

    def _read(self, ids: Sequence[str], since: int) -> Reading:
        try:
            (last,) = self._database.execute(_LAST).fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return Reading(0, (), {}, is_another=0 < since != NOTHING_KNOWN)  # none here yet
            raise
        changed: Sequence[str] = ()
        if last > since:
            changed = [id for (id,) in self._database.execute(_CHANGED, (since,))]
        is_another = last < since != NOTHING_KNOWN
        return Reading(last, changed, dict(self._keys(ids)), is_another=is_another)

    def note_uses(self, ids: Sequence[str], now: int) -> None:
        """Keys that were used up to now. Raises KeysUnavailable."""
        with self._telling():
            for start in range(0, len(ids), _MOST_AT_ONCE):
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    rows = [(id, now) for id in ids[start : start + _MOST_AT_ONCE]]
                    self._database.executemany(_USED, rows)
                finally:
                    self._database.execute("COMMIT")

    def close(self) -> None:
        self._database.close()

    def _keys(self, ids: Sequence[str]) -> Iterator[tuple[str, VirtualKey]]:
        for start in range(0, len(ids), _MOST_AT_ONCE):
            some = ids[start : start + _MOST_AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT id, record FROM virtual_keys WHERE id IN ({marks})"
            for id, record in self._database.execute(query, some):
                yield id, from_json(record)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, msgspec.DecodeError) as error:
            raise KeysUnavailable(f"keys in '{self._path}': {error}") from error
