"""Tokens in Bedrock's counting and in ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.bedrock.usage import encode_tier, encode_usage, tier_of, usage_of
from gateway.usage import Usage

counts = st.integers(0, 10**6)


def test_cached_tokens_are_part_of_the_input() -> None:
    document = {
        "inputTokens": 5,
        "outputTokens": 2,
        "totalTokens": 3007,
        "cacheReadInputTokens": 2000,
        "cacheWriteInputTokens": 1000,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 600}, {"ttl": "5m", "inputTokens": 400}],
    }
    assert usage_of(document, "flex") == Usage(
        3005,
        2,
        cached_input_tokens=2000,
        cache_write_tokens=1000,
        cache_write_1h_tokens=600,
        service_tier="flex",
        reported=(
            ("inputTokens", 5),
            ("outputTokens", 2),
            ("totalTokens", 3007),
            ("cacheReadInputTokens", 2000),
            ("cacheWriteInputTokens", 1000),
        ),
    )


@given(counts, counts, counts, counts, counts)
def test_what_a_client_is_told_means_the_same(
    plain: int, read: int, written: int, hour: int, output: int
) -> None:
    usage = Usage(
        plain + read + written + 1,
        output,
        cached_input_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(hour, written),
    )
    again = usage_of(encode_usage(usage))
    assert again is not None
    assert replace(again, reported=()) == usage


@pytest.mark.parametrize(
    "document",
    [{}, {"inputTokens": -1}, {"inputTokens": "7"}, {"outputTokens": True}, {"inputTokens": 2**40}],
)
def test_counts_that_cannot_be_are_none(document: dict[str, object]) -> None:
    assert usage_of(document) is None


def test_details_that_cannot_be_are_nothing() -> None:
    usage = usage_of({"inputTokens": 1, "cacheWriteInputTokens": 1, "cacheDetails": [1, {}]})
    assert usage is not None
    assert usage.cache_write_1h_tokens == 0


def test_clients_are_told_numbers_even_if_nothing_is_known() -> None:
    assert encode_usage(None) == {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}


def test_the_tier_stands_beside_the_usage() -> None:
    assert tier_of({"serviceTier": {"type": "priority"}}) == "priority"
    assert tier_of({"serviceTier": "priority"}) == tier_of({}) == ""


@pytest.mark.parametrize(
    ("tier", "said"),
    [
        ("flex", {"serviceTier": {"type": "flex"}}),
        ("standard", {"serviceTier": {"type": "default"}}),
        ("batch", {}),
        ("", {}),
    ],
)
def test_clients_are_told_of_tiers_that_bedrock_has(tier: str, said: object) -> None:
    assert encode_tier(Usage(1, 1, service_tier=tier)) == said
    assert encode_tier(None) == {}
