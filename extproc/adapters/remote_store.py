"""A store on another machine, behind a worker's leases: asked in time, left alone while it is down.

What a worker tells is absolute, so whatever got lost on the way, or in a failover, is told again.
docs/decisions/0030-ledger-servers.md.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from array import array
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from extproc.adapters.in_time import in_time
from extproc.adapters.misses import Missed, uncounted
from extproc.adapters.reports import Report, Standing
from extproc.ports import Booking, LedgerUnavailable, Spent

BURIED_SECONDS = 86400
"""How long a store keeps the leases of a worker that it took for dead."""
ENDED_SECONDS = 60.0
"""How long a lease that has ended can be told again."""
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 2.0
_LAST_TRIES = 2

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class Server(Protocol):
    """What a server is asked. It raises LedgerUnavailable, and may be asked by several at once."""

    address: str
    """Without credentials."""
    largest_limit: int

    async def visit(
        self, worker: str, reports: Sequence[Report], forgotten: Sequence[int]
    ) -> list[Standing]:
        """Keep the worker alive, take its reports down and answer them, all or nothing.

        Leases of the forgotten slots have ended, and will not be told again.
        """

    async def bury_dead(self) -> None:
        """Book all that workers hold who have not visited for long, and give up on them."""

    async def leave(self, worker: str, reports: Sequence[Report]) -> None:
        """Take down the last reports, and forget the worker."""

    async def spent(self, counter: str, window_start: int) -> Spent: ...

    async def counters(self) -> Sequence[tuple[str, int]]: ...

    async def remember(self, name: str, owner: str, now: int) -> None: ...

    async def owner(self, name: str) -> str | None: ...

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool: ...

    def break_off(self) -> None:
        """Nobody waits any more for what is being asked."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take, in seconds."""

    answer: float
    """A server that has not answered by then is taken for down."""
    dead: float
    """A worker that has not been heard for so long is taken for dead."""


class RemoteCells:
    """A lease's number lives in this process alone; its slot is its name in the store, for good."""

    def __init__(self) -> None:
        self._last = 0

    def allocate(self) -> tuple[int, memoryview, int]:
        """A slot that was never used, and a cell for it."""
        self._last += 1
        return self._last, memoryview(array("q", [0])), 0

    def free(self, slot: int) -> None:
        """There is nothing to give back."""


class NoRecall:
    """Slices that lie idle on other machines come back by themselves."""

    def call(self) -> None:
        """Nobody would hear it."""

    def is_heard(self) -> bool:
        return False


class RemoteStore:
    """One worker's way to the server. Lives on one event loop."""

    def __init__(
        self,
        server: Server,
        worker: str,
        loop: asyncio.AbstractEventLoop,
        patience: Patience,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cells = RemoteCells()
        self.recall = NoRecall()
        self.largest_limit = server.largest_limit
        self.has_been_away = False
        self.missed: Missed = uncounted
        self._server = server
        self._worker = worker
        self._loop = loop
        self._patience = patience
        self._clock = clock
        self._heard_at: float | None = None
        self._failures = 0
        self._not_before = 0.0
        self._reason = ""
        self._ended: deque[tuple[float, Report]] = deque()
        self._pulse: asyncio.Task[None] | None = None

    @property
    def is_forgotten(self) -> bool:
        """With half of the time to spare, since clocks differ."""
        return self._heard_at is not None and self._clock() - self._heard_at > BURIED_SECONDS / 2

    def visit(
        self, reports: Sequence[Report], is_recovering: bool
    ) -> asyncio.Future[list[Standing]]:
        """Take all reports down and answer them."""
        if self._pulse is None:
            self._pulse = self._loop.create_task(self._beat())
        return self._loop.create_task(self._visit(reports))

    async def leave(self, reports: Sequence[Report]) -> None:
        """Book everything, give everything back, and be forgotten."""
        again = self._again() if self.has_been_away else []
        for tries in range(_LAST_TRIES, 0, -1):
            self._not_before = 0.0  # there is no better time
            try:
                await self._ask(lambda: self._server.leave(self._worker, [*again, *reports]))
            except LedgerUnavailable:
                if tries == 1:
                    raise
            else:
                return

    async def spent(self, counter: str, window_start: int) -> Spent:
        return await self._ask(lambda: self._server.spent(counter, window_start))

    async def counters(self) -> Sequence[tuple[str, int]]:
        return await self._ask(self._server.counters)

    async def remember(self, name: str, owner: str, now: int) -> None:
        await self._ask(lambda: self._server.remember(name, owner, now))

    async def owner(self, name: str) -> str | None:
        return await self._ask(lambda: self._server.owner(name))

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        return await self._ask(lambda: self._server.book_once(name, extent, bookings, now))

    async def close(self) -> None:
        if self._pulse is not None:
            self._pulse.cancel()
            await asyncio.wait([self._pulse])
        await self._server.close()

    async def _visit(self, reports: Sequence[Report]) -> list[Standing]:
        oldest = self._clock() - ENDED_SECONDS
        over = [report.slot for since, report in self._ended if since < oldest]
        again = self._again() if self.has_been_away else []
        standings = await self._ask(
            lambda: self._server.visit(self._worker, [*again, *reports], over)
        )
        for _ in over:
            self._ended.popleft()
        now = self._clock()
        self._heard_at = now
        self.has_been_away = False
        self._ended.extend((now, report) for report in reports if report.is_last)
        return standings[len(again) :]

    def _again(self) -> list[Report]:
        """A server that took over may not have heard of the last ends."""
        oldest = self._clock() - ENDED_SECONDS
        return [report for since, report in self._ended if since >= oldest]

    async def _beat(self) -> None:
        """Stay alive in the store, and bury those who did not."""
        while True:
            try:
                if not self.has_been_away:  # else the ledger visits first, with all that it has
                    await self._ask(lambda: self._server.visit(self._worker, (), ()))
                    self._heard_at = self._clock()
                await self._ask(self._server.bury_dead)
                pause = self._patience.dead / 3
            except LedgerUnavailable:
                pause = min(1.0, self._patience.dead / 3)
            await asyncio.sleep(pause * (1 - random.random() / 4))

    async def _ask(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        if self._loop.time() < self._not_before:
            raise LedgerUnavailable(f"ledger '{self._server.address}': {self._reason}")
        try:
            result = await in_time(work(), self._patience.answer, self._server.break_off)
        except LedgerUnavailable as error:
            self._fail(str(error))
            raise LedgerUnavailable(f"ledger '{self._server.address}': {error}") from error
        if self._failures:
            _log.warning("the ledger '%s' answers again", self._server.address)
            self._failures = 0
        return result

    def _fail(self, reason: str) -> None:
        self.missed()
        self.has_been_away = True
        self._reason = reason
        self._failures += 1
        longest = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 16))
        self._not_before = self._loop.time() + longest * (1 - random.random() / 2)
