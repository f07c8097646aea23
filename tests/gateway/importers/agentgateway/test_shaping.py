"""What theirs writes into bodies, and when a provider is set aside."""

from __future__ import annotations

import pytest

from gateway.config.price import SizeTier
from gateway.imported import Outcome
from tests.gateway.importers.agentgateway.imports import config, guarded, imported, ours, outcomes

KEY = "params: {apiKey: k}"
AI = "binds.0.listeners.0.routes.0.policies.ai"
OWN = "backends.0.ai.groups.0.providers.1.policies.ai"


def model(rest: str, name: str = "m") -> str:
    return f"llm: {{port: 80, models: [{{name: {name}, provider: openAI, {KEY}, {rest}}}]}}"


def route(ai: str, backend: str = "{ai: {name: p, provider: {openAI: {}}}}") -> str:
    policies = f"{{backendAuth: {{key: k}}, ai: {{{ai}}}}}"
    one = f"{{name: r, policies: {policies}, backends: [{backend}]}}"
    return f"binds: [{{port: 80, listeners: [{{routes: [{one}]}}]}}]"


def shaped(text: str, name: str) -> dict[str, object]:
    """What a model of ours does to bodies."""
    fields = {"defaults", "overrides", "transformations", "system_prompt", "prompt_caching"}
    block = config(text).llm.models[name].model_dump(mode="json", exclude_defaults=True)
    return {key: value for key, value in block.items() if key in fields}


def test_fields_of_a_model_are_ours() -> None:
    text = model("overrides: {temperature: 0.5, user: null}, defaults: {max_tokens: 5, stop: [a]}")
    assert shaped(text, "m") == {
        "defaults": {"max_tokens": 5, "stop": ["a"]},
        "overrides": {"temperature": 0.5, "user": None},
    }
    assert outcomes(text)["llm.models.0.overrides.temperature"][0] is Outcome.EXACT


def test_what_is_written_for_a_route_holds_for_its_names() -> None:
    text = route("overrides: {store: false}, modelAliases: {fast: gpt-5-mini}")
    assert shaped(text, "*") == shaped(text, "fast") == {"overrides": {"store": False}}


def test_a_field_that_is_enforced_and_cannot_be_set_closes_what_it_is_for() -> None:
    text = route("overrides: {a.b: 1}")  # a name to theirs, a path to ours
    assert shaped(text, "*") == {}
    text = route("overrides: {messages: []}")
    assert "true" in [rule.expression for rule in ours(text).rules]
    assert f"{AI}.overrides.messages" in guarded(text)


def test_a_default_that_cannot_be_set_is_said() -> None:
    text = route("defaults: {model: gpt-5, seed: 1}")
    assert shaped(text, "*") == {"defaults": {"seed": 1}}
    assert outcomes(text)[f"{AI}.defaults.model"][0] is Outcome.UNSUPPORTED


def test_two_spellings_of_one_field_are_not_both_set() -> None:
    text = route("defaults: {max_tokens: 1, maxTokens: 2}")
    assert shaped(text, "*") == {"defaults": {"max_tokens": 1}}


def test_the_closest_to_a_provider_counts() -> None:
    backend = "{ai: {name: p, provider: {openAI: {}}, policies: {ai: {overrides: {seed: 1}}}}}"
    text = route("overrides: {seed: 2, store: true}", backend)
    assert shaped(text, "*") == {"overrides": {"seed": 1, "store": True}}


def test_what_one_of_several_providers_enforces_closes_them_all() -> None:
    one = "{name: a, provider: {openAI: {}}}"
    two = "{name: b, provider: {openAI: {}}, policies: {ai: {overrides: {seed: 1}}}}"
    text = route("defaults: {seed: 2}", f"{{ai: {{groups: [{{providers: [{one}, {two}]}}]}}}}")
    assert "true" in [rule.expression for rule in ours(text).rules]
    assert f"binds.0.listeners.0.routes.0.{OWN}.overrides" in guarded(text)


