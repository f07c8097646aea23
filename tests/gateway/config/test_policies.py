from __future__ import annotations

import pytest

from gateway.kinds import SECRET_GROUPS, Kind
from gateway.model import (
    Budget,
    DetectionAction,
    DetectionGuard,
    Effect,
    GuardAction,
    GuardTerms,
    InjectionGuard,
    Mask,
    MaskStyle,
    Mode,
    Period,
    RegexGuard,
    Rule,
    Scope,
    Span,
    TextScope,
    Unit,
)
from tests.gateway.config.loading import complaints, meant, problems


def test_rules_have_one_effect() -> None:
    gateway = meant("""
        authorize:
          - {name: a, allow: "true"}
          - {name: b, for: {team: "x*", llm: "*"}, deny: "false"}
          - {name: c, require: 'principal.team == "red"'}
        """)
    assert gateway.rules == (
        Rule("a", Scope(), Effect.ALLOW, "true"),
        Rule("b", Scope(team="x*", llm="*"), Effect.DENY, "false"),
        Rule("c", Scope(), Effect.REQUIRE, 'principal.team == "red"'),
    )


def test_a_rule_is_enforced_unless_it_says_otherwise() -> None:
    gateway = meant("""
        authorize:
          - {name: a, deny: "true", mode: audit}
          - {name: b, deny: "true", mode: enforce}
          - {name: c, deny: "true"}
        """)
    assert [rule.mode for rule in gateway.rules] == [Mode.AUDIT, Mode.ENFORCE, Mode.ENFORCE]
    (complaint,) = complaints("authorize: [{name: a, deny: 'true', mode: adit}]")
    assert complaint.startswith("authorize.0.mode: ")


@pytest.mark.parametrize("effects", ["", ", allow: 'true', deny: 'true'"])
def test_none_and_two_effects_are_problems(effects: str) -> None:
    assert complaints(f"authorize: [{{name: a{effects}}}]") == [
        "authorize.0: needs exactly one of allow, deny and require"
    ]


def test_an_expression_that_does_not_compile_is_a_problem_with_its_line() -> None:
    text = """
        authorize:
          - name: a
            allow: >
              princpal.team == "red"
        """
    (problem,) = problems(text)
    assert (problem.line, problem.path) == (4, "authorize.0.allow")
    assert "princpal" in problem.message


def test_pattern_guards_have_names_and_messages() -> None:
    gateway = meant("""
        guardrails:
          - {type: regex, patterns: [a, b]}
          - {type: regex, name: mine, patterns: [c], action: mask, replacement: "", message: no}
        """)
    assert gateway.guards == (
        RegexGuard(
            "regex-1",
            ("a", "b"),
            GuardAction.BLOCK,
            "[redacted]",
            "the request has text that 'regex-1' does not allow",
        ),
        RegexGuard("mine", ("c",), GuardAction.MASK, "", "no"),
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a", "not a pattern that re2 knows: missing ): (a"),
        ("(?=a)", "not a pattern that re2 knows: invalid perl operator: (?="),
        ("a*", "finds empty text, so it would hit every request, not 'a*'"),
    ],
)
def test_patterns_that_cannot_work_are_problems(pattern: str, message: str) -> None:
    found = complaints(f"guardrails: [{{type: regex, patterns: ['{pattern}']}}]")
    assert found == [f"guardrails.0.patterns.0: {message}"]


def test_kinds_are_named_one_by_one_or_in_groups() -> None:
    (pii, secrets) = meant("""
        guardrails:
          - {type: pii, kinds: [payment, email, iban], regions: [DE, GB], action: mask}
          - {type: secrets, name: keys, message: no keys, scope: [user]}
        """).guards
    assert pii == DetectionGuard(
        name="pii-1",
        type="pii",
        kinds=(Kind.CREDIT_CARD, Kind.IBAN, Kind.EMAIL),
        regions=("DE", "GB"),
        action=DetectionAction.MASK,
        masks={},
        message="the request has text that 'pii-1' does not allow",
    )
    assert isinstance(secrets, DetectionGuard)
    assert (secrets.kinds, secrets.message) == (SECRET_GROUPS["all"], "no keys")
    assert secrets.terms.texts == {TextScope.USER}


