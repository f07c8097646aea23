from __future__ import annotations

import pytest
from openai.types.responses import Response

from extproc.llm.answer import Stop
from extproc.llm.dialect import Asked
from extproc.llm.openai_responses.response_object import (
    name_of,
    response_object,
    settings,
    status_of,
)
from gateway.usage import Usage

REQUEST: dict[str, object] = {
    "model": "fast",
    "instructions": "be brief",
    "max_output_tokens": 50,
    "metadata": {"a": "b"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "temperature": 0.5,
    "text": {"verbosity": "low"},
    "tool_choice": {"type": "function", "name": "get"},
    "store": True,
    "tools": [
        {"type": "function", "name": "get"},
        {"type": "custom", "name": "math"},
        {"type": "mcp", "server_label": "docs", "authorization": "secret"},
        5,
    ],
}


def test_a_response_repeats_what_was_asked_for() -> None:
    said = settings(Asked("fast", "a1", 1, document=REQUEST))
    for name in ("instructions", "max_output_tokens", "metadata", "temperature", "tool_choice"):
        assert said[name] == REQUEST[name]
    assert said["reasoning"] == REQUEST["reasoning"]
    assert said["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert said["tools"] == [
        {
            "type": "function",
            "name": "get",
            "description": None,
            "parameters": None,
            "strict": None,
        },
        {"type": "custom", "name": "math", "format": {"type": "text"}},
    ]


def test_a_response_does_not_claim_to_be_stored_nor_repeat_secrets() -> None:
    said = settings(Asked("fast", "a1", 1, document=REQUEST))
    assert said["store"] is False
    assert "secret" not in repr(said)


@pytest.mark.parametrize("document", [{}, REQUEST])
def test_a_response_is_what_the_library_expects(document: dict[str, object]) -> None:
    said = settings(Asked("fast", "a1", 1, document=document))
    told = response_object(said, ("resp_1", "fast", 1), ("completed", None), [], Usage(1, 2))
    assert Response.model_validate(told).usage is not None


def test_the_tier_that_was_used_is_told() -> None:
    usage = Usage(1, 2, service_tier="flex")
    told = response_object({"service_tier": "auto"}, ("r", "m", 1), ("completed", None), [], usage)
    assert told["service_tier"] == "flex"


def test_an_answer_without_a_name_is_named_by_us() -> None:
    asked = Asked("fast", "a1", 1)
    assert name_of("", asked) == "resp_a1"
    assert name_of("resp_7", asked) == "resp_7"
    assert name_of("msg_7", asked) == "resp_msg_7"


@pytest.mark.parametrize(
    ("stop", "is_refusal", "reason"),
    [
        (Stop.END, False, None),
        (Stop.TOOL_CALLS, False, None),
        (Stop.SEQUENCE, False, None),
        (Stop.REFUSAL, True, None),
        (Stop.REFUSAL, False, "content_filter"),
        (Stop.CONTENT_FILTER, False, "content_filter"),
        (Stop.MAX_TOKENS, False, "max_output_tokens"),
        (Stop.CONTEXT, False, "max_output_tokens"),
    ],
)
def test_what_is_missing_is_said(stop: Stop, is_refusal: bool, reason: str | None) -> None:
    status, details = status_of(stop, is_refusal=is_refusal)
    assert status == ("completed" if reason is None else "incomplete")
    assert details == (None if reason is None else {"reason": reason})


@pytest.mark.parametrize("stop", [Stop.OTHER, Stop.PAUSE])
def test_what_stopped_for_another_reason_is_incomplete_without_one(stop: Stop) -> None:
    assert status_of(stop, is_refusal=False) == ("incomplete", {"reason": None})


def test_tiers_of_other_providers_are_not_told() -> None:
    usage = Usage(1, 2, service_tier="standard")
    said = {"service_tier": "default"}
    told = response_object(said, ("r", "m", 1), ("completed", None), [], usage)
    assert told["service_tier"] == "default"
