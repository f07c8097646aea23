"""MCP sessions of several machines in PostgreSQL: a row each, found by when it has changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, LiteralString

from extproc.adapters.in_time import in_time
from extproc.adapters.postgres_connection import PostgresConnection
from extproc.adapters.shared_sessions import KEPT_SECONDS, MOST_HEARD, NOT_ASKED, Heard, Told
from gateway.ledger_place import LedgerPlace

_NOW: LiteralString = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_TELL: LiteralString = """
INSERT INTO {0}.mcp_sessions AS s (name, changed, is_over)
SELECT name, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, is_over
FROM unnest(%s::bigint[], %s::boolean[]) AS n (name, is_over) ORDER BY name
ON CONFLICT (name) DO UPDATE SET changed = excluded.changed, is_over = excluded.is_over
WHERE excluded.is_over OR NOT s.is_over
"""
"""In one order, so that nobody waits in a circle. What is over stays so."""
_HEAR: LiteralString = """
SELECT name, changed FROM {0}.mcp_sessions WHERE is_over = %s AND changed >= %s
ORDER BY changed DESC LIMIT %s
"""
_FORGET: LiteralString = """
DELETE FROM {0}.mcp_sessions WHERE name IN (
  SELECT name FROM {0}.mcp_sessions WHERE is_over = %s AND changed < %s
  LIMIT 1000 FOR UPDATE SKIP LOCKED
)
"""
_FORGET_SECONDS: Final = 60.0
_TOP: Final = 1 << 63


class PostgresSessions:
    """One process's connection."""

    def __init__(self, place: LedgerPlace, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = PostgresConnection(place)
        self._place = place
        self._clock = clock
        self._forget_at = clock() + _FORGET_SECONDS

    async def visit(self, told: Told) -> Heard:
        asked = self._visit(told)
        return await in_time(asked, self._place.answer_seconds, self._database.break_off)

    async def close(self) -> None:
        await self._database.close()

    async def _visit(self, told: Told) -> Heard:
        rows = {**dict.fromkeys(told.used, False), **dict.fromkeys(told.ended, True)}
        async with self._database.alone() as connection:
            do, get = self._database.do, self._database.rows
            ((now,),) = await get(connection, _NOW)
            if rows:
                names = [_signed(each) for each in rows]
                await do(connection, _TELL, names, list(rows.values()))
            found: list[list[tuple[int, int]]] = [[], []]
            for is_over, since in enumerate((told.used_since, told.ended_since)):
                if since != NOT_ASKED:
                    heard = await get(connection, _HEAR, bool(is_over), since, MOST_HEARD)
                    found[is_over] = [(name % (1 << 64), changed) for name, changed in heard]
            if self._clock() >= self._forget_at:
                self._forget_at = self._clock() + _FORGET_SECONDS
                for is_over in (False, True):
                    await do(connection, _FORGET, is_over, now - KEPT_SECONDS * 1000)
        return Heard(now, *found)


def _signed(name: int) -> int:
    """As the database has it."""
    return name - 2 * _TOP if name >= _TOP else name
