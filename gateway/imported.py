"""What became of each key of somebody else's file: words that importers and the loader share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a key was taken over."""

    EXACT = "exact"
    """It means the same in ours."""
    DIFFERENT = "different"
    """It is in ours, with a difference that the note names."""
    UNSUPPORTED = "unsupported"
    """It is not in ours; the note says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """One key of the foreign file."""

    path: str
    """Dotted, as `binds.0.listeners.0.routes.1.matches`."""
    line: int
    outcome: Outcome
    to: str = ""
    """The dotted path in ours; empty when there is none."""
    note: str = ""
    """Empty only for `exact`. Lower case, no full stop."""
    is_security: bool = False
    """Leaving it out lets in, or out, what the file held back: the import says so first."""
    is_sum: bool = False
    """A block of which only the parts were answered: it sums them up, and says nothing more."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Our configuration, and what became of every key of theirs."""

    dialect: str
    """Whose file it was: `agentgateway` or `litellm`."""
    yaml: str
    """Loads without a Problem (variables aside)."""
    mappings: tuple[Mapped, ...]
    """In the order of the file. Every key of the file is in one, or below one."""


def counts(mappings: Iterable[Mapped]) -> dict[Outcome, int]:
    """How many keys had each outcome: keys with a value of their own, and blocks that fared as one.

    A key of which several things are said counts once, as the worst of them.
    """
    worst: dict[str, Outcome] = {}
    order = list(Outcome)
    for mapping in mappings:
        if not mapping.is_sum:
            known = worst.get(mapping.path, Outcome.EXACT)
            worst[mapping.path] = max(known, mapping.outcome, key=order.index)
    found = dict.fromkeys(Outcome, 0)
    for outcome in worst.values():
        found[outcome] += 1
    return found