def test_injection_is_looked_for_where_operators_do_not_write() -> None:
    (guard, other) = meant("""
        guardrails:
          - {type: injection}
          - {type: injection, threshold: 0.4, scope: [system], message: no}
        """).guards
    assert isinstance(guard, InjectionGuard)
    assert guard.threshold == 0.7
    assert guard.terms.texts == {TextScope.USER, TextScope.TOOL_OUTPUT}
    assert other == InjectionGuard(
        "injection-2", 0.4, "no", GuardTerms(texts=frozenset({TextScope.SYSTEM}))
    )


def test_the_mask_of_a_kind_is_stronger_than_that_of_its_group() -> None:
    (guard,) = meant("""
        guardrails:
          - type: pii
            masks: {credit_card: last_4, payment: label}
            replacements: {all: "(gone)"}
        """).guards
    assert isinstance(guard, DetectionGuard)
    assert guard.masks[Kind.CREDIT_CARD] == Mask(MaskStyle.LAST_4)
    assert guard.masks[Kind.IBAN] == Mask(MaskStyle.LABEL)
    assert guard.masks[Kind.EMAIL] == Mask(text="(gone)")


def test_guards_say_whom_they_are_for_and_what_they_read() -> None:
    gateway = meant("""
        guardrails:
          - {type: regex, patterns: [a], for: {team: red, model: "fast*"}, scope: [user, reasoning]}
        """)
    texts = frozenset({TextScope.USER, TextScope.REASONING})
    assert gateway.guards[0].terms == GuardTerms(Scope(team="red", model="fast*"), texts=texts)


def test_a_guard_is_for_calls_of_models_mcp_agents_or_plain_routes() -> None:
    found = complaints("guardrails: [{type: regex, patterns: [a], for: {tool: x}}]")
    assert found == ["guardrails.0.for.tool: unknown key 'tool'"]


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("{patterns: [a]}", "guardrails.0.type: is required"),
        (
            "{type: regexp}",
            "guardrails.0.type: must be one of regex, pii, secrets, injection, keywords,"
            " max_length, json_schema, webhook, openai-moderation, bedrock-guardrails,"
            " model-armor, azure-content-safety, not"
            " 'regexp'",
        ),
        ("{type: regex, patterns: []}", "guardrails.0.patterns: must not be empty"),
        ("{type: regex, pattern: a}", "guardrails.0.pattern: unknown key 'pattern'"),
        (
            "{type: regex, patterns: [a], action: blok}",
            "guardrails.0.action: must be one of block, mask, not 'blok'",
        ),
        (
            "{type: pii, kinds: [emial]}",
            "guardrails.0.kinds.0: is nothing that this guard finds, not 'emial'",
        ),
        (
            "{type: secrets, kinds: [email]}",
            "guardrails.0.kinds.0: is nothing that this guard finds, not 'email'",
        ),
        (
            "{type: pii, action: tokenise, phase: both}",
            "guardrails.0: cannot tokenise a response",
        ),
        (
            "{type: regex, patterns: [a], action: tokenise}",
            "guardrails.0.action: must be one of block, mask, not 'tokenise'",
        ),
        ("{type: pii, kinds: []}", "guardrails.0.kinds: must not be empty"),
        (
            "{type: pii, regions: [UK]}",
            "guardrails.0.regions.0: is no region of ISO 3166, not 'UK'",
        ),
        ("{type: secrets, regions: [US]}", "guardrails.0.regions: unknown key 'regions'"),
        (
            "{type: openai-moderation, threshold: 80}",
            "guardrails.0.threshold: must be from 0 to 1, not '80'",
        ),
    ],
)
def test_mistaken_guards_are_problems(block: str, complaint: str) -> None:
    assert complaint in complaints(f"guardrails: [{block}]")


def test_budgets_are_integers() -> None:
    gateway = meant("""
        budgets:
          - {name: a, for: {team: "*"}, limit: 500 USD, per: month}
          - {name: b, limit: 100k tokens, per: total}
        """)
    assert gateway.budgets == (
        Budget("a", Scope(team="*"), Unit.NANODOLLARS, 500 * 10**9, Span(Period.MONTH)),
        Budget("b", Scope(), Unit.TOKENS, 100_000, Span(Period.TOTAL)),
    )


def test_a_budget_counts_callers_models_providers_servers_and_agents() -> None:
    (problem,) = problems("budgets: [{name: a, for: {llm: '*'}, limit: 5 USD, per: day}]")
    assert problem.message == "unknown key 'llm'"
    assert problem.hint == "known: a2a, key, mcp, model, provider, team, tool, user"
