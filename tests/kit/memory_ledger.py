"""A ledger in memory, for tests of those who draw on one. It keeps the same contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from extproc.ports import REMEMBERED_SECONDS, Booking, Charge, Exhausted, Level, Reservation, Spent


@dataclass(slots=True)
class _Counter:
    settled: int = 0
    reserved: int = 0


@dataclass(slots=True)
class _Work:
    since: int
    owner: str | None = None
    extent: int | None = None
    booked: dict[str, int] = field(default_factory=dict)


class MemoryLedger:
    """Answers at once, always."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, int], _Counter] = {}
        self._works: dict[str, _Work] = {}

    def reserve(self, charges: Sequence[Charge]) -> Reservation | Exhausted:
        """Take all of the estimates, or none."""
        held: list[tuple[_Counter, int]] = []
        for charge in charges:
            if charge.estimate < 1:
                _give_back(held)
                raise ValueError(f"an estimate is at least 1, not {charge.estimate}")
            counter = self._counters.setdefault((charge.counter, charge.window_start), _Counter())
            spent = counter.settled + counter.reserved
            if spent + charge.estimate > charge.limit:
                _give_back(held)
                return Exhausted(charge, spent)
            counter.reserved += charge.estimate
            held.append((counter, charge.estimate))
        return _MemoryReservation(held)

    def note(self, charges: Sequence[Charge]) -> Reservation:
        """Take all of the estimates, whatever the limits."""
        held: list[tuple[_Counter, int]] = []
        for charge in charges:
            counter = self._counters.setdefault((charge.counter, charge.window_start), _Counter())
            counter.reserved += charge.estimate
            held.append((counter, charge.estimate))
        return _MemoryReservation(held)

    def level(self, charge: Charge) -> Level:
        """Where its counter stands."""
        key = (charge.counter, charge.window_start)
        counter = self._counters.get(key, _Counter())
        return Level(counter.settled + counter.reserved, 0)

    async def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stood in that period."""
        found = self._counters.get((counter, window_start), _Counter())
        return Spent(found.settled, found.reserved)

    async def counters(self) -> Sequence[tuple[str, int]]:
        """Every counter with each of its periods, in order."""
        return sorted(self._counters)

    async def remember(self, name: str, owner: str, now: int) -> None:
        """Keep who asked for the work of this name; the first who is said to have counts."""
        work = self._work(name, now)
        if work.owner is None:
            work.owner = owner

    async def owner(self, name: str) -> str | None:
        """Who asked for it."""
        work = self._works.get(name)
        return None if work is None else work.owner

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        """Book what is new of work that was not reserved for; whether anything was."""
        work = self._work(name, now)
        if work.extent is not None and work.extent >= extent:
            return False
        is_first = work.extent is None
        work.extent, work.since = extent, now
        for counter, window_start, amount in bookings:
            if is_first or counter in work.booked:
                added = max(0, amount - work.booked.get(counter, 0))
                work.booked[counter] = work.booked.get(counter, 0) + added
                if added:
                    found = self._counters.setdefault((counter, window_start), _Counter())
                    found.settled += added
        return True

    def _work(self, name: str, now: int) -> _Work:
        for old in [
            each for each, work in self._works.items() if work.since < now - REMEMBERED_SECONDS
        ]:
            del self._works[old]
        return self._works.setdefault(name, _Work(now))

    async def close(self) -> None:
        """There is nothing to keep."""


class _MemoryReservation(Reservation):
    __slots__ = ("_held",)

    def __init__(self, held: list[tuple[_Counter, int]]) -> None:
        self._held: list[tuple[_Counter, int]] | None = held

    def settle(self, amounts: Sequence[int]) -> None:
        held = self._held
        if held is None:
            return
        if len(amounts) != len(held):
            raise ValueError(f"{len(amounts)} amounts for {len(held)} charges")
        self._held = None
        for (counter, estimate), amount in zip(held, amounts, strict=True):
            counter.reserved -= estimate
            counter.settled += max(0, amount)

    def book(self, amounts: Sequence[int]) -> None:
        held = self._held
        if held is None:
            return
        self.settle(amounts)
        for counter, _ in held:
            counter.reserved += 1
        self._held = [(counter, 1) for counter, _ in held]

    def release(self) -> None:
        held, self._held = self._held, None
        _give_back(held or [])


def _give_back(held: list[tuple[_Counter, int]]) -> None:
    for counter, estimate in held:
        counter.reserved -= estimate
