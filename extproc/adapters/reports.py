"""What a worker's ledger and its store tell each other, whatever the store is.

Reports hold absolute values, counted from a lease's beginning: saying one again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from extproc.ports import Booking, Spent


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker tells of one lease, and what it would like."""

    counter: str
    window_start: int
    limit: int
    slot: int
    settled: int
    booked: int
    ceiling: int
    needs: tuple[int, ...]
    """Estimates of the calls that wait, in order."""
    wish: int
    """How much it would like to have free."""
    is_last: bool
    """Nothing is held and nothing is left: the lease ends."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store answers to a report."""

    ceiling: int
    booked_besides: int
    """Settled and reserved by everybody, as far as they have told, but for this lease's part."""
    idle_elsewhere: int
    """Leased by other workers and not in use, as far as they have told."""
    share: int
    """How much of this counter the worker may hold idle."""
    topped_up: int = 0
    """By how much its limit is raised, in this period."""


class Cells(Protocol):
    """Where leases keep what they have booked."""

    def allocate(self) -> tuple[int, memoryview, int]:
        """A cell that says 0: its slot, and the view and index to write it by. OSError: no room."""

    def free(self, slot: int) -> None:
        """The cell may be used for something else."""


class Recall(Protocol):
    """How workers ask each other to return what they do not use."""

    def call(self) -> None: ...

    def is_heard(self) -> bool:
        """Whether somebody else has asked since the last look."""


class Store(Protocol):
    """What stands behind a worker's leases. Every answer may be LedgerUnavailable."""

    @property
    def cells(self) -> Cells: ...

    @property
    def recall(self) -> Recall: ...

    @property
    def largest_limit(self) -> int:
        """Limits beyond it are taken as this."""

    @property
    def is_forgotten(self) -> bool:
        """The store may have forgotten this worker's leases, which it has booked as estimated."""

    @property
    def has_been_away(self) -> bool:
        """It gave no answer since the last visit, and may be another, which knows less."""

    def visit(
        self, reports: Sequence[Report], is_recovering: bool
    ) -> asyncio.Future[list[Standing]]:
        """Take all reports down and answer them. One at a time."""

    async def leave(self, reports: Sequence[Report]) -> None:
        """Book everything, give everything back, and be forgotten."""

    async def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stands, as far as the workers have told."""

    async def counters(self) -> Sequence[tuple[str, int]]:
        """Every counter with each of its periods, in order."""

    async def remember(self, name: str, owner: str, now: int) -> None:
        """As `Ledger.remember`."""

    async def owner(self, name: str) -> str | None:
        """As `Ledger.owner`."""

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        """As `Ledger.book_once`."""

    async def close(self) -> None:
        """Let go. Without `leave` before it, this is how a killed worker ends."""
