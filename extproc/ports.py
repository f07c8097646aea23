"""What the request path needs from the world."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """Seconds since the epoch, UTC."""

    def __call__(self) -> float: ...


class Charge(NamedTuple):
    """One counter that a call draws on."""

    counter: str
    """Which budget and whose: `team-month|team=platform`."""
    window_start: int
    """Unix seconds at which the counter's current period began."""
    limit: int
    estimate: int
    """What is reserved; in the budget's own unit, like `limit`. At least 1."""


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A counter had too little left; nothing was reserved on any counter of the call."""

    charge: Charge
    spent: int
    """Settled and reserved so far by everybody, in the budget's unit."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Where a counter stands."""

    settled: int
    reserved: int
    """Held by calls that have not ended."""


class LedgerUnavailable(Exception):
    """The store cannot be asked: no room, locked for too long, damaged, or closed."""


class Reservation(Protocol):
    """What a call holds until it is settled or released, once; later calls do nothing."""

    def settle(self, amounts: Sequence[int]) -> None:
        """Book what was really used, one amount for each charge in order."""

    def release(self) -> None:
        """Book nothing: the call never reached a provider, or the provider refused it."""


class Ledger(Protocol):
    """Durable counters that cannot be overspent by concurrent reservations."""

    def reserve(
        self, charges: Sequence[Charge]
    ) -> Reservation | Exhausted | Awaitable[Reservation | Exhausted]:
        """Take all of the estimates, or none. Usually at once; awaits when the store must be asked.

        Awaiting raises LedgerUnavailable when the store gives no answer.
        """
