"""All detectors of some kinds over a text: what is found, in order, nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import re2

from extproc.policies.detectors.contacts import CONTACTS, phones
from extproc.policies.detectors.credentials import CREDENTIALS
from extproc.policies.detectors.detector import (
    AFTER_BYTES,
    Candidate,
    Context,
    Detector,
    Finding,
    Source,
    Span,
)
from extproc.policies.detectors.identities import IDENTITIES
from extproc.policies.detectors.payments import PAYMENTS
from extproc.policies.detectors.vendors import VENDORS
from gateway.kinds import Kind

_BACK_BYTES = 96
"""Before the beginning may stand what names a value, or that of which it is a part."""
_OPEN = ord("(")
_REJECTED = 1000
_BYTES_PER_REJECTED = 8
"""So many candidates of a detector that resumes early, and one more for so many bytes, may be none.
All further ones count as found, so that a text of near misses is not read word by word."""
_WORDS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def detectors_of(kinds: Iterable[Kind], regions: Sequence[str] = ()) -> tuple[Detector, ...]:
    """The detectors that find these kinds; telephone numbers as these regions write them."""
    wanted = frozenset(kinds)
    every = (*VENDORS, *CREDENTIALS, *PAYMENTS, *IDENTITIES, *CONTACTS, *phones(regions))
    return tuple(each for each in every if each.kind in wanted)


class Scanner:
    """Detectors made ready: each is asked of a text only where its sensor hit."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        options = re2.Options()
        options.log_errors = False
        self.sensors = tuple(each.sensor for each in detectors)
        """For `Patterns`, in the order in which `find` names them."""
        self._ready = tuple((each, re2.compile(each.pattern, options)) for each in detectors)

    def find(self, text: bytes, sensed: Iterable[int], begin: int = 0) -> list[Finding]:
        """What the detectors whose sensors hit find from `begin` on: in order, without overlaps.

        Those that overlap are one, of the kind of that which ends last, as a mask may show the end;
        of those that end together, of that which begins first, then of the first detector.
        """
        found: list[Finding] = []
        source = Source(text)
        for index in sorted(sensed):
            detector, pattern = self._ready[index]
            if detector.context is None or detector.context.is_in(source):
                found += _found(detector, pattern, source, begin)
        return _apart(found) if len(found) > 1 else found


def _found(
    detector: Detector, pattern: re2._Regexp, source: Source, place: int
) -> Iterator[Finding]:
    text, context = source.text, detector.context
    groups = range(1, pattern.groups + 1)
    begin = place
    place = ahead = max(0, begin - _BACK_BYTES)
    left = _REJECTED + len(text) // _BYTES_PER_REJECTED
    while match := pattern.search(text, max(place, ahead)):
        group = next((each for each in groups if match.start(each) >= 0), 0) if groups else 0
        start, end = match.span(group)
        if detector.begins is not None:
            earlier = detector.begins(text, place, start)
            if earlier is None:
                ahead = start + 1
                continue
            start = earlier
        candidate = Candidate(source, start, end)
        is_named = context is None or context.is_near(candidate)
        if left <= 0:
            span: Span | None = (start, end)
        else:
            span = detector.check(candidate) if is_named else None
            left -= span is None and detector.resumes_early
        if span is not None:
            if span[1] > begin:
                yield Finding(max(span[0], begin), span[1], detector.kind)
            place = max(span[1], match.start() + 1)
        elif detector.resumes_early:
            place = _next_word(text, match.start(), match.end())
            if context is not None and not is_named:
                place = max(place, _next_named(source, context, match.start()))
        else:
            place = match.end()


def _next_word(text: bytes, start: int, end: int) -> int:
    """Where the word or number at `start` ends; at the latest, where the candidate does."""
    place = start + 1
    while place < end and text[place] in _WORDS:
        place += 1
    return place


def _next_named(source: Source, context: Context, place: int) -> int:
    """Before the next word of the context, so far that no candidate that reaches it is missed."""
    text = source.text
    word = context.next_start(source, place)
    if word is None:
        return len(text)
    begin = word - _BACK_BYTES - AFTER_BYTES
    while begin > place and (text[begin - 1] in _WORDS or text[begin - 1] == _OPEN):
        begin -= 1
    return begin


def _apart(findings: list[Finding]) -> list[Finding]:
    apart: list[Finding] = []
    for each in sorted(findings, key=lambda one: (one.start, -one.end)):
        last = apart[-1] if apart else None
        if last is None or each.start >= last.end:
            apart.append(each)
        elif each.end > last.end:
            apart[-1] = Finding(last.start, each.end, each.kind)
    return apart
