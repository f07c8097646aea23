"""What a guard looks for, and how what was found is put in other words.

A `Finder` is all that a kind of guard has to bring: patterns are one, detectors of personal data
another. Positions are in characters.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias


class Found(NamedTuple):
    """Something in a text, from `start` up to `end`."""

    start: int
    end: int
    kind: str = ""
    """What it is, where the finder knows several kinds."""


class Finder(Protocol):
    """Looks for something in texts; in time that grows with their length alone."""

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether it is in one of them; each is a text of its own."""

    def spans(self, text: str, start: int = 0) -> Iterable[Found]:
        """Where it is, in any order; they may overlap. None of them is empty.

        Looked for from `start` on, as if nothing had been found before; what stands before is
        context. A text that is streamed is given again and again, from where it is settled.
        """


Rewrite: TypeAlias = Callable[[Found, str], str]
"""What stands in the place of something that was found, which is given too."""


def always(replacement: str) -> Rewrite:
    """The same for everything."""
    return lambda _found, _text: replacement


def merged(spans: Iterable[Found]) -> list[Found]:
    """The spans in order, those that overlap as one of the kind of the first."""
    found: list[Found] = []
    for span in sorted(spans):
        if found and span.start < found[-1].end:
            last = found[-1]
            if span.end > last.end:
                found[-1] = last._replace(end=span.end)
        elif span.start < span.end:
            found.append(span)
    return found


def replaced(finder: Finder, rewrite: Rewrite, text: str) -> str:
    """The text with all that is found replaced."""
    spans = merged(finder.spans(text))
    return _with(rewrite, spans, text) if spans else text


def replaced_across(finder: Finder, rewrite: Rewrite, pieces: Sequence[str]) -> Sequence[str]:
    """The pieces of one text; what is found only in the whole is replaced.

    In every piece that has a part of it. What is found in a piece by itself stays.
    """
    spans = merged(finder.spans("".join(pieces)))
    if not spans:
        return pieces
    new: list[str] = []
    for piece, cut in zip(pieces, _cut(spans, [len(piece) for piece in pieces]), strict=True):
        own = merged(finder.spans(piece)) if cut else []
        new.append(_with(rewrite, [one for one in cut if not _is_within(one, own)], piece))
    return new


def _cut(spans: Sequence[Found], lengths: Sequence[int]) -> list[list[Found]]:
    """For each piece of a text, what of the spans lies in it, counted from its beginning."""
    cut: list[list[Found]] = []
    begin = first = 0
    for length in lengths:
        end = begin + length
        inside: list[Found] = []
        while first < len(spans) and spans[first].start < end:
            span = spans[first]
            if length:
                start, stop = max(span.start, begin) - begin, min(span.end, end) - begin
                inside.append(Found(start, stop, span.kind))
            if span.end > end:
                break
            first += 1
        cut.append(inside)
        begin = end
    return cut


def _is_within(span: Found, spans: Sequence[Found]) -> bool:
    place = bisect_right(spans, span.start, key=lambda one: one.start) - 1
    return place >= 0 and span.end <= spans[place].end


def _with(rewrite: Rewrite, spans: Iterable[Found], text: str) -> str:
    pieces: list[str] = []
    done = 0
    for span in spans:
        pieces += (text[done : span.start], rewrite(span, text[span.start : span.end]))
        done = span.end
    pieces.append(text[done:])
    return "".join(pieces)
