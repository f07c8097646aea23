"""The store of whichever ledger is configured."""

from __future__ import annotations

from pathlib import Path

from gateway.ledger_place import LedgerKind, LedgerPlace
from xds_server.budgets.sqlite_store import SqliteBudgetStore
from xds_server.budgets.store import BudgetStore

LEDGER_FILE = "ledger.db"
"""In the state directory."""


def store_at(file: Path, place: LedgerPlace) -> BudgetStore:
    """`file` is where the ledger of this machine is. Drivers are loaded where they are used."""
    if place.kind is LedgerKind.SQLITE:
        return SqliteBudgetStore(file)
    if place.kind is LedgerKind.POSTGRES:
        from xds_server.budgets.postgres_store import PostgresBudgetStore  # noqa: PLC0415

        return PostgresBudgetStore(place)
    from xds_server.budgets.redis_store import RedisBudgetStore  # noqa: PLC0415

    return RedisBudgetStore(place)
