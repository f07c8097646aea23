"""How many frames of a kind a peer may send: so many at once, so many per second after that."""

from __future__ import annotations

from collections.abc import Callable

MonotonicSeconds = Callable[[], float]


class Allowance:
    """A token bucket; the clock is passed in."""

    __slots__ = ("_burst", "_clock", "_left", "_per_second", "_seen")

    def __init__(self, burst: int, per_second: int, clock: MonotonicSeconds) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._left = float(burst)
        self._seen = clock()

    def take(self) -> bool:
        """False: the peer has used it up."""
        if self._left < 1:
            now = self._clock()
            earned = (now - self._seen) * self._per_second
            self._left = min(self._left + earned, self._burst)
            self._seen = now
            if self._left < 1:
                return False
        self._left -= 1
        return True
