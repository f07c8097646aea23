"""What callers have agreed to, in a SQLite file that all workers of a machine share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from extproc.ports import Agreed, Agreement, Clock, ConsentsUnavailable, Ended
from gateway.mcp_consents import BUSY_SECONDS, FILE, TABLES

_FIND = "SELECT sealed, version FROM consents WHERE owner = ? AND server = ? AND ended = 0"
_KEEP = """
INSERT INTO consents (owner, server, who, sealed, version, since, expires, leased_until)
VALUES (?, ?, ?, ?, 1, ?, ?, 0)
ON CONFLICT (owner, server) DO UPDATE SET
    who = excluded.who, sealed = excluded.sealed, version = version + 1,
    since = excluded.since, expires = excluded.expires, leased_until = 0, ended = 0
"""
_LEASE = """
UPDATE consents SET leased_until = ?
WHERE owner = ? AND server = ? AND version = ? AND leased_until <= ?
"""
_RENEW = """
UPDATE consents SET sealed = ?, expires = ?, version = version + 1, leased_until = 0
WHERE owner = ? AND server = ? AND version = ? AND ended = 0
"""
_ENDED = """
UPDATE consents SET leased_until = ?
WHERE (owner, server) IN (
    SELECT owner, server FROM consents WHERE ended = 1 AND leased_until <= ? LIMIT 10
)
RETURNING owner, server, sealed, version
"""
_FREE = "UPDATE consents SET leased_until = 0 WHERE owner = ? AND server = ? AND version = ?"
_DROP = "DELETE FROM consents WHERE owner = ? AND server = ? AND version = ?"
_CLIENT = "SELECT sealed FROM clients WHERE name = ?"
_NEW_CLIENT = "INSERT OR IGNORE INTO clients (name, sealed) VALUES (?, ?)"
_OTHER_CLIENT = "UPDATE clients SET sealed = ? WHERE name = ? AND sealed = ?"
_DROP_CLIENT = "DELETE FROM clients WHERE name = ?"
_FORGET = "DELETE FROM flows WHERE until < ?"
_BEGIN = "INSERT OR IGNORE INTO flows (name, sealed, until) VALUES (?, ?, ?)"
_NOTE = """
INSERT INTO flows (name, sealed, until) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, until = excluded.until
"""
_NOTED = "SELECT sealed FROM flows WHERE name = ? AND until >= ?"
_TAKE = "DELETE FROM flows WHERE name = ? RETURNING sealed, until"

_T = TypeVar("_T")


class SqliteConsents:
    """Answers at once; what others write is seen with the next question."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._clock = clock
        self._file = state_dir / FILE
        self._connection: sqlite3.Connection | None = None

    async def find(self, owner: str, server: str) -> Agreed | None:
        row = self._do(lambda it: it.execute(_FIND, (owner, server)).fetchone())
        return None if row is None else Agreed(*row)

    async def keep(self, agreement: Agreement) -> None:
        of, now = agreement, int(self._clock())
        self._do(
            lambda it: it.execute(_KEEP, (of.owner, of.server, of.who, of.sealed, now, of.expires))
        )

    async def lease(self, owner: str, server: str, version: int, seconds: float) -> bool:
        now = self._clock()
        return self._changes(_LEASE, (now + seconds, owner, server, version, now))

    async def renew(self, agreement: Agreement, version: int) -> bool:
        of = agreement
        return self._changes(_RENEW, (of.sealed, of.expires, of.owner, of.server, version))

    async def free(self, owner: str, server: str, version: int) -> None:
        self._changes(_FREE, (owner, server, version))

    async def drop(self, owner: str, server: str, version: int) -> bool:
        return self._changes(_DROP, (owner, server, version))

    async def ended(self, seconds: float) -> Sequence[Ended]:
        now = self._clock()
        rows = self._do(lambda it: it.execute(_ENDED, (now + seconds, now)).fetchall())
        return [Ended(*each) for each in rows]

    async def client(self, name: str) -> bytes | None:
        row = self._do(lambda it: it.execute(_CLIENT, (name,)).fetchone())
        return None if row is None else row[0]

    async def keep_client(self, name: str, sealed: bytes, before: bytes | None) -> bytes:
        def kept(it: sqlite3.Connection) -> bytes:
            if before is None:
                it.execute(_NEW_CLIENT, (name, sealed))
            else:
                it.execute(_OTHER_CLIENT, (sealed, name, before))
            found: bytes = it.execute(_CLIENT, (name,)).fetchone()[0]
            return found

        return self._do(kept)

    async def drop_client(self, name: str) -> None:
        self._changes(_DROP_CLIENT, (name,))

    async def begin(self, name: str, sealed: bytes, until: int, once: str) -> bool:
        now = int(self._clock())

        def begun(it: sqlite3.Connection) -> bool:
            it.execute(_FORGET, (now,))
            if not it.execute(_BEGIN, (once, b"", until)).rowcount:
                return False
            it.execute(_BEGIN, (name, sealed, until))
            return True

        return self._do(begun)

    async def take(self, name: str) -> bytes | None:
        rows = self._do(lambda it: it.execute(_TAKE, (name,)).fetchall())
        return rows[0][0] if rows and rows[0][1] >= self._clock() else None

    async def note(self, name: str, sealed: bytes, until: int) -> None:
        now = int(self._clock())

        def noted(it: sqlite3.Connection) -> None:
            it.execute(_FORGET, (now,))
            it.execute(_NOTE, (name, sealed, until))

        self._do(noted)

    async def noted(self, name: str) -> bytes | None:
        row = self._do(lambda it: it.execute(_NOTED, (name, self._clock())).fetchone())
        return None if row is None else row[0]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _changes(self, statement: str, values: tuple[object, ...]) -> bool:
        return self._do(lambda it: it.execute(statement, values).rowcount) > 0

    def _do(self, what: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            connection = self._opened()
            with connection:
                return what(connection)
        except sqlite3.Error as error:
            raise ConsentsUnavailable(f"'{self._file}' cannot be used: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._file, timeout=BUSY_SECONDS)
            connection.execute("PRAGMA journal_mode=WAL")
            with connection:
                for table in TABLES:
                    connection.execute(table)
            self._file.chmod(0o600)
            self._connection = connection
        return self._connection
