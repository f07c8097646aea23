from __future__ import annotations

import pytest
from anthropic.types import Usage as TheirUsage
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.anthropic.usage import merged, usage_object, usage_of
from extproc.llm.counts import MOST_TOKENS
from gateway.usage import Usage

counts = st.integers(0, 10_000_000)


def test_cached_tokens_are_part_of_the_input_and_raw_numbers_are_kept() -> None:
    document = {
        "input_tokens": 9,
        "cache_creation_input_tokens": 700,
        "cache_read_input_tokens": 2000,
        "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 500},
        "output_tokens": 80,
        "output_tokens_details": {"thinking_tokens": 33},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
        "service_tier": "priority",
        "inference_geo": "us",
    }
    assert usage_of(document) == Usage(
        2709,
        80,
        cached_input_tokens=2000,
        cache_write_tokens=700,
        reasoning_tokens=33,
        cache_write_1h_tokens=500,
        searches=2,
        service_tier="priority",
        reported=(
            ("input_tokens", 9),
            ("cache_creation_input_tokens", 700),
            ("cache_read_input_tokens", 2000),
            ("cache_creation.ephemeral_5m_input_tokens", 200),
            ("cache_creation.ephemeral_1h_input_tokens", 500),
            ("output_tokens", 80),
            ("output_tokens_details.thinking_tokens", 33),
            ("server_tool_use.web_search_requests", 2),
            ("server_tool_use.web_fetch_requests", 1),
        ),
    )


def test_the_parts_of_what_was_cached_say_the_whole_where_it_is_not_said() -> None:
    document = {
        "input_tokens": 1,
        "output_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
    }
    usage = usage_of(document)
    assert usage is not None
    assert (usage.input_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens) == (6, 5, 3)


@pytest.mark.parametrize("document", [None, [], {}, "7", {"input_tokens": "7"}, {"a": None}])
def test_what_counts_nothing_is_no_usage(document: object) -> None:
    assert usage_of(document) is None


def test_counts_that_cannot_be_are_not_believed() -> None:
    usage = usage_of({"input_tokens": -5, "output_tokens": 3, "cache_read_input_tokens": 2**40})
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (0, 3)
    assert MOST_TOKENS < 2**40


@given(counts, counts, counts, counts, counts, counts)
def test_usage_survives_a_round_trip(
    fresh: int, read: int, short: int, long: int, thought: int, answered: int
) -> None:
    usage = Usage(
        fresh + read + short + long,
        thought + answered,
        cached_input_tokens=read,
        cache_write_tokens=short + long,
        reasoning_tokens=thought,
        cache_write_1h_tokens=long,
        service_tier="batch",
    )
    said = usage_object(usage)
    assert TheirUsage.model_validate(said).input_tokens == fresh
    again = usage_of(said)
    assert again is not None
    assert replace(again, reported=()) == usage


def test_nothing_known_is_said_as_zeros_and_a_foreign_tier_is_not_said() -> None:
    assert usage_object(None) == {"input_tokens": 0, "output_tokens": 0}
    assert "service_tier" not in usage_object(Usage(1, 1, service_tier="flex"))
    assert usage_object(Usage(1, 1, cached_input_tokens=5))["input_tokens"] == 0


def test_later_counts_of_a_stream_replace_earlier_ones() -> None:
    before = {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 3}
    after = {"output_tokens": 20, "cache_read_input_tokens": None}
    assert merged(before, after) == {
        "input_tokens": 5,
        "output_tokens": 20,
        "cache_read_input_tokens": 3,
    }
