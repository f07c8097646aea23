from __future__ import annotations

import pytest

from gateway.config.check import warnings
from tests.gateway.config.loading import complaints, loaded, problems

ROUTE = "backend: 'http://a'"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "gateways: {a: {port: 80}, b: {port: 80, address: 127.0.0.1}}",
            "gateways.b.port: port 80 is already taken by gateway 'a'",
        ),
        (
            "gateways: {a: {port: 15000}}",
            "gateways.a.port: port 15000 is already taken by admin",
        ),
        (
            "admin: {address: '127.0.0.1:8080'}",
            "gateways.default.port: port 8080 is already taken by admin",
        ),
        (
            "identity: {api_keys: {keys: [{name: a, key: x}, {name: a, key: y}]}}",
            "identity.api_keys.keys.1.name: the name 'a' is taken",
        ),
        (
            "identity: {api_keys: {keys: [{name: a, key: x}, {name: b, key: x}]}}",
            "identity.api_keys.keys.1: 'b' has the same key as 'a'",
        ),
        (
            "authorize: [{name: a, allow: 'true'}, {name: a, deny: 'true'}]",
            "authorize.1.name: the name 'a' is taken",
        ),
        (
            "guardrails: [{type: regex, patterns: [a], name: regex-2},"
            " {type: regex, patterns: [a]}]",
            "guardrails.1: the name 'regex-2' is taken",
        ),
        (
            "budgets: [{name: a, limit: 1 USD, per: day}, {name: a, limit: 1 USD, per: day}]",
            "budgets.1.name: the name 'a' is taken",
        ),
        (
            f"routes: [{{name: a, {ROUTE}}}, {{name: a, {ROUTE}}}]",
            "routes.1.name: the name 'a' is taken",
        ),
        (
            "budgets: [{name: a, for: {provider: opnai}, limit: 1 USD, per: day}]",
            "budgets.0.for.provider: no provider 'opnai'",
        ),
        (
            "authorize: [{name: a, for: {route: r}, allow: 'true'}]",
            "authorize.0.for.route: no route 'r'",
        ),
        (
            "authorize: [{name: a, for: {llm: m}, allow: 'true'}]",
            "authorize.0.for.llm: no model 'm'",
        ),
        (
            f"authorize: [{{name: a, for: {{route: r}}, allow: 'true'}}]\n"
            f"routes: [{{name: r, auth: none, {ROUTE}}}]",
            "authorize.0.for.route: the route 'r' is open: its auth is none",
        ),
        (
            f"routes: [{{name: a, {ROUTE}, gateways: [defualt]}}]",
            "routes.0.gateways.0: no gateway 'defualt'",
        ),
    ],
)
def test_what_a_schema_cannot_say_is_said_by_rules(text: str, complaint: str) -> None:
    assert complaints(text) == [complaint]


def test_one_port_on_two_addresses_is_two_places() -> None:
    loaded("gateways: {a: {port: 80, address: 127.0.0.1}, b: {port: 80, address: 127.0.0.2}}")


def test_scopes_may_be_patterns_and_name_what_a_pattern_serves() -> None:
    loaded("""
        llm: {providers: {p: {type: openai, auth: {type: none}}}, models: {"p/*": {provider: p}}}
        authorize:
          - {name: a, for: {model: p/gpt-5}, allow: "true"}
          - {name: b, for: {provider: "other*"}, allow: "true"}
        """)


def warned(text: str) -> list[str]:
    return [str(each) for each in warnings(loaded(text))]


def test_a_model_without_a_price_is_warned_of_when_money_is_counted() -> None:
    models = (
        "llm:\n  providers: {p: {type: openai, auth: {type: none}}}\n  models:\n"
        "    m: p/unheard-of\n    '*': {provider: p}\n"
    )
    assert warned(models) == []
    assert warned(f"{models}budgets: [{{name: b, limit: 5k tokens, per: day}}]") == []
    assert warned(f"{models}budgets: [{{name: b, limit: 5 USD, per: day}}]") == [
        "test.yaml:4: llm.models.m: 'p/unheard-of' has no price, so budgets in USD refuse it"
        " (write one under llm.prices: 'p/unheard-of')"
    ]


def test_a_target_without_a_price_is_named_once_for_each_model() -> None:
    text = (
        "llm:\n  providers: {p: {type: openai, auth: {type: none}}}\n  models:\n"
        "    n: {failover: [p/unheard-of, m]}\n    m: p/unheard-of\n"
        "budgets: [{name: b, limit: 5 USD, per: day}]\n"
    )
    found = [each for each in warned(text) if "has no price" in each]
    assert [each.split(": ")[1] for each in found] == ["llm.models.n", "llm.models.m"]


def test_a_door_without_keys_is_warned_of() -> None:
    assert warned("identity: {required: true}") == [
        "test.yaml:1: identity.required: nobody can come in: there are no keys"
        " (add api_keys or jwt)"
    ]


def test_a_key_that_everybody_can_spend_is_warned_of() -> None:
    llm = "llm: {providers: {p: {type: openai, key: k}}}\n"
    (warning,) = warned(llm)
    assert "everybody who reaches 0.0.0.0:8080 can spend the key of 'p'" in warning
    assert warned(f"{llm}gateways: {{a: {{port: 80, address: 127.0.0.1}}}}") == []
    assert warned(f"{llm}identity: {{api_keys: {{keys: [{{name: a, key: k}}]}}}}") == []


def test_hints_of_rules_name_what_was_meant() -> None:
    text = f"routes: [{{name: a, {ROUTE}, gateways: [defualt]}}]"
    assert problems(text)[0].hint == "did you mean 'default'?"
