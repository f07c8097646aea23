"""Virtual models of theirs → models that lead to others."""

from __future__ import annotations

import pytest

from tests.gateway.importers.agentgateway.imports import config, ours, outcomes

MODELS = """
    - {name: a, provider: openAI, params: {apiKey: k, model: gpt-a}}
    - {name: b, provider: groq, params: {apiKey: k}}
    - {name: "o/*", provider: ollama, transformation: {model: 'llmRequest.model.stripPrefix("o/")'}}
    - {name: closed, provider: bedrock}
    - name: ruled
      provider: openAI
      params: {apiKey: k}
      authorization: {rules: ['apiKey.name == "x"']}
"""


def virtual(routing: str, name: str = "v") -> str:
    block = f"\n  virtualModels: [{{name: {name}, routing: {routing}}}]"
    return f"llm:\n  models:{MODELS}{block}"


def test_shares_are_shares_and_the_same_target_twice_is_one() -> None:
    text = virtual(
        "{weighted: {targets: [{model: a, weight: 2}, {model: o/x}, {model: a},"
        " {model: b, weight: 0}]}}"
    )
    assert config(text).llm.models["v"].weighted == {"openAI/gpt-a": 3, "ollama/x": 1}


def test_lower_priorities_are_tried_first_and_of_equal_ones_the_fastest() -> None:
    text = virtual(
        "{failover: {targets: [{model: o/x, priority: 9}, {model: a, priority: 1},"
        " {model: b, priority: 1}]}}"
    )
    models = config(text).llm.models
    assert models["v"].failover == ("v.tier-1", "ollama/x")
    assert models["v.tier-1"].fastest == ("openAI/gpt-a", "groq/b")
    assert models["v.tier-1"].internal


def test_many_equal_ones_share_since_ours_cannot_try_them_in_any_order() -> None:
    targets = ", ".join(f"{{model: o/{number}, priority: 1}}" for number in range(6))
    models = config(virtual(f"{{failover: {{targets: [{targets}]}}}}")).llm.models
    assert set((models["v.tier-1"].weighted or {}).values()) == {1}


def test_conditions_are_conditions_and_see_what_ours_know() -> None:
    text = virtual(
        '{conditional: {targets: [{when: \'request.headers["X-Tier"] == "gold"\', model: a},'
        ' {when: apiKey.team == "x", model: o/x}, {model: b}]}}'
    )
    branches = config(text).llm.models["v"].conditional or ()
    assert [(each.when, each.use) for each in branches] == [
        ('request.headers["x-tier"] == "gold"', "openAI/gpt-a"),
        ('principal.tags.team == "x"', "ollama/x"),
        (None, "groq/b"),
    ]
    assert outcomes(text)["llm.virtualModels.0.routing"][0] == "exact"


def test_what_follows_the_branch_without_a_condition_is_never_reached() -> None:
    text = virtual("{conditional: {targets: [{model: a}, {when: llm.streaming, model: b}]}}")
    assert [each.use for each in config(text).llm.models["v"].conditional or ()] == ["openAI/gpt-a"]
    assert "never" in outcomes(text)["llm.virtualModels.0.routing.conditional.targets.1"][2]


def test_a_target_that_cannot_be_served_is_left_out_and_said() -> None:
    text = virtual("{failover: {targets: [{model: closed, priority: 1}, {model: b, priority: 2}]}}")
    assert config(text).llm.models["v"].failover == ("groq/b",)
    assert "left out" in outcomes(text)["llm.virtualModels.0.routing.failover.targets.0"][2]


@pytest.mark.parametrize(
    "routing",
    [
        "{conditional: {targets: [{when: llmRequest.max_tokens < 10, model: a}, {model: b}]}}",
        "{conditional: {targets: [{when: llm.streaming, model: closed}, {model: b}]}}",
        "{conditional: {targets: []}}",
        "{weighted: {targets: [{model: closed}]}}",
        "{weighted: {targets: [{model: missing}]}}",
        "{weighted: {targets: []}}",
        "{unheard: 1}",
        "{}",
    ],
)
def test_what_cannot_be_routed_as_theirs_is_not_served(routing: str) -> None:
    assert "v" not in config(virtual(routing)).llm.models


def test_it_does_not_fall_to_a_star_either() -> None:
    text = virtual("{conditional: {targets: [{model: closed}]}}", "o/v")
    assert [rule.scope.llm for rule in ours(text).rules if rule.expression == "true"] == ["o/v"]


def test_it_goes_before_a_model_of_its_name() -> None:
    text = virtual("{failover: {targets: [{model: a, priority: 1}, {model: b, priority: 2}]}}", "a")
    assert config(text).llm.models["a"].failover == ("openAI/gpt-a", "groq/b")


def test_rules_of_its_targets_are_its_own() -> None:
    text = virtual("{weighted: {targets: [{model: ruled}, {model: a}]}}")
    rules = {rule.scope.llm: rule.expression for rule in ours(text).rules}
    assert rules["v"] == rules["ruled"] == 'principal.tags.name == "x"'
