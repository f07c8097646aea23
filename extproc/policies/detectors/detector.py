"""What a detector is: a sensor, a pattern, and a check of what the pattern finds.

Texts are UTF-8, places in them are bytes. All patterns have bounded length, so that the time taken
is linear in the text whatever it says.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeAlias

import re2
from msgspec import Struct

from gateway.kinds import Kind

Span: TypeAlias = tuple[int, int]
_BEFORE_BYTES = 48
AFTER_BYTES = 24


class Finding(NamedTuple):
    """Something that was found: its place in bytes, and what it is."""

    start: int
    end: int
    kind: Kind


class Source:
    """A text that is looked through, and where words that tell what stands near them are in it."""

    __slots__ = ("_places", "numbers", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.numbers: dict[tuple[str, tuple[str, ...]], bool] = {}
        """Which were found valid, or not: telephone numbers and their regions."""
        self._places: dict[str, tuple[list[int], list[int]]] = {}

    def places(self, words: str) -> tuple[list[int], list[int]]:
        """Where the words begin, and where they end."""
        places = self._places.get(words)
        if places is None:
            spans = [match.span() for match in _worded(words).finditer(self.text)]
            spans = [span for span in spans if self._is_word(*span)]
            places = [start for start, _ in spans], [end for _, end in spans]
            self._places[words] = places
        return places

    def _is_word(self, start: int, end: int) -> bool:
        """Not a part of a longer word, but for words that are written `likeThis`."""
        text = self.text
        first, last = text[start - 1 : start], text[end : end + 1]
        begins = not first.isalpha() or (first.islower() and text[start : start + 1].isupper())
        ends = not last.isalpha() or (last.isupper() and text[end - 1 : end].islower())
        return begins and ends


class Candidate(Struct, frozen=True):
    """What a pattern matched: its group where it has one, else all."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> bytes:
        return self.source.text

    @property
    def value(self) -> str:
        return self.text[self.start : self.end].decode(errors="replace")

    @property
    def span(self) -> Span:
        return self.start, self.end

    @property
    def digits(self) -> str:
        return "".join(filter(_DIGITS.__contains__, self.value))

    def before(self, count: int) -> str:
        """So many bytes before it; what is not ASCII is no letter of a word that goes on."""
        return self.text[max(0, self.start - count) : self.start].decode("ascii", "replace")

    def after(self, count: int) -> str:
        """So many bytes after it, in the same way."""
        return self.text[self.end : self.end + count].decode("ascii", "replace")

    @property
    def stands_alone(self) -> bool:
        """Not a part of a longer word or number, nor of a decimal fraction."""
        before, after = self.before(2), self.after(2)
        if before and (_is_word(before[-1]) or (before[-1] in ".," and before[0] in _DIGITS)):
            return False
        if after and _is_word(after[0]):
            return False
        return not (len(after) == 2 and after[0] in ".," and after[1] in _DIGITS)


_DIGITS = frozenset("0123456789")


def _is_word(character: str) -> bool:
    return character == "_" or (character.isascii() and character.isalnum())


Begin: TypeAlias = Callable[[bytes, int, int], int | None]
"""Reads a text backwards: from where at the earliest, from where; None when it is none."""
Check: TypeAlias = Callable[[Candidate], Span | None]
"""Where what was looked for stands in the candidate; None when it is not there."""


@dataclass(frozen=True, slots=True)
class Context:
    """Words that must stand near a candidate to tell what it is."""

    words: str
    """Alternatives in RE2, whatever their case."""

    def is_in(self, source: Source) -> bool:
        """True when one of the words is anywhere."""
        return bool(source.places(self.words)[0])

    def is_near(self, candidate: Candidate) -> bool:
        """True when one of the words stands shortly before it, or right after it."""
        if self.is_near_before(candidate):
            return True
        starts, _ = candidate.source.places(self.words)
        place = bisect_left(starts, candidate.end)
        return place < len(starts) and starts[place] <= candidate.end + AFTER_BYTES

    def next_start(self, source: Source, place: int) -> int | None:
        """Where the first word begins that ends after a place; None when there is none."""
        starts, ends = source.places(self.words)
        index = bisect_right(ends, place)
        return starts[index] if index < len(starts) else None

    def is_near_before(self, candidate: Candidate) -> bool:
        """True when one of the words stands shortly before it."""
        _, ends = candidate.source.places(self.words)
        place = bisect_right(ends, candidate.start)
        return place > 0 and ends[place - 1] >= candidate.start - _BEFORE_BYTES


@dataclass(frozen=True, slots=True)
class Detector:
    """How one form of one kind is found."""

    kind: Kind
    sensor: str
    """RE2: what must be in the text for the pattern to match; short, for the one pass over all."""
    pattern: str
    """RE2."""
    check: Check
    resumes_early: bool = False
    """After a candidate that is none, the next may begin within it, at its next word."""
    context: Context | None = None
    """Must be near; asked of the whole text first."""
    begins: Begin | None = None
    """Where a candidate begins that goes on to the left of what the pattern matches."""


@cache
def compiled(pattern: str) -> re2._Regexp:
    """RE2's program."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


@cache
def _worded(words: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.longest_match = True
    return re2.compile(f"(?i)(?:{words})", options)


def whole(is_one: Callable[[Candidate], bool]) -> Check:
    """A check that takes all of a candidate, or nothing."""
    return lambda candidate: candidate.span if is_one(candidate) else None


def entropy(value: str) -> float:
    """Shannon's, in bits for each character."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
