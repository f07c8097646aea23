"""What callers have agreed to at MCP servers, in the ledger's PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from gateway.ledger_place import LedgerPlace
from xds_server.consents.rows import Connection, ConsentsUnavailable
from xds_server.ledger_postgres import connected

_ALL: LiteralString = """
SELECT owner, who, server, since, expires FROM {0}.mcp_consents WHERE NOT ended
ORDER BY server, who, owner
"""
_END: LiteralString = """
UPDATE {0}.mcp_consents SET ended = true, leased_until = 0
WHERE owner = %s AND server = %s AND NOT ended
"""


class PostgresConsentRows:
    """A connection for each question. May be used from any thread."""

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place

    def all(self) -> Sequence[Connection]:
        with connected(self._place, ConsentsUnavailable) as database:
            if not database.is_made():
                return ()
            return [Connection(*row) for row in database.do(_ALL)]

    def end(self, owner: str, server: str) -> bool:
        with connected(self._place, ConsentsUnavailable) as database:
            return database.is_made() and database.do(_END, owner, server).rowcount > 0
