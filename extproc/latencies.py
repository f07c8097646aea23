"""How soon the targets of models were seen to answer, and whom to try first by that.

Each worker has its own; they outlive the program that they were seen under.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import Struct

WEIGHT_OF_NEWEST = 0.2
"""Of the newest observation in the moving average."""
SHARE_OF_TRIALS = 0.05
"""Of the requests that are sent to a target of which nothing is known, or nothing new."""
FRESH_SECONDS = 300.0
"""For how long an observation says something."""
MOST_KEPT = 10_000
"""Clients choose the names of models behind a `*`, so they have no natural end."""


class Tried(Struct, frozen=True):
    """Who was asked, in what its provider calls it."""

    provider: str
    model: str


@dataclass(slots=True)
class _Seen:
    seconds: float
    at: float


class Latencies:
    """Of one worker."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._seen: dict[Tried, _Seen] = {}

    def now(self) -> float:
        return self._clock()

    def observe(self, tried: Tried, began: float) -> None:
        """A request that this target was asked first has its answer's first byte."""
        now = self._clock()
        seconds = max(0.0, now - began)
        seen = self._seen.get(tried)
        if seen is None or now - seen.at > FRESH_SECONDS:
            if seen is None and len(self._seen) >= MOST_KEPT:
                self._seen.pop(next(iter(self._seen)))
            self._seen[tried] = _Seen(seconds, now)
            return
        seen.seconds += WEIGHT_OF_NEWEST * (seconds - seen.seconds)
        seen.at = now

    def seconds(self, tried: Tried) -> float | None:
        """The moving average; None: it was never seen."""
        seen = self._seen.get(tried)
        return None if seen is None else seen.seconds

    def order(self, targets: Sequence[Tried], choose: Callable[[], float]) -> tuple[int, ...]:
        """The places of the targets, the fastest first, the unknown last.

        `choose` gives numbers in [0, 1). Now and then one goes first of which nothing new is known.
        """
        now = self._clock()
        seen = [self._seen.get(each) for each in targets]
        stale = [
            place
            for place, each in enumerate(seen)
            if each is None or now - each.at > FRESH_SECONDS
        ]
        order = sorted(
            range(len(targets)),
            key=lambda place: (True, 0.0) if (it := seen[place]) is None else (False, it.seconds),
        )
        if stale and (len(stale) == len(targets) or choose() < SHARE_OF_TRIALS):
            first = stale[int(choose() * len(stale))]
            order.remove(first)
            order.insert(0, first)
        return tuple(order)
