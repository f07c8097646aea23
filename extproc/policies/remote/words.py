"""What remote guards are asked, and what they say: the words that all services share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from msgspec import Struct

from extproc.ports import Posted, Returned
from gateway.guards import Phase, TextScope


class Said(Struct, frozen=True):
    """One text, and where it stands."""

    scope: TextScope
    text: str


@dataclass(frozen=True, slots=True)
class About:
    """Whose texts they are."""

    guard: str
    phase: Phase
    """`request` or `response`."""
    request_id: str = ""
    model: str = ""
    provider: str = ""
    key: str = ""
    user: str = ""
    team: str = ""
    is_part: bool = False
    """Of a stream, of which more may follow."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a guard is asked about at once."""

    about: About
    texts: tuple[Said, ...]


class Stamp(Struct, frozen=True):
    """What tells one request to a service from all others."""

    id: str
    seconds: int
    """Since the epoch."""


@dataclass(frozen=True, slots=True)
class Fine:
    """Nothing against it."""


@dataclass(frozen=True, slots=True)
class Objection:
    """It may not go on."""

    reason: str = ""
    """For the client; empty: the service gives none."""
    categories: tuple[str, ...] = ()
    """What it is about, in the service's words; for the operator."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """It may go on with other texts."""

    texts: Mapping[int, str]
    """By place in the question; what is not here stays."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody could say."""

    why: str


Opinion: TypeAlias = Fine | Objection | Rewritten | Unknown

FINE = Fine()


class Unreadable(Exception):
    """An answer that is not what the service is documented to say."""


class Codec(Protocol):
    """How one kind of service is asked, and what its answers mean."""

    def requests(self, question: Question, stamp: Callable[[], Stamp]) -> Sequence[Posted]:
        """At least one; they may be sent at once."""

    def opinion(self, question: Question, answers: Sequence[Returned]) -> Opinion:
        """What the answers say, one for each request in order. Raises `Unreadable`."""
