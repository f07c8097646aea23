"""A verdict that depends on what remote guards say: whom to ask what, and what follows from it.

Who holds one asks all of it at once, and hands over the opinions; policies wait for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from extproc.policies.remote.words import (
    Codec,
    Fine,
    Objection,
    Opinion,
    Question,
    Rewritten,
    Unknown,
)
from extproc.verdict import By, Deny, PolicyKind

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Remote:
    """A guard that asks a service, made ready."""

    name: str
    service: str
    codec: Codec
    timeout_seconds: float
    is_open_on_error: bool
    is_parallel: bool
    message: str
    """What the client is told; empty: what the service says."""

    def denial(self, opinion: Opinion, *, can_rewrite: bool) -> Deny | None:
        """What an opinion refuses; None: nothing."""
        match opinion:
            case Fine():
                return None
            case Rewritten():
                return None if can_rewrite else self.refusal("")
            case Objection():
                return self.refusal(opinion.reason)
            case Unknown():
                if self.is_open_on_error:
                    return None
                reason = f"the guard {self.name!r} could not be asked"
                return Deny(503, "guardrail_unavailable", reason, by=self._by)

    def refusal(self, reason: str) -> Deny:
        """Tells of the service's reason only where the operator has none."""
        said = self.message or reason or "this is not allowed"
        return Deny(400, "content_policy_violation", f"{said} (guard {self.name!r})", by=self._by)

    @property
    def _by(self) -> By:
        return By(PolicyKind.GUARD, self.name)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to one guard."""

    remote: Remote
    question: Question


@dataclass(frozen=True, slots=True)
class Inquiry(Generic[T]):
    """What has to be asked before there is a T."""

    asked: tuple[Asked, ...]
    answered: Callable[[Sequence[Opinion]], T | Inquiry[T]]
    """Given an opinion for each question, in order."""

    def then(self, what: Callable[[T], U]) -> Inquiry[U]:
        """The same, of what is made of it."""

        def answered(opinions: Sequence[Opinion]) -> U | Inquiry[U]:
            found = self.answered(opinions)
            return found.then(what) if isinstance(found, Inquiry) else what(found)

        return Inquiry(self.asked, answered)
