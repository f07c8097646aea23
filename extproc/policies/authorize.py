"""Who may do what: CEL rules. A deny wins, every require must hold, then some allow must hold.

Whatever cannot be evaluated refuses: a deny that errs denies, a require or allow that errs is
not true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from extproc.facts import Facts
from extproc.policies.scope import Matcher, compile_scope
from extproc.policies.variables import GETTERS, Getter, headers_getter
from extproc.verdict import PASS, Deny, Verdict
from gateway.cel import Bindings, CelError, Expression, bind, compile_expression
from gateway.model import Effect, Rule, Scope

_ORDER = (Effect.DENY, Effect.REQUIRE, Effect.ALLOW)


class InvalidRule(Exception):
    """A rule reached the request path that does not compile; the configuration check lets none."""


@dataclass(frozen=True, slots=True)
class _CompiledRule:
    name: str
    effect: Effect
    matcher: Matcher
    expression: Expression
    sources: tuple[tuple[str, Getter], ...]
    """Where each variable of the expression comes from."""


class Authorize:
    """All rules of a program."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        pairs = [(rule, _compile(rule)) for rule in rules]
        self.needs_body = any(
            expression.needs_body or _needs_body(rule.scope) for rule, expression in pairs
        )
        self.headers: frozenset[str] = frozenset().union(
            *(expression.headers for _, expression in pairs)
        )
        getters = {**GETTERS, "request.headers": headers_getter(self.headers)}
        compiled = [_ready(rule, expression, getters) for rule, expression in pairs]
        self._rules = tuple(sorted(compiled, key=lambda rule: _ORDER.index(rule.effect)))

    def on_request(self, facts: Facts) -> Verdict:
        if not self._rules:
            return PASS
        applicable = [rule for rule in self._rules if rule.matcher.matches(facts)]
        return _decide(applicable, bind(_values(applicable, facts))) if applicable else PASS


def _compile(rule: Rule) -> Expression:
    expression = compile_expression(rule.expression)
    if isinstance(expression, str):
        raise InvalidRule(f"{rule.name}: {expression}")
    return expression


def _needs_body(scope: Scope) -> bool:
    """Whether the scope asks for the model, which only the body names."""
    return scope.model is not None or scope.provider is not None or scope.llm not in (None, "*")


def _ready(rule: Rule, expression: Expression, getters: dict[str, Getter]) -> _CompiledRule:
    return _CompiledRule(
        name=rule.name,
        effect=rule.effect,
        matcher=compile_scope(rule.scope),
        expression=expression,
        sources=tuple((name, getters[name]) for name in expression.names if name in getters),
    )


def _values(rules: Sequence[_CompiledRule], facts: Facts) -> dict[str, object]:
    """The variables that these rules name; what the request does not have is left out."""
    values: dict[str, object] = {}
    for rule in rules:
        for name, getter in rule.sources:
            if name not in values:
                value = getter(facts)
                if value is not None:
                    values[name] = value
    return values


def _decide(rules: Sequence[_CompiledRule], bindings: Bindings) -> Verdict:
    """Rules come in `_ORDER`, so the first true allow ends it."""
    refused: list[tuple[_CompiledRule, bool | CelError]] = []
    for rule in rules:
        outcome = rule.expression.evaluate_bound(bindings)
        match rule.effect:
            case Effect.DENY:
                if outcome is not False:
                    return _deny([(rule, outcome)])
            case Effect.REQUIRE:
                if outcome is not True:
                    return _deny([(rule, outcome)])
            case Effect.ALLOW:
                if outcome is True:
                    return PASS
                refused.append((rule, outcome))
            case _:
                assert_never(rule.effect)
    return _deny(refused) if refused else PASS


def _deny(refused: Sequence[tuple[_CompiledRule, bool | CelError]]) -> Deny:
    names = ", ".join(f"'{rule.name}'" for rule, _ in refused)
    errors = "; ".join(
        f"'{rule.name}' cannot be evaluated: {outcome.reason}"
        for rule, outcome in refused
        if isinstance(outcome, CelError)
    )
    reason = f"denied by {names}" + (f" ({errors})" if errors else "")
    return Deny(403, "permission_denied", reason)
