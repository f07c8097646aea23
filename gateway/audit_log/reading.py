"""Reads all chains of a folder: whether they are as they were written, and what they say."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.audit_log.chain import NO_KEYS, Check, Flaw, Link
from gateway.audit_log.files import files_of, head_in, is_held, writers_of
from gateway.audit_log.sealing import SealingKey

_LARGEST_LINE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Verified:
    """One chain."""

    writer: str
    first: int
    """The first `seq`; 0: there is none."""
    count: int
    last: Link
    sealed: int
    """How many records have a seal."""
    flaws: tuple[Flaw, ...]


def verify(
    folder: Path,
    known: Mapping[str, Link] | None = None,
    keys: Mapping[str, SealingKey] = NO_KEYS,
) -> list[Verified]:
    """Every chain of a folder. `known`: how far chains went when somebody looked before, which must
    still be in them. `keys`: of seals. May take long; raises OSError."""
    known = known or {}
    found = [_verified(folder, each, known.get(each), keys) for each in writers_of(folder)]
    there = {each.writer for each in found}
    for writer, link in known.items():
        if writer not in there:
            flaw = Flaw(str(folder), 0, f"the chain of '{writer}' is missing")
            found.append(Verified(writer, 0, 0, link, 0, (flaw,)))
    return found


def _verified(
    folder: Path, writer: str, known: Link | None, keys: Mapping[str, SealingKey]
) -> Verified:
    # the head first: who writes goes on meanwhile
    head, check = head_in(folder, writer), Check(writer, known, keys)
    links = (None if head is None else head.link, known)
    check.watch(*(each.seq for each in links if each is not None))
    flaws: list[Flaw] = []
    held, paths = is_held(folder, writer), files_of(folder, writer)
    for path in paths:
        for number, line in _lines(path):
            if held and path is paths[-1] and not line.endswith(b"\n"):
                break  # it is being written
            flaws += check.feed(str(path), number, line)
    place = str(folder / f"{writer}.head")
    flaws += check.end(place, head)
    is_there = known is None or known.seq in (0, check.first - 1)
    if known is not None and not is_there and check.digests.get(known.seq) != known.digest:
        flaws.append(Flaw(place, 0, f"record {known.seq} is not the one that was seen before"))
    return Verified(writer, check.first, check.count, check.last, check.sealed, tuple(flaws))


def records(folder: Path) -> Iterator[bytes]:
    """The lines of all chains, without their ends, by their times. Raises OSError."""
    for _, _, line in heapq.merge(*(_of_chain(folder, each) for each in writers_of(folder))):
        yield line


class _Timed(msgspec.Struct):
    time: str = ""


def _of_chain(folder: Path, writer: str) -> Iterator[tuple[str, str, bytes]]:
    for path in files_of(folder, writer):
        for _, line in _lines(path):
            try:
                yield msgspec.json.decode(line, type=_Timed).time, writer, line.rstrip(b"\n")
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # `verify` tells of it


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LARGEST_LINE_BYTES):
            number += 1
            yield number, line
