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
_TEXT = "SELECT known_text FROM tools WHERE server = ? AND tool = ?"
_LEARN = """
UPDATE tools SET known = ?, known_text = ? WHERE server = ? AND tool = ? AND known = ?
"""
_LEARN_FIRST = """
INSERT INTO tools (server, tool, known, known_text, seen, seen_text, since)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""


class SqliteToolPins:
    """What others write is seen with the next question."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._clock = clock
        self._file = state_dir / FILE
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._known: dict[str, dict[str, Pin]] = {}

    def of(self, server: str) -> Mapping[str, Pin]:
        return self._all().get(server, {})

    def known(self) -> Mapping[tuple[str, str], str]:
        """The digests that may be, of all servers and tools. Raises `PinsUnavailable`."""
        return {
            (server, tool): pin.known
            for server, pins in self._all().items()
            for tool, pin in pins.items()
        }

    def known_text(self, server: str, tool: str) -> str:
        """The definition that may be; empty: none. Raises `PinsUnavailable`."""
        try:
            found = self._opened().execute(_TEXT, (server, tool)).fetchone()
        except sqlite3.Error as error:
            raise PinsUnavailable(f"'{self._file}' cannot be read: {error}") from error
        return "" if found is None else str(found[0])

    def learn(self, server: str, tool: str, digest: str, text: str, before: str) -> None:
        """What is known elsewhere, unless something else than `before` is known here by now.
        Raises `PinsUnavailable`."""
        try:
            connection = self._opened()
            with connection:
                done = connection.execute(_LEARN, (digest, text, server, tool, before)).rowcount
                if not done and not before:
                    row = (server, tool, digest, text, digest, text, int(self._clock()))
                    connection.execute(_LEARN_FIRST, row)
            self._read(connection)
        except sqlite3.Error as error:
            raise PinsUnavailable(f"'{self._file}' cannot be written: {error}") from error

    def _all(self) -> Mapping[str, Mapping[str, Pin]]:
        try:
            connection = self._opened()
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._read(connection)
                self._version = version
        except sqlite3.Error as error:
            raise PinsUnavailable(f"'{self._file}' cannot be read: {error}") from error
        return self._known

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
