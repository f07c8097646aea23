"""Rates and places that the workers of one machine share: a mapped file of rows, under one lock.

A row is 16 words: a 128-bit name, from when on it is free, and what `rates` keeps. Names are found
by their hashes in sets of rows, so the file never grows. The lock is an flock, which dies with its
holder; what is changed under it is right after each single store, or wrong for one call.

How many places a worker holds stands in a file of its own, which only it writes, and which counts
as long as it is locked: what a dead worker held is free at once.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import secrets
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import cast

from extproc.adapters.cells import boot_id
from extproc.adapters.rates import FREE_AT, ROW_WORDS, Bucket, Window, rate
from extproc.ports import (
    Draw,
    Later,
    LimitsUnavailable,
    Measure,
    Meter,
    Pace,
    Places,
    Standing,
    Take,
)

_log = logging.getLogger(__name__)

_MAGIC = b"dragoman limits 1"
_HEADER_BYTES = 4096
"""The magic, the boot's identity; then, at `_GENERATION`, who there is has changed so often."""
_GENERATION = 64
_ROW_BYTES = ROW_WORDS * 8
_WAYS = 16
"""Rows in a set. With half of all rows in use, one set in a thousand has more names than rows."""
ROWS = 1 << 19
_LOCK_SECONDS = 0.1
"""How long to wait for the lock: it is held for microseconds, unless its holder was stopped."""
_SOUR_SECONDS = 1.0
"""How long nobody waits again after that was in vain."""
_BURIAL_NS = 100_000_000
"""How often a refusal may look for the dead."""
_CORRECTION_SECONDS = 0.01
_CLAIM_NS = 1_000_000_000
"""How long a new row is not free, though nothing was taken of it yet."""
_BUSY_NS = 1_000_000_000
"""What those are told to wait who find no place free: nobody knows."""


class _Meter:
    __slots__ = ("high", "low", "measure", "places", "row")

    def __init__(self, name: str, measure: Bucket | Window | None, places: int = 0) -> None:
        digest = blake2b(name.encode(), digest_size=16).digest()
        self.high, self.low = struct.unpack("=qq", digest)
        self.high = self.high or 1  # 0 is a row of nobody's
        self.measure = measure
        """None: it counts places, and its row only says where."""
        self.places = places
        self.row = -1
        """The word at which its row was last found to begin. If the first half of the name is
        still there, so is the other: in one row, they are two names' once in 2^64."""


