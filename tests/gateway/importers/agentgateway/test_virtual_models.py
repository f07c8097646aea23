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


def test_lower_priorities_are_tried_first_and_equal_ones_share() -> None:
    text = virtual(
        "{failover: {targets: [{model: o/x, priority: 9}, {model: a, priority: 1},"
        " {model: b, priority: 1}]}}"
    )
    (model,) = [each for each in ours(text).models if each.name == "v"]
    assert [[target.model for target in tier] for tier in model.tiers] == [["gpt-a", "b"], ["x"]]


def test_a_target_that_cannot_be_served_is_left_out_and_said() -> None:
    text = virtual("{failover: {targets: [{model: closed, priority: 1}, {model: b, priority: 2}]}}")
    assert config(text).llm.models["v"].failover == ("groq/b",)
    assert "left out" in outcomes(text)["llm.virtualModels.0.routing.failover.targets.0"][2]


@pytest.mark.parametrize(
    "routing",
    [
        "{conditional: {targets: [{model: a}]}}",
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
    text = virtual("{conditional: {targets: [{model: a}]}}", "o/v")
    assert [rule.scope.llm for rule in ours(text).rules if rule.expression == "true"] == ["o/v"]


def test_it_goes_before_a_model_of_its_name() -> None:
    text = virtual("{failover: {targets: [{model: a, priority: 1}, {model: b, priority: 2}]}}", "a")
    assert config(text).llm.models["a"].failover == ("openAI/gpt-a", "groq/b")


def test_rules_of_its_targets_are_its_own() -> None:
    text = virtual("{weighted: {targets: [{model: ruled}, {model: a}]}}")
    rules = {rule.scope.llm: rule.expression for rule in ours(text).rules}
    assert rules["v"] == rules["ruled"] == 'principal.tags.name == "x"'
