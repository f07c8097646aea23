"""The ledger in memory keeps the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from extproc.adapters.memory_ledger import MemoryLedger
from tests.kit.ledger_suite import LedgerSuite


class TestMemoryLedger(LedgerSuite):
    @asynccontextmanager
    async def opened(self, directory: Path) -> AsyncIterator[MemoryLedger]:
        yield MemoryLedger()
