from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.anthropic.reading import READING
from extproc.llm.anthropic.requests import decode_request
from extproc.llm.dialect import Call
from extproc.llm.losses import Feature
from extproc.llm.request import (
    CacheMark,
    Choice,
    Effort,
    JsonFormat,
    Message,
    Reasoning,
    Request,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
)
from extproc.verdict import Deny


def decoded(**more: Any) -> Request | Deny:
    document = {
        "model": "claude",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        **more,
    }
    call = READING.decode(json.dumps(document).encode(), "", is_stream=False)
    assert isinstance(call, Call)
    return decode_request(call)


def read(**more: Any) -> Request:
    request = decoded(**more)
    assert isinstance(request, Request), request
    return request


def test_the_least_that_can_be_said() -> None:
    assert read() == Request("claude", (Message(Role.USER, (Text("hi"),)),), max_output_tokens=9)


def test_all_settings_are_kept() -> None:
    request = read(
        stream=True,
        temperature=0.5,
        top_p=1,
        top_k=7,
        stop_sequences=["a", "b"],
        metadata={"user_id": "u"},
        service_tier="standard_only",
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
    )
    assert request.is_stream
    assert request.sampling == Sampling(0.5, 1, 7)
    assert (request.stop, request.user, request.service_tier) == (("a", "b"), "u", "default")
    assert request.reasoning == Reasoning(Effort.LOW)
    assert request.extras == ()


def test_system_prompts_are_strings_or_blocks_and_stand_midway_too() -> None:
    assert read(system="a").messages[0] == Message(Role.SYSTEM, (Text("a"),))
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
    ]
    messages = [{"role": "user", "content": "hi"}, {"role": "system", "content": "c"}]
    assert read(system=blocks, messages=messages).messages == (
        Message(Role.SYSTEM, (Text("a"), Text("b", CacheMark()))),
        Message(Role.USER, (Text("hi"),)),
        Message(Role.SYSTEM, (Text("c"),)),
    )


def test_a_mark_of_the_request_is_one_of_its_last_part() -> None:
    control = {"type": "ephemeral", "ttl": "5m"}
    assert read(cache_control=control).messages[-1].parts == (Text("hi", CacheMark("5m")),)
    own = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "user", "content": own}]
    assert read(cache_control=control, messages=messages).messages[-1].parts == (
        Text("hi", CacheMark()),
    )
    thoughts = [{"type": "thinking", "thinking": "a", "signature": ""}]
    request = read(cache_control=control, messages=[{"role": "assistant", "content": thoughts}])
    assert request.messages[-1].parts == (Thinking("a"),)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": "auto"}, (Choice.AUTO, "", None)),
        ({"type": "any"}, (Choice.REQUIRED, "", None)),
        ({"type": "none"}, (Choice.NONE, "", None)),
        ({"type": "tool", "name": "f"}, (Choice.NAMED, "f", None)),
        ({"type": "auto", "disable_parallel_tool_use": True}, (Choice.AUTO, "", False)),
        ({"type": "any", "disable_parallel_tool_use": False}, (Choice.REQUIRED, "", True)),
    ],
)
def test_which_tools_are_to_be_called_is_read(said: object, meant: object) -> None:
    request = read(tool_choice=said)
    assert (request.tool_choice, request.tool_name, request.is_parallel) == meant


def test_tools_are_read_and_those_of_the_provider_named() -> None:
    schema = {"type": "object", "properties": {}}
    request = read(
        tools=[
            {
                "name": "f",
                "description": "d",
                "input_schema": schema,
                "strict": True,
                "cache_control": {"type": "ephemeral"},
            },
            {"type": "custom", "name": "g", "input_schema": schema},
            {"type": "web_search_20250305", "name": "web_search"},
        ]
    )
    assert request.tools == (
        Tool("f", "d", schema, True, CacheMark()),
        Tool("g", "", schema),
    )
    assert request.extras == (Feature.PROVIDER_TOOLS,)


@pytest.mark.parametrize("name", ["output_config", "output_format"])
def test_structured_output_is_read_in_both_places(name: str) -> None:
    said = {"type": "json_schema", "schema": {"type": "object"}}
    request = read(**{name: {"format": said} if name == "output_config" else said})
    assert request.format == JsonFormat({"type": "object"}, is_strict=True)
    assert request.extras == ()


@pytest.mark.parametrize(
    ("more", "feature"),
    [
        ({"mcp_servers": [{"type": "url", "name": "a", "url": "b"}]}, Feature.PROVIDER_TOOLS),
        ({"container": "c_1"}, Feature.PROVIDER_TOOLS),
        ({"compaction": {"type": "summarize"}}, Feature.STORED_STATE),
        ({"context_management": {"edits": []}}, Feature.OTHER),
        ({"inference_geo": "us"}, Feature.OTHER),
        ({"metadata": {"user_id": "u", "x": 1}}, Feature.OTHER),
        ({"output_config": {"task_budget": {}}}, Feature.OTHER),
        (
            {"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]},
            Feature.OTHER,
        ),
    ],
)
def test_what_has_no_place_is_named(more: dict[str, object], feature: Feature) -> None:
    assert read(**more).extras == (feature,)


def test_what_is_null_or_empty_says_nothing() -> None:
    names = ("system", "tools", "tool_choice", "metadata", "thinking", "output_config", "later")
    request = read(**dict.fromkeys(names), mcp_servers=[], stop_sequences=None, temperature=None)
    assert request == read()


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
        ({"tools": {}}, "tools"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"stop_sequences": "a"}, "stop_sequences"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_k": 1.5}, "top_k"),
        ({"output_config": 1}, "output_config"),
        ({"output_config": {"format": 1}}, "output_config.format"),
        ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "messages[0].content[0].source",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_name(more: dict[str, object], param: str) -> None:
    deny = decoded(**more)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.param) == (400, param)
