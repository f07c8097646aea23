"""A ledger in memory, for tests of those who draw on one. It keeps the same contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from extproc.ports import Charge, Exhausted, Reservation, Spent


@dataclass(slots=True)
class _Counter:
    settled: int = 0
    reserved: int = 0


class MemoryLedger:
    """Answers at once, always."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, int], _Counter] = {}

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

    async def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stood in that period."""
        found = self._counters.get((counter, window_start), _Counter())
        return Spent(found.settled, found.reserved)

    async def counters(self) -> Sequence[tuple[str, int]]:
        """Every counter with each of its periods, in order."""
        return sorted(self._counters)

    async def close(self) -> None:
        """There is nothing to keep."""


class _MemoryReservation:
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

    def release(self) -> None:
        held, self._held = self._held, None
        _give_back(held or [])


def _give_back(held: list[tuple[_Counter, int]]) -> None:
    for counter, estimate in held:
        counter.reserved -= estimate
