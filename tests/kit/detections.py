"""Detectors, asked as a guard asks them."""

from __future__ import annotations

from collections.abc import Iterable

from extproc.policies.detectors.scan import Scanner, detectors_of
from extproc.policies.patterns import Patterns
from gateway.kinds import Kind


def found(text: str, kinds: Iterable[Kind] = Kind, regions: tuple[str, ...] = ("US",)) -> list[str]:
    """What is found, as `kind value`."""
    scanner = Scanner(detectors_of(kinds, regions))
    hits = sorted(Patterns(scanner.sensors).hits([text]))
    data = text.encode()
    return [f"{kind} {data[start:end].decode()}" for start, end, kind in scanner.find(data, hits)]
