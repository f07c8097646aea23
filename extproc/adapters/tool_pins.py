"""Definitions of tools that are known, in a SQLite file that all workers of a machine share."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from extproc.ports import Clock, Pin, PinsUnavailable, Seen
from gateway.mcp_pins import BUSY_SECONDS, FILE, TABLE

_ALL = "SELECT server, tool, known, seen FROM tools"
_PUT = """
INSERT INTO tools (server, tool, known, known_text, seen, seen_text, since)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (server, tool) DO UPDATE SET
    seen = excluded.seen, seen_text = excluded.seen_text, since = excluded.since
"""
"""What is known, operators alone change."""


class SqliteToolPins:
    """What others write is seen with the next question."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._clock = clock
        self._file = state_dir / FILE
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._known: dict[str, dict[str, Pin]] = {}

    def of(self, server: str) -> Mapping[str, Pin]:
        try:
            connection = self._opened()
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._read(connection)
                self._version = version
        except sqlite3.Error as error:
            raise PinsUnavailable(f"'{self._file}' cannot be read: {error}") from error
        return self._known.get(server, {})

    def put(self, server: str, seen: Sequence[Seen]) -> None:
        now = int(self._clock())
        rows = [
            (
                server,
                each.tool,
                each.known,
                each.text if each.known == each.digest else "",
                each.digest,
                each.text,
                now,
            )
            for each in seen
        ]
        try:
            connection = self._opened()
            with connection:
                connection.executemany(_PUT, rows)
            self._read(connection)
        except sqlite3.Error as error:
            raise PinsUnavailable(f"'{self._file}' cannot be written: {error}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._file, timeout=BUSY_SECONDS)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(TABLE)
            connection.commit()
            self._file.chmod(0o600)
            self._connection = connection
        return self._connection

    def _read(self, connection: sqlite3.Connection) -> None:
        known: dict[str, dict[str, Pin]] = {}
        for server, tool, digest, seen in connection.execute(_ALL):
            known.setdefault(server, {})[tool] = Pin(digest, seen)
        self._known = known
