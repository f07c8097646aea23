from __future__ import annotations

from pathlib import Path

import pytest

from extproc.llm.losses import Feature
from extproc.llm.openai_responses.requests import decode_request
from extproc.llm.request import (
    Effort,
    JsonFormat,
    Message,
    Reasoning,
    Request,
    Role,
    Sampling,
    Text,
)
from extproc.verdict import Deny
from tests.kit import responses as kit


def decoded(**fields: object) -> Request:
    request = decode_request(kit.call(**fields))
    assert isinstance(request, Request), request
    return request


def refused(**fields: object) -> tuple[str, str | None]:
    deny = decode_request(kit.call(**fields))
    assert isinstance(deny, Deny)
    assert deny.status == 400
    return deny.code, deny.param


def test_a_string_is_what_the_user_says() -> None:
    assert decoded() == Request("fast", (Message(Role.USER, (Text("hello"),)),))


def test_instructions_come_first() -> None:
    assert decoded(instructions="be brief").messages == (
        Message(Role.SYSTEM, (Text("be brief"),)),
        Message(Role.USER, (Text("hello"),)),
    )


def test_settings_are_read() -> None:
    request = decoded(
        stream=True,
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        parallel_tool_calls=False,
        service_tier="flex",
        prompt_cache_key="k",
        metadata={"a": "b"},
        text={"verbosity": "low"},
        store=True,
        background=False,
        truncation="disabled",
        stream_options={"include_obfuscation": False},
    )
    assert request == Request(
        "fast",
        (Message(Role.USER, (Text("hello"),)),),
        is_stream=True,
        is_parallel=False,
        max_output_tokens=50,
        sampling=Sampling(0.5, 0.9),
        verbosity="low",
        metadata={"a": "b"},
        service_tier="flex",
        cache_key="k",
    )


def test_the_end_user_has_an_old_name_and_a_new_one() -> None:
    assert decoded(user="old").user == "old"
    assert decoded(user="old", safety_identifier="new").user == "new"


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        ({"effort": "xhigh"}, Reasoning(Effort.XHIGH)),
        ({"effort": None, "summary": "auto"}, Reasoning(is_shown=True)),
        ({"generate_summary": "concise"}, Reasoning(is_shown=True)),
        ({}, None),
    ],
)
def test_reasoning_is_read(reasoning: dict[str, object], expected: Reasoning | None) -> None:
    assert decoded(reasoning=reasoning).reasoning == expected


def test_formats_of_the_answer_are_read() -> None:
    assert decoded(text={"format": {"type": "text"}}).format is None
    assert decoded(text={"format": {"type": "json_object"}}).format == JsonFormat()
    schema = {"type": "object"}
    flat = {"type": "json_schema", "name": "n", "schema": schema, "strict": True}
    assert decoded(text={"format": flat}).format == JsonFormat(schema, "n", "", True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"top_logprobs": 0}, None),
        ({"top_logprobs": 3}, 3),
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, 2),
        ({"include": ["reasoning.encrypted_content"]}, None),
    ],
)
def test_logprobs_are_asked_for_in_two_ways(
    fields: dict[str, object], expected: int | None
) -> None:
    assert decoded(**fields).logprobs == expected


@pytest.mark.parametrize(
    ("fields", "feature"),
    [
        ({"previous_response_id": "resp_1"}, Feature.STORED_STATE),
        ({"conversation": {"id": "conv_1"}}, Feature.STORED_STATE),
        ({"background": True}, Feature.STORED_STATE),
        ({"prompt": {"id": "pmpt_1"}, "input": None}, Feature.STORED_STATE),
        ({"moderation": {"model": "m"}}, Feature.SAFETY_SETTINGS),
        ({"truncation": "auto"}, Feature.OTHER),
        ({"reasoning": {"mode": "pro"}}, Feature.OTHER),
        ({"vendor_extension": 1}, Feature.OTHER),
    ],
)
def test_what_only_the_provider_can_do_is_named(
    fields: dict[str, object], feature: Feature
) -> None:
    assert decoded(**fields).extras == (feature,)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input": None}, ("missing_required_parameter", "input")),
        ({"input": []}, ("missing_required_parameter", "input")),
        ({"temperature": "hot"}, ("invalid_type", "temperature")),
        ({"metadata": {"a": 1}}, ("invalid_type", "metadata.a")),
        ({"include": "logprobs"}, ("invalid_type", "include")),
        ({"reasoning": {"effort": "huge"}}, ("unsupported_value", "reasoning.effort")),
        ({"text": {"format": {"type": "xml"}}}, ("unsupported_value", "text.format.type")),
        (
            {"text": {"format": {"type": "json_schema", "name": "n"}}},
            ("missing_required_parameter", "text.format.schema"),
        ),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], expected: tuple[str, str]) -> None:
    assert refused(**fields) == expected


@pytest.mark.parametrize("path", kit.REQUESTS, ids=lambda path: path.stem)
def test_samples_are_told(path: Path) -> None:
    assert isinstance(decode_request(kit.call_of(path.read_bytes())), Request)
