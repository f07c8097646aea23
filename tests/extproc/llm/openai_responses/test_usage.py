from __future__ import annotations

from openai.types.responses import ResponseUsage

from extproc.llm.counts import MOST_TOKENS
from extproc.llm.openai_responses.usage import usage_in, usage_object, usage_of
from gateway.usage import Usage

REPORTED = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 20},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 30},
    "total_tokens": 150,
}


def test_usage_is_read_with_its_details_and_as_it_came() -> None:
    assert usage_of(REPORTED) == Usage(
        100,
        50,
        cached_input_tokens=60,
        cache_write_tokens=20,
        reasoning_tokens=30,
        reported=(
            ("input_tokens", 100),
            ("input_tokens_details.cached_tokens", 60),
            ("input_tokens_details.cache_write_tokens", 20),
            ("output_tokens", 50),
            ("output_tokens_details.reasoning_tokens", 30),
            ("total_tokens", 150),
        ),
    )


def test_what_counts_nothing_is_no_usage() -> None:
    assert usage_of({}) is None
    assert usage_of({"input_tokens": "5", "output_tokens": MOST_TOKENS + 1}) is None
    assert usage_in({"usage": None}) is None
    assert usage_of({"input_tokens": 5, "input_tokens_details": None}) == Usage(
        5, 0, reported=(("input_tokens", 5),)
    )


def test_the_service_tier_stands_beside_it() -> None:
    usage = usage_in({"usage": REPORTED, "service_tier": "flex"})
    assert usage is not None
    assert usage.service_tier == "flex"


def test_usage_is_said_as_the_library_expects_it() -> None:
    usage = usage_of(REPORTED)
    assert usage is not None
    assert usage_object(usage) == REPORTED
    ResponseUsage.model_validate(usage_object(Usage(1, 2)), strict=True)
