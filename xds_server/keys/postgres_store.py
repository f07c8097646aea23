"""Virtual keys in the ledger's PostgreSQL. docs/decisions/0017-virtual-keys.md has the layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import LiteralString

import psycopg

from gateway.ledger_place import LedgerPlace
from gateway.virtual_keys import VirtualKey, to_json
from xds_server.keys.store import (
    LAST,
    Deed,
    Entry,
    KeysUnavailable,
    Stored,
    Taken,
    new_mark,
    stored,
)
from xds_server.ledger_postgres import Database, connected

_COUNT: LiteralString = "UPDATE {0}.key_changes SET last = last + %s, mark = %s RETURNING last"
"""Whoever writes keys begins with it, and so waits for whoever did before: numbers come into sight
in their order, and none is left out."""
_ADD: LiteralString = "INSERT INTO {0}.virtual_keys (id, name, record) VALUES (%s, %s, %s)"
_SET: LiteralString = "UPDATE {0}.virtual_keys SET name = %s, record = %s WHERE id = %s"
_REMOVE: LiteralString = "DELETE FROM {0}.virtual_keys WHERE id = %s"
_FORGET_USE: LiteralString = "DELETE FROM {0}.key_uses WHERE id = %s"
_KEYS: LiteralString = """
SELECT record, last_used FROM {0}.virtual_keys LEFT JOIN {0}.key_uses USING (id)
"""
_FOUND: LiteralString = _KEYS + "WHERE id = %s OR name = %s ORDER BY id <> %s LIMIT 1"
_PAGE: LiteralString = (
    _KEYS
    + """
WHERE name > %s AND (%s = '' OR record::json ->> 'team' = %s)
  AND (%s = '' OR record::json ->> 'user' = %s)
ORDER BY name LIMIT %s
"""
)
_NOTE: LiteralString = """
INSERT INTO {0}.key_log (seq, mark, at, who, what, details, id, name)
SELECT %s + n - 1, %s, %s, %s, %s, %s, id, name
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS k (id, name, n)
"""
_LOG: LiteralString = """
SELECT seq, at, who, what, details, id, name FROM {0}.key_log
WHERE seq < %s AND (%s = '' OR id = %s OR name = %s) ORDER BY seq DESC LIMIT %s
"""


class PostgresKeyStore:
    """A connection for each question. May be used from any thread."""

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place

    def add(self, keys: Sequence[VirtualKey], deed: Deed) -> None:
        with connected(self._place, KeysUnavailable) as database:
            database.make()
            with database.connection.transaction():
                _note(database, deed, keys)
                for key in keys:
                    row = (key.id, key.name, to_json(key).decode())
                    _write(database, _ADD, row, key)

    def change(
        self, ref: str, make: Callable[[VirtualKey], VirtualKey], deed: Deed
    ) -> VirtualKey | None:
        with connected(self._place, KeysUnavailable) as database:
            database.make()
            with database.connection.transaction() as transaction:
                database.do(_COUNT, 0, new_mark())  # whoever else changes keys waits
                found = _find(database, ref)
                if found is None:
                    raise psycopg.Rollback(transaction)
                made = make(found.key)
                _note(database, deed, [made])
                _write(database, _SET, (made.name, to_json(made).decode(), made.id), made)
                return made
        return None

    def remove(self, ref: str, deed: Deed) -> VirtualKey | None:
        with connected(self._place, KeysUnavailable) as database:
            database.make()
            with database.connection.transaction() as transaction:
                database.do(_COUNT, 0, new_mark())
                found = _find(database, ref)
                if found is None:
                    raise psycopg.Rollback(transaction)
                _note(database, deed, [found.key])
                database.do(_REMOVE, found.key.id)
                database.do(_FORGET_USE, found.key.id)
                return found.key
        return None

    def find(self, ref: str) -> Stored | None:
        with connected(self._place, KeysUnavailable) as database:
            return _find(database, ref) if database.is_made() else None

    def page(
        self, after: str, limit: int, holder: Mapping[str, str] | None = None
    ) -> Sequence[Stored]:
        asked = holder or {}
        team, user = asked.get("team", ""), asked.get("user", "")
        with connected(self._place, KeysUnavailable) as database:
            if not database.is_made():
                return ()
            rows = database.do(_PAGE, after, team, team, user, user, limit).fetchall()
            return [stored(*row) for row in rows]

    def log(self, before: int | None, limit: int, ref: str = "") -> Sequence[Entry]:
        with connected(self._place, KeysUnavailable) as database:
            if not database.is_made():
                return ()
            values = (LAST if before is None else before, ref, ref, ref, limit)
            return [
                Entry(seq, Deed(*deed), id, name)
                for seq, *deed, id, name in database.do(_LOG, *values).fetchall()
            ]


def _note(database: Database, deed: Deed, keys: Sequence[VirtualKey]) -> None:
    mark = new_mark()
    ((last,),) = database.do(_COUNT, len(keys), mark).fetchall()
    ids, names = [key.id for key in keys], [key.name for key in keys]
    what = (deed.at, deed.who, deed.what, deed.details)
    database.do(_NOTE, last - len(keys) + 1, mark, *what, ids, names)


def _write(
    database: Database, statement: LiteralString, row: tuple[str, ...], key: VirtualKey
) -> None:
    try:
        database.do(statement, *row)
    except psycopg.errors.UniqueViolation as error:
        what = "name" if "name" in (error.diag.constraint_name or "") else "id"
        raise Taken(f"the {what} of '{key.name}' is taken") from error


def _find(database: Database, ref: str) -> Stored | None:
    row = database.do(_FOUND, ref, ref, ref).fetchone()
    return None if row is None else stored(*row)
