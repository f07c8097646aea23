"""What callers have agreed to, in the ledger's PostgreSQL, for all machines. Its clock counts."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final, LiteralString, TypeVar

from extproc.adapters.in_time import in_time
from extproc.adapters.postgres_connection import PostgresConnection
from extproc.ports import Agreed, Agreement, ConsentsUnavailable, Ended, LedgerUnavailable
from gateway.ledger_place import LedgerPlace

_NOW: Final = "extract(epoch FROM clock_timestamp())"
_FIND: LiteralString = """
SELECT sealed, version FROM {0}.mcp_consents WHERE owner = %s AND server = %s AND NOT ended
"""
_KEEP: LiteralString = f"""
INSERT INTO {{0}}.mcp_consents (owner, server, who, sealed, version, since, expires)
VALUES (%s, %s, %s, %s, 1, {_NOW}, %s)
ON CONFLICT (owner, server) DO UPDATE SET
  who = excluded.who, sealed = excluded.sealed, version = mcp_consents.version + 1,
  since = excluded.since, expires = excluded.expires, leased_until = 0, ended = false
"""
_LEASE: LiteralString = f"""
UPDATE {{0}}.mcp_consents SET leased_until = {_NOW} + %s
WHERE owner = %s AND server = %s AND version = %s AND leased_until <= {_NOW}
"""
_RENEW: LiteralString = """
UPDATE {0}.mcp_consents SET sealed = %s, expires = %s, version = version + 1, leased_until = 0
WHERE owner = %s AND server = %s AND version = %s AND NOT ended
"""
_FREE: LiteralString = """
UPDATE {0}.mcp_consents SET leased_until = 0 WHERE owner = %s AND server = %s AND version = %s
"""
_DROP: LiteralString = """
DELETE FROM {0}.mcp_consents WHERE owner = %s AND server = %s AND version = %s
"""
_ENDED: LiteralString = f"""
UPDATE {{0}}.mcp_consents SET leased_until = {_NOW} + %s WHERE (owner, server) IN (
  SELECT owner, server FROM {{0}}.mcp_consents WHERE ended AND leased_until <= {_NOW}
  LIMIT 10 FOR UPDATE SKIP LOCKED
) RETURNING owner, server, sealed, version
"""
_CLIENT: LiteralString = "SELECT sealed FROM {0}.mcp_clients WHERE name = %s"
_NEW_CLIENT: LiteralString = """
INSERT INTO {0}.mcp_clients (name, sealed) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""
_OTHER_CLIENT: LiteralString = """
UPDATE {0}.mcp_clients SET sealed = %s WHERE name = %s AND sealed = %s
"""
_DROP_CLIENT: LiteralString = "DELETE FROM {0}.mcp_clients WHERE name = %s"
_FORGET: LiteralString = f"DELETE FROM {{0}}.mcp_flows WHERE until < {_NOW}"
_BEGIN: LiteralString = """
INSERT INTO {0}.mcp_flows (name, sealed, until) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
_NOTE: LiteralString = """
INSERT INTO {0}.mcp_flows (name, sealed, until) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, until = excluded.until
"""
_NOTED: LiteralString = f"""
SELECT sealed FROM {{0}}.mcp_flows WHERE name = %s AND until >= {_NOW}
"""
_TAKE: LiteralString = f"""
DELETE FROM {{0}}.mcp_flows WHERE name = %s RETURNING sealed, until >= {_NOW}
"""

_T = TypeVar("_T")


class PostgresConsents:
    """One worker's connection."""

    def __init__(self, place: LedgerPlace) -> None:
        self._database = PostgresConnection(place)
        self._place = place

    async def find(self, owner: str, server: str) -> Agreed | None:
        rows = await self._rows(_FIND, owner, server)
        return Agreed(*rows[0]) if rows else None

    async def keep(self, agreement: Agreement) -> None:
        of = agreement
        await self._changed(_KEEP, of.owner, of.server, of.who, of.sealed, of.expires)

    async def lease(self, owner: str, server: str, version: int, seconds: float) -> bool:
        return await self._changed(_LEASE, seconds, owner, server, version) > 0

    async def renew(self, agreement: Agreement, version: int) -> bool:
        of = agreement
        values = (of.sealed, of.expires, of.owner, of.server, version)
        return await self._changed(_RENEW, *values) > 0

    async def free(self, owner: str, server: str, version: int) -> None:
        await self._changed(_FREE, owner, server, version)

    async def drop(self, owner: str, server: str, version: int) -> bool:
        return await self._changed(_DROP, owner, server, version) > 0

    async def ended(self, seconds: float) -> Sequence[Ended]:
        return [Ended(*each) for each in await self._rows(_ENDED, seconds)]

    async def client(self, name: str) -> bytes | None:
        rows = await self._rows(_CLIENT, name)
        return rows[0][0] if rows else None

    async def keep_client(self, name: str, sealed: bytes, before: bytes | None) -> bytes:
        if before is None:
            await self._changed(_NEW_CLIENT, name, sealed)
        else:
            await self._changed(_OTHER_CLIENT, sealed, name, before)
        return await self.client(name) or sealed

    async def drop_client(self, name: str) -> None:
        await self._changed(_DROP_CLIENT, name)

    async def begin(self, name: str, sealed: bytes, until: int, once: str) -> bool:
        await self._changed(_FORGET)
        if not await self._changed(_BEGIN, once, b"", until):
            return False
        return await self._changed(_BEGIN, name, sealed, until) > 0

    async def take(self, name: str) -> bytes | None:
        rows = await self._rows(_TAKE, name)
        return rows[0][0] if rows and rows[0][1] else None

    async def note(self, name: str, sealed: bytes, until: int) -> None:
        await self._changed(_FORGET)
        await self._changed(_NOTE, name, sealed, until)

    async def noted(self, name: str) -> bytes | None:
        rows = await self._rows(_NOTED, name)
        return rows[0][0] if rows else None

    async def close(self) -> None:
        await self._database.close()

    async def _rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        async def asked() -> list[tuple[Any, ...]]:
            async with self._database.alone() as connection:
                return await self._database.rows(connection, statement, *values)

        return await self._answer(asked())

    async def _changed(self, statement: LiteralString, *values: object) -> int:
        async def asked() -> int:
            async with self._database.alone() as connection:
                return (await self._database.do(connection, statement, *values)).rowcount

        return await self._answer(asked())

    async def _answer(self, asked: Coroutine[Any, Any, _T]) -> _T:
        try:
            return await in_time(asked, self._place.answer_seconds, self._database.break_off)
        except LedgerUnavailable as error:
            raise ConsentsUnavailable(str(error)) from error
