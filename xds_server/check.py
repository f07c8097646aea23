"""One check of a request: who makes it, what of, and what happens when it cannot be made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """Who checks."""

    ENVOY = "envoy"
    EXTPROC = "extproc"


class Failing(StrEnum):
    """What becomes of a request that cannot be checked."""

    CLOSED = "closed"
    """It is refused."""
    OPEN = "open"
    """It passes."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a route."""

    name: str
    where: Where
    reads: str
    """`connection`, `headers`, `body`, `answer`, or `body and answer`."""
    refusal: str
    """Status and code of the answer to those who do not pass; empty: it refuses nobody."""
    failing: Failing
    failure: str
    """When it cannot be made, and what comes of that; empty: it can always be made."""
