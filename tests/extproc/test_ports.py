"""The port's contract, kept by the ledger in memory that other tests draw on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.kit.ledger_suite import LedgerSuite
from tests.kit.memory_ledger import MemoryLedger


class TestMemoryLedger(LedgerSuite):
    @asynccontextmanager
    async def opened(self, directory: Path) -> AsyncIterator[MemoryLedger]:
        yield MemoryLedger()
