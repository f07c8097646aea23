"""All detectors of some kinds over a text: what is found, in order, nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import re2

from extproc.policies.detectors.contacts import CONTACTS, phones
from extproc.policies.detectors.credentials import CREDENTIALS
from extproc.policies.detectors.detector import Candidate, Detector, Finding, Source
from extproc.policies.detectors.identities import IDENTITIES
from extproc.policies.detectors.payments import PAYMENTS
from extproc.policies.detectors.vendors import VENDORS
from gateway.kinds import Kind

_BACK_BYTES = 96
"""Before the beginning may stand what names a value, or that of which it is a part."""
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
    place = max(0, begin - _BACK_BYTES)
    while match := pattern.search(text, place):
        group = next((each for each in groups if match.start(each) >= 0), 0)
        candidate = Candidate(source, *match.span(group))
        is_named = context is None or context.is_near(candidate)
        span = detector.check(candidate) if is_named else None
        if span is not None:
            if span[1] > begin:
                yield Finding(max(span[0], begin), span[1], detector.kind)
            place = max(span[1], match.start() + 1)
        elif detector.resumes_early:
            place = _next_word(text, match.start(), match.end())
        else:
            place = match.end()


def _next_word(text: bytes, start: int, end: int) -> int:
    """Where the word or number at `start` ends; at the latest, where the candidate does."""
    place = start + 1
    while place < end and text[place] in _WORDS:
        place += 1
    return place


def _apart(findings: list[Finding]) -> list[Finding]:
    apart: list[Finding] = []
    for each in sorted(findings, key=lambda one: (one.start, -one.end)):
        last = apart[-1] if apart else None
        if last is None or each.start >= last.end:
            apart.append(each)
        elif each.end > last.end:
            apart[-1] = Finding(last.start, each.end, each.kind)
    return apart
