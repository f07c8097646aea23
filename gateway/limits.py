"""How often, and how a rate is measured: the words of limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.scopes import Mode, Scope


class Algorithm(StrEnum):
    """How a rate is measured."""

    TOKEN_BUCKET = "token_bucket"
    """What was used comes back evenly; all of it at once when nothing was used for a period."""
    SLIDING_WINDOW = "sliding_window"
    """Never more than the amount in any period; what was used comes back at most a tenth of the
    period late."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So much in each period."""

    amount: int
    seconds: int
    """1, 60, 3600 or 86400."""


class Counted(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    BYTES = "bytes"
    CONCURRENT = "concurrent"


PERIODS = {"s": 1, "min": 60, "h": 3600, "day": 86400}
"""As they are written back."""
_NAMES = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}


def period_name(seconds: int) -> str:
    """For people."""
    return _NAMES[seconds]


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may be asked in a time. A `*` in the scope counts each value apart."""

    name: str
    scope: Scope
    requests: Rate | None = None
    tokens: Rate | None = None
    bytes: Rate | None = None
    concurrent: int | None = None
    """Requests that are open at once."""
    algorithm: Algorithm = Algorithm.TOKEN_BUCKET
    mode: Mode = Mode.ENFORCE
    is_envoys: bool = False
    """Envoy counts, and Python is not asked."""