class MappedLimiter:
    """Opens its files when it is first asked for a meter: without limits, there are none."""

    def __init__(
        self,
        folder: Path,
        later: Later | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        rows: int = ROWS,
    ) -> None:
        """`clock` is one for all workers of the machine. Corrections are made with the next draw,
        or a moment later; without `later`, at once.
        """
        self._later = later
        self._corrections: list[tuple[Sequence[tuple[_Meter, int]], int]] = []
        self._is_due = False
        self._folder = folder
        self._clock = clock
        self._sets = rows // _WAYS
        self._shared: _Shared | None = None
        self._looked_at = -_BURIAL_NS

    def meter(self, name: str, measure: Measure, *, is_shared: bool = False) -> Meter:
        """Nothing is shared with other machines."""
        if self._shared is None:
            self._shared = _Shared(self._folder, self._sets * _WAYS)
        match measure:
            case Places():
                return _Meter(name, None, measure.most)
            case Pace():
                return _Meter(name, rate(measure))

    def take(self, draws: Sequence[Draw]) -> Take:
        shared = self._opened()
        shared.lock()
        try:
            now, words = self._clock(), shared.words
            if self._corrections:
                self._correct(shared, now)
            standings: list[Standing] = []
            is_refused = False
            for meter, wanted, is_binding in cast("Sequence[tuple[_Meter, int, bool]]", draws):
                row = meter.row
                if row < 0 or words[row] != meter.high:
                    row = self._found(shared, meter, now)
                measure = meter.measure
                if measure is None:
                    stands = self._take_place(shared, row, meter.places, wanted, now)
                else:
                    stands = measure.take(words, row, now, wanted)
                standings.append(stands)
                if stands[2] and is_binding:
                    is_refused = True
            if is_refused:
                standings = self._undone(shared, draws, standings, now)
            return now, standings, is_refused
        finally:
            shared.unlock()

    def correct(self, corrections: Sequence[tuple[Meter, int]], at_ns: int) -> None:
        self._opened()
        self._corrections.append((cast("Sequence[tuple[_Meter, int]]", corrections), at_ns))
        if self._later is None:
            self.flush()
        elif not self._is_due:
            self._is_due = True
            self._later(_CORRECTION_SECONDS, self.flush)

    def flush(self) -> None:
        """Make the corrections that wait for the next draw."""
        self._is_due = False
        shared = self._shared
        if not self._corrections or shared is None:
            return
        try:
            shared.lock()
        except LimitsUnavailable:
            return  # it has been logged; the next draw makes them
        try:
            self._correct(shared, self._clock())
        finally:
            shared.unlock()

    def _correct(self, shared: _Shared, now: int) -> None:
        for corrections, at_ns in self._corrections:
            for meter, more in corrections:
                if meter.measure is not None:
                    row = meter.row
                    if row < 0 or shared.words[row] != meter.high:
                        row = self._found(shared, meter, now)
                    meter.measure.correct(shared.words, row, now, more, at_ns)
        self._corrections.clear()

    def _undone(
        self, shared: _Shared, draws: Sequence[Draw], standings: Sequence[Standing], now: int
    ) -> list[Standing]:
        """Where all stand when what was taken is given back; how long to wait stays as it was."""
        found: list[Standing] = []
        for (meter, wanted, _), stands in zip(
            cast("Sequence[tuple[_Meter, int, bool]]", draws), standings, strict=True
        ):
            row = meter.row
            if not stands[2]:
                if meter.measure is None:
                    shared.own[row // ROW_WORDS] -= wanted
                    stands = (stands[0] + wanted, 0, 0)
                else:
                    meter.measure.correct(shared.words, row, now, -wanted, now)
                    stands = meter.measure.take(shared.words, row, now, 0)
            found.append(stands)
        return found

    def leave(self, meters: Sequence[Meter]) -> None:
        shared = self._shared
        if shared is None:
            return  # when it was closed, all were given back
        for meter in meters:  # a row on which a place is held is nobody else's
            assert isinstance(meter, _Meter)
            place = meter.row // ROW_WORDS
            shared.own[place] = max(0, shared.own[place] - 1)

    def close(self) -> None:
        """What this worker holds is free; rates stand as they are."""
        self.flush()
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.close()

    def _opened(self) -> _Shared:
        if self._shared is None:
            raise LimitsUnavailable("the limiter is closed")
        return self._shared

    def _found(self, shared: _Shared, meter: _Meter, now: int) -> int:
        """Where the row of a meter begins; a free one is made its own: the one that is free for the
        longest, or was nobody's, so that whoever comes back soon finds its own."""
        words = shared.words
        first = (meter.low % self._sets) * _WAYS * ROW_WORDS
        free, free_at = -1, now + 1
        for row in range(first, first + _WAYS * ROW_WORDS, ROW_WORDS):
            if words[row] == meter.high and words[row + 1] == meter.low:
                meter.row = row
                return row
            since = words[row + FREE_AT] if words[row] else 0
            if since < free_at and not shared.held(row // ROW_WORDS):
                free, free_at = row, since
        if free < 0:
            raise LimitsUnavailable("there are too many to be counted apart")
        words[free] = 0
        for place in range(free + 1, free + ROW_WORDS):
            words[place] = 0
        words[free + FREE_AT] = now + _CLAIM_NS
        words[free + 1] = meter.low
        words[free] = meter.high
        meter.row = free
        return free

    def _take_place(self, shared: _Shared, row: int, most: int, wanted: int, now: int) -> Standing:
        place = row // ROW_WORDS
        left = most - shared.held(place) - wanted
        if left < 0 and now - self._looked_at >= _BURIAL_NS:
            self._looked_at = now
            shared.bury()
            left = most - shared.held(place) - wanted
        if left < 0:
            return 0, 0, _BUSY_NS
        shared.own[place] += wanted
        return left, 0, 0


class _Shared:
    """The files."""

    def __init__(self, folder: Path, rows: int) -> None:
        """LimitsUnavailable when there is no room for them."""
        self._folder = folder
        self._place_bytes = rows * 4
        self._places = f"limits-{rows * _ROW_BYTES}-places-"
        """Workers of another version, for whom rows are elsewhere, have places elsewhere."""
        self.own_path = folder / f"{self._places}{os.getpid()}-{secrets.token_hex(4)}"
        self._own: mmap.mmap | None = None
        self._sour_until = 0.0
        self._own_descriptor = -1
        self._others: Mapping[Path, memoryview[int]] = {}
        self._descriptor = -1
        try:
            self._open(rows * _ROW_BYTES)
        except OSError as error:
            self.close()
            raise LimitsUnavailable(f"limits cannot be kept in {folder}: {error}") from error

    def _open(self, size: int) -> None:
        path = self._folder / f"limits-{size}"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.lock()
        try:
            header = _MAGIC + boot_id()
            if os.pread(self._descriptor, len(header), 0) != header:  # of another boot, or new
                os.ftruncate(self._descriptor, 0)  # nobody has it mapped
                os.posix_fallocate(self._descriptor, 0, _HEADER_BYTES + size)  # zeros, unwritten
                os.pwrite(self._descriptor, header, 0)
            whole = memoryview(mmap.mmap(self._descriptor, _HEADER_BYTES + size))
            self.words = whole[_HEADER_BYTES:].cast("q")
            self._generation = whole[_GENERATION : _GENERATION + 8].cast("q")
            self._own_descriptor = os.open(self.own_path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._own_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(self._own_descriptor, 0, self._place_bytes)
            self._own = mmap.mmap(self._own_descriptor, self._place_bytes)
            self.own = memoryview(self._own).cast("i")
            self._generation[0] += 1
            self._seen = -1
            self.bury()
        finally:
            self.unlock()

    def lock(self) -> None:
        """LimitsUnavailable when somebody has it for far too long."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait_for_lock()

    def unlock(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def held(self, place: int) -> int:
        """The places that all living workers hold; under the lock."""
        if self._seen != self._generation[0]:
            self._look()
        count = self.own[place]
        for other in self._others.values():
            count += other[place]
        return count

    def bury(self) -> None:
        """Remove the files of those who are dead; under the lock."""
        for path in self._folder.glob(f"{self._places}*"):
            if path == self.own_path:
                continue
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                path.unlink()
                self._generation[0] += 1
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """The file of rows is left to the others."""
        if self._own is not None:
            self._own[:] = bytes(self._place_bytes)  # also for those who have it mapped
            try:
                self.lock()
                self.own_path.unlink(missing_ok=True)
                self.unlock()
            except LimitsUnavailable:
                _log.warning("%s is left to whoever looks for the dead", self.own_path)
        if self._own_descriptor >= 0:
            os.close(self._own_descriptor)
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _look(self) -> None:
        """Map the places of all others."""
        self._seen = self._generation[0]
        found = {}
        for path in self._folder.glob(f"{self._places}*"):
            if path == self.own_path:
                continue
            known = self._others.get(path)
            if known is None:
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    mapped = mmap.mmap(descriptor, self._place_bytes, prot=mmap.PROT_READ)
                finally:
                    os.close(descriptor)
                known = memoryview(mapped).cast("i")
            found[path] = known
        self._others = found

    def _wait_for_lock(self) -> None:
        began = time.monotonic()
        until = began + (_LOCK_SECONDS if began >= self._sour_until else 0.0)
        while time.monotonic() < until:
            time.sleep(0.00002)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return
        if until > began:
            self._sour_until = time.monotonic() + _SOUR_SECONDS
            _log.warning("calls under a limit are refused: the lock of the limits is not free")
        raise LimitsUnavailable("the lock of the limits is not let go of")
