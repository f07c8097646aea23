"""What a policy says of a request: a closed set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

OUT_OF_BUDGET = "budget_exhausted"
"""The code of a `Deny` that several dialects have a word of their own for."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing against it."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Stop here and tell the client why."""

    status: int
    code: str
    """Machine-readable, snake_case: `budget_exhausted`."""
    reason: str
    """For people; lower case, no full stop."""
    param: str | None = None
    """The part of the request that is at fault: `messages`."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Amend:
    """Go on, with this body instead."""

    body: bytes


Verdict: TypeAlias = Pass | Deny | Amend

PASS = Pass()
