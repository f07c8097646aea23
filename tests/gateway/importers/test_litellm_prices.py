from __future__ import annotations

import pytest

from gateway.imported import Outcome
from tests.gateway.importers.litellm_files import finding, ours

BOTH = "input_cost_per_token: 1e-06, output_cost_per_token: 2e-06"


def one(info: str, model: str = "groq/x") -> str:
    """A file with one deployment."""
    return (
        f"model_list: [{{model_name: a, litellm_params: {{model: {model}, api_key: k}},"
        f" model_info: {{{info}}}}}]"
    )


def price(info: str) -> object:
    return ours(one(info))["llm"]["prices"]["groq/x"]


def test_rates_of_large_inputs_are_tiers() -> None:
    rates = (
        "output_cost_per_token_above_200k_tokens: 3e-06,"
        " input_cost_per_token_above_200k_tokens: 2e-06,"
        " cache_read_input_token_cost_above_128k_tokens: 5e-07"
    )
    assert price(f"{BOTH}, {rates}") == {
        "input": 1,
        "output": 2,
        "tiers": [
            {"above": 128_000, "cached_input": 0.5},
            {"above": 200_000, "output": 3, "input": 2},
        ],
    }


def test_rates_of_other_kinds_of_service_are_theirs() -> None:
    rates = (
        "input_cost_per_token_batches: 5e-07, output_cost_per_token_priority: 4e-06,"
        " input_cost_per_token_above_272k_tokens_priority: 8e-06"
    )
    assert price(f"{BOTH}, {rates}") == {
        "input": 1,
        "output": 2,
        "service_tiers": {
            "batch": {"input": 0.5},
            "priority": {"output": 4, "tiers": [{"above": 272_000, "input": 8}]},
        },
    }


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ("input_cost_per_second: 0.0001", {"second": 0.0001}),
        ("output_cost_per_image: 0.04", {"image": 0.04}),
        ("input_cost_per_character: 1.5e-05", {"characters": 15}),
    ],
)
def test_what_is_no_token_has_a_price(info: str, found: object) -> None:
    assert price(info) == found


@pytest.mark.parametrize(
    "info",
    [
        "input_cost_per_token: 1e-06, output_cost_per_image: 0.04",
        "input_cost_per_token_above_200k_tokens: 1e-06",
        "input_cost_per_token_flex: 1e-06",
    ],
)
def test_a_part_of_a_price_is_none(info: str) -> None:
    assert "prices" not in ours(one(info))["llm"]
    key = info.partition(":")[0]
    assert finding(one(info), f"model_list.0.model_info.{key}").outcome is Outcome.UNSUPPORTED


@pytest.mark.parametrize("key", ["input_cost_per_second", "input_cost_per_token_above_lots"])
def test_what_has_no_place_is_said(key: str) -> None:
    text = one(f"{BOTH}, output_cost_per_second: 1, {key}: 1")
    found = finding(text, f"model_list.0.model_info.{key}")
    assert found.outcome is Outcome.UNSUPPORTED
