"""A chain of records without I/O: how a record is written as a line, and what shows that the lines
are no longer those that were written.

A line is a JSON object. `writer` says whose chain it is, `seq` counts from 1, and `previous` is the
SHA-256 of the line before, without its line end, in hexadecimal; of the first one, 64 zeros. The
head of a chain is kept beside it: the last `seq`, and the SHA-256 of its line. With a key, records
and heads have seals (`sealing`).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from msgspec import Struct

from gateway.audit_log.sealing import SEALED_BY, SealingKey, digest, is_right

NOTHING = "0" * 64
"""What the first record follows."""
_HEAD_BYTES = 20 + 1 + 64


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
    sealed_by: str = ""
    """The key; empty: it has no seal."""


class Head(NamedTuple):
    """What stands beside a chain."""

    link: Link
    sealed_by: str = ""
    seal: str = ""

    def is_right(self, key: SealingKey) -> bool:
        """Whether it has the seal of this key."""
        return hmac.compare_digest(key.seal(b"head", _bare(self.link)), self.seal)


class Flaw(Struct, frozen=True):
    """What is not as it was written."""

    file: str
    line: int
    """From 1; 0: the file as a whole."""
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


def linked(
    writer: str, after: Link, record: Mapping[str, object], key: SealingKey | None = None
) -> tuple[bytes, Link]:
    """The line of a record, with its end, and how far the chain goes then."""
    chained = {"writer": writer, "seq": after.seq + 1, "previous": after.digest}
    if key is None:
        line = msgspec.json.encode({**chained, **record})
    else:
        line = key.sealed(msgspec.json.encode({**chained, SEALED_BY: key.id, **record}))
    return line + b"\n", Link(after.seq + 1, digest(line))


def link_of(line: bytes) -> Link | None:
    """How far a chain goes with this line, which has no end; None: it is no record."""
    said = _said(line)
    return None if said is None else Link(said.seq, digest(line))


def head_line(link: Link, key: SealingKey | None = None) -> bytes:
    """As it stands in the file of the head: always as long, with a key and without."""
    if key is None:
        return _bare(link) + b"\n"
    bare = _bare(link)
    return bare + f" {key.id} {key.seal(b'head', bare)}\n".encode()


def head_of(text: bytes) -> Head | None:
    """What stands there; None: nothing that can be read. Behind the first line may be what is left
    of a longer one."""
    line = text.split(b"\n", 1)[0]
    seq, _, found = line[:_HEAD_BYTES].decode("ascii", "replace").partition(" ")
    if not seq.isdigit() or len(found) != len(NOTHING):
        return None
    by, _, seal = line[_HEAD_BYTES:].decode("ascii", "replace").strip().partition(" ")
    return Head(Link(int(seq), found), by, seal)


def _bare(link: Link) -> bytes:
    return f"{link.seq:020} {link.digest}".encode()


NO_KEYS: Mapping[str, SealingKey] = MappingProxyType({})


class Check:
    """Reads one chain, line by line."""

    def __init__(
        self,
        writer: str,
        known: Link | None = None,
        keys: Mapping[str, SealingKey] = NO_KEYS,
    ) -> None:
        """`known`: up to where it has been read before; what came before may be elsewhere. `keys`,
        by their ids: without any, seals are not looked at; with them, all records must have one
        after the first that has, and the last one."""
        self._writer = writer
        self._known = known
        self._keys = keys
        self.sealed = 0
        """How many records have a seal."""
        self._is_last_sealed = False
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
        flaws += [Flaw(file, number, what) for what in self._unsealed(said, line[:-1])]
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

    def _unsealed(self, said: _Said, line: bytes) -> list[str]:
        was_sealed = self.sealed > 0
        self._is_last_sealed = bool(said.sealed_by)
        self.sealed += self._is_last_sealed
        if not self._keys:
            return []
        if not said.sealed_by:
            return ["has no seal, and records before it have one"] if was_sealed else []
        key = self._keys.get(said.sealed_by)
        if key is None:
            return [f"is sealed by a key that was not given: {said.sealed_by}"]
        return [] if is_right(line, key) else ["has a seal that its key did not make"]

    def end(self, file: str, found: Head | None) -> list[Flaw]:
        """After the last line; `found`: what is kept beside the chain, which `watch` was told
        of."""
        if found is None:
            return [Flaw(file, 0, "the chain has no head beside it")]
        return [*self._unlike(file, found.link), *self._unsealed_end(file, found)]

    def _unsealed_end(self, file: str, head: Head) -> list[Flaw]:
        if not self._keys or not self.count:
            return []
        if not self._is_last_sealed:
            return [Flaw(file, 0, f"record {self.last.seq}, the last one, has no seal")]
        key = self._keys.get(head.sealed_by)
        if key is None or not head.is_right(key):
            return [Flaw(file, 0, "the head has no seal of a key that was given")]
        return []

    def _unlike(self, file: str, head: Link) -> list[Flaw]:
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
