"""Prices are data; sums are whole nanodollars, never too small."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import gateway.catalog
from gateway.catalog import catalog, cost, dearest, is_free, price_of, with_drawing
from gateway.price import Price
from gateway.usage import Drawing, Usage

PRICE = Price(
    input=3_000_000_000,
    output=15_000_000_000,
    cached_input=300_000_000,
    cache_write=3_750_000_000,
)
OTHER = Price(1, 1, 1, 1)
FREE = Price(0, 0, 0, 0)

counts = st.integers(0, 10**9)


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


rates = st.integers(0, 10**6)
maybe = st.none() | rates
names = st.sampled_from(("flex", "priority", "batch"))
kinds = st.sampled_from(("1024x1024", "hd/1024x1024", "hd/1x1"))


def flat_prices() -> st.SearchStrategy[Price]:
    return st.builds(
        Price,
        rates,
        rates,
        rates,
        rates,
        cache_write_1h=maybe,
        reasoning=maybe,
        audio_input=maybe,
        image_input=maybe,
        audio_output=maybe,
        image_output=maybe,
        characters=rates,
        image=rates,
        images=st.dictionaries(kinds, rates, max_size=2).map(lambda found: tuple(found.items())),
        second=rates,
        search=rates,
        request=rates,
    )


sized_prices = st.builds(
    lambda price, tiers: replace(price, above=tuple(sorted(tiers.items()))),
    flat_prices(),
    st.dictionaries(st.integers(0, 500), flat_prices(), max_size=2),
)
any_prices = st.builds(
    lambda price, tiers: replace(price, service_tiers=tuple(tiers.items())),
    sized_prices,
    st.dictionaries(names, sized_prices, max_size=2),
)
few = st.integers(-5, 1000)
usages = st.builds(
    Usage,
    *(few for _ in range(13)),
    service_tier=st.sampled_from(("", "default", "flex", "PRIORITY", "ON_DEMAND_FLEX", "batch")),
    characters=few,
    image_kind=st.sampled_from(("", "1024x1024", "hd/1024x1024", "low/1024x1024", "hd/1x1")),
)
COUNTS = tuple(name for name, value in structs.asdict(Usage(0, 0)).items() if type(value) is int)


@given(price=any_prices, usage=usages)
def test_no_call_costs_less_than_nothing(price: Price, usage: Usage) -> None:
    assert cost(price, usage) >= 0


@given(price=flat_prices(), usage=usages, more=st.integers(0, 100), what=st.sampled_from(COUNTS))
def test_more_of_everything_never_costs_less(
    price: Price, usage: Usage, more: int, what: str
) -> None:
    """A part grows with the whole that it is a part of."""
    wholes = {"input_tokens", "output_tokens"}
    if what == "cache_write_1h_tokens":
        wholes.add("cache_write_tokens")
    grown = {what: getattr(usage, what) + more}
    for whole in wholes - {what}:
        grown[whole] = max(0, getattr(usage, whole)) + more
    assert cost(price, structs.replace(usage, **grown)) >= cost(price, usage)


@given(price=flat_prices(), first=usages, second=usages)
def test_two_calls_cost_what_their_parts_cost(price: Price, first: Usage, second: Usage) -> None:
    """But for the rounding, and the price of a second call; of calls whose parts fit the whole."""
    first, second = fitting(first), structs.replace(fitting(second), image_kind=first.image_kind)
    sums = {name: getattr(first, name) + getattr(second, name) for name in COUNTS}
    both = structs.replace(first, **sums)
    apart = cost(price, first) + cost(price, second)
    assert 0 <= apart - price.request - cost(price, both) <= 1


def fitting(usage: Usage) -> Usage:
    counts = {name: max(0, getattr(usage, name)) for name in COUNTS}
    counts["cache_write_tokens"] += counts["cache_write_1h_tokens"]
    for side, parts in (
        ("input_tokens", ("cached_input_tokens", "cache_write_tokens", "audio_input_tokens")),
        ("output_tokens", ("reasoning_tokens", "audio_output_tokens")),
    ):
        counts[side] += sum(counts[part] for part in parts)
        counts[side] += counts[f"image_{side}"]
    return structs.replace(usage, **counts)


@given(prices=st.lists(any_prices, min_size=1, max_size=3), usage=usages)
def test_the_dearest_of_prices_is_never_exceeded(prices: list[Price], usage: Usage) -> None:
    price = dearest(prices)
    assert price is not None
    assert cost(price, usage) >= max(cost(each, usage) for each in prices)


def test_one_unknown_price_leaves_the_dearest_unknown() -> None:
    assert dearest([PRICE, None]) is None
    assert dearest([]) is None
    assert dearest([PRICE]) is PRICE


@given(price=any_prices, usage=usages)
def test_what_is_free_never_costs_anything(price: Price, usage: Usage) -> None:
    assert not is_free(price) or cost(price, usage) == 0


def test_one_rate_of_a_price_makes_it_not_free() -> None:
    assert is_free(FREE)
    assert is_free(replace(FREE, above=((1, FREE),), service_tiers=(("flex", FREE),)))
    for field in fields(Price):
        if field.name not in ("images", "above", "service_tiers"):
            some = replace(FREE, **{field.name: 1})
            assert not is_free(some), field.name
            assert not is_free(replace(some, above=((0, FREE),))), field.name
    assert not is_free(replace(FREE, images=(("1x1", 1),)))
    assert not is_free(replace(FREE, above=((10**6, OTHER),)))
    assert not is_free(replace(FREE, service_tiers=(("flex", OTHER),)))


def test_what_is_kept_for_an_hour_is_a_part_of_what_is_written() -> None:
    price = replace(PRICE, cache_write_1h=6_000_000_000)
    usage = Usage(1000, 0, cache_write_tokens=300, cache_write_1h_tokens=200)
    assert cost(price, usage) == 700 * 3000 + 100 * 3750 + 200 * 6000
    assert cost(PRICE, usage) == 700 * 3000 + 300 * 3750


def test_sound_images_and_reasoning_have_their_own_rates() -> None:
    price = replace(
        PRICE, audio_input=1, image_input=2, audio_output=3, image_output=4, reasoning=5
    )
    usage = Usage(
        9_000_000,
        9_000_000,
        reasoning_tokens=1_000_000,
        audio_input_tokens=2_000_000,
        image_input_tokens=3_000_000,
        audio_output_tokens=4_000_000,
        image_output_tokens=1_000_000,
    )
    own = 2 * 1 + 3 * 2 + 4 * 3 + 1 * 4 + 1 * 5
    assert cost(price, usage) == own + 4 * price.input + 3 * price.output
    plain = structs.replace(usage, reasoning_tokens=0, audio_input_tokens=0, image_input_tokens=0)
    plain = structs.replace(plain, audio_output_tokens=0, image_output_tokens=0)
    assert cost(PRICE, usage) == cost(PRICE, plain)


def test_images_cost_by_quality_and_size_then_by_size_then_as_any() -> None:
    price = replace(FREE, image=1, images=(("1024x1024", 2), ("hd/1024x1024", 3)))
    for kind, each in (
        ("hd/1024x1024", 3),
        ("1024x1024", 2),
        ("low/1024x1024", 2),
        ("512x512", 1),
        ("", 1),
    ):
        assert cost(price, Usage(0, 0, images=10, image_kind=kind)) == 10 * each


def test_seconds_searches_characters_and_calls_are_paid_for() -> None:
    assert cost(replace(FREE, second=100_000), Usage(0, 0, milliseconds=1500)) == 150_000
    assert cost(replace(FREE, second=1), Usage(0, 0, milliseconds=1)) == 1
    assert cost(replace(FREE, search=7), Usage(0, 0, searches=3)) == 21
    assert cost(replace(FREE, request=7), Usage(0, 0)) == 7
    assert cost(replace(FREE, characters=15 * 10**9), Usage(0, 0, characters=100)) == 1_500_000


def test_what_a_tool_drew_costs_what_its_own_model_does_whatever_else_there_is() -> None:
    drawn = Usage(100, 20, image_input_tokens=60, image_output_tokens=20)
    usage = Usage(10, 5, service_tier="flex", drawing=Drawing("drawer", drawn))
    answering = OTHER
    drawer = replace(PRICE, image_input=8_000_000_000, image_output=30_000_000_000)
    assert cost(answering, usage) == cost(answering, Usage(10, 5))
    priced = with_drawing(usage, drawer)
    assert cost(answering, priced) == cost(answering, Usage(10, 5)) + cost(drawer, drawn)
    assert with_drawing(usage, None) == usage
    assert with_drawing(Usage(1, 1), drawer) == Usage(1, 1)


def test_a_large_input_makes_the_whole_call_dearer() -> None:
    price = replace(OTHER, above=((200, replace(OTHER, input=10**6, output=10**6)),))
    assert cost(price, Usage(200, 0)) == 1
    assert cost(price, Usage(201, 9)) == 210
    dearer = replace(price, above=(*price.above, (300, replace(OTHER, input=2 * 10**6))))
    assert cost(dearer, Usage(300, 0)) == 300
    assert cost(dearer, Usage(301, 0)) == 602


@pytest.mark.parametrize("tier", ["flex", "FLEX", "ON_DEMAND_FLEX"])
def test_a_service_tier_has_its_own_price_and_sizes(tier: str) -> None:
    flex = Price(10**6, 0, 0, 0, above=((5, Price(3 * 10**6, 0, 0, 0)),))
    price = replace(OTHER, above=((1, PRICE),), service_tiers=(("flex", flex),))
    assert cost(price, Usage(5, 0, service_tier=tier)) == 5
    assert cost(price, Usage(6, 0, service_tier=tier)) == 18


@pytest.mark.parametrize("tier", ["", "default", "standard", "scale", "hyperflex"])
def test_an_unknown_service_tier_is_the_standard(tier: str) -> None:
    price = replace(OTHER, service_tiers=(("flex", FREE),))
    assert cost(price, Usage(1, 0, service_tier=tier)) == 1


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


@pytest.mark.parametrize(
    ("vendor", "model", "dollars"),
    [
        ("openai", "gpt-5-mini", (0.25, 2, 0.025)),
        ("anthropic", "claude-opus-5", (5, 25, 0.5)),
        ("azure-openai", "gpt-5-mini-2025-08-07", (0.25, 2, 0.025)),
        ("vertex", "claude-sonnet-4-5@20250929", (3, 15, 0.3)),
        ("vertex", "publishers/google/models/gemini-2.5-pro", (1.25, 10, 0.125)),
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", (3, 15, 0.3)),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", (3.3, 16.5, 0.33)),
        ("bedrock", "amazon.nova-pro-v1:0", (0.8, 3.2, 0.2)),
        ("bedrock-claude", "anthropic.claude-opus-4-6-v1", (5, 25, 0.5)),
        ("vertex-claude", "claude-opus-4-6@default", (5, 25, 0.5)),
        ("openrouter", "openai/gpt-5-mini", (0.25, 2, 0.025)),
        ("openrouter", "anthropic/claude-sonnet-4.5", (3, 15, 0.3)),
        ("openrouter", "google/gemini-2.5-pro", (1.25, 10, 0.125)),
    ],
)
def test_the_catalog_knows_public_models_by_the_names_of_their_vendors(
    vendor: str, model: str, dollars: tuple[float, float, float]
) -> None:
    price = price_of(catalog(), "any", vendor, model)
    assert price is not None
    assert [round(each * 10**9) for each in dollars] == [
        price.input,
        price.output,
        price.cached_input,
    ]


@pytest.mark.parametrize(
    ("vendor", "model", "usage", "dollars"),
    [
        ("openai", "whisper-1", Usage(0, 0, milliseconds=60_000), 0.006),
        ("openai", "tts-1", Usage(0, 0, characters=1_000_000), 15),
        ("cohere", "rerank-v3.5", Usage(0, 0, searches=1000), 2),
        ("openai", "gpt-image-1-mini", Usage(0, 1_000_000), 8),
        ("openai", "text-embedding-3-small", Usage(1_000_000, 0), 0.02),
        ("openai", "gpt-5.4", Usage(1_000_000, 0), 5),
        ("openai", "gpt-5.4", Usage(100_000, 0, service_tier="priority"), 0.5),
        ("gemini", "gemini-2.5-flash", Usage(100_000, 0, audio_input_tokens=100_000), 0.1),
        ("anthropic", "claude-opus-5", Usage(10**6, 0, 0, 10**6, cache_write_1h_tokens=10**6), 10),
    ],
)
def test_the_catalog_knows_what_is_not_paid_by_the_token_alone(
    vendor: str, model: str, usage: Usage, dollars: float
) -> None:
    price = price_of(catalog(), "any", vendor, model)
    assert price is not None
    assert cost(price, usage) == round(dollars * 10**9)


FREE_ROWS = {"openai/omni-moderation-latest"}
"""What the vendor asks nothing for. A budget in USD refuses what has no price at all."""


def test_every_row_of_the_catalog_is_sane() -> None:
    for name, price in catalog().items():
        assert (price == Price(0, 0, 0, 0)) is (name in FREE_ROWS), name
        assert price.cached_input <= price.input, name
        sizes = [size for size, _ in price.above]
        assert sizes == sorted(set(sizes)), name
        for _, dearer in price.above:
            assert price.input <= dearer.input, name


def test_every_vendor_of_the_catalog_has_the_day_its_prices_were_seen() -> None:
    path = Path(gateway.catalog.__file__).with_name("catalog.json")
    document = json.loads(path.read_text("utf-8"))
    assert {name.partition("/")[0] for name in document["prices"]} == set(document["as_of"])
    assert all(date.fromisoformat(day) for day in document["as_of"].values())


def test_nobody_can_change_the_catalog() -> None:
    with pytest.raises(TypeError):
        catalog()["openai/gpt-5"] = OTHER  # type: ignore[index]
