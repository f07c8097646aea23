"""A worker's look at the virtual keys in PostgreSQL.

Made by `xds_server/keys/postgres_store.py`; docs/decisions/0017-virtual-keys.md has the layout.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import LiteralString, TypeVar

from extproc.adapters.in_time import in_time
from extproc.adapters.key_tables import MOST_CHANGES, NOTHING_KNOWN, Reading, decoded
from extproc.adapters.postgres_connection import PostgresConnection
from extproc.keys import KeysUnavailable
from extproc.ports import LedgerUnavailable
from gateway.ledger_place import LedgerPlace, shown

_LAST: LiteralString = "SELECT last, mark FROM {0}.key_changes"
_READ: LiteralString = """
SELECT last, mark,
  COALESCE((SELECT mark FROM {0}.key_log WHERE seq = %s), ''),
  ARRAY(SELECT DISTINCT id FROM {0}.key_log WHERE seq > %s AND last - %s <= %s),
  ARRAY(SELECT id FROM {0}.virtual_keys WHERE id = ANY(%s) ORDER BY id),
  ARRAY(SELECT record FROM {0}.virtual_keys WHERE id = ANY(%s) ORDER BY id)
FROM {0}.key_changes
"""
"""One statement, so all of it is of one moment."""
_USED: LiteralString = """
INSERT INTO {0}.key_uses AS u (id, last_used)
SELECT id, %s FROM {0}.virtual_keys WHERE id = ANY(%s) ORDER BY id
ON CONFLICT (id) DO UPDATE SET last_used = GREATEST(u.last_used, excluded.last_used)
"""

_Result = TypeVar("_Result")


class PostgresKeys:
    """One worker's connection."""

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place
        self._database = PostgresConnection(place)
        self._mark = ""
        """Of the last change that is known: another in its place is another history."""

    async def read(self, ids: Sequence[str], since: int) -> Reading:
        return await self._in_time(self._read(list(ids), since))

    async def note_uses(self, ids: Sequence[str], now: int) -> None:
        await self._in_time(self._used(list(ids), now))

    async def close(self) -> None:
        await self._database.close()

    async def _used(self, ids: Sequence[str], now: int) -> None:
        async with self._database.alone() as connection:
            await self._database.do(connection, _USED, now, ids)

    async def _read(self, ids: Sequence[str], since: int) -> Reading:
        async with self._database.alone() as connection:
            rows = self._database.rows
            if not ids and await rows(connection, _LAST) == [(since, self._mark)]:
                return Reading(since, (), {})
            values = (since, since, since, MOST_CHANGES, ids, ids)
            ((last, mark, known, changed, found, records),) = await rows(connection, _READ, *values)
        is_other = known != self._mark or last < since or last - since > MOST_CHANGES
        self._mark = mark
        is_another = since != NOTHING_KNOWN and is_other
        readable, unreadable = decoded(zip(found, records, strict=True))
        return Reading(last, changed, readable, unreadable, is_another)

    async def _in_time(self, asked: Coroutine[None, None, _Result]) -> _Result:
        try:
            return await in_time(asked, self._place.answer_seconds, self._database.break_off)
        except LedgerUnavailable as error:
            raise KeysUnavailable(f"keys in '{shown(self._place.url)}': {error}") from error
