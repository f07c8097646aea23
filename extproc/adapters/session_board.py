"""When MCP sessions were last used, and which have ended: a file that all workers of a machine, and
the hub, have mapped.

A session has one of the places that its number leads to; the one whose session was used longest ago
makes way. Rows are written without a lock: of a row that two write at once nothing is known, as of
one that had to make way, and such a session is open.
"""

from __future__ import annotations

import mmap
import os
import struct
from hashlib import blake2b
from pathlib import Path
from typing import Final

FILE: Final = "mcp-sessions"
ROWS: Final = 1 << 18
_PLACES: Final = 4
"""That a number leads to."""
_ROW: Final = struct.Struct("<QII")
"""Of which session; when it was last used, in seconds since 1970; whether it has ended."""
_BYTES: Final = ROWS * _ROW.size


class MappedSessionBoard:
    """The file, mapped."""

    def __init__(self, path: Path) -> None:
        """OSError when there is no room for it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _BYTES)
            self._map = mmap.mmap(descriptor, _BYTES)
        finally:
            os.close(descriptor)

    def use(self, number: str, now: int, idle_seconds: float) -> bool:
        """Whether it is open; if so, it is used now."""
        name = name_of(number)
        place = self._place(name)
        known, last, is_over = _ROW.unpack_from(self._map, place)
        if known == name and (is_over or now - last > idle_seconds):
            return False
        if known != name or last != now:
            _ROW.pack_into(self._map, place, name, now, 0)
        return True

    def end(self, number: str, now: int) -> None:
        """It is over."""
        name = name_of(number)
        _ROW.pack_into(self._map, self._place(name), name, now, 1)

    def note(self, name: int, last: int, *, is_over: bool) -> None:
        """What others know of a session, by its name: it was used then, or is over."""
        place = self._place(name)
        known, own, was_over = _ROW.unpack_from(self._map, place)
        if known != name and own > last:
            return  # all that are there were used later
        is_over = is_over or (known == name and bool(was_over))
        if known != name or last > own or is_over != bool(was_over):
            last = max(last, own) if known == name else last
            _ROW.pack_into(self._map, place, name, last, is_over)

    def close(self) -> None:
        self._map.close()

    def _place(self, name: int) -> int:
        """Its row, or that of the session which makes way."""
        start = name % (ROWS // _PLACES) * _PLACES * _ROW.size
        oldest, oldest_at = start, 1 << 33
        for place in range(start, start + _PLACES * _ROW.size, _ROW.size):
            known, last, _ = _ROW.unpack_from(self._map, place)
            if known == name:
                return place
            if last < oldest_at:
                oldest, oldest_at = place, last
        return oldest


def session_board(state_dir: Path) -> MappedSessionBoard:
    """That of a machine. Raises OSError."""
    return MappedSessionBoard(state_dir / FILE)


def name_of(number: str) -> int:
    """Of a session, in 64 bits. Never 0: that is of a row that nobody has."""
    digest = blake2b(number.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1
