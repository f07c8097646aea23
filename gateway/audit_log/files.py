"""One chain in files: `WRITER.SEQ.jsonl`, named after their first record, and `WRITER.head`.

The end of a chain is found again when its writer starts anew: what was cut off within a record is
taken away, and the first record afterwards says so.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from gateway.audit_log.chain import START, Head, Link, head_line, head_of, link_of, linked
from gateway.audit_log.sealing import SealingKey

LARGEST_RECORD_BYTES = 1 << 20
_MOST_WRITERS = 100
"""Of one name in one folder, at a time."""


class Recovered(Struct, frozen=True):
    """How a chain was found."""

    link: Link
    """Where it goes on."""
    lost_bytes: int
    """Of a record that was not written to its end."""
    is_broken: bool
    """Its end is not what its head says: `dragoman audit verify` tells where."""


class ChainFiles:
    """A chain that this process alone appends to."""

    def __init__(
        self, folder: Path, writer: str, largest_bytes: int, key: SealingKey | None = None
    ) -> None:
        """Raises OSError, and nothing is open then. `key`: what records are sealed with from now
        on."""
        self._folder = folder
        self.largest_bytes = largest_bytes
        self.key = key
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.writer, self._head = _claimed(folder, quote(writer, safe=""))
        self._file = -1
        self._size = 0
        self._day = ""
        try:
            self.recovered = self._recover()
        except OSError:
            self.close()
            raise
        self.link = self.recovered.link
        if key is not None and not self.link.seq:
            self.mark()  # a head is never without a seal where records have one

    def append(self, records: Sequence[Mapping[str, object]], day: str) -> None:
        """All of them, or none: OSError. They are on the disk then. `day`: another one than before
        begins another file."""
        lines: list[bytes] = []
        link = self.link
        for record in records:
            line, link = linked(self.writer, link, record, self.key)
            lines.append(line)
        data = b"".join(lines)
        if self._file < 0 or (
            self._size and (self._size + len(data) > self.largest_bytes or day != self._day)
        ):
            self._begin_file()
        self._day = day
        try:
            _write(self._file, data)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        self.link = link

    def mark(self) -> None:
        """Write down how far it goes. Raises OSError."""
        os.pwrite(self._head, head_line(self.link, self.key), 0)

    def close(self) -> None:
        """Another writer of this name may go on."""
        for descriptor in (self._file, self._head):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._head = -1

    def _begin_file(self) -> None:
        path = self._folder / f"{self.writer}.{self.link.seq + 1:012}.jsonl"
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = made, os.fstat(made).st_size
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _recover(self) -> Recovered:
        found = head_of(os.pread(self._head, 1 << 10, 0))
        head = START if found is None else found.link
        lost, link = 0, START
        for path in reversed(files_of(self._folder, self.writer)):
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
            size, last = _end_of(descriptor)
            extra = os.fstat(descriptor).st_size - size
            if extra:
                os.ftruncate(descriptor, size)
                lost += extra
            if self._file < 0:
                self._file, self._size = descriptor, size
            else:
                os.close(descriptor)
            if last is not None:
                link = link_of(last) or head
                break
        if link.seq > head.seq:
            return Recovered(link, lost, False)  # it was killed before it wrote the head
        # goes on as the head says: what is missing, or was changed, does not fit what follows
        return Recovered(head, lost, link != head)


def files_of(folder: Path, writer: str) -> list[Path]:
    """Of one chain, in order."""
    prefix = f"{writer}."
    return sorted(
        path
        for path in folder.glob("*.jsonl")
        if path.name.startswith(prefix) and path.name[len(prefix) : -len(".jsonl")].isdigit()
    )


def writers_of(folder: Path) -> list[str]:
    """All who have written there."""
    found = {path.name.removesuffix(".head") for path in folder.glob("*.head")}
    found |= {path.name.rsplit(".", 2)[0] for path in folder.glob("*.jsonl")}
    return sorted(found)


def head_in(folder: Path, writer: str) -> Head | None:
    """What is kept beside a chain; None: nothing, or nothing that can be read."""
    try:
        return head_of((folder / f"{writer}.head").read_bytes())
    except FileNotFoundError:
        return None


def is_held(folder: Path, writer: str) -> bool:
    """Whether somebody writes there at the moment."""
    try:
        head = os.open(folder / f"{writer}.head", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(head, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(head)
    return False


def _claimed(folder: Path, name: str) -> tuple[str, int]:
    """A name that nobody else writes under, and its head, which is locked as long as it is open."""
    for number in range(1, _MOST_WRITERS + 1):
        writer = name if number == 1 else f"{name}~{number}"
        head = os.open(folder / f"{writer}.head", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(head, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(head).st_size:
                os.pwrite(head, head_line(START), 0)
        except BlockingIOError:
            os.close(head)
        except OSError:
            os.close(head)
            raise
        else:
            return writer, head
    raise OSError(f"{folder}: {_MOST_WRITERS} processes write there as '{name}'")


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _end_of(descriptor: int) -> tuple[int, bytes | None]:
    """Where the last whole line of a file ends, and that line without its end."""
    size = os.fstat(descriptor).st_size
    begin = max(0, size - 2 * LARGEST_RECORD_BYTES)
    tail = os.pread(descriptor, size - begin, begin)
    end = tail.rfind(b"\n") + 1
    if not end:
        return begin, None
    start = tail.rfind(b"\n", 0, end - 1) + 1
    return begin + end, tail[start : end - 1]
