"""The checks that rules are."""

from __future__ import annotations

from gateway.model import Effect, Mode, Phase, Rule, Scope
from xds_server.check import Failing
from xds_server.rule_checks import in_order, rule_check


def rule(name: str, effect: Effect, **more: object) -> Rule:
    return Rule(name, Scope(), effect, "true", **more)  # type: ignore[arg-type]


def test_a_deny_is_asked_first_and_other_phases_not_at_all() -> None:
    rules = (
        rule("a", Effect.ALLOW),
        rule("d", Effect.DENY),
        rule("r", Effect.REQUIRE),
        rule("late", Effect.DENY, phase=Phase.RESPONSE),
    )
    assert [each.name for each in in_order(rules)] == ["d", "r", "a"]
    assert [each.name for each in in_order(rules, Phase.RESPONSE)] == ["late"]


def test_a_rule_in_audit_decides_nothing() -> None:
    assert rule_check(rule("a", Effect.DENY, mode=Mode.AUDIT), "body").failing is Failing.OPEN
    assert rule_check(rule("a", Effect.DENY), "body").failing is Failing.CLOSED
