"""Routes of theirs that lead to model providers."""

from __future__ import annotations

import pytest

from gateway.cel import Expression, compile_expression
from gateway.imported import Outcome
from gateway.model import Effect, Gateway, Rule
from tests.gateway.importers.agentgateway.imports import config, guarded, ours, outcomes


def routes(*texts: str) -> str:
    return f"binds: [{{port: 80, listeners: [{{routes: [{', '.join(texts)}]}}]}}]"


def ai(rest: str = "", policies: str = "backendAuth: {key: k}", name: str = "r") -> str:
    provider = f"{{ai: {{name: p, provider: {{openAI: {{{rest}}}}}}}}}"
    return f"{{name: {name}, policies: {{{policies}}}, backends: [{provider}]}}"


def groups(*providers: str) -> str:
    """A route to providers of which each has a priority of its own."""
    listed = ", ".join(f"{{providers: [{each}]}}" for each in providers)
    return f"{{backends: [{{ai: {{groups: [{listed}]}}}}]}}"


PATHS = 'request.path in ["/v1/chat/completions"]'
"""The rule of routes that say nothing of APIs."""


def rules_of(gateway: Gateway) -> list[Rule]:
    """Without those about paths."""
    return [rule for rule in gateway.rules if rule.expression != PATHS]


def test_one_route_serves_every_model() -> None:
    found = config(routes(ai())).llm
    assert list(found.models) == ["*"]
    assert found.models["*"].model is None


def test_several_routes_are_told_apart_by_their_names() -> None:
    found = config(routes(ai(name="one"), ai(name="two"))).llm
    assert list(found.models) == ["one/*", "two/*"]


def test_a_provider_with_one_model_is_asked_for_that() -> None:
    assert config(routes(ai("model: gpt-5"))).llm.models["*"].model == "gpt-5"


def test_aliases_are_models() -> None:
    text = ai(policies="backendAuth: {key: k}, ai: {modelAliases: {fast: gpt-5-mini}}")
    found = config(routes(text)).llm
    assert found.models["fast"].model == "gpt-5-mini"
    assert not found.models["fast"].listed


def test_without_a_key_none_is_spent() -> None:
    text = routes(ai(policies=""))
    (provider,) = config(text).llm.providers.values()
    assert provider.key is None
    path = "binds.0.listeners.0.routes.0.backends.0.ai.provider.openAI"
    assert "no key is written" in outcomes(text)[path][2]


def test_a_key_goes_to_its_own_provider_alone() -> None:
    first = "{name: a, provider: {openAI: {}}, policies: {backendAuth: {key: one}}}"
    second = "{name: b, provider: {anthropic: {}}}"
    providers = config(routes(groups(first, second))).llm.providers
    assert providers["a"].key is not None
    assert providers["b"].key is None


def test_groups_are_tried_in_turn() -> None:
    one = "{name: a, provider: {openAI: {}}}"
    two = "{name: b, provider: {gemini: {model: g}}}"
    assert config(routes(groups(one, two))).llm.models["*"].failover == ("a/*", "b/g")


@pytest.mark.parametrize(
    "provider",
    [
        "{bedrock: {}}",
        "{bedrock: {region: r, guardrailIdentifier: g, guardrailVersion: '1'}}",
        "{vertex: {region: r}}",
        "{copilot: {}}",
        "{unheard: {}}",
        "{}",
        "{openAI: {moderation: {}}}",
    ],
)
def test_a_provider_that_cannot_be_asked_leaves_its_place_closed(provider: str) -> None:
    matches = "matches: [{path: {pathPrefix: /ai}}]"
    text = f"{{{matches}, backends: [{{ai: {{provider: {provider}}}}}]}}"
    assert config(routes(text)).llm.models == {}
    gateway = ours(routes(text, "{name: rest, backends: [{host: 'a:1'}]}"))
    assert [route.match.prefix for route in gateway.routes] == ["/ai", "/"]
    assert [rule.expression for rule in gateway.rules] == ["true"]


