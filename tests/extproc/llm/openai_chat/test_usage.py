"""Usage means the same, whoever reports it in OpenAI's shape."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from extproc.llm.counts import MOST_TOKENS
from extproc.llm.openai_chat.usage import openai_tier, usage_in, usage_object, usage_of
from gateway.usage import Usage


def counted(**fields: object) -> Usage | None:
    usage = usage_of(fields)
    return usage and replace(usage, reported=())


def test_everything_that_openai_tells_is_read() -> None:
    assert counted(
        prompt_tokens=100,
        completion_tokens=50,
        total_tokens=150,
        prompt_tokens_details={
            "cached_tokens": 10,
            "cache_write_tokens": 20,
            "audio_tokens": 5,
            "image_tokens": 6,
        },
        completion_tokens_details={"reasoning_tokens": 7, "audio_tokens": 8},
    ) == Usage(100, 50, 10, 20, 7, 5, 6, 8)


def test_deepseek_and_moonshot_tell_the_cache_elsewhere() -> None:
    assert counted(prompt_tokens=9, prompt_cache_hit_tokens=4) == Usage(9, 0, 4)
    assert counted(prompt_tokens=9, cached_tokens=4) == Usage(9, 0, 4)


def test_what_only_the_total_counts_is_reasoning() -> None:
    assert counted(prompt_tokens=9, completion_tokens=4, total_tokens=20) == Usage(
        9, 11, reasoning_tokens=7
    )
    assert counted(
        prompt_tokens=9,
        completion_tokens=4,
        total_tokens=20,
        completion_tokens_details={"reasoning_tokens": 7},
    ) == Usage(9, 11, reasoning_tokens=7)


def test_perplexity_counts_its_searches() -> None:
    assert counted(prompt_tokens=9, num_search_queries=2) == Usage(9, 0, searches=2)


def test_the_providers_own_words_are_kept() -> None:
    usage = usage_of({"prompt_tokens": 9, "cost": 0.5, "details": {"a": 1, "b": None}})
    assert usage is not None
    assert usage.reported == (("prompt_tokens", 9), ("details.a", 1))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": "9"},
        {"prompt_tokens": -9, "completion_tokens": True},
        {"prompt_tokens": MOST_TOKENS + 1},
        {"prompt_tokens": 9.5},
    ],
)
def test_what_counts_nothing_is_no_usage(fields: dict[str, object]) -> None:
    assert usage_of(fields) is None


def test_the_tier_stands_beside_the_usage() -> None:
    usage = usage_in({"usage": {"prompt_tokens": 9}, "service_tier": "flex"})
    assert usage is not None
    assert usage.service_tier == "flex"
    assert usage_in({"usage": None, "service_tier": "flex"}) is None
    assert usage_in({}) is None


def test_a_usage_that_is_written_is_read_the_same() -> None:
    usage = Usage(100, 50, 10, 20, 7, 5, 6, 8)
    found = usage_of(usage_object(usage))
    assert found is not None
    assert replace(found, reported=()) == usage


def test_tiers_of_others_are_openais_where_it_has_them() -> None:
    assert openai_tier("flex") == "flex"
    assert openai_tier("standard") == openai_tier("standard_only") == "default"
    assert openai_tier("batch") is openai_tier("") is None
