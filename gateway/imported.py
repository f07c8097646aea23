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
    """How many keys had each outcome."""
    found = dict.fromkeys(Outcome, 0)
    for mapping in mappings:
        found[mapping.outcome] += 1
    return found
