"""How long an agent's stream may be: what guards of the type `max_length` say of all its texts."""

from __future__ import annotations

from collections.abc import Sequence

from extproc.audits import Audits
from extproc.facts import Facts
from extproc.policies.gathering import Blocked
from extproc.policies.lengths import Measure
from extproc.policies.steps import Step, Steps
from gateway.guards import Guard, LengthGuard, TextScope


class Lengths:
    """The guards of a gateway that count what agents say."""

    __slots__ = ("_audits", "_guards", "_measure")

    def __init__(self, guards: Sequence[Guard], audits: Audits, measure: Measure) -> None:
        """`measure` counts tokens."""
        kept = [
            each for each in guards if isinstance(each, LengthGuard) and each.terms.reads_answers
        ]
        steps = Steps(kept, measure).all
        self._guards = tuple(zip(steps, kept, strict=True))
        self._audits = audits
        self._measure = measure

    def of_stream(self, facts: Facts) -> StreamLength | None:
        """Those that count what answers this request; None: none does."""
        asked = [
            _Counted(step, guard)
            for step, guard in self._guards
            if step.is_for(facts) and step.reads(TextScope.ASSISTANT)
        ]
        return StreamLength(asked, self._audits, self._measure, facts) if asked else None


class _Counted:
    """One guard, and how much is left."""

    __slots__ = ("characters", "is_over", "step", "tokens")

    def __init__(self, step: Step, guard: LengthGuard) -> None:
        self.step = step
        self.characters = guard.most_characters
        self.tokens = guard.most_tokens
        self.is_over = False


class StreamLength:
    """One stream."""

    __slots__ = ("_audits", "_counted", "_facts", "_measure")

    def __init__(
        self, counted: Sequence[_Counted], audits: Audits, measure: Measure, facts: Facts
    ) -> None:
        self._counted = counted
        self._audits = audits
        self._measure = measure
        self._facts = facts

    def add(self, texts: Sequence[str]) -> None:
        """What an event says. Raises `Blocked`."""
        size = sum(map(len, texts))
        for each in self._counted:
            if each.characters is not None:
                each.characters -= size
                each.is_over |= each.characters < 0
            if each.tokens is not None and texts:
                each.tokens -= self._measure(texts)
                each.is_over |= each.tokens < 0
            if each.is_over and not each.step.is_audited:
                raise Blocked(each.step.deny)

    def end(self) -> None:
        """Nothing follows: what is in audit is told."""
        for each in self._counted:
            if each.step.is_audited:
                self._audits.note(self._facts, each.step.finding(is_hit=each.is_over))
        self._counted = ()
