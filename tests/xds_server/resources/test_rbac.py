"""What Envoy is told to check, in order, and what it answers to whom it refuses."""

from __future__ import annotations

import pytest

from gateway import names
from gateway.model import Effect, Rule, Scope
from xds_server.resources import rbac
from xds_server.resources.envoy_rules import EnvoyRules
from xds_server.resources.extension import Json


def rule(name: str, effect: Effect, expression: str = 'request.method == "GET"') -> Rule:
    return Rule(name, Scope(), effect, expression)


ALL = EnvoyRules(
    "app",
    checks_tokens=True,
    missing="no token was given",
    rules=(
        rule("d", Effect.DENY),
        rule("r", Effect.REQUIRE),
        rule("a", Effect.ALLOW),
        rule("b", Effect.ALLOW),
    ),
)


def rows(rules: EnvoyRules) -> list[Json]:
    enforced = rbac.enforced(rules)["rbac"]["matcher"]
    passed = enforced["on_no_match"]["action"]["typed_config"]
    assert passed["action"] == "ALLOW"
    found: list[Json] = enforced["matcher_list"]["matchers"]
    return found


def test_whatever_does_not_hold_refuses_in_order() -> None:
    found = rows(ALL)
    refusals = [each["on_match"]["action"]["typed_config"] for each in found]
    assert [each["name"] for each in refusals] == [
        names.INVALID_TOKEN_POLICY,
        names.MISSING_CREDENTIAL_POLICY,
        "d",
        "r",
        "a,b",
    ]
    assert {each["action"] for each in refusals} == {"DENY"}
    # so that what errs, and so does not hold, refuses as well
    assert all(list(each["predicate"]) == ["not_matcher"] for each in found)


def test_one_of_several_that_allow_must_hold() -> None:
    predicate = rows(ALL)[-1]["predicate"]["not_matcher"]
    assert len(predicate["or_matcher"]["predicate"]) == 2


def test_a_deny_holds_when_it_is_not_true() -> None:
    (row,) = rows(EnvoyRules("app", rules=(rule("d", Effect.DENY),)))
    single = row["predicate"]["not_matcher"]["single_predicate"]
    asked = single["custom_match"]["typed_config"]["expr_match"]["cel_expr_parsed"]["expr"]
    assert asked["call_expr"]["function"] == "!_"


def test_the_answer_says_why_as_python_does() -> None:
    assert rbac.reasons(ALL) == {
        "rbac_access_denied_matched_policy[dragoman/invalid_token]": "the token is not valid",
        "rbac_access_denied_matched_policy[dragoman/missing_credential]": "no token was given",
        "rbac_access_denied_matched_policy[d]": "denied by 'd'",
        "rbac_access_denied_matched_policy[r]": "denied by 'r'",
        "rbac_access_denied_matched_policy[a,b]": "denied by 'a', 'b'",
    }


def test_nothing_to_check_lets_everybody_in() -> None:
    assert "matcher_list" not in rbac.enforced(EnvoyRules("app"))["rbac"]["matcher"]


def test_a_rule_of_pythons_is_no_rule_here() -> None:
    with pytest.raises(ValueError, match=r"'p' is Python's: reads principal\.team"):
        rbac.enforced(EnvoyRules("app", rules=(rule("p", Effect.DENY, 'principal.team == "a"'),)))


def test_routes_without_rules_do_not_pay_for_the_filter() -> None:
    assert rbac.rbac_filter()["disabled"] is True
