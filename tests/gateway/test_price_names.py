"""What else a model is called that has a price."""

from __future__ import annotations

import pytest

from gateway.config.vendors import VENDORS
from gateway.price_names import LIKE, keys, spellings


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("gpt-5", ["gpt-5"]),
        ("gpt-5-2025-08-07", ["gpt-5-2025-08-07", "gpt-5"]),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            [
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "us.anthropic.claude-sonnet-4-5-20250929",
                "us.anthropic.claude-sonnet-4-5",
                "anthropic.claude-sonnet-4-5",
                "claude-sonnet-4-5",
            ],
        ),
        (
            "anthropic.claude-opus-4-6-v1",
            ["anthropic.claude-opus-4-6-v1", "anthropic.claude-opus-4-6", "claude-opus-4-6"],
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0:200k",
            [
                "anthropic.claude-3-haiku-20240307-v1:0:200k",
                "anthropic.claude-3-haiku-20240307",
                "anthropic.claude-3-haiku",
                "claude-3-haiku",
            ],
        ),
        (
            "arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-pro-v1:0",
            [
                "arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-pro-v1:0",
                "eu.amazon.nova-pro-v1:0",
                "eu.amazon.nova-pro",
                "amazon.nova-pro",
                "nova-pro",
            ],
        ),
        ("claude-sonnet-4-5@20250929", ["claude-sonnet-4-5@20250929", "claude-sonnet-4-5"]),
        ("claude-opus-4-6@default", ["claude-opus-4-6@default", "claude-opus-4-6"]),
        (
            "publishers/google/models/gemini-2.5-pro",
            ["publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"],
        ),
        ("google/gemini-2.5-pro", ["google/gemini-2.5-pro", "gemini-2.5-pro"]),
        ("models/gemini-2.5-pro", ["models/gemini-2.5-pro", "gemini-2.5-pro"]),
        (
            "accounts/fireworks/models/deepseek-v3p1",
            ["accounts/fireworks/models/deepseek-v3p1", "deepseek-v3p1"],
        ),
        (
            "ft:gpt-4o-2024-08-06:mine::id",
            ["ft:gpt-4o-2024-08-06:mine::id", "ft:gpt-4o-2024-08-06", "ft:gpt-4o"],
        ),
    ],
)
def test_names_of_clouds_and_dates_lead_to_the_models(model: str, found: list[str]) -> None:
    assert list(spellings(model)) == found


@pytest.mark.parametrize(
    "model",
    ["", "-20260115", "@default", "gpt-4.1", "gemini-2.5-pro", "o1", "google/", "-v1"],
)
def test_other_names_are_themselves(model: str) -> None:
    assert list(spellings(model)) == [model]


def test_routers_write_dots_where_makers_write_dashes() -> None:
    found = list(keys("mine", "openrouter", "anthropic/claude-sonnet-4.5"))
    assert found.index("anthropic/claude-sonnet-4.5") < found.index("anthropic/claude-sonnet-4-5")


def test_every_vendor_that_is_like_others_exists() -> None:
    assert set(LIKE) <= set(VENDORS)


def test_the_makers_price_comes_after_the_vendors_and_the_operators() -> None:
    assert list(keys("mine", "vertex", "m")) == [
        "mine/m",
        "vertex/m",
        "m",
        "gemini/m",
        "anthropic/m",
    ]
