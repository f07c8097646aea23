"""How much may be spent, and in which time, as it is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.model import AlertsTo, Budget, WhenLow
from gateway.periods import Period, Span
from gateway.resolve import resolve


def read(budget: str) -> Budget:
    config = load(f"budgets: [{{name: b, {budget}}}]", file="gateway.yaml", environment={})
    assert isinstance(config, Config), config
    again = load(for_workers(config), file="told", environment={})
    assert isinstance(again, Config)
    told = [replace(each, alerts=()) for each in resolve(config).budgets]
    assert list(resolve(again).budgets) == told, "workers need not know of alerts"
    return resolve(config).budgets[0]


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("per: month", Span(Period.MONTH)),
        ("per: total", Span(Period.TOTAL)),
        ("per: day, time_zone: Asia/Tokyo", Span(Period.DAY, "Asia/Tokyo")),
        ("per: rolling 24h", Span(Period.ROLLING, seconds=86400)),
        ("per: rolling 90m", Span(Period.ROLLING, seconds=5400)),
        ("per: rolling 30d", Span(Period.ROLLING, seconds=30 * 86400)),
    ],
)
def test_a_period_is_of_a_calendar_or_rolls(written: str, span: Span) -> None:
    assert read(f"limit: 5 USD, {written}").span == span


def test_a_budget_counts_by_an_expression() -> None:
    written = """limit: 5 USD, per: day, by: 'principal.tags["cost-center"]'"""
    assert read(written).by == 'principal.tags["cost-center"]'


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("per: year", "must be one of hour, day, week, month, total"),
        ("per: rolling", "(or a rolling window, such as rolling 24h)"),
        ("per: rolling 30s", "must be one of"),
        ("per: rolling 0m", "must roll over 1m to 366d"),
        ("per: rolling 367d", "must roll over 1m to 366d"),
        ("per: month, time_zone: Mars/Olympus", "must be a time zone"),
        ("per: month, time_zone: ../etc/passwd", "must be a time zone"),
        ("per: rolling 24h, time_zone: Asia/Tokyo", "has a time_zone, and no calendar"),
        ("per: day, by: 'principal.tags['", "in the expression,"),
        ("per: day, by: 'llm.estimated_input_tokens'", "in the expression,"),
        ("per: day, by: 'llm.prompt'", "llm.prompt cannot be counted by"),
        ("per: day, by: 'mcp.arguments.to'", "mcp.arguments cannot be counted by"),
        ("per: day, by: 'a2a.parts[0].text'", "a2a.parts cannot be counted by"),
        ("per: day, by: a2a.task_state", "a2a.task_state cannot be counted by"),
        ("per: day, by: 'nobody.name'", "in the expression,"),
        ("per: total, time_zone: Asia/Tokyo", "has a time_zone, and no calendar"),
        ("per: day, mode: softly", "must be"),
        ("per: day, alerts: [{at: 0%}]", "must be a share from 0.1% to 999%"),
        ("per: day, alerts: [{at: half}]", "must be a share from 0.1% to 999%"),
        ("per: day, when_low: {below: 101%, route_to: m}", "must be a share from 0.1% to 100%"),
        ("per: day, when_low: {below: 10%}", "route_to"),
    ],
)
def test_mistakes_are_told(written: str, said: str) -> None:
    text = f"budgets: [{{name: b, limit: 5 USD, {written}}}]"
    found = load(text, file="gateway.yaml", environment={})
    assert isinstance(found, tuple)
    assert said in str(found[0])
    assert str(found[0]).startswith("gateway.yaml:1: budgets.0")


ALERTS = """
alerts: {webhook: {url: "https://hooks.example/b", secret: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3}}
llm: {providers: {p: {type: openai, key: k}}, models: {m: p/gpt-5, fast: p/gpt-5-mini}}
budgets:
  - name: b
    limit: 5 USD
    per: day
    mode: soft
    alerts: [{at: 80%}, {at: 12.5%}, {at: 120%}, {at: 80%}]
    when_low: {below: 7.5%, route_to: fast}
"""


def test_shares_are_read_in_thousandths_and_ascend() -> None:
    config = load(ALERTS, file="gateway.yaml", environment={})
    assert isinstance(config, Config), config
    gateway = resolve(config)
    (budget,) = gateway.budgets
    assert (budget.is_soft, budget.alerts) == (True, (125, 800, 1200))
    assert budget.when_low == WhenLow(75, "fast")
    assert gateway.alerts_to == AlertsTo(
        "https://hooks.example/b", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
    )


def test_no_secret_of_a_webhook_is_shown_or_told() -> None:
    config = load(ALERTS, file="gateway.yaml", environment={})
    assert isinstance(config, Config), config
    for shown in (published(config), for_workers(config), repr(config), repr(resolve(config))):
        assert "MDEyMzQ1" not in shown
    assert "hooks.example" not in for_workers(config)
    short = load(ALERTS.replace("whsec_MDEy", "whsec_"), file="gateway.yaml", environment={})
    assert isinstance(short, tuple)
    assert "MzQ1Njc4" not in str(short)
