"""How often, and how a rate is measured: the words of limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

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


OF_KEY = "(of the key)"
"""The name of limits that keys have of their own: there are as many as keys."""
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
    by: str = ""
    """CEL that yields a text; each text is counted apart. Empty: no such."""
    service: str = ""
    """The rate limit service that counts, and knows how much; empty: none."""
    descriptor: tuple[tuple[str, str], ...] = ()
    """What it is asked with, in order: keys, and CEL that Envoy knows; empty: the limit's name, and
    by what it counts."""
    is_of_machine: bool = False
    """Each machine counts for itself, whatever the ledger is."""

    @property
    def is_workers(self) -> bool:
        """extproc counts."""
        return not self.is_envoys and not self.service


class LimitHeaders(StrEnum):
    """In which headers clients are told where their limits stand."""

    OPENAI = "openai"
    """`x-ratelimit-remaining-requests` and the like."""
    BOTH = "both"
    """And the IETF's `RateLimit` and `RateLimit-Policy`."""


class CountedBy(StrEnum):
    """Who counts."""

    WORKERS = "workers"
    """Together, all that share the ledger."""
    MACHINE = "machine"
    """Together, all that share a state directory."""
    ENVOY = "envoy"
    """Each Envoy for itself, on plain routes, without asking anybody."""


class Key(Enum):
    """What Envoy can count by, beside headers."""

    SOURCE = auto()
    PATH = auto()
    """Without the query; services are asked with it."""


_HEADER = re.compile(r"""request\.headers\[\s*(["'])([a-z0-9!#$&'*+.^_`|~-]+)\1\s*\]""")


def envoys_key(by: str) -> Key | str | None:
    """What this CEL counts by, as far as Envoy knows it; a text is a header's name."""
    if by.strip() == "source.address":
        return Key.SOURCE
    match = _HEADER.fullmatch(by.strip())
    return None if match is None else match[2]


MOST_HEADERS = 4
"""Of one descriptor: where any may be missing, each doubles the ways to ask."""
ASKED_OF_REQUESTS = {"request.method": ":method", "request.host": ":authority"}
"""What is a header for Envoy, and is always there."""
_CONSTANT = re.compile(r"""(["'])([^"'\\\n\0]+)\1""")


@dataclass(frozen=True, slots=True)
class Said:
    """An entry of a descriptor whose value is always this."""

    value: str


def asked_with(value: str) -> Said | Key | str | None:
    """The value of an entry of a descriptor, in CEL, as far as Envoy knows it: a text, the client's
    address, the path, or the name of a header."""
    text = value.strip()
    if text == "request.path":
        return Key.PATH
    constant = _CONSTANT.fullmatch(text)
    if constant is not None:
        return Said(constant[2])
    return ASKED_OF_REQUESTS.get(text) or envoys_key(text)


@dataclass(frozen=True, slots=True)
class LimitService:
    """A rate limit service that Envoy asks."""

    name: str
    domain: str
    timeout_seconds: float
    is_open_on_error: bool
    """Requests pass when it does not answer."""


@dataclass(frozen=True, slots=True)
class ServedLimit:
    """What a rate limit service says to one descriptor."""

    amount: int
    """In each period; 0 lets nothing through."""
    unit: str
    """`second` to `year`, a name of `UNITS`."""
    is_unlimited: bool = False
    name: str = ""
    """Told to who asks."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One level of the tree that descriptors are looked up in."""

    key: str
    value: str = ""
    """Empty: any, each counted apart. With a `*` at its end: any that begins so."""
    limit: ServedLimit | None = None
    is_shadow: bool = False
    """It is counted, and refuses nothing."""
    descriptors: tuple[Descriptor, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimitService:
    """What others ask by Envoy's rate limit protocol."""

    domains: tuple[tuple[str, tuple[Descriptor, ...]], ...] = ()
    algorithm: Algorithm = Algorithm.TOKEN_BUCKET


UNITS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 7 * 86400,
    "month": 30 * 86400,
    "year": 365 * 86400,
}
"""Seconds of the units of Envoy's rate limit protocol."""
