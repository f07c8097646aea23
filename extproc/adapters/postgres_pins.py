"""Definitions of tools that several machines know, in PostgreSQL: a row for each tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from extproc.adapters.in_time import in_time
from extproc.adapters.postgres_connection import PostgresConnection
from extproc.adapters.shared_pins import Change, Heard, Known
from gateway.ledger_place import LedgerPlace

_NOW: LiteralString = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_FIRST: LiteralString = """
INSERT INTO {0}.mcp_tools (server, tool, known, known_text, changed)
SELECT server, tool, known, known_text,
  (extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS n (server, tool, known, known_text)
ORDER BY server, tool ON CONFLICT DO NOTHING
"""
_INSTEAD: LiteralString = """
UPDATE {0}.mcp_tools SET known = %s, known_text = %s,
  changed = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE server = %s AND tool = %s AND known = %s
"""
_HEAR: LiteralString = """
SELECT server, tool, known, known_text FROM {0}.mcp_tools WHERE changed >= %s
"""


class PostgresPins:
    """One worker's connection."""

    def __init__(self, place: LedgerPlace) -> None:
        self._database = PostgresConnection(place)
        self._place = place

    async def visit(self, changes: Sequence[Change], since: int) -> Heard:
        asked = self._visit(changes, since)
        return await in_time(asked, self._place.answer_seconds, self._database.break_off)

    async def close(self) -> None:
        await self._database.close()

    async def _visit(self, changes: Sequence[Change], since: int) -> Heard:
        first = [each.known for each in changes if not each.before]
        async with self._database.alone() as connection:
            do, get = self._database.do, self._database.rows
            ((now,),) = await get(connection, _NOW)
            if first:
                columns = [list(column) for column in zip(*first, strict=True)]
                await do(connection, _FIRST, *columns)
            for known, before in changes:
                if before:
                    values = (known.digest, known.text, known.server, known.tool, before)
                    await do(connection, _INSTEAD, *values)
            found = await get(connection, _HEAR, since)
        return Heard(now, [Known(*each) for each in found])
