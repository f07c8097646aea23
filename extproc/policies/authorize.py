"""Who may do what: CEL rules. A deny wins, every require must hold, then some allow must hold.

Whatever cannot be evaluated refuses: a deny that errs denies, a require or allow that errs is
not true. What a rule says of a caller and a model is remembered, as far as it reads little else.
Rules in `audit` are asked after all others, and decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from extproc.audits import Audited, Audits, Finding, uncounted
from extproc.facts import Facts
from extproc.policies.scope import Matcher, compile_scope
from extproc.policies.variables import Getter, Sources, getters, known_values, sources
from extproc.verdict import PASS, By, Deny, PolicyKind, Verdict
from gateway.cel import Bindings, CelError, Expression, bind, compile_expression
from gateway.model import Effect, Mode, Phase, Rule

_KIND = PolicyKind.RULE
_CODE = "permission_denied"
"""Of what a rule would refuse."""
_ORDER = (Effect.DENY, Effect.REQUIRE, Effect.ALLOW)


class InvalidRule(Exception):
    """A rule reached the request path that does not compile; the configuration check lets none."""


@dataclass(frozen=True, slots=True)
class _CompiledRule:
    name: str
    effect: Effect
    mode: Mode
    matcher: Matcher
    expression: Expression
    sources: Sources
    """Where each variable of the expression comes from."""


_Outcome: TypeAlias = bool | CelError
_Asked: TypeAlias = Sequence[tuple[_CompiledRule, _Outcome | None]]
"""With what is always the outcome; None where it must be asked each time."""

_STANDING = frozenset(
    {
        "principal.name",
        "principal.user",
        "principal.team",
        "principal.groups",
        "principal.tags",
        "principal.kind",
        "jwt",
        "principal.is_anonymous",
        "apiKey.name",
        "resource.kind",
        "resource.name",
        "resource.namespace",
        "llm.model",
        "llm.provider",
        "llm.is_stream",
        "llm.max_output_tokens",
    }
)
"""Variables that have the same value in all requests of a case."""

_MOST_CASES = 10_000
"""Clients choose models and limits, so cases have no natural end."""


@dataclass(frozen=True, slots=True)
class _Case:
    """The rules for one caller, one model and its provider, one shape of answer, one route."""

    verdict: Verdict | None
    """What is always the answer; None when some rule must be asked each time."""
    rules: _Asked
    """Those that apply and are enforced, in `_ORDER`."""
    audited: _Asked
    """Those that apply and are not."""
    sources: Sources
    """Of the variables that the rest reads."""


class Authorize:
    """All rules of a program that are asked in one phase."""

    def __init__(
        self, rules: Sequence[Rule], audits: Audits | None = None, phase: Phase = Phase.REQUEST
    ) -> None:
        """`audits` is told what rules in `audit` say; rules of another `phase` are left out."""
        self._audits = audits or uncounted()
        pairs = [(rule, _compile(rule)) for rule in rules if rule.phase is phase]
        self._names = frozenset[str]().union(*(expression.names for _, expression in pairs))
        self.headers: frozenset[str] = frozenset().union(
            *(expression.headers for _, expression in pairs)
        )
        of_answers = frozenset[str]().union(*(each.answer_headers for _, each in pairs))
        known = getters(self.headers, of_answers)
        compiled = [_ready(rule, expression, known) for rule, expression in pairs]
        self._rules = tuple(sorted(compiled, key=lambda rule: _ORDER.index(rule.effect)))
        self._cases: dict[tuple[object, ...], _Case] = {}

    @property
    def is_any(self) -> bool:
        return bool(self._rules)

    def reads(self, name: str) -> bool:
        """Whether some rule asks for this variable."""
        return name in self._names

    def are_for(self, facts: Facts) -> bool:
        """Whether some rule is to be asked about this request, or its answer."""
        return any(rule.matcher.matches(facts) for rule in self._rules)

    def on_response(self, facts: Facts) -> Verdict:
        """The same of an answer that has begun."""
        verdict = self.on_request(facts)
        if not isinstance(verdict, Deny):
            return verdict
        return replace(verdict, reason=f"the response is {verdict.reason}")

    def on_request(self, facts: Facts) -> Verdict:
        """Who is asked first wins: a deny, a require, an allow."""
        if not self._rules:
            return PASS
        name = (
            facts.principal,
            facts.model,
            facts.provider,
            facts.is_stream,
            facts.max_output_tokens,
            facts.route,
            facts.mcp and (facts.mcp.server, facts.mcp.name),
            facts.a2a and facts.a2a.agent,
        )
        case = self._cases.get(name)
        if case is None:
            if len(self._cases) >= _MOST_CASES:
                self._cases.clear()
            case = self._cases[name] = _case(self._rules, facts)
        if case.verdict is not None and not case.audited:
            return case.verdict
        bindings = bind(known_values(case.sources, facts))
        verdict = _decide(case.rules, bindings) if case.verdict is None else case.verdict
        if case.audited:
            for finding in _findings(case, bindings, verdict):
                self._audits.note(facts, finding)
        return verdict


def _case(rules: Sequence[_CompiledRule], facts: Facts) -> _Case:
    applicable = [rule for rule in rules if rule.matcher.matches(facts)]
    standing = [rule for rule in applicable if rule.expression.names <= _STANDING]
    known = bind(known_values(_sources(standing), facts))
    asked = tuple(
        (rule, rule.expression.evaluate_bound(known) if rule in standing else None)
        for rule in applicable
    )
    changing = [rule for rule in applicable if rule not in standing]
    enforced = [each for each in asked if each[0].mode is Mode.ENFORCE]
    is_open = any(outcome is None for _, outcome in enforced)
    return _Case(
        verdict=None if is_open else _decide(enforced, known),
        rules=enforced,
        audited=[each for each in asked if each[0].mode is Mode.AUDIT],
        sources=_sources(changing),
    )


def _findings(case: _Case, bindings: Bindings, verdict: Verdict) -> Iterator[Finding]:
    """What each rule in `audit` would change. Those that allow are taken together: each of them
    alone would refuse what the others are for."""
    asked = [(rule, _outcome(rule, known, bindings)) for rule, known in case.audited]
    is_allowed = _is_allowed(case.rules, bindings) or any(
        outcome is True for rule, outcome in asked if rule.effect is Effect.ALLOW
    )
    is_held_back = isinstance(verdict, Deny) and not _is_refused_outright(case.rules, bindings)
    for rule, outcome in asked:
        match rule.effect:
            case Effect.DENY:
                is_passed = outcome is False
            case Effect.REQUIRE:
                is_passed = outcome is True
            case Effect.ALLOW:
                if outcome is True and is_held_back:
                    yield Finding(_KIND, rule.name, Audited.ALLOW)
                    continue
                is_passed = is_allowed
            case _:
                assert_never(rule.effect)
        if is_passed:
            yield Finding(_KIND, rule.name, Audited.PASS)
        elif isinstance(outcome, CelError):
            yield Finding(_KIND, rule.name, Audited.ERROR, outcome.reason, _CODE)
        else:
            yield Finding(_KIND, rule.name, Audited.DENY, code=_CODE)


def _outcome(rule: _CompiledRule, known: _Outcome | None, bindings: Bindings) -> _Outcome:
    return rule.expression.evaluate_bound(bindings) if known is None else known


def _is_allowed(rules: _Asked, bindings: Bindings) -> bool:
    return any(
        _outcome(rule, known, bindings) is True
        for rule, known in rules
        if rule.effect is Effect.ALLOW
    )


def _is_refused_outright(rules: _Asked, bindings: Bindings) -> bool:
    """Whether no further allow could let it through."""
    others = [each for each in rules if each[0].effect is not Effect.ALLOW]
    return isinstance(_decide(others, bindings), Deny)


def _compile(rule: Rule) -> Expression:
    expression = compile_expression(rule.expression)
    if isinstance(expression, str):
        raise InvalidRule(f"{rule.name}: {expression}")
    return expression


def _ready(rule: Rule, expression: Expression, known: Mapping[str, Getter]) -> _CompiledRule:
    return _CompiledRule(
        name=rule.name,
        effect=rule.effect,
        mode=rule.mode,
        matcher=compile_scope(rule.scope),
        expression=expression,
        sources=sources(expression.names, known),
    )


def _sources(rules: Sequence[_CompiledRule]) -> Sources:
    return tuple({name: getter for rule in rules for name, getter in rule.sources}.items())


def _decide(rules: _Asked, bindings: Bindings) -> Verdict:
    """Rules come in `_ORDER`, so the first true allow ends it."""
    refused: list[tuple[_CompiledRule, _Outcome]] = []
    for rule, known in rules:
        outcome = _outcome(rule, known, bindings)
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


def _deny(refused: Sequence[tuple[_CompiledRule, _Outcome]]) -> Deny:
    names = ", ".join(f"'{rule.name}'" for rule, _ in refused)
    errors = "; ".join(
        f"'{rule.name}' cannot be evaluated: {outcome.reason}"
        for rule, outcome in refused
        if isinstance(outcome, CelError)
    )
    reason = f"denied by {names}" + (f" ({errors})" if errors else "")
    by = By(_KIND, ", ".join(rule.name for rule, _ in refused))
    return Deny(403, "permission_denied", reason, by=by)
