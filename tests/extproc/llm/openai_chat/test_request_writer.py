"""Settings are written as OpenAI takes them, and what it does not take is reported."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_chat.request_writer import encode_request
from extproc.llm.openai_chat.servers import OPENAI, Server
from extproc.llm.request import (
    Choice,
    Effort,
    JsonFormat,
    Message,
    Reasoning,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
)

PLAIN = Request("m", (Message(Role.USER, (Text("hello"),)),))
CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
SENT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
OPENROUTER = Server(takes=frozenset({"reasoning"}))


def write(server: Server = OPENAI, **fields: Any) -> tuple[dict[str, Any], frozenset[Feature]]:
    losses = Losses()
    document = json.loads(encode_request(replace(PLAIN, **fields), losses, server))
    assert document | SENT == document
    return {name: document[name] for name in document if name not in SENT}, losses.features


def test_what_is_not_said_is_not_written() -> None:
    assert write() == ({}, frozenset())


def test_a_stream_is_asked_for_its_usage() -> None:
    assert write(is_stream=True)[0] == {"stream": True, "stream_options": {"include_usage": True}}


def test_settings_are_written() -> None:
    sampling = Sampling(0, 0.5, None, 0.25, -2, 7)
    assert write(
        sampling=sampling, max_output_tokens=9, choices=2, verbosity="low", user="u", cache_key="k"
    ) == (
        {
            "max_completion_tokens": 9,
            "temperature": 0,
            "top_p": 0.5,
            "presence_penalty": 0.25,
            "frequency_penalty": -2,
            "seed": 7,
            "n": 2,
            "verbosity": "low",
            "user": "u",
            "prompt_cache_key": "k",
        },
        frozenset(),
    )


def test_four_stops_are_the_most() -> None:
    assert write(stop=("a", "b")) == ({"stop": ["a", "b"]}, frozenset())
    assert write(stop=tuple("abcde")) == ({"stop": ["a", "b", "c", "d"]}, {Feature.STOP})


@pytest.mark.parametrize(
    ("tier", "written", "losses"),
    [
        ("flex", {"service_tier": "flex"}, frozenset()),
        ("standard_only", {"service_tier": "default"}, frozenset()),
        ("reserved", {}, {Feature.SERVICE_TIER}),
    ],
)
def test_tiers_are_openais(tier: str, written: object, losses: frozenset[Feature]) -> None:
    assert write(service_tier=tier) == (written, losses)


def test_metadata_and_top_k_are_lost() -> None:
    assert write(metadata={"a": "b"}) == ({}, {Feature.METADATA})
    assert write(sampling=Sampling(top_k=3)) == ({}, {Feature.TOP_K})
    assert write(Server(takes=frozenset({"top_k"})), sampling=Sampling(top_k=3)) == (
        {"top_k": 3},
        frozenset(),
    )


def test_what_only_another_dialect_has_is_lost() -> None:
    extras = (Feature.SAFETY_SETTINGS, Feature.OTHER)
    assert write(extras=extras) == ({}, frozenset(extras))


def test_logprobs_are_asked_for_with_their_alternatives() -> None:
    assert write(logprobs=0)[0] == {"logprobs": True}
    assert write(logprobs=3)[0] == {"logprobs": True, "top_logprobs": 3}


@pytest.mark.parametrize(
    ("reasoning", "written", "losses"),
    [
        (Reasoning(Effort.XHIGH), {"reasoning_effort": "xhigh"}, frozenset()),
        (Reasoning(None, 0), {"reasoning_effort": "none"}, frozenset()),
        (Reasoning(None, 1024), {"reasoning_effort": "low"}, {Feature.REASONING_BUDGET}),
        (Reasoning(None, 1025), {"reasoning_effort": "medium"}, {Feature.REASONING_BUDGET}),
        (Reasoning(None, 99999), {"reasoning_effort": "high"}, {Feature.REASONING_BUDGET}),
        (Reasoning(Effort.LOW, 99999), {"reasoning_effort": "low"}, frozenset()),
        (Reasoning(), {}, frozenset()),
        (Reasoning(is_shown=True), {}, {Feature.REASONING_TEXT}),
        (Reasoning(is_shown=False), {}, frozenset()),
    ],
)
def test_reasoning_is_an_effort(
    reasoning: Reasoning, written: object, losses: frozenset[Feature]
) -> None:
    assert write(reasoning=reasoning) == (written, losses)


@pytest.mark.parametrize(
    ("reasoning", "written"),
    [
        (Reasoning(Effort.LOW, is_shown=False), {"effort": "low", "exclude": True}),
        (Reasoning(None, 2000), {"max_tokens": 2000}),
        (Reasoning(None, 0), {"enabled": False}),
        (Reasoning(), {"enabled": True}),
    ],
)
def test_openrouter_takes_all_that_is_said_of_reasoning(
    reasoning: Reasoning, written: object
) -> None:
    assert write(OPENROUTER, reasoning=reasoning) == ({"reasoning": written}, frozenset())


def test_tools_and_their_choice_are_written() -> None:
    tools = (Tool("f", "d", CLOSED, is_strict=True), Tool("g"))
    written, losses = write(tools=tools, tool_choice=Choice.NAMED, tool_name="f", is_parallel=False)
    assert written == {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "parameters": CLOSED,
                    "strict": True,
                },
            },
            {"type": "function", "function": {"name": "g"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
    }
    assert losses == frozenset()


def test_a_strict_tool_that_openai_would_refuse_is_no_strict_one() -> None:
    tools = (Tool("f", "", {**CLOSED, "properties": {"a": {}}}, is_strict=True),)
    written, losses = write(tools=tools)
    assert "strict" not in written["tools"][0]["function"]
    assert losses == {Feature.STRICT_TOOLS}


@pytest.mark.parametrize("choice", [Choice.AUTO, Choice.NONE, Choice.REQUIRED])
def test_a_choice_without_tools_is_not_written(choice: Choice) -> None:
    assert write(tool_choice=choice, is_parallel=True) == ({}, frozenset())
    assert write(tools=(Tool("f"),), tool_choice=choice)[0]["tool_choice"] == choice.value


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (JsonFormat(), {"type": "json_object"}),
        (
            JsonFormat(CLOSED, "n", "d", is_strict=True),
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "n",
                    "description": "d",
                    "schema": CLOSED,
                    "strict": True,
                },
            },
        ),
        (
            JsonFormat({"a": 1}, "n", is_strict=True),
            {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"a": 1}, "strict": False},
            },
        ),
        (
            JsonFormat({}, "a city"),
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}}},
        ),
    ],
)
def test_formats_are_written(form: JsonFormat, written: object) -> None:
    assert write(format=form) == ({"response_format": written}, frozenset())


def test_a_field_that_the_server_refuses_is_lost() -> None:
    server = Server(names={"n": "", "logprobs": "", "stream_options": ""})
    assert write(server, choices=2, logprobs=0, is_stream=True) == (
        {"stream": True},
        {Feature.CHOICES, Feature.LOGPROBS},
    )
