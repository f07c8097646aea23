"""On what terms ours lets anybody in."""

from __future__ import annotations

import pytest

from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Rule, Terms
from gateway.importers.agentgateway.terms import read_rules, read_terms
from tests.gateway.importers.agentgateway.imports import answers, node


def rules(text: str) -> Terms:
    top, draft = node(f"authorization: {{rules: {text}}}")
    return read_rules(top.take("authorization"), draft, is_llm=False)


def test_any_allow_of_a_set_is_enough_but_one_must_hold() -> None:
    assert rules("['request.path == \"/a\"', {allow: 'request.path == \"/b\"'}]") == Terms(
        rules=(Rule("require", '(request.path == "/a") || (request.path == "/b")'),)
    )


def test_denies_and_requires_stay_what_they_are() -> None:
    assert rules("[{deny: 'true'}, {require: 'false'}]") == Terms(
        rules=(Rule("deny", "true"), Rule("require", "false"))
    )


def test_a_set_without_rules_asks_nothing() -> None:
    assert rules("[]") == Terms()


@pytest.mark.parametrize(
    "text",
    [
        "['true', 'jwt.sub == \"a\"']",
        "[{allow: 'true', deny: 'true'}]",
        "[{}]",
        "[{permit: 'true'}]",
        "['']",
    ],
)
def test_one_rule_that_cannot_be_kept_locks_the_whole_set(text: str) -> None:
    assert rules(text) == Terms(locks=("authorization",))


def test_a_rule_of_another_kind_is_a_problem() -> None:
    top, draft = node("{rules: [7]}")
    assert read_rules(top, draft, is_llm=False).locks
    assert [each.path for each in top.walk.problems] == ["rules.0"]


@pytest.mark.parametrize("policy", ["jwtAuth", "oidc", "basicAuth", "extAuthz", "extProc", "csrf"])
def test_a_lock_that_ours_cannot_have_closes(policy: str) -> None:
    top, draft = node(f"{{{policy}: {{a: b}}}}")
    assert read_terms(top, policy_keys.ROUTE_POLICY, draft, is_llm=False).locks == (policy,)
    assert answers(top)[policy].is_security


def test_headers_that_are_set_for_a_backend_are_a_lock_but_not_for_models() -> None:
    text = "{requestHeaderModifier: {set: {x-user: a}, remove: [], add: {b: c}}}"
    top, draft = node(text)
    terms = read_terms(top, policy_keys.ROUTE_POLICY, draft, is_llm=False)
    assert terms.locks == ("requestHeaderModifier.set",)
    top, draft = node(text)
    assert read_terms(top, policy_keys.ROUTE_POLICY, draft, is_llm=True).is_open


def test_headers_that_are_kept_from_clients_are_a_lock() -> None:
    top, draft = node("{responseHeaderModifier: {remove: [x-secret], set: {a: b}}}")
    terms = read_terms(top, policy_keys.ROUTE_POLICY, draft, is_llm=True)
    assert terms.locks == ("responseHeaderModifier.remove",)
