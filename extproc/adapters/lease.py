"""A worker's slice of a counter, and the calls that draw on it: the ledger's fast path.

Both numbers only ever count up from the lease's beginning: `booked` is what is settled plus what
calls in flight hold, and `ceiling` is what it may reach. `booked` is also in a cell, so that it
is exactly what a dead worker is charged with.
"""

from __future__ import annotations

from collections.abc import Sequence

from extproc.ports import Reservation

_TRIFLE = 8
MOST_PER_CALL = 2**50
"""Larger amounts are booked as this: a provider's nonsense must not overflow 64 bits."""


class Lease:
    """Changed on the event loop only; what the store knows of it may lag behind."""

    __slots__ = (
        "booked",
        "ceiling",
        "changed",
        "counter",
        "demand",
        "index",
        "last_active",
        "limit",
        "reported_at",
        "settled",
        "share",
        "slot",
        "view",
        "window_start",
    )

    def __init__(
        self,
        counter: str,
        window_start: int,
        limit: int,
        cell: tuple[int, memoryview, int],
        changed: set[Lease],
    ) -> None:
        self.counter = counter
        self.window_start = window_start
        self.limit = limit
        self.slot, self.view, self.index = cell
        self.changed = changed
        """Where the lease puts itself when the store has something to learn."""
        self.booked = 0
        self.settled = 0
        self.ceiling = 0
        self.demand = 0
        """All estimates asked for since the store was last visited."""
        self.share = 0
        """How much may lie idle here, as the store last saw it."""
        self.last_active = 0
        self.reported_at = 0
        """Both in ticks of the ledger's clock."""

    @property
    def key(self) -> tuple[str, int]:
        return self.counter, self.window_start

    @property
    def free(self) -> int:
        """What may still be reserved; below zero after calls that cost more than estimated."""
        return self.ceiling - self.booked

    @property
    def is_comfortable(self) -> bool:
        """There is enough here for as much again, and far more in the store."""
        return self.demand < self.free <= self.share // _TRIFLE

    @property
    def is_over(self) -> bool:
        """Nothing is held and nothing is left."""
        return self.booked == self.settled and self.ceiling <= self.booked

    def take(self, estimate: int) -> bool:
        """Reserve, when there is enough."""
        booked = self.booked + estimate
        if booked > self.ceiling or estimate < 1:
            return False
        self.booked = self.view[self.index] = booked
        self.demand += estimate
        self.changed.add(self)
        return True

    def force(self, estimate: int) -> None:
        """Reserve, whether there is enough or not."""
        self.booked = self.view[self.index] = self.booked + estimate
        self.demand += estimate
        self.changed.add(self)

    def release(self, estimate: int) -> None:
        """Give back what was taken."""
        self.booked = self.view[self.index] = self.booked - estimate
        self.changed.add(self)

    def settle(self, estimate: int, amount: int) -> None:
        """Book `amount` in the place of what was taken."""
        if not 0 <= amount <= MOST_PER_CALL:
            amount = 0 if amount < 0 else MOST_PER_CALL
        self.booked = self.view[self.index] = self.booked + amount - estimate
        self.settled += amount
        self.changed.add(self)


class LeaseReservation(Reservation):
    """What one call holds of its leases."""

    __slots__ = ("_held",)

    def __init__(self, held: list[tuple[Lease, int]]) -> None:
        self._held: list[tuple[Lease, int]] | None = held

    def settle(self, amounts: Sequence[int]) -> None:
        held = self._held
        if held is None:
            return
        if len(amounts) != len(held):
            raise ValueError(f"{len(amounts)} amounts for {len(held)} charges")
        self._held = None
        for (lease, estimate), amount in zip(held, amounts, strict=True):
            lease.settle(estimate, amount)

    def book(self, amounts: Sequence[int]) -> None:
        held = self._held
        if held is None:
            return
        if len(amounts) != len(held):
            raise ValueError(f"{len(amounts)} amounts for {len(held)} charges")
        self._held = [(lease, 1) for lease, _ in held]
        for (lease, estimate), amount in zip(held, amounts, strict=True):
            lease.settle(estimate - 1, amount)

    def release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            for lease, estimate in held:
                lease.release(estimate)
