"""Numbers that workers of one machine leave for each other: a small file, mapped by all of them.

What is put replaces what stood in its place. A row that two put at once may be neither's, so each
says what it should be; it is then read as nothing.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

ROWS = 4096
_ROW_WORDS = 3
_BYTES = ROWS * _ROW_WORDS * 8
_MASK = (1 << 64) - 1


class MappedBoard:
    """Rows of a name, a number, and both together."""

    def __init__(self, path: Path) -> None:
        """OSError when there is no room for it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _BYTES)
            self._map = mmap.mmap(descriptor, _BYTES)
        finally:
            os.close(descriptor)
        self._words = memoryview(self._map).cast("Q")

    def put(self, name: int, number: int) -> None:
        """Both of 64 bits, not negative."""
        words, row = self._words, name % ROWS * _ROW_WORDS
        words[row] = name
        words[row + 1] = number
        words[row + 2] = _both(name, number)

    def take(self, name: int) -> int | None:
        """What was put under this name, once."""
        words, row = self._words, name % ROWS * _ROW_WORDS
        if words[row] != name:
            return None
        number = words[row + 1]
        if words[row + 2] != _both(name, number):
            return None
        words[row + 2] = 0
        return number

    def close(self) -> None:
        self._words.release()
        self._map.close()


def _both(name: int, number: int) -> int:
    """Never 0: nothing was put."""
    return ((name ^ number << 1 ^ number >> 63) * 0x9E3779B97F4A7C15 & _MASK) | 1
