"""When files that are looked at again and again have changed, and have come to rest."""

from __future__ import annotations

from gateway.config.files import Disk, Watched

GONE_LOOKS = 4
"""How many looks a file must be gone to be missed: some editors remove it before they write it."""


class Settling:
    """What was seen at the last look, and for which state somebody was called already."""

    def __init__(self, seen: Watched) -> None:
        self._called = self._last = seen
        self._rested = 0

    def is_settled(self, read: Watched, seen: Watched) -> bool:
        """Whether there is something new to read. Said once for each state.

        `read`: what was read last, as it was just before; `seen`: the same files now.
        """
        self._rested = self._rested + 1 if seen == self._last else 0
        self._last = seen
        if seen in (self._called, read) or self._rested < _patience(read, seen):
            return False
        self._called = seen
        return True


def look(watched: Watched) -> Watched:
    """The same files and folders as they are now."""
    disk = Disk()
    return {path: disk.stamp(path) for path in watched}


def _patience(read: Watched, seen: Watched) -> int:
    is_gone = any(seen[path] is None and stamp is not None for path, stamp in read.items())
    return GONE_LOOKS if is_gone else 1
