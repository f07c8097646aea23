"""Where virtual keys are kept: what every store must do, and the ledger's SQLite database.

Workers read the same tables (`extproc/adapters/key_tables.py`). The schema is described in
docs/decisions/0017-virtual-keys.md. Any store must pass `tests/kit/key_store_suite.py`.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from gateway.virtual_keys import VirtualKey, from_json, to_json
from xds_server.ledger_sqlite import changing, reading


class KeysUnavailable(Exception):
    """The store cannot be asked: no room, locked for too long, or damaged."""


class Taken(Exception):
    """There is another key of this name or id; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A key, and what its use has left."""

    key: VirtualKey
    last_used: int | None
    """Unix seconds, a minute or so behind; None: never."""


class Deed(NamedTuple):
    """What is written down of a change."""

    at: int
    """Unix seconds."""
    who: str
    what: str
    """`create`, `change`, `rotate`, `revoke`, `delete`, `import`."""
    details: str = ""
    """What of it, without any secret."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log; `seq` only grows, and workers notice changes by it."""

    seq: int
    deed: Deed
    id: str
    name: str


class KeyStore(Protocol):
    """Keys by id and by name. Every change is in the log with it, or did not happen.

    Each raises KeysUnavailable; all may block.
    """

    def add(self, keys: Sequence[VirtualKey], deed: Deed) -> None:
        """All or none; raises Taken."""

    def change(
        self, ref: str, make: Callable[[VirtualKey], VirtualKey], deed: Deed
    ) -> VirtualKey | None:
        """Put what `make` gives in the place of the key of this id or name, with nobody between;
        None: there is none. Raises Taken, and what `make` raises: then nothing has changed.
        """

    def remove(self, ref: str, deed: Deed) -> VirtualKey | None:
        """Forget it; its entries in the log stay."""

    def find(self, ref: str) -> Stored | None:
        """The key of this id, else of this name."""

    def page(
        self, after: str, limit: int, holder: Mapping[str, str] | None = None
    ) -> Sequence[Stored]:
        """At most so many keys whose names follow `after`, in order, of these `team` and `user`."""

    def log(self, before: int | None, limit: int, ref: str = "") -> Sequence[Entry]:
        """The latest entries, the newest first, of one key or of all."""


_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS virtual_keys (
      id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS key_uses (
      id TEXT PRIMARY KEY, last_used INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS key_log (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL,
      what TEXT NOT NULL, details TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL
    )""",
)
_FOUND = """
SELECT record, last_used FROM virtual_keys LEFT JOIN key_uses USING (id)
WHERE id = ?1 OR name = ?1 ORDER BY id <> ?1 LIMIT 1
"""
_PAGE = """
SELECT record, last_used FROM virtual_keys LEFT JOIN key_uses USING (id)
WHERE name > ?1 AND (?2 = '' OR json_extract(record, '$.team') = ?2)
  AND (?3 = '' OR json_extract(record, '$.user') = ?3)
ORDER BY name LIMIT ?4
"""
_LOG = """
SELECT seq, at, who, what, details, id, name FROM key_log
WHERE seq < ?1 AND (?2 = '' OR id = ?2 OR name = ?2) ORDER BY seq DESC LIMIT ?3
"""
_NOTE = "INSERT INTO key_log (at, who, what, details, id, name) VALUES (?, ?, ?, ?, ?, ?)"
LAST = 2**63 - 1
"""Later than any entry of a log."""


def new_mark() -> str:
    """What tells a change from another of the same number, which a server that has lost the latest
    may give once more."""
    return secrets.token_hex(8)


class SqliteKeyStore:
    """Keys beside the ledger's counters. May be used from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, keys: Sequence[VirtualKey], deed: Deed) -> None:
        with self._changing() as database:
            for key in keys:
                row = (key.id, key.name, to_json(key).decode())
                _write(database, "INSERT INTO virtual_keys VALUES (?, ?, ?)", row, key)
                _note(database, deed, key)

    def change(
        self, ref: str, make: Callable[[VirtualKey], VirtualKey], deed: Deed
    ) -> VirtualKey | None:
        with self._changing() as database:
            found = _find(database, ref)
            if found is None:
                return None
            made = make(found.key)
            row = (made.name, to_json(made).decode(), made.id)
            _write(database, "UPDATE virtual_keys SET name = ?, record = ? WHERE id = ?", row, made)
            _note(database, deed, made)
            return made

    def remove(self, ref: str, deed: Deed) -> VirtualKey | None:
        with self._changing() as database:
            found = _find(database, ref)
            if found is None:
                return None
            database.execute("DELETE FROM virtual_keys WHERE id = ?", (found.key.id,))
            database.execute("DELETE FROM key_uses WHERE id = ?", (found.key.id,))
            _note(database, deed, found.key)
            return found.key

    def find(self, ref: str) -> Stored | None:
        with self._reading() as database:
            return None if database is None else _find(database, ref)

    def page(
        self, after: str, limit: int, holder: Mapping[str, str] | None = None
    ) -> Sequence[Stored]:
        asked = holder or {}
        with self._reading() as database:
            if database is None:
                return ()
            values = (after, asked.get("team", ""), asked.get("user", ""), limit)
            return [stored(*row) for row in database.execute(_PAGE, values)]

    def log(self, before: int | None, limit: int, ref: str = "") -> Sequence[Entry]:
        with self._reading() as database:
            if database is None:
                return ()
            values = (LAST if before is None else before, ref, limit)
            return [
                Entry(seq, Deed(*deed), id, name)
                for seq, *deed, id, name in database.execute(_LOG, values)
            ]

    def _changing(self) -> AbstractContextManager[sqlite3.Connection]:
        return changing(self._path, KeysUnavailable, _make)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """None: no key was ever made here."""
        with reading(self._path, KeysUnavailable) as database:
            yield database if database is not None and _has_tables(database) else None


def _make(database: sqlite3.Connection) -> None:
    for statement in _SCHEMA:
        database.execute(statement)


def _has_tables(database: sqlite3.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE name = 'key_log'"
    return database.execute(query).fetchone() is not None


def _write(
    database: sqlite3.Connection, statement: str, row: tuple[str, ...], key: VirtualKey
) -> None:
    try:
        database.execute(statement, row)
    except sqlite3.IntegrityError as error:
        what = str(error).rpartition(".")[2]
        raise Taken(f"the {what} of '{key.name}' is taken") from error


def _note(database: sqlite3.Connection, deed: Deed, key: VirtualKey) -> None:
    database.execute(_NOTE, (deed.at, deed.who, deed.what, deed.details, key.id, key.name))


def _find(database: sqlite3.Connection, ref: str) -> Stored | None:
    row = database.execute(_FOUND, (ref,)).fetchone()
    return None if row is None else stored(*row)


def stored(record: str | bytes, last_used: int | None) -> Stored:
    """As it stands in a store."""
    return Stored(from_json(record), last_used)
