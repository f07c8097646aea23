"""What a policy says of a request: a closed set."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

OUT_OF_BUDGET = "budget_exhausted"
"""The code of a `Deny` that several dialects have a word of their own for."""


class PolicyKind(StrEnum):
    """What can refuse a request."""

    IDENTITY = "identity"
    """Nobody knows who calls."""
    KEY = "key"
    """A virtual key, which is not for that."""
    RULE = "rule"
    GUARD = "guard"
    LIMIT = "limit"
    BUDGET = "budget"
    EXTERNAL = "external"
    """A service of the operator's own."""
    REQUEST = "request"
    """No policy: it cannot be read, or there is no such thing."""
    ANSWER = "answer"
    """The provider's answer cannot be read."""
    GATEWAY = "gateway"
    """The gateway is not ready, or is leaving."""


class By(NamedTuple):
    """Who says so."""

    kind: PolicyKind
    name: str = ""
    """As the configuration has it; several that only refuse together are `a, b`."""


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
    by: By | None = field(default=None, compare=False)
    """For operators; what is told the client is the same. None: nobody in particular."""


@dataclass(frozen=True, slots=True)
class Amend:
    """Go on, with this body instead."""

    body: bytes


Verdict: TypeAlias = Pass | Deny | Amend

PASS = Pass()
