from __future__ import annotations

from gateway.catalog import catalog
from gateway.config.pricing import is_priced, prices
from gateway.model import Price, Target
from tests.gateway.config.loading import complaints, loaded


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


def test_prices_are_never_inexact_or_negative() -> None:
    message = "must be USD per million tokens, 0 to 1000000, at most 9 decimal places"
    assert complaints("llm: {prices: {m: {input: 0.0000000001, output: -1}}}") == [
        f"llm.prices.m.input: {message}, not '0.0000000001'",
        f"llm.prices.m.output: {message}, not '-1'",
    ]
