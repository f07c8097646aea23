"""Where counters stand that somebody asks for without drawing on them: what was heard, and when.

Asked for at each call, so that it is answered from memory. What is older than `LEVEL_FLUSHES` is
asked for anew. Others tell what they spend within ten flushes, or sooner where little is left.
"""

from __future__ import annotations

from msgspec import Struct

LEVEL_FLUSHES = 20
"""So old may be what is known of others, in flushes of the ledger."""
_MOST = 10_000
"""Clients choose whose counters there are, so these have no natural end."""

Key = tuple[str, int]


class Heard(Struct, frozen=True):
    """What a store said of a counter."""

    besides: int
    """Settled and reserved by everybody, but for the part of this worker's lease."""
    topped_up: int
    at: float


_NEVER = Heard(0, 0, float("-inf"))


class Levels:
    """Of the counters that were asked for; no others are kept."""

    __slots__ = ("_heard", "_seconds")

    def __init__(self, flush_seconds: float) -> None:
        self._heard: dict[Key, Heard] = {}
        self._seconds = LEVEL_FLUSHES * flush_seconds

    def young(self, key: Key, now: float) -> Heard | None:
        """What is known, if that is young enough; from now on the counter is kept."""
        heard = self._heard.get(key)
        if heard is None:
            if len(self._heard) >= _MOST:
                self._heard.clear()
            self._heard[key] = _NEVER
            return None
        return heard if now - heard.at <= self._seconds else None

    def last(self, key: Key) -> Heard:
        """What was heard last, however long ago."""
        return self._heard.get(key, _NEVER)

    def hear(self, key: Key, besides: int, topped_up: int, now: float) -> None:
        """Keep it, if anybody asks for it."""
        if key in self._heard:
            self._heard[key] = Heard(besides, topped_up, now)
