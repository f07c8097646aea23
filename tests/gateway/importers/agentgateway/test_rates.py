"""Local limits of theirs → budgets of tokens."""

from __future__ import annotations

import pytest

from gateway.importers.agentgateway.rates import read_token_limits
from tests.gateway.importers.agentgateway.imports import answers, node


@pytest.mark.parametrize(
    ("limit", "budget"),
    [
        ("{type: tokens, maxTokens: 9, tokensPerFill: 9, fillInterval: 1h}", ("9 tokens", "hour")),
        ("{type: tokens, maxTokens: 9, tokensPerFill: 9, fillInterval: 24h}", ("9 tokens", "day")),
        ("{type: tokens, maxTokens: 9, tokensPerFill: 9, fillInterval: 60m}", ("9 tokens", "hour")),
        ("{type: tokens, maxTokens: 9, tokensPerFill: 1, fillInterval: 1h}", None),
        ("{type: tokens, maxTokens: 9, tokensPerFill: 9, fillInterval: 1s}", None),
        ("{type: tokens, fillInterval: 1h}", None),
        ("{maxTokens: 9, tokensPerFill: 9, fillInterval: 1h}", None),
        ("{type: requests, maxTokens: 9, tokensPerFill: 9, fillInterval: 1h}", None),
    ],
)
def test_whole_hours_and_days_of_tokens_are_budgets(
    limit: str, budget: tuple[str, str] | None
) -> None:
    top, draft = node(f"limits: [{limit}]")
    read_token_limits(top.take("limits"), {}, draft)
    assert [(each["limit"], each["per"]) for each in draft.budgets] == ([budget] if budget else [])
    said = answers(top)["limits.0"]
    assert said.note
    assert said.is_security is (budget is None)


def test_a_budget_is_for_the_models_of_the_limit() -> None:
    top, draft = node(
        "[{type: tokens, maxTokens: 9, tokensPerFill: 9, fillInterval: 1h}]",
    )
    read_token_limits(top, {"model": "a/*"}, draft)
    assert draft.budgets[0]["for"] == {"model": "a/*"}


def test_conditions_are_not_asked() -> None:
    top, draft = node("limits: {conditional: []}")
    read_token_limits(top.take("limits"), {}, draft)
    assert draft.budgets == []
    assert answers(top)["limits"].is_security
