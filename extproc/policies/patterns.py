"""Many RE2 patterns at once over many texts: which of them are found, and where.

One automaton walks over all texts together. They are joined by a byte that cannot be in UTF-8, so
no pattern matches across (not even negated classes); patterns that look at the beginning or the end
of a text, or at single bytes, are asked of every text by itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import re2

MAX_MEMORY_BYTES = 64 << 20
"""For one automaton; grown into, not taken at once."""

_SEPARATOR = b"\xff"
_LOCAL = ("^", "$", r"\A", r"\z", r"\C")
_NONE: frozenset[int] = frozenset()
_ALWAYS = r"\z"
"""Added to every automaton: when not even this is found, it has run out of memory."""


_Span: TypeAlias = tuple[int, int]


class OutOfMemory(Exception):
    """An automaton could not go on, so nobody knows whether something is there."""


class Patterns:
    """A sequence of patterns, named by their place in it.

    `re2.error` when one is not RE2's language, or takes more than the memory.
    """

    def __init__(self, patterns: Sequence[str], max_memory_bytes: int = MAX_MEMORY_BYTES) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = max_memory_bytes
        self._singles = tuple(re2.compile(pattern, options) for pattern in patterns)
        everywhere = [index for index, pattern in enumerate(patterns) if not _is_local(pattern)]
        local = [index for index, pattern in enumerate(patterns) if _is_local(pattern)]
        self._joint = _automata(patterns, everywhere, options)
        self._local = _automata(patterns, local, options)

    def hits(self, texts: Sequence[str]) -> frozenset[int]:
        """The patterns that are found in at least one of the texts."""
        encoded = [text.encode() for text in texts]
        joined = _SEPARATOR.join(encoded)
        found = _NONE
        for automaton in self._joint:
            found |= automaton.hits(joined)
        for automaton in self._local:
            for text in encoded:
                found |= automaton.hits(text)
        return found

    def replace(self, indices: Iterable[int], replacement: str, text: str) -> str:
        """The text with all that these patterns match replaced, overlaps as one."""
        encoded = text.encode()
        spans = self._spans(indices, encoded)
        return _with(replacement, spans, encoded) if spans else text

    def replace_across(
        self, indices: Iterable[int], replacement: str, pieces: Sequence[str]
    ) -> Sequence[str]:
        """The pieces of one text; what these patterns match only in the whole is replaced.

        In every piece that has a part of it. What they match in a piece by itself stays.
        """
        indices = tuple(indices)
        encoded = [piece.encode() for piece in pieces]
        spans = self._spans(indices, b"".join(encoded))
        if not spans:
            return pieces
        new: list[str] = []
        for piece, cut in zip(encoded, _cut(spans, [len(piece) for piece in encoded]), strict=True):
            own = self._spans(indices, piece) if cut else []
            new.append(_with(replacement, [one for one in cut if not _is_within(one, own)], piece))
        return new

    def _spans(self, indices: Iterable[int], text: bytes) -> list[_Span]:
        """Where they match, in order, in bytes: known without counting characters."""
        return _merged(
            match.span() for index in indices for match in self._singles[index].finditer(text)
        )


class _Automaton:
    """Some of the patterns, compiled together."""

    __slots__ = ("_always", "_clean", "_indices", "_set")

    def __init__(self, patterns: Sequence[str], indices: list[int], options: re2.Options) -> None:
        self._indices = indices
        self._set = re2.Set.SearchSet(options)
        for index in indices:
            self._set.Add(patterns[index])
        self._always = self._set.Add(_ALWAYS)
        self._clean = [self._always]
        self._set.Compile()

    def hits(self, text: bytes) -> frozenset[int]:
        found = self._set.Match(text)
        if found == self._clean:
            return _NONE
        if found is None:
            raise OutOfMemory
        return frozenset(self._indices[place] for place in found if place != self._always)


def _automata(
    patterns: Sequence[str], indices: list[int], options: re2.Options
) -> tuple[_Automaton, ...]:
    """As few automata as the memory allows, in halves."""
    if not indices:
        return ()
    try:
        return (_Automaton(patterns, indices, options),)
    except re2.error:
        if len(indices) == 1:
            raise
    half = len(indices) // 2
    return (
        *_automata(patterns, indices[:half], options),
        *_automata(patterns, indices[half:], options),
    )


def _is_local(pattern: str) -> bool:
    """True when the answer may depend on where the text begins or ends; rather too often."""
    plain = pattern if r"\[^" in pattern else pattern.replace("[^", "[")
    return any(mark in plain for mark in _LOCAL)


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    """The spans in order, without the empty ones, those that overlap as one."""
    merged: list[_Span] = []
    for start, end in sorted(spans):
        if start == end:
            continue
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut(spans: Sequence[_Span], lengths: Sequence[int]) -> list[list[_Span]]:
    """For each piece of a text, what of the spans lies in it, counted from its beginning."""
    cut: list[list[_Span]] = []
    begin = first = 0
    for length in lengths:
        end = begin + length
        inside: list[_Span] = []
        while first < len(spans) and spans[first][0] < end:
            start, stop = spans[first]
            if length:
                inside.append((max(start, begin) - begin, min(stop, end) - begin))
            if stop > end:
                break
            first += 1
        cut.append(inside)
        begin = end
    return cut


def _is_within(span: _Span, spans: Sequence[_Span]) -> bool:
    place = bisect_right(spans, span[0], key=lambda one: one[0]) - 1
    return place >= 0 and span[1] <= spans[place][1]


def _with(replacement: str, spans: Iterable[_Span], text: bytes) -> str:
    new = replacement.encode()
    pieces: list[bytes] = []
    done = 0
    for start, end in spans:
        pieces += (text[done:start], new)
        done = end
    pieces.append(text[done:])
    return b"".join(pieces).decode(errors="replace")  # `\C` can match half a character
