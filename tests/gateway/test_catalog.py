"""Prices are data; sums are whole nanodollars, never too small."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway.catalog
from gateway.catalog import catalog, cost, price_of, usd_per_million
from gateway.model import Price
from gateway.usage import Usage

PRICE = Price(
    input=3_000_000_000,
    output=15_000_000_000,
    cached_input=300_000_000,
    cache_write=3_750_000_000,
)
OTHER = Price(1, 1, 1, 1)

counts = st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("written", "nanodollars"),
    [
        ("1.25", 1_250_000_000),
        ("0.075", 75_000_000),
        ("0", 0),
        ("600", 600_000_000_000),
        ("0.000000001", 1),
        (Decimal("2.50"), 2_500_000_000),
    ],
)
def test_dollars_become_nanodollars(written: str | Decimal, nanodollars: int) -> None:
    assert usd_per_million(written) == nanodollars


@pytest.mark.parametrize("written", ["", "free", "-1", "NaN", "Infinity", "0.0000000001", "1,5"])
def test_what_is_no_price_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="dollars"):
        usd_per_million(written)


def test_the_parts_of_the_input_are_priced_apart() -> None:
    usage = Usage(1000, 100, cached_input_tokens=600, cache_write_tokens=300)
    assert cost(PRICE, usage) == 100 * 3000 + 600 * 300 + 300 * 3750 + 100 * 15000


def test_a_part_of_a_nanodollar_costs_a_whole_one() -> None:
    assert cost(OTHER, Usage(1, 0)) == 1
    assert cost(OTHER, Usage(1_000_000, 1)) == 2
    assert cost(OTHER, Usage(0, 0)) == 0


def test_parts_that_exceed_the_whole_do_not_lower_the_cost() -> None:
    assert cost(PRICE, Usage(10, 0, cached_input_tokens=20)) == 20 * 300


@given(input_tokens=counts, output_tokens=counts, price=counts)
def test_the_sum_is_exact_but_for_rounding_up(
    input_tokens: int, output_tokens: int, price: int
) -> None:
    exact = Fraction(input_tokens * price + output_tokens * price, 1_000_000)
    total = cost(Price(price, price, price, price), Usage(input_tokens, output_tokens))
    assert total == ceil(exact)
    assert type(total) is int


def test_the_providers_own_price_wins_then_the_vendors_then_the_models() -> None:
    prices = {"gpt": OTHER}
    assert price_of(prices, "mine", "openai", "gpt") is OTHER
    prices["openai/gpt"] = PRICE
    assert price_of(prices, "mine", "openai", "gpt") is PRICE
    prices["mine/gpt"] = OTHER
    assert price_of(prices, "mine", "openai", "gpt") is OTHER


@pytest.mark.parametrize("model", ["gpt-2026-01-15", "gpt-20260115", "gpt@20260115"])
def test_a_dated_version_costs_what_the_model_costs(model: str) -> None:
    assert price_of({"openai/gpt": PRICE}, "mine", "openai", model) is PRICE


def test_a_dated_version_with_its_own_price_keeps_it() -> None:
    prices = {"mine/gpt": OTHER, "gpt-2026-01-15": PRICE}
    assert price_of(prices, "mine", "openai", "gpt-2026-01-15") is PRICE


@pytest.mark.parametrize(
    "model",
    [
        "gpt-mini",
        "gp",
        "",
        "gpt-2026-1-15",
        "gpt-latest",
        "gpt.20260115",
        "gpt-2026011x",
        "-20260115",
    ],
)
def test_any_other_name_has_no_price(model: str) -> None:
    assert price_of({"openai/gpt": PRICE, "openai/": PRICE}, "mine", "x", model) is None


def test_the_catalog_knows_the_public_models() -> None:
    prices = catalog()
    assert len(prices) >= 60
    assert price_of(prices, "any", "openai", "gpt-5-mini") == Price(
        250_000_000, 2_000_000_000, 25_000_000, 250_000_000
    )
    assert price_of(prices, "any", "anthropic", "claude-opus-5") == Price(
        5_000_000_000, 25_000_000_000, 500_000_000, 6_250_000_000
    )


def test_every_row_of_the_catalog_is_sane() -> None:
    for name, price in catalog().items():
        assert 0 < price.cached_input <= price.input <= price.cache_write, name
        assert price.input <= price.output, name


def test_every_vendor_of_the_catalog_has_the_day_its_prices_were_seen() -> None:
    path = Path(gateway.catalog.__file__).with_name("catalog.json")
    document = json.loads(path.read_text("utf-8"))
    assert {name.partition("/")[0] for name in document["prices"]} == set(document["as_of"])
    assert all(date.fromisoformat(day) for day in document["as_of"].values())


def test_nobody_can_change_the_catalog() -> None:
    with pytest.raises(TypeError):
        catalog()["openai/gpt-5"] = OTHER  # type: ignore[index]
