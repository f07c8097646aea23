"""What callers have agreed to at MCP servers, in whichever ledger is in force."""

from __future__ import annotations

from pathlib import Path

from gateway.ledger_place import LedgerKind, LedgerPlace
from xds_server.consents.rows import ConsentRows, SqliteConsentRows


def rows_at(file: Path, place: LedgerPlace) -> ConsentRows:
    """`file` is that of this machine. Drivers are loaded where they are used."""
    if place.kind is LedgerKind.SQLITE:
        return SqliteConsentRows(file)
    if place.kind is LedgerKind.POSTGRES:
        from xds_server.consents.postgres_rows import PostgresConsentRows  # noqa: PLC0415

        return PostgresConsentRows(place)
    from xds_server.consents.redis_rows import RedisConsentRows  # noqa: PLC0415

    return RedisConsentRows(place)
