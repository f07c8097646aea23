"""Questions to the stores of budgets, keys and limits that got no answer, counted for operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from extproc.ports import Tally, Verdicts
from gateway.a2a import AGENT_KIND
from gateway.names import STORE_KIND

Missed: TypeAlias = Callable[[], None]
"""Called for each question that got none."""
_FAILED = "failed"


def uncounted() -> None:
    """Nobody counts."""


def agent_counts(tally: Tally) -> Callable[[str, str], None]:
    """The same of what happens to A2A agents: the agent, and what."""
    return lambda agent, event: tally.add(Verdicts(AGENT_KIND, agent, event, ""))


def counted(tally: Tally, store: str) -> Missed:
    """In the counts of a worker; `store`: `ledger`, `keys` or `limits`."""
    row = Verdicts(STORE_KIND, store, _FAILED, "")
    return lambda: tally.add(row)
