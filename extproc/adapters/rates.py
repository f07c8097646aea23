"""Token bucket and sliding window over a row of 64-bit words, in whole numbers: nothing is rounded.

A row that was never used says 0 everywhere. Times are nanoseconds of one clock that never goes
back. Whoever calls has the row for itself.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from functools import lru_cache
from typing import TypeAlias

from extproc.ports import NEVER, Pace, Standing
from gateway.limits import Algorithm

Words: TypeAlias = "MutableSequence[int] | memoryview[int]"

FREE_AT = 2
"""The word that says from when on the row says nothing that matters; before it stands the name."""
STATE = 3
"""The word at which begins what a measure keeps."""
_SLOTS = 10
"""Parts of a period that a window is counted in."""
_RING = _SLOTS + 1
"""With the one that has only begun: so a window is never shorter than the period."""
ROW_WORDS = 16


class Bucket:
    """GCRA, the token bucket that is kept as one time: when it will be full again.

    `full_at` and `rest`, in nanoseconds and in parts of `amount` of one.
    https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
    """

    __slots__ = ("_whole", "amount", "period")

    def __init__(self, amount: int, period_ns: int) -> None:
        self.amount = amount
        self.period = period_ns
        self._whole = amount * period_ns

    def take(self, words: Words, row: int, now: int, wanted: int) -> Standing:
        """Take so much, if it is there."""
        amount, period, whole = self.amount, self.period, self._whole
        missing = words[row + STATE] - now
        used = missing * amount + words[row + STATE + 1] if missing >= 0 else 0
        more = used + wanted * period
        if more > whole:
            wait = NEVER if wanted > amount else -((whole - more) // amount)
            return max(0, whole - used) // period, max(0, missing), wait
        missing, words[row + STATE + 1] = divmod(more, amount)
        words[row + STATE] = full_at = now + missing
        words[row + FREE_AT] = full_at + 1
        return (whole - more) // period, missing, 0

    def correct(self, words: Words, row: int, now: int, more: int, at: int) -> None:
        """It was so much more, or less, than was taken at a time before."""
        full_at, rest = words[row + STATE], words[row + STATE + 1]
        if full_at < now:
            full_at, rest = now, 0
        moved, rest = divmod(rest + more * self.period, self.amount)
        full_at += moved
        if full_at < now:
            full_at, rest = now, 0
        words[row + STATE] = full_at
        words[row + STATE + 1] = rest
        words[row + FREE_AT] = full_at + 1


class Window:
    """Counts of the last tenths of a period, in a ring behind the number of the newest.

    The eldest counts in full until it has left the period altogether.
    """

    __slots__ = ("amount", "period", "width")

    def __init__(self, amount: int, period_ns: int) -> None:
        """`period_ns` can be divided by ten."""
        self.amount = amount
        self.period = period_ns
        self.width = period_ns // _SLOTS

    def take(self, words: Words, row: int, now: int, wanted: int) -> Standing:
        """Take so much, if it is there."""
        newest = self._advance(words, row, now)
        first = row + STATE + 1
        used = sum(words[first : first + _RING])
        over = used + wanted - self.amount
        if over > 0:
            wait = NEVER if wanted > self.amount else self._wait(words, row, newest, over) - now
            return max(0, self.amount - used), self._reset(words, row, newest, now), wait
        if wanted:
            words[first + newest % _RING] += wanted
            words[row + FREE_AT] = (newest + _RING) * self.width
        return -over, self._reset(words, row, newest, now), 0

    def correct(self, words: Words, row: int, now: int, more: int, at: int) -> None:
        """It was so much more, or less, than was taken at a time before."""
        newest = self._advance(words, row, now)
        slot = newest if more > 0 else at // self.width
        if slot <= newest - _RING:
            return  # it counts no longer
        place = row + STATE + 1 + slot % _RING
        words[place] = max(0, words[place] + more)
        words[row + FREE_AT] = (newest + _RING) * self.width

    def _wait(self, words: Words, row: int, newest: int, over: int) -> int:
        """When so much less will be in the window."""
        slot = newest - _SLOTS
        while True:
            over -= words[row + STATE + 1 + slot % _RING]
            slot += 1
            if over <= 0:
                return (slot + _SLOTS) * self.width

    def _reset(self, words: Words, row: int, newest: int, now: int) -> int:
        """Nanoseconds until nothing is in the window."""
        for slot in range(newest, newest - _RING, -1):
            if words[row + STATE + 1 + slot % _RING]:
                return (slot + _RING) * self.width - now
        return 0

    def _advance(self, words: Words, row: int, now: int) -> int:
        """Forget what is too old; the number of the newest slot."""
        newest, last = now // self.width, words[row + STATE]
        if newest <= last:
            return last
        for slot in range(max(last + 1, newest - _SLOTS), newest + 1):
            words[row + STATE + 1 + slot % _RING] = 0
        words[row + STATE] = newest  # last: who dies before has only forgotten what is too old
        return newest


@lru_cache(1024)
def rate(pace: Pace) -> Bucket | Window:
    """What measures it."""
    kind = Bucket if pace.algorithm is Algorithm.TOKEN_BUCKET else Window
    return kind(pace.amount, pace.period_ns)
