"""Personal data and secrets as a guard looks for them, and what stands in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from extproc.policies.detectors.scan import Scanner, detectors_of
from extproc.policies.finding import Found, Rewrite
from extproc.policies.patterns import Patterns, characters
from gateway.guards import Mask, MaskStyle
from gateway.kinds import Kind

_SHOWN = 4
_SHORTEST = 8
"""Of which four characters may be shown."""


class Detections:
    """A `Finder` of these kinds."""

    def __init__(self, kinds: Iterable[Kind], regions: Sequence[str]) -> None:
        self._scanner = Scanner(detectors_of(kinds, regions))
        self._sensors = Patterns(self._scanner.sensors)

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether something is found; one pass over all texts where no sensor hits."""
        sensed = self._sensors.hits(texts)
        return any(self._scanner.find(text.encode(), sensed) for text in texts) if sensed else False

    def spans(self, text: str, start: int = 0) -> list[Found]:
        """What is found from `start` on, in order."""
        sensed = self._sensors.hits((text,))
        if not sensed:
            return []
        encoded = text.encode()
        is_ascii = len(encoded) == len(text)
        begin = start if is_ascii else len(text[:start].encode())
        found = self._scanner.find(encoded, sensed, begin)
        if is_ascii:
            return [Found(*each) for each in found]
        places = characters(encoded, {place for each in found for place in each[:2]})
        return [Found(places[each.start][0], places[each.end][1], each.kind) for each in found]


def masking(masks: Mapping[Kind, Mask]) -> Rewrite:
    """What is found, as these masks and else its label say it."""
    texts = {str(kind): f"[{kind.upper()}]" for kind in Kind}
    texts |= {kind: mask.text for kind, mask in masks.items() if mask.text is not None}
    shown = {kind for kind, mask in masks.items() if mask.style is MaskStyle.LAST_4}
    shown -= {kind for kind, mask in masks.items() if mask.text is not None}

    def rewrite(found: Found, text: str) -> str:
        return _last_4(text) if found.kind in shown else texts[found.kind]

    return rewrite


def _last_4(text: str) -> str:
    """Spaces and punctuation stay as they are."""
    count = sum(mark.isalnum() for mark in text)
    hidden = count - _SHOWN if count >= _SHORTEST else count
    masked = ""
    for mark in text:
        if mark.isalnum():
            masked += "*" if hidden > 0 else mark
            hidden -= 1
        else:
            masked += mark
    return masked
