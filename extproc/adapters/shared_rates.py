"""What a server that counts rates for several machines is asked, and what it answers.

A state is what `rates.Bucket` and `rates.Window` keep in a row behind its name, in 64-bit words;
times are nanoseconds of the server's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from extproc.ports import Pace

STATE_WORDS = 12
"""Of a bucket, two count."""
LIVING_SECONDS = 10
"""Workers that have visited within so many seconds share what may be taken ahead."""
NOW = -1
"""Of a change: in whatever part of the period the server is."""


class Change(NamedTuple):
    """What was used, and nobody can refuse any more."""

    slot: int
    """Of a window: the part of the period in which it was taken that is given back; or NOW."""
    amount: int
    """Negative: it is given back."""


class Counted(NamedTuple):
    """A rate, and what a worker tells of it."""

    name: str
    pace: Pace
    changes: Sequence[Change]


class Wish(NamedTuple):
    """How much a call wants of a rate."""

    place: int
    """Of the rate, among those of the visit."""
    wanted: int
    is_binding: bool
    """Without it, the call is refused."""


class Visit(NamedTuple):
    """All that a worker has to tell and to ask at one time."""

    worker: str
    rates: Sequence[Counted]
    calls: Sequence[Sequence[Wish]]
    """One after the other, once the changes are made: all that is binding of a call, or nothing."""


class Answer(NamedTuple):
    """What has become of it."""

    now: int
    workers: int
    """That are alive, the one who asks among them."""
    states: Sequence[Sequence[int]]
    """Of the rates, in the end."""
    taken: Sequence[Sequence[bool]]
    """Of the calls: which wishes were fulfilled."""


class RateServer(Protocol):
    """Counts for all. Raises LedgerUnavailable."""

    async def visit(self, visit: Visit) -> Answer:
        """One atomic step."""

    def break_off(self) -> None:
        """Nobody waits any more for what is being asked."""

    async def close(self) -> None:
        """Let go of the server."""
