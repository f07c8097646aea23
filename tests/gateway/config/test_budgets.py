"""How much may be spent, and in which time, as it is written."""

from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.model import Budget
from gateway.periods import Period, Span
from gateway.resolve import resolve


def read(budget: str) -> Budget:
    config = load(f"budgets: [{{name: b, {budget}}}]", file="gateway.yaml", environment={})
    assert isinstance(config, Config), config
    again = load(for_workers(config), file="told", environment={})
    assert isinstance(again, Config)
    assert resolve(again).budgets == resolve(config).budgets
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
        ("per: day, by: 'nobody.name'", "in the expression,"),
        ("per: total, time_zone: Asia/Tokyo", "has a time_zone, and no calendar"),
    ],
)
def test_mistakes_are_told(written: str, said: str) -> None:
    text = f"budgets: [{{name: b, limit: 5 USD, {written}}}]"
    found = load(text, file="gateway.yaml", environment={})
    assert isinstance(found, tuple)
    assert said in str(found[0])
    assert str(found[0]).startswith("gateway.yaml:1: budgets.0")
