"""A chain of records without I/O: how a record is written as a line, and what shows that the lines
are no longer those that were written.

A line is a JSON object. `writer` says whose chain it is, `seq` counts from 1, and `previous` is the
SHA-256 of the line before, without its line end, in hexadecimal; of the first one, 64 zeros. The
head of a chain is kept beside it: the last `seq`, and the SHA-256 of its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec import Struct

NOTHING = "0" * 64
"""What the first record follows."""
_HEAD_BYTES = 20 + 1 + 64 + 1


class Link(NamedTuple):
    """Up to where a chain goes."""

    seq: int
    digest: str
    """Of the line."""


START = Link(0, NOTHING)


class _Said(msgspec.Struct):
    """What of a record makes it part of a chain."""

    writer: str
    seq: int
    previous: str


class Flaw(Struct, frozen=True):
    """What is not as it was written."""

    file: str
    line: int
    """From 1; 0: the file as a whole."""
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


def digest(line: bytes) -> str:
    """Of a line without its end."""
    return sha256(line).hexdigest()


def linked(writer: str, after: Link, record: Mapping[str, object]) -> tuple[bytes, Link]:
    """The line of a record, with its end, and how far the chain goes then."""
    chained = {"writer": writer, "seq": after.seq + 1, "previous": after.digest}
    line = msgspec.json.encode({**chained, **record})
    return line + b"\n", Link(after.seq + 1, digest(line))


def link_of(line: bytes) -> Link | None:
    """How far a chain goes with this line, which has no end; None: it is no record."""
    said = _said(line)
    return None if said is None else Link(said.seq, digest(line))


def head_line(link: Link) -> bytes:
    """As it stands in the file of the head: always as long."""
    return f"{link.seq:020} {link.digest}\n".encode()


def head_of(text: bytes) -> Link | None:
    """What stands there; None: nothing that can be read."""
    seq, _, rest = text[:_HEAD_BYTES].partition(b" ")
    found = rest.rstrip(b"\n").decode("ascii", "replace")
    if not seq.isdigit() or len(found) != len(NOTHING):
        return None
    return Link(int(seq), found)


class Check:
    """Reads one chain, line by line."""

    def __init__(self, writer: str, known: Link | None = None) -> None:
        """`known`: up to where it has been read before; what came before may be elsewhere."""
        self._writer = writer
        self._known = known
        self.first = 0
        """The first `seq`; 0: there is none."""
        self.count = 0
        self.last = START
        self.digests: dict[int, str] = {}
        """Of the records that were asked for by `watch`."""
        self._watched: frozenset[int] = frozenset()

    def watch(self, *seqs: int) -> None:
        """Keep the digests of these."""
        self._watched |= frozenset(seqs)

    def feed(self, file: str, number: int, line: bytes) -> list[Flaw]:
        """The next line, with its end; what is wrong with it."""
        if not line.endswith(b"\n"):
            return [Flaw(file, number, "ends in the midst of a record")]
        said = _said(line[:-1])
        if said is None:
            self.last = Link(self.last.seq + 1, digest(line[:-1]))
            return [Flaw(file, number, "is no record")]
        flaws = [Flaw(file, number, what) for what in self._wrong(said)]
        self.first = self.first or said.seq
        self.count += 1
        self.last = Link(said.seq, digest(line[:-1]))
        if said.seq in self._watched:
            self.digests[said.seq] = self.last.digest
        return flaws

    def _wrong(self, said: _Said) -> list[str]:
        wrong: list[str] = []
        if not self.count and self._known == (said.seq - 1, said.previous):
            self.last = self._known
        if said.writer != self._writer:
            wrong.append(f"is a record of the writer '{said.writer}'")
        expected = self.last.seq + 1
        if said.seq != expected:
            where = "the chain begins" if not self.count and expected == 1 else "follows"
            wrong.append(f"record {said.seq} {where} where {expected} must be")
        elif said.previous != self.last.digest:
            before = f"record {self.last.seq}" if self.last.seq else "the first record"
            wrong.append(f"{before} is not what record {said.seq} was written after")
        return wrong

    def end(self, file: str, head: Link | None) -> list[Flaw]:
        """After the last line; `head`: what is kept beside the chain, which `watch` was told of."""
        if head is None:
            return [Flaw(file, 0, "the chain has no head beside it")]
        if head.seq > self.last.seq:
            missing = f"{self.last.seq + 1} to {head.seq}"
            return [Flaw(file, 0, f"records {missing} are missing at the end")]
        found = NOTHING if not head.seq else self.digests.get(head.seq)
        if found is not None and found != head.digest:
            return [Flaw(file, 0, f"record {head.seq} is not what was written")]
        return []


def _said(line: bytes) -> _Said | None:
    try:
        return msgspec.json.decode(line, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
