from __future__ import annotations

import pytest
from openai.types.responses import ResponseUsage

from extproc.llm.counts import MOST_TOKENS
from extproc.llm.openai_responses.usage import (
    DEFAULT_DRAWER,
    are_tools_told,
    usage_in,
    usage_object,
    usage_of,
)
from gateway.usage import Drawing, Usage

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


DRAWN = {
    "input_tokens": 30,
    "input_tokens_details": {"image_tokens": 20, "text_tokens": 10},
    "output_tokens": 8,
    "output_tokens_details": {"image_tokens": 7, "text_tokens": 1},
}


def test_what_tools_used_stands_beside_it() -> None:
    usage = usage_in(
        {
            "usage": {"input_tokens": 5, "output_tokens": 2},
            "tools": [{"type": "function"}, {"type": "image_generation", "model": "gpt-image-2"}],
            "tool_usage": {"image_gen": DRAWN, "web_search": {"num_requests": 3}},
        }
    )
    assert usage is not None
    assert usage.searches == 3
    assert usage.drawing == Drawing(
        "gpt-image-2", Usage(30, 8, image_input_tokens=20, image_output_tokens=7)
    )
    assert usage.total_tokens == 5 + 2 + 30 + 8
    assert ("tool_usage.image_gen.output_tokens", 8) in usage.reported
    assert ("tool_usage.web_search.num_requests", 3) in usage.reported


def test_tools_that_have_done_nothing_count_nothing() -> None:
    nothing = {"image_gen": {"input_tokens": 0, "output_tokens": 0}, "web_search": None}
    told = {"usage": {"input_tokens": 5, "output_tokens": 2}}
    assert usage_in({**told, "tool_usage": nothing}) == usage_in(told)
    assert usage_in({**told, "tool_usage": "none"}) == usage_in(told)


def test_all_that_is_drawn_is_an_image_where_nothing_else_is_told_and_cached_ones_count_once() -> (
    None
):
    cached = {"cached_tokens": 15, "cached_tokens_details": {"cached_image_tokens": 12}}
    drawn = {key: value for key, value in DRAWN.items() if key != "output_tokens_details"}
    usage = usage_in({"tool_usage": {"image_gen": {**drawn, **cached}}, "tools": None})
    assert usage is not None
    assert usage.drawing == Drawing(
        DEFAULT_DRAWER,
        Usage(30, 8, cached_input_tokens=15, image_input_tokens=8, image_output_tokens=8),
    )


@pytest.mark.parametrize(
    ("request_", "are_told"),
    [
        ({"tools": [{"type": "image_generation"}]}, True),
        ({"tools": [{"type": "function"}, {"type": "web_search_preview_2025_03_11"}]}, True),
        ({"prompt": {"id": "pmpt_1"}}, True),
        ({"input": [{"type": "additional_tools", "tools": [{"type": "web_search"}]}]}, True),
        ({"tools": [{"type": "function"}, {"type": "file_search"}], "input": "draw"}, False),
        ({"tools": "all", "input": [{"role": "user", "content": "image_generation"}]}, False),
        ({}, False),
    ],
)
def test_where_tools_may_tell(request_: dict[str, object], are_told: bool) -> None:
    assert are_tools_told(request_) is are_told
