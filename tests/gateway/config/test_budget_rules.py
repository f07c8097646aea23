"""Budgets that lead nowhere, or tell nobody, are mistakes."""

from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints

YAML = """
llm:
  providers:
    chat: {type: anthropic, key: k}
    ranks: {type: cohere, key: k, offers: {rerank: /rerank}}
    both: {type: openai, key: k}
  models:
    talks: {provider: chat, model: claude-haiku-4-5}
    ranking: {provider: ranks, model: rerank-v4}
    any: {provider: both, model: gpt-5}
    mixed: {failover: [talks, ranking]}
    broken: {failover: [nobody/x]}
"""


def said(model: str, instead: str) -> list[str]:
    low = f"when_low: {{below: 10%, route_to: {instead}}}"
    budget = f"{{name: a, for: {{model: {model}}}, limit: 5 tokens, per: day, {low}}}"
    return [each for each in complaints(f"{YAML}\nbudgets: [{budget}]") if "budgets" in each]


def test_no_call_could_go_where_nothing_of_it_is_offered() -> None:
    (complaint,) = said("ranking", "talks")
    assert complaint.startswith(
        "budgets.0.when_low.route_to: nothing that 'ranking' is asked for is offered by a provider"
    )


@pytest.mark.parametrize(
    ("model", "instead"),
    [
        ("talks", "any"),  # it is translated
        ("ranking", "mixed"),
        ("mixed", "ranking"),
        ("any", "any"),
        ('"*"', "talks"),
        ("broken", "talks"),
        ("talks", "broken"),
    ],
)
def test_it_is_enough_that_some_calls_could(model: str, instead: str) -> None:
    assert said(model, instead) == []


def test_it_must_lead_to_a_model_that_clients_could_ask_for() -> None:
    assert said("talks", "tlaks") == ["budgets.0.when_low.route_to: no model 'tlaks'"]


def test_whoever_writes_thresholds_wants_to_be_told() -> None:
    budget = "{name: a, limit: 5 tokens, per: day, alerts: [{at: 50%}]}"
    (complaint,) = complaints(f"budgets: [{budget}]")
    assert complaint.startswith("budgets.0.alerts: nobody is told of these")