def test_expressions_are_translated_or_said_first() -> None:
    text = route("transformations: {user: request.method, seed: llmRequest.seed + 1}")
    assert list(shaped(text, "*")) == ["transformations"]
    assert f"{AI}.transformations.seed" in guarded(text)


def test_expressions_about_the_model_need_its_own_name() -> None:
    text = route("transformations: {user: llm.requestModel}")
    assert list(shaped(text, "*")) == ["transformations"]
    both = text.replace(
        "{name: r,", "{name: other, backends: [{ai: {name: q, provider: {openAI: {}}}}]}, {name: r,"
    )
    assert shaped(both, "r/*") == {}


def test_messages_of_the_system_are_put_around_the_client_s() -> None:
    said = "{role: system, content: one}, {role: system, content: two}"
    text = route(f"prompts: {{prepend: [{said}], append: [{{role: user, content: x}}]}}")
    assert shaped(text, "*") == {"system_prompt": {"prepend": "one\n\ntwo"}}
    assert outcomes(text)[f"{AI}.prompts.append.0"][0] is Outcome.UNSUPPORTED


@pytest.mark.parametrize(
    ("written", "marks"),
    [
        ("{}", {"tools": False, "messages": "last"}),
        ("{cacheMessages: false, cacheTools: true, minTokens: 5}", {"min_tokens": 5}),
        ("{cacheSystem: false, cacheMessages: false}", None),
    ],
)
def test_prompt_caches_are_marked(written: str, marks: dict[str, object] | None) -> None:
    found = shaped(model(f"promptCaching: {written}"), "m")
    assert found.get("prompt_caching") == marks


def test_who_fails_is_set_aside_by_the_first_that_says_when() -> None:
    health = "health: {eviction: {duration: 10m, consecutiveFailures: 2}}"
    text = (
        f"llm: {{port: 80, models: [{{name: a, provider: openAI, {KEY}, {health}}},"
        f" {{name: b, provider: openAI, {KEY}, {health.replace('2', '3')}}}]}}"
    )
    found = config(text).llm.failover.health
    assert (found.failures, found.cool_down, found.most) == (2, 600.0, 600.0)
    assert outcomes(text)["llm.models.1.health"][0] is Outcome.UNSUPPORTED
    assert config(route("").replace("ai: {}", "x: 1")).llm.failover.health.failures == 3


def test_a_virtual_model_does_not_go_around_what_is_enforced() -> None:
    text = (
        f"llm: {{port: 80, models: [{{name: m, provider: openAI, {KEY}, overrides: {{seed: 1}}}},"
        f" {{name: d, provider: openAI, {KEY}, defaults: {{seed: 1}}}}],"
        " virtualModels: [{name: v, routing: {weighted: {targets: [{model: m}]}}},"
        " {name: w, routing: {weighted: {targets: [{model: d}]}}}]}"
    )
    assert set(config(text).llm.models) == {"m", "d", "w"}
    assert "llm.virtualModels.1.routing.weighted.targets.0.model" in guarded(text)


def test_rates_of_large_inputs_are_tiers() -> None:
    rates = "rates: {input: 1, output: 2}"
    tiers = "tiers: [{contextOver: 200000, rates: {input: 3}}, {contextOver: 200000, rates: {}}]"
    catalog = f"{{inline: {{providers: {{openai: {{models: {{x: {{{rates}, {tiers}}}}}}}}}}}}}"
    text = f"config: {{modelCatalog: [{catalog}]}}\n" + model("visibility: public")
    (tier,) = config(text).llm.prices["openai/x"].tiers
    assert isinstance(tier, SizeTier)
    assert (tier.above, tier.input, tier.output) == (200_000, 3, None)
    at = "config.modelCatalog.0.inline.providers.openai.models.x.tiers.1"
    assert [each.outcome for each in imported(text).mappings if each.path == at] == [
        Outcome.UNSUPPORTED
    ]
