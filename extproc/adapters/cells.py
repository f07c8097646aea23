"""Numbers that outlive their process: a file of 8-byte cells, written as shared memory.

A store to a mapped page is in the kernel's hands at once, so `kill -9` cannot lose it, and an
aligned 8-byte store is whole or absent: there is no journal to replay and no record to tear.
The owner holds an flock on the file as long as it lives; who gets the lock finds the owner dead.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
from pathlib import Path

_MAGIC = b"dragoman cells 1"
_BLOCK_BYTES = 65536
"""Header and extents; a multiple of every page size in use."""
_CELLS_PER_BLOCK = _BLOCK_BYTES // 8


class CellFile:
    """The cells of one living worker."""

    def __init__(self, path: Path) -> None:
        """Create the file; OSError when there is no room for it."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._maps: list[mmap.mmap] = []
        self._views: list[memoryview] = []
        self._free: list[int] = []
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(self._descriptor, _MAGIC + boot_id(), 0)
            self._grow()
        except BaseException:
            self.close()
            raise

    @property
    def is_in_place(self) -> bool:
        """False when somebody took the file for an orphan in the moment before it was locked."""
        try:
            return self.path.stat().st_ino == os.fstat(self._descriptor).st_ino
        except FileNotFoundError:
            return False

    def allocate(self) -> tuple[int, memoryview, int]:
        """A cell that says 0: its slot in the file, and the view and index to write it by."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        view, index = self._views[slot // _CELLS_PER_BLOCK], slot % _CELLS_PER_BLOCK
        view[index] = 0
        return slot, view, index

    def free(self, slot: int) -> None:
        """The cell may be used for something else."""
        self._free.append(slot)

    def close(self) -> None:
        """Let go of the file and its lock; what the cells say stays on disk."""
        for view in self._views:
            view.release()
        for block in self._maps:
            block.close()
        os.close(self._descriptor)

    def _grow(self) -> None:
        """Add a block. Its room is taken now: a full disk must not be found out by a signal."""
        offset = (1 + len(self._maps)) * _BLOCK_BYTES
        os.posix_fallocate(self._descriptor, offset, _BLOCK_BYTES)
        block = mmap.mmap(self._descriptor, _BLOCK_BYTES, offset=offset)
        first = len(self._maps) * _CELLS_PER_BLOCK
        self._maps.append(block)
        self._views.append(memoryview(block).cast("q"))
        self._free.extend(range(first + _CELLS_PER_BLOCK - 1, first - 1, -1))


class OrphanedCells:
    """The cells that a dead worker left, held under its lock until `close`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        header = os.pread(descriptor, len(_MAGIC) + len(boot_id()), 0)
        self._is_readable = header[: len(_MAGIC)] == _MAGIC
        self.is_of_this_boot = header == _MAGIC + boot_id()
        """False: the machine went down, and the pages of its last seconds may be missing."""

    def value(self, slot: int) -> int | None:
        """What the cell says, or None when the file is damaged or does not reach so far."""
        data = os.pread(self._descriptor, 8, _BLOCK_BYTES + slot * 8) if self._is_readable else b""
        return struct.unpack("=q", data)[0] if len(data) == 8 else None

    def close(self) -> None:
        os.close(self._descriptor)


def open_orphan(path: Path) -> OrphanedCells | None:
    """The cells of a dead owner; None while the owner lives. FileNotFoundError when gone."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return OrphanedCells(descriptor)


def boot_id() -> bytes:
    """Changes with every start of the machine; constant where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except FileNotFoundError:
        return b""


class Recall:
    """One shared word by which a worker asks all others to return what they do not use."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, 8)
            self._map = mmap.mmap(descriptor, 8)
        finally:
            os.close(descriptor)
        self._word = memoryview(self._map).cast("q")
        self._seen = self._word[0]

    def call(self) -> None:
        """Ask; the asker itself does not hear it."""
        self._seen = self._word[0] = time.monotonic_ns()

    def is_heard(self) -> bool:
        """Whether somebody has asked since the last look."""
        word = self._word[0]
        if word == self._seen:
            return False
        self._seen = word
        return True

    def close(self) -> None:
        self._word.release()
        self._map.close()
