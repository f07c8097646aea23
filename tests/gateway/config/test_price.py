"""What of a price is a mistake."""

from __future__ import annotations

from tests.gateway.config.loading import complaints


def test_prices_are_never_inexact_or_negative() -> None:
    message = "must be in USD, 0 to 1000000, at most 9 decimal places"
    assert complaints("llm: {prices: {m: {input: 0.0000000001, output: -1}}}") == [
        f"llm.prices.m.input: {message}, not '0.0000000001'",
        f"llm.prices.m.output: {message}, not '-1'",
    ]


def test_half_a_price_is_a_problem() -> None:
    text = "llm: {prices: {a: {input: 1}, b: {output: 1, second: 1}, c: {}, d: {cached_input: 1}}}"
    assert complaints(text) == [
        "llm.prices.a: needs output too; 'output: 0' if it is free",
        "llm.prices.b: needs input too; 'input: 0' if it is free",
        "llm.prices.c: needs input and output, or another price",
        "llm.prices.d: needs input and output, or another price",
    ]


def test_tiers_have_one_price_for_each_size_and_factors_a_limit() -> None:
    tiers = "[{above: 5, input: 1}, {above: 5, input: 2}]"
    text = f"llm: {{prices: {{a: {{input: 1, output: 1, tiers: {tiers}}}}}}}"
    assert complaints(text) == ["llm.prices.a: has two tiers above the same number of tokens"]
    served = "{flex: {factor: 101}}"
    text = f"llm: {{prices: {{a: {{input: 1, output: 1, service_tiers: {served}}}}}}}"
    assert complaints(text) == [
        "llm.prices.a.service_tiers.flex.factor: must be from 0 to 100, not '101'"
    ]
