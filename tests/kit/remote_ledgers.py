"""Ledgers on servers, opened as a worker opens them, but quicker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.ledgers import open_ledger
from gateway.ledger_place import LedgerKind, LedgerPlace


def place_at(url: str, name: str, **fields: Any) -> LedgerPlace:
    """Exact, unless something else is said."""
    kind = LedgerKind.POSTGRES if url.startswith("postgresql") else LedgerKind.REDIS
    user = "gateway" if kind is LedgerKind.POSTGRES else ""
    return replace(LedgerPlace(kind, url, user, name=name, answer_seconds=2.0), **fields)


def open_at(place: LedgerPlace, worker: str, url: str = "") -> LeasedLedger:
    """By another way, if one is named."""
    there = replace(place, url=url or place.url)
    return open_ledger(there, worker, asyncio.get_running_loop(), flush_seconds=0.01)


@asynccontextmanager
async def opened(place: LedgerPlace, worker: str, url: str = "") -> AsyncIterator[LeasedLedger]:
    ledger = open_at(place, worker, url)
    try:
        yield ledger
    finally:
        await ledger.close()
