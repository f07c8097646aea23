"""Guardrails on what a model would read: refuse it, or mask what must not leave.

Guards see the text in the order in which they are written, each as those before have left it.
A request that no pattern matches costs one pass over its texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from extproc.facts import Facts
from extproc.policies.patterns import Patterns
from extproc.protocols import bodies
from extproc.rewording import Reword
from extproc.verdict import PASS, Amend, Deny, Pass
from gateway.model import Guard, GuardAction, RegexGuard, RemoteGuard


@dataclass(frozen=True, slots=True)
class _Block:
    patterns: frozenset[int]
    deny: Deny


@dataclass(frozen=True, slots=True)
class _Mask:
    patterns: frozenset[int]
    replacement: str
    deny: Deny
    """For what cannot be masked."""


@dataclass(frozen=True, slots=True)
class _Unavailable:
    deny: Deny


_Step: TypeAlias = _Block | _Mask | _Unavailable


class Masking:
    """Masks what some of the patterns match, text by text."""

    def __init__(self, patterns: Patterns, indices: frozenset[int], replacement: str) -> None:
        self._patterns = patterns
        self._indices = indices
        self._replacement = replacement
        self.is_complete = True
        """False when something was found where nothing can be changed."""

    def text(self, text: str) -> str:
        """The text as masked."""
        return self._patterns.replace(self._indices, self._replacement, text)

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        """The pieces of one text, with what only the whole shows masked in each."""
        return self._patterns.replace_across(self._indices, self._replacement, pieces)

    def fixed(self, text: str) -> None:
        """Looks at a text that cannot be changed."""
        if self._patterns.replace(self._indices, "", text) != text:
            self.is_complete = False


class Guards:
    """All guards of a gateway."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._patterns = Patterns(
            [
                pattern
                for guard in guards
                if isinstance(guard, RegexGuard)
                for pattern in guard.patterns
            ]
        )
        self._steps = _steps(guards)
        self._unmatched: Pass | Deny = next(
            (step.deny for step in self._steps if isinstance(step, _Unavailable)), PASS
        )

    def on_request(self, facts: Facts) -> Pass | Deny | Amend:
        """Reads `facts.texts`, `facts.body` and `facts.reword`.

        After an Amend, `texts` and `document` are those of the body before: a later policy that
        reads them must have them read again.
        """
        hits = self._patterns.hits(facts.texts)
        return self._walk(facts, hits) if hits else self._unmatched

    def objection(self, texts: Sequence[str]) -> Deny | None:
        """To a request that was let pass, and now says this: nothing of it can be masked."""
        hits = self._patterns.hits(texts)
        for step in self._steps if hits else ():
            if not isinstance(step, _Unavailable) and step.patterns & hits:
                return step.deny
        return None

    def _walk(self, facts: Facts, hits: frozenset[int]) -> Pass | Deny | Amend:
        body = facts.body
        for step in self._steps:
            match step:
                case _Block():
                    if step.patterns & hits:
                        return step.deny
                case _Mask():
                    if step.patterns & hits:
                        masked = self._mask(facts.reword, body, step, hits)
                        if isinstance(masked, Deny):
                            return masked
                        body, hits = masked
                case _Unavailable():
                    return step.deny
                case _:
                    assert_never(step)
        return PASS if body is facts.body else Amend(body)

    def _mask(
        self, reword: Reword | None, body: bytes, step: _Mask, hits: frozenset[int]
    ) -> tuple[bytes, frozenset[int]] | Deny:
        """The body as masked, and what is found in it now."""
        if reword is None:
            return step.deny
        masking = Masking(self._patterns, step.patterns & hits, step.replacement)
        reworded = reword(body, masking)
        if isinstance(reworded, Deny):
            return reworded
        if not masking.is_complete:
            return step.deny
        values, texts = reworded
        if not values:
            return body, hits
        return bodies.replace(body, values), self._patterns.hits(texts)


def _steps(guards: Sequence[Guard]) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    first = 0
    for guard in guards:
        match guard:
            case RegexGuard():
                patterns = frozenset(range(first, first + len(guard.patterns)))
                first += len(guard.patterns)
                match guard.action:
                    case GuardAction.BLOCK:
                        steps.append(_Block(patterns, _refusal(guard)))
                    case GuardAction.MASK:
                        steps.append(_Mask(patterns, guard.replacement, _refusal(guard)))
                    case _:
                        assert_never(guard.action)
            case RemoteGuard():
                if not guard.is_open_on_error:
                    steps.append(_Unavailable(_outage(guard)))
            case _:
                assert_never(guard)
    return tuple(steps)


def _refusal(guard: RegexGuard) -> Deny:
    """Says neither what was found nor by what."""
    reason = guard.message or "the request was refused"
    return Deny(400, "content_policy_violation", f"{reason} (guard {guard.name!r})")


def _outage(guard: RemoteGuard) -> Deny:
    reason = f"the guard {guard.name!r} ({guard.kind}) cannot be asked"
    return Deny(503, "guardrail_unavailable", reason)
