"""Which counters of which budgets a caller draws on, at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from extproc.facts import Facts
from extproc.policies.scope import compile_by, compile_scope
from gateway.counters import phased
from gateway.model import Budget, Unit
from gateway.windows import windows

_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Line:
    """A budget, ready to be asked."""

    __slots__ = ("budget", "by", "is_money", "is_of_any_model", "matcher")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.matcher = compile_scope(budget.scope)
        self.is_money = budget.unit is Unit.NANODOLLARS
        self.is_of_any_model = budget.scope.model is None and budget.scope.llm is None
        self.by = compile_by(budget.by) if budget.by else None

    def subjects(self, facts: Facts) -> tuple[tuple[str, str], ...] | None:
        """Whose counter it is; None: the budget does not apply."""
        found = self.matcher.subjects(facts)
        if found is None or self.by is None:
            return found
        return (*found, ("by", self.by(facts)))


class Case:
    """The budgets that apply to one caller, model and provider, in the windows of a time."""

    __slots__ = ("_began", "_counters", "_ends", "_rows")

    def __init__(self, counters: Sequence[tuple[Line, str]]) -> None:
        self._counters = counters
        self._rows: tuple[Row, ...] = ()
        self._began = self._ends = _NEVER

    def rows(self, now: datetime) -> tuple[Row, ...]:
        """Made again when some window has ended, which is seldom."""
        if not self._began <= now < self._ends:
            found = [
                (line, counter, windows(line.budget.span, now)) for line, counter in self._counters
            ]
            self._rows = tuple(
                (line, line.is_money, phased(counter, each.phase), each.start, line.budget.limit)
                for line, counter, several in found
                for each in several
            )
            every = [each for _, _, several in found for each in several]
            self._began = max((_moment(each.start) for each in every), default=_EVER)
            ends = [_moment(each.end) for each in every if each.end is not None]
            self._ends = min(ends, default=_NEVER)
        return self._rows


Row: TypeAlias = tuple[Line, bool, str, int, int]
"""A budget, whether it counts money, its counter, its window's start and its limit."""


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
