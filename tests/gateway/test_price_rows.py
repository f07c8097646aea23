"""What is written of a price, and what it then is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.price import Price
from gateway.price_rows import price_of_row, usd_per_million

MILLION = 10**9
"""One dollar."""


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


def test_cached_tokens_cost_what_plain_input_costs() -> None:
    price = price_of_row({"input": "2", "output": "3", "cache_write": "2.5"})
    assert price == Price(2 * MILLION, 3 * MILLION, 2 * MILLION, 2_500_000_000)


def test_every_field_is_read() -> None:
    rates = ("cache_write_1h", "reasoning", "audio_input", "image_input", "audio_output")
    units = ("image_output", "characters", "image", "second", "search", "request")
    row = {name: str(place) for place, name in enumerate((*rates, *units), 1)}
    price = price_of_row({"input": "0", "output": "0", "images": {"hd/1x1": "99"}, **row})
    for place, name in enumerate((*rates, *units), 1):
        assert getattr(price, name) == place * MILLION, name
    assert price.images == (("hd/1x1", 99 * MILLION),)


def test_tiers_build_on_what_is_below_them() -> None:
    price = price_of_row(
        {
            "input": "1",
            "output": "2",
            "cached_input": "0.5",
            "tiers": [{"above": 300, "output": "9"}, {"above": 200, "input": "4"}],
        }
    )
    half = MILLION // 2
    assert price.above == (
        (200, Price(4 * MILLION, 2 * MILLION, half, 4 * MILLION)),
        (300, Price(4 * MILLION, 9 * MILLION, half, 4 * MILLION)),
    )


def test_a_factor_scales_tokens_and_images_but_not_searches() -> None:
    price = price_of_row(
        {
            "input": "1",
            "output": "0.000000003",
            "image": "4",
            "images": {"1x1": "6"},
            "search": "8",
            "tiers": [{"above": 200, "input": "2"}],
            "service_tiers": {"Batch": {"factor": "0.5", "cached_input": "0.25"}},
        }
    )
    ((name, batch),) = price.service_tiers
    assert name == "batch"
    assert (batch.input, batch.output, batch.cached_input) == (MILLION // 2, 2, MILLION // 4)
    assert (batch.image, batch.images, batch.search) == (
        2 * MILLION,
        (("1x1", 3 * MILLION),),
        8 * MILLION,
    )
    assert [(size, tier.input) for size, tier in batch.above] == [(200, MILLION)]


def test_a_service_tier_without_a_factor_has_the_standards_rates_but_no_tiers() -> None:
    price = price_of_row(
        {
            "input": "1",
            "output": "2",
            "tiers": [{"above": 200, "input": "2"}],
            "service_tiers": {"priority": {"output": "4"}, "flex": {"tiers": [{"above": 9}]}},
        }
    )
    tiers = dict(price.service_tiers)
    assert tiers["priority"] == Price(MILLION, 4 * MILLION, MILLION, MILLION)
    assert tiers["flex"].above == ((9, Price(MILLION, 2 * MILLION, MILLION, MILLION)),)


@pytest.mark.parametrize("tiers", ["200", {"above": 200}, [{"above": "many"}]])
def test_tiers_are_a_list_of_rows_with_sizes(tiers: object) -> None:
    with pytest.raises(TypeError):
        price_of_row({"input": "1", "output": "1", "tiers": tiers})
