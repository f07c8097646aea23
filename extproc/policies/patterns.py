"""Many RE2 patterns at once over many texts: which of them are found, and where.

One automaton walks over all texts together. They are joined by a byte that cannot be in UTF-8, so
no pattern matches across (not even negated classes); patterns that look at the beginning or the end
of a text, or at single bytes, are asked of every text by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import re2

from extproc.policies.finding import Found

MAX_MEMORY_BYTES = 64 << 20
"""For one automaton; grown into, not taken at once."""

_SEPARATOR = b"\xff"
_LOCAL = ("^", "$", r"\A", r"\z", r"\C")
_NONE: frozenset[int] = frozenset()
_ALWAYS = r"\z"
"""Added to every automaton: when not even this is found, it has run out of memory."""


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
        encoded = list(map(str.encode, texts))
        joined = _SEPARATOR.join(encoded)
        found = _NONE
        for automaton in self._joint:
            found |= automaton.hits(joined)
        for automaton in self._local:
            for text in encoded:
                found |= automaton.hits(text)
        return found

    def spans(self, indices: Iterable[int], text: str, start: int = 0) -> list[Found]:
        """Where these patterns match from `start` on, without empty matches."""
        encoded = text.encode()
        begin = start if len(encoded) == len(text) else len(text[:start].encode())
        spans = [
            match.span()
            for index in indices
            for match in self._singles[index].finditer(encoded, begin)
        ]
        if len(encoded) == len(text):
            return [Found(start, end) for start, end in spans if start < end]
        places = characters(encoded, {place for span in spans for place in span})
        return [Found(places[start][0], places[end][1]) for start, end in spans if start < end]


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


def characters(text: bytes, places: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Each place in characters: where that begins in which it is, and where it ends.

    Both are the same but within one: `\\C` matches half of it.
    """
    found: dict[int, tuple[int, int]] = {}
    counted = done = 0
    for place in sorted(places):
        floor, ceiling = place, place
        while floor < len(text) and text[floor] & 0xC0 == 0x80:
            floor -= 1
        while ceiling < len(text) and text[ceiling] & 0xC0 == 0x80:
            ceiling += 1
        if floor > done:
            counted += len(text[done:floor].decode())
            done = floor
        found[place] = counted, counted + (floor < ceiling)
    return found
