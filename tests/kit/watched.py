"""Answers on their way past guards, in a test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from extproc.audits import Audits
from extproc.facts import Facts
from extproc.guarding import Guarded, Watchman
from extproc.policies.guard import Guards
from gateway.model import (
    Guard,
    GuardAction,
    GuardTerms,
    Mode,
    Phase,
    RegexGuard,
    Scope,
    TextScope,
)
from tests.kit.counted import Counted


def answer_guard(
    *patterns: str,
    mask: str | None = None,
    texts: Iterable[TextScope] = (),
    mode: Mode = Mode.ENFORCE,
    model: str | None = None,
    window: int = 24,
) -> RegexGuard:
    """Blocks, or masks with this."""
    terms = GuardTerms(Scope(model=model), Phase.RESPONSE, frozenset(texts) or None, mode, window)
    action = GuardAction.BLOCK if mask is None else GuardAction.MASK
    return RegexGuard("g", patterns, action, mask or "", "not that", terms)


def watchman(*guards: Guard, tally: Counted | None = None) -> Watchman:
    made = Guards(guards, Audits(tally or Counted()), Phase.RESPONSE)
    return Watchman(made, Facts(now=datetime(2030, 1, 1, tzinfo=UTC), model="fast"))


def passed(answer: Guarded, pieces: Sequence[bytes]) -> bytes:
    """All that goes on, when the last of the pieces is the end."""
    last = len(pieces) - 1
    return b"".join(answer.feed(piece, is_end=at == last) for at, piece in enumerate(pieces))
