"""The ledger of one machine: leases in memory, SQLite behind them.

SQLite is visited in a thread, so that the event loop never waits for a disk.
docs/decisions/0004-ledger.md says why it is built so and what happens at each kind of death.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from extproc.adapters.cells import CellFile, Recall
from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.ledger_store import LedgerStore
from extproc.adapters.reports import Report, Standing
from extproc.ports import Booking, LedgerUnavailable, Spent

LARGEST_LIMIT = 2**61

_Result = TypeVar("_Result")


async def open_ledger(
    path: Path, *, worker: str, flush_seconds: float = 0.1, busy_seconds: float = 1.0
) -> LeasedLedger:
    """Join the ledger in this file, made if need be; first book what dead workers left.

    Raises LedgerUnavailable when the file cannot be used.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
    loop = asyncio.get_running_loop()
    try:
        store = await loop.run_in_executor(thread, LedgerStore, path, worker, busy_seconds)
        recall = Recall(path.with_name(f"{path.name}-recall"))
    except OSError as error:
        thread.shutdown()
        raise LedgerUnavailable(f"ledger '{path}': {error}") from error
    except BaseException:
        thread.shutdown()
        raise
    return LeasedLedger(_InThread(store, recall, thread, loop), loop, flush_seconds=flush_seconds)


class _InThread:
    """The store, asked from an event loop."""

    largest_limit = LARGEST_LIMIT
    is_forgotten = False
    has_been_away = False

    def __init__(
        self,
        store: LedgerStore,
        recall: Recall,
        thread: ThreadPoolExecutor,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._store = store
        self._thread = thread
        self._loop = loop
        self.recall = recall

    @property
    def cells(self) -> CellFile:
        return self._store.cells

    def visit(
        self, reports: Sequence[Report], is_recovering: bool
    ) -> asyncio.Future[list[Standing]]:
        return self._loop.run_in_executor(self._thread, self._store.visit, reports, is_recovering)

    async def leave(self, reports: Sequence[Report]) -> None:
        await self._in_thread(lambda: self._store.leave(reports))

    async def spent(self, counter: str, window_start: int) -> Spent:
        return await self._in_thread(lambda: self._store.spent(counter, window_start))

    async def counters(self) -> Sequence[tuple[str, int]]:
        return await self._in_thread(self._store.counters)

    async def remember(self, name: str, owner: str, now: int) -> None:
        await self._in_thread(lambda: self._store.remember(name, owner, now))

    async def owner(self, name: str) -> str | None:
        return await self._in_thread(lambda: self._store.owner(name))

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        return await self._in_thread(lambda: self._store.book_once(name, extent, bookings, now))

    async def close(self) -> None:
        self._store.close()
        self.recall.close()
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await self._loop.run_in_executor(self._thread, work)
