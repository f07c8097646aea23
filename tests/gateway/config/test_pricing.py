from __future__ import annotations

from gateway.catalog import catalog
from gateway.config.pricing import is_priced, prices
from gateway.model import Target
from gateway.price import Price
from tests.gateway.config.loading import loaded


def test_what_the_operator_writes_stands_over_the_catalog() -> None:
    known = next(iter(catalog()))
    llm = loaded(f"llm: {{prices: {{{known}: {{input: 0.075, output: 1, cached_input: 0}}}}}}").llm
    found = prices(llm)
    assert found[known] == Price(75_000_000, 1_000_000_000, 0, 75_000_000)
    assert found.keys() == catalog().keys()


def test_a_bare_name_overrides_every_vendors_price() -> None:
    vendor, _, model = next(iter(catalog())).partition("/")
    llm = loaded(f"llm: {{prices: {{{model}: {{input: 7, output: 7}}}}}}").llm
    found = prices(llm)
    assert f"{vendor}/{model}" not in found
    assert found[model].input == 7 * 10**9


def test_what_is_not_written_costs_as_much_as_input() -> None:
    found = prices(loaded("llm: {prices: {m: {input: 2, output: 3, cache_write: 2.5}}}").llm)
    assert found["m"] == Price(2 * 10**9, 3 * 10**9, 2 * 10**9, 2_500_000_000)


def test_a_price_is_found_by_provider_vendor_or_model() -> None:
    llm = loaded("llm: {providers: {mine: {type: openai}}}").llm
    price = Price(1, 1, 1, 1)
    for name in ("mine/m", "openai/m", "m"):
        assert is_priced(Target("mine", "m"), llm, {name: price})
    assert not is_priced(Target("mine", "m"), llm, {"other/m": price})


def test_a_price_says_everything_that_can_be_paid_for() -> None:
    written = """
llm:
  prices:
    m:
      {input: 1, output: 2, cached_input: 0.1, cache_write: 1.25, cache_write_1h: 2, reasoning: 3,
       audio_input: 4, image_input: 5, audio_output: 6, image_output: 7, characters: 15,
       image: 0.04, images: {hd/1024x1024: 0.08}, second: 0.0001, search: 0.01, request: 0.005,
       tiers: [{above: 200000, input: 2, output: 3}],
       service_tiers: {flex: {factor: 0.5}, priority: {input: 2, output: 4}}, as_of: 2026-11-01}
"""
    found = prices(loaded(written).llm)["m"]
    assert (found.cache_write_1h, found.reasoning) == (2 * 10**9, 3 * 10**9)
    assert (found.image, found.images) == (40_000_000, (("hd/1024x1024", 80_000_000),))
    assert (found.second, found.search, found.request) == (100_000, 10_000_000, 5_000_000)
    assert [(size, dearer.input) for size, dearer in found.above] == [(200_000, 2 * 10**9)]
    tiers = dict(found.service_tiers)
    assert tiers["flex"].input == 5 * 10**8
    assert tiers["flex"].above[0][1].output == 15 * 10**8
    assert tiers["priority"].output == 4 * 10**9
    assert tiers["priority"].above == ()


def test_a_model_may_be_paid_by_the_second_alone() -> None:
    found = prices(loaded("llm: {prices: {m: {second: 0.0001}}}").llm)["m"]
    assert found == Price(0, 0, 0, 0, second=100_000)


def test_a_dated_model_of_a_cloud_has_its_makers_price() -> None:
    llm = loaded("llm: {providers: {gcp: {type: openai}}}").llm
    assert is_priced(Target("gcp", "gpt-5-2025-08-07"), llm, dict(catalog()))
