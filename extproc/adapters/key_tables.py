"""A worker's look at the virtual keys in the ledger's SQLite database.

Made by `xds_server/keys/store.py`; the schema is described in docs/decisions/0017-virtual-keys.md.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from extproc.keys import KeysUnavailable
from gateway.virtual_keys import VirtualKey, from_json

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
                return Reading(0, (), {})  # no key was ever made here
            raise
        changed: Sequence[str] = ()
        if last > since:
            changed = [id for (id,) in self._database.execute(_CHANGED, (since,))]
        return Reading(last, changed, dict(self._keys(ids)))

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
