"""Settings are read into what they mean, in whichever of their forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.losses import Feature
from extproc.llm.openai_chat.reading import READING
from extproc.llm.openai_chat.requests import decode_request
from extproc.llm.request import (
    CacheMark,
    Choice,
    Effort,
    ImageOutput,
    JsonFormat,
    Reasoning,
    Request,
    Sampling,
    Tool,
)
from extproc.verdict import Deny

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]


def decode(**fields: object) -> Request | Deny:
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], **fields}
    call = READING.decode(json.dumps(body).encode(), "", is_stream=False)
    assert not isinstance(call, Deny), call.reason
    return decode_request(call)


def read(**fields: object) -> Request:
    request = decode(**fields)
    assert isinstance(request, Request), request
    return request


def test_what_is_not_said_is_not_known() -> None:
    request = read()
    assert request == Request("m", request.messages)


def test_null_is_as_good_as_absent() -> None:
    names = (
        "tools functions tool_choice function_call temperature stop response_format reasoning "
        "reasoning_effort logprobs top_logprobs user metadata service_tier store audio vendor"
    )
    assert read(**dict.fromkeys(names.split())) == read()


def test_settings_are_read() -> None:
    request = read(
        temperature=1,
        top_p=0.5,
        top_k=3,
        presence_penalty=0.25,
        frequency_penalty=-2,
        seed=7,
        n=2,
        max_tokens=9,
        parallel_tool_calls=False,
        verbosity="low",
        service_tier="flex",
        prompt_cache_key="k",
        metadata={"a": "b"},
        stream=True,
    )
    assert request.sampling == Sampling(1, 0.5, 3, 0.25, -2, 7)
    assert (request.choices, request.max_output_tokens, request.is_parallel) == (2, 9, False)
    assert (request.verbosity, request.service_tier, request.cache_key) == ("low", "flex", "k")
    assert request.metadata == {"a": "b"}
    assert request.is_stream
    assert request.extras == ()


def test_one_stop_is_as_good_as_a_list_of_one() -> None:
    assert read(stop="a").stop == read(stop=["a"]).stop == ("a",)


def test_the_user_has_two_names() -> None:
    assert read(user="a").user == "a"
    assert read(user="a", safety_identifier="b").user == "b"


def test_tools_and_legacy_functions_are_tools() -> None:
    schema = {"type": "object"}
    function = {"name": "f", "description": "d", "parameters": schema}
    strict = {"type": "function", "function": {**function, "strict": True}}
    mark = {"cache_control": {"type": "ephemeral"}}
    assert read(tools=[{**strict, **mark}]).tools == (
        Tool("f", "d", schema, is_strict=True, cache=CacheMark()),
    )
    assert read(functions=[function]).tools == (Tool("f", "d", schema),)


@pytest.mark.parametrize(
    ("field", "choice", "name"),
    [
        ({"tool_choice": "auto"}, Choice.AUTO, ""),
        ({"tool_choice": "none"}, Choice.NONE, ""),
        ({"tool_choice": "required"}, Choice.REQUIRED, ""),
        ({"tool_choice": "any"}, Choice.REQUIRED, ""),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, Choice.NAMED, "f"),
        ({"function_call": "auto"}, Choice.AUTO, ""),
        ({"function_call": {"name": "f"}}, Choice.NAMED, "f"),
    ],
)
def test_every_choice_of_tools_is_read(field: dict[str, Any], choice: Choice, name: str) -> None:
    request = read(tools=TOOLS, **field)
    assert (request.tool_choice, request.tool_name) == (choice, name)
    assert len(request.tools) == 2


def test_only_allowed_tools_are_offered() -> None:
    allowed = {"mode": "required", "tools": [TOOLS[1]]}
    request = read(tools=TOOLS, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert request.tools == (Tool("g"),)
    assert request.tool_choice is Choice.REQUIRED


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, JsonFormat()),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, JsonFormat({}, "n")),
        (
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "n",
                    "schema": {"a": 1},
                    "strict": True,
                    "description": "d",
                },
            },
            JsonFormat({"a": 1}, "n", "d", is_strict=True),
        ),
    ],
)
def test_every_format_is_read(said: object, found: JsonFormat | None) -> None:
    assert read(response_format=said).format == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"reasoning_effort": "xhigh"}, Reasoning(Effort.XHIGH)),
        ({"reasoning": {"effort": "low", "exclude": True}}, Reasoning(Effort.LOW, is_shown=False)),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(budget_tokens=2000)),
        ({"reasoning": {"enabled": True}}, Reasoning()),
        ({"reasoning": {"enabled": False}}, Reasoning(Effort.NONE)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning(None, 2000)),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "max"}, Reasoning(Effort.MAX)),
        ({"thinking": {"type": "disabled"}}, Reasoning(None, 0)),
    ],
)
def test_reasoning_is_asked_for_in_several_ways(said: dict[str, Any], found: Reasoning) -> None:
    assert read(**said).reasoning == found


def test_logprobs_need_to_be_asked_for() -> None:
    assert read(top_logprobs=3).logprobs is None
    assert read(logprobs=False).logprobs is None
    assert read(logprobs=True).logprobs == 0
    assert read(logprobs=True, top_logprobs=3).logprobs == 3


@pytest.mark.parametrize(
    ("said", "features"),
    [
        ({"modalities": ["text"]}, ()),
        ({"modalities": ["text", "audio"]}, (Feature.AUDIO_OUTPUT,)),
        ({"store": False}, ()),
        ({"store": True}, (Feature.OTHER,)),
        ({"logit_bias": {}, "vendor": 1, "other": 2}, (Feature.LOGIT_BIAS, Feature.OTHER)),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, (Feature.CUSTOM_TOOLS,)),
        ({"tools": [{"type": "web_search"}]}, (Feature.PROVIDER_TOOLS,)),
        ({"tool_choice": {"type": "custom", "custom": {"name": "f"}}}, (Feature.CUSTOM_TOOLS,)),
        ({"prompt_cache_retention": "24h"}, (Feature.CACHE_MARKS,)),
    ],
)
def test_what_has_no_place_is_named(said: dict[str, Any], features: tuple[Feature, ...]) -> None:
    assert read(**said).extras == features


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"seed": 0.5}, "seed"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", 7]}, "stop[1]"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        (
            {"tools": [{"function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        ({"functions": [{}]}, "functions[0].name"),
        ({"tool_choice": 7}, "tool_choice"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "x"}}, "tool_choice.type"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
            "tool_choice.allowed_tools.mode",
        ),
        ({"function_call": {}}, "function_call.name"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"reasoning_effort": "much"}, "reasoning_effort"),
        ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
        ({"logprobs": 3}, "logprobs"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"messages": [{"role": "poet"}]}, "messages[0].role"),
    ],
)
def test_what_is_unfit_is_refused_by_its_name(said: dict[str, Any], param: str) -> None:
    deny = decode(**said)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.param) == (400, param)


def test_images_are_asked_for_as_openrouter_takes_it() -> None:
    asked = decode(modalities=["text", "image"])
    assert isinstance(asked, Request)
    assert asked.image_output == ImageOutput()
    config = {"aspect_ratio": "16:9", "image_size": "2K", "font": "a"}
    formed = decode(modalities=["image"], image_config=config)
    assert isinstance(formed, Request)
    assert formed.image_output == ImageOutput(True, "16:9", "2K")
    assert formed.extras == (Feature.IMAGE_OUTPUT_FORM,)


def test_answers_in_what_nobody_knows_are_not_forgotten_but_refused() -> None:
    refused = decode(modalities=["text", "scent"])
    assert isinstance(refused, Deny)
    assert (refused.status, refused.code, refused.param) == (
        400,
        "unsupported_parameter",
        "modalities",
    )