def test_what_stands_behind_does_not_get_its_requests() -> None:
    text = ai(name="m").replace("{name: m", "{name: m, matches: [{path: {pathPrefix: /ai}}]")
    gateway = ours(routes(text, "{name: rest, backends: [{host: 'a:1'}]}"))
    assert [route.name for route in gateway.routes] == ["m", "rest"]
    assert [(rule.scope.route, rule.expression) for rule in rules_of(gateway)] == [("m", "true")]


def test_doors_of_several_routes_stay_apart() -> None:
    def door(key: str) -> str:
        keys = f"{{key: {key}, metadata: {{name: {key}}}}}"
        return f"backendAuth: {{key: k}}, apiKey: {{mode: strict, keys: [{keys}]}}"

    gateway = ours(routes(ai(policies=door("a"), name="one"), ai(policies=door("b"), name="two")))
    assert [(rule.scope.llm, rule.expression) for rule in rules_of(gateway)] == [
        ("one/*", 'principal.name in ["a"]'),
        ("two/*", 'principal.name in ["b"]'),
    ]


def test_a_lock_refuses_the_models_of_the_route() -> None:
    text = routes(ai(policies="backendAuth: {key: k}, jwtAuth: {issuer: x}"))
    assert [(rule.scope.llm, rule.expression) for rule in ours(text).rules] == [("*", "true")]
    assert "binds.0.listeners.0.routes.0.policies.jwtAuth" in guarded(text)


def ruled(expression: str, name: str) -> str:
    rules = f"backendAuth: {{key: k}}, authorization: {{rules: [{expression}]}}"
    return ai(policies=rules, name=name)


RULE = "binds.0.listeners.0.routes.0.policies.authorization.rules.0"


def test_rules_compare_the_names_of_theirs_when_ours_have_the_route_before_them() -> None:
    text = routes(ruled("{deny: \"llm.requestModel == 'gpt-5'\"}", "adm"), ai(name="two"))
    (rule,) = rules_of(ours(text))
    assert (rule.scope.llm, rule.effect) == ("adm/*", Effect.DENY)
    compiled = compile_expression(rule.expression)
    assert isinstance(compiled, Expression)
    assert compiled.evaluate({"llm.model": "adm/gpt-5"}) is True
    assert compiled.evaluate({"llm.model": "adm/gpt-4"}) is False
    outcome, to, note = outcomes(text)[f"{RULE}.deny"]
    assert (outcome, to) == (Outcome.DIFFERENT, "authorize.0")
    assert "adm/NAME" in note


def test_rules_compare_the_whole_name_where_models_have_no_other() -> None:
    text = routes(ruled("\"llm.requestModel == 'gpt-5'\"", "adm"))
    assert [rule.expression for rule in rules_of(ours(text))] == ["llm.model == 'gpt-5'"]
    assert outcomes(text)[RULE][0] is Outcome.EXACT


def test_rules_about_names_that_ours_cannot_say_refuse_all() -> None:
    text = routes(ruled('{deny: "has(llm.requestModel)"}', "adm"), ai(name="two"))
    assert ("adm/*", "true") in [(rule.scope.llm, rule.expression) for rule in ours(text).rules]
    assert f"{RULE}.deny" in guarded(text)


def test_rules_about_paths_that_ours_does_not_have_refuse_all() -> None:
    denied = ruled("{deny: \"request.path == '/ai/x'\"}", "r")
    text = routes(denied.replace("{name: r", "{name: r, matches: [{path: {pathPrefix: /ai}}]"))
    assert ("*", "true") in [(rule.scope.llm, rule.expression) for rule in ours(text).rules]
    assert f"{RULE}.deny" in guarded(text)
    kept = [rule.expression for rule in rules_of(ours(routes(denied)))]
    assert kept == ["request.path == '/ai/x'"]
