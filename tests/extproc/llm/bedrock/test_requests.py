"""Converse requests: every sample, the way there and back, and what botocore has against ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.bedrock.capabilities import ROUGHLY, SAYS
from extproc.llm.bedrock.reading import READING
from extproc.llm.bedrock.requests import decode_request, encode_request
from extproc.llm.dialect import Call
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    CacheMark,
    Choice,
    Document,
    Image,
    Inline,
    JsonFormat,
    Message,
    Plain,
    Request,
    Role,
    Signature,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Uploaded,
)
from extproc.verdict import Deny
from gateway.model import Dialect
from tests.kit import bedrock

CLAUDE = "anthropic.claude-sonnet-4-6"
SAMPLES = sorted((bedrock.SAMPLES / "requests").glob("*.json"))
ASK = Message(Role.USER, (Text("why?"),))
CALLED = (
    ASK,
    Message(Role.ASSISTANT, (ToolCall("c1", "find", '{"a":1}'),)),
    Message(Role.USER, (ToolResult("c1", "find", (Text("found"),)),)),
)


def decoded(body: bytes, model: str = CLAUDE) -> Request:
    call = READING.decode(body, model, is_stream=False)
    assert isinstance(call, Call)
    request = decode_request(call)
    assert isinstance(request, Request)
    return request


def encoded(request: Request) -> tuple[dict[str, Any], frozenset[Feature]]:
    losses = Losses()
    body = encode_request(request, losses)
    assert bedrock.faults(body) == ""
    return json.loads(body), losses.features


def asked(**fields: Any) -> Request:
    return Request(CLAUDE, fields.pop("messages", (ASK,)), **fields)


def test_there_is_a_sample_for_everything_that_can_be_said() -> None:
    assert {path.stem for path in SAMPLES} == {feature.value for feature in SAYS}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_as_bedrock_documents_it(path: Path) -> None:
    assert bedrock.faults(path.read_bytes()) == ""
    assert bedrock.faults(path.read_bytes(), bedrock.CONVERSE_STREAM) == ""


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_is_said_of_a_sample_is_said_again_or_reported(path: Path) -> None:
    request = decoded(path.read_bytes())
    document, lost = encoded(request)
    feature = Feature(path.stem)
    again = decoded(json.dumps(document).encode())
    if not lost:
        assert again == request
    elif feature not in ROUGHLY:
        assert feature in lost


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_translating_twice_loses_no_more(path: Path) -> None:
    once, _ = encoded(decoded(path.read_bytes()))
    twice, lost = encoded(decoded(json.dumps(once).encode()))
    assert twice == once
    assert not lost


def test_results_know_the_tool_that_was_called() -> None:
    request = decoded((bedrock.SAMPLES / "requests" / "tools.json").read_bytes())
    results = [part for part in request.messages[2].parts if isinstance(part, ToolResult)]
    assert [result.name for result in results] == ["get_weather", "get_weather"]
    assert results[0].content == (Text('{"celsius":-3.5,"sky":"clear"}'),)


def test_history_with_calls_brings_its_tools() -> None:
    document, lost = encoded(asked(messages=CALLED))
    assert document["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "find", "inputSchema": {"json": {"type": "object"}}}}]
    }
    assert not lost


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice.AUTO, {"auto": {}}),
        (Choice.REQUIRED, {"any": {}}),
        (Choice.NAMED, {"tool": {"name": "find"}}),
        (None, None),
    ],
)
def test_choices_of_tools(choice: Choice | None, said: object) -> None:
    name = "find" if choice is Choice.NAMED else ""
    request = asked(tools=(Tool("find"),), tool_choice=choice, tool_name=name)
    document, lost = encoded(request)
    assert document["toolConfig"].get("toolChoice") == said
    assert decoded(json.dumps(document).encode()).tool_choice == choice
    assert not lost


def test_without_tools_none_is_called() -> None:
    document, lost = encoded(asked(tools=(Tool("find"),), tool_choice=Choice.NONE))
    assert "toolConfig" not in document
    assert not lost


def test_after_calls_only_claude_can_be_kept_from_more() -> None:
    request = asked(messages=CALLED, tools=(Tool("find"),), tool_choice=Choice.NONE)
    document, lost = encoded(request)
    assert document["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}
    assert "toolChoice" not in document["toolConfig"]
    assert not lost
    assert encoded(request.for_model("amazon.nova-pro-v1:0"))[1] == {Feature.TOOL_CHOICE}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (None, {"type": "auto"}),
        (Choice.REQUIRED, {"type": "any"}),
        (Choice.NAMED, {"type": "tool", "name": "find"}),
    ],
)
def test_claude_is_told_to_call_one_tool_at_a_time(
    choice: Choice | None, said: dict[str, object]
) -> None:
    name = "find" if choice is Choice.NAMED else ""
    request = asked(tools=(Tool("find"),), tool_choice=choice, tool_name=name, is_parallel=False)
    document, lost = encoded(request)
    own = document["additionalModelRequestFields"]["tool_choice"]
    assert own == {**said, "disable_parallel_tool_use": True}
    assert "toolChoice" not in document["toolConfig"]
    assert not lost
    assert encoded(request.for_model("amazon.nova-pro-v1:0"))[1] == {Feature.PARALLEL_CALLS}


def test_a_name_that_bedrock_does_not_take_is_refused() -> None:
    document, lost = encoded(asked(tools=(Tool("a.b"),)))
    assert document["toolConfig"]["tools"][0]["toolSpec"]["name"] == "a_b"
    assert lost == {Feature.TOOLS}


def test_json_without_a_schema_is_an_instruction() -> None:
    document, lost = encoded(asked(format=JsonFormat()))
    assert document["system"] == [{"text": "Answer with one JSON object and nothing else."}]
    assert "outputConfig" not in document
    assert not lost


def test_schemas_are_closed() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 5}}}
    tool = Tool("find", "", schema, is_strict=True)
    document, lost = encoded(asked(format=JsonFormat(schema), tools=(tool,)))
    closed = {
        "type": "object",
        "properties": {"a": {"type": "integer", "description": '{"maximum":5}'}},
        "additionalProperties": False,
    }
    definition = document["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(definition["schema"]) == closed
    assert document["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"] == {"json": closed}
    assert not lost


def test_models_that_take_no_schemas_are_told_of_them() -> None:
    request = asked(format=JsonFormat({"type": "object"}), tools=(Tool("f", is_strict=True),))
    document, lost = encoded(request.for_model("amazon.nova-pro-v1:0"))
    assert '{"type":"object","additionalProperties":false}' in document["system"][0]["text"]
    assert "outputConfig" not in document
    assert "strict" not in document["toolConfig"]["tools"][0]["toolSpec"]
    assert lost == {Feature.JSON_SCHEMA, Feature.STRICT_TOOLS}


def test_metadata_that_bedrock_does_not_take_is_left_out() -> None:
    metadata = {"a": "b", "ü": "c", "d": "é", "": ""}
    document, lost = encoded(asked(metadata=metadata))
    assert document["requestMetadata"] == {"a": "b"}
    assert lost == {Feature.METADATA}
    many = {f"k{index}": "v" for index in range(20)}
    assert len(encoded(asked(metadata=many))[0]["requestMetadata"]) == 16


@pytest.mark.parametrize(
    ("tier", "said", "lost"),
    [
        ("flex", {"type": "flex"}, set()),
        ("auto", None, set()),
        ("scale", None, {Feature.SERVICE_TIER}),
    ],
)
def test_service_tiers(tier: str, said: object, lost: set[Feature]) -> None:
    document, found = encoded(asked(service_tier=tier))
    assert document.get("serviceTier") == said
    assert found == lost


def test_what_bedrock_cannot_say_is_reported() -> None:
    request = asked(
        choices=2,
        logprobs=0,
        verbosity="low",
        user="u",
        cache_key="k",
        extras=(Feature.LOGIT_BIAS,),
    )
    assert encoded(request)[1] == {
        Feature.CHOICES,
        Feature.LOGPROBS,
        Feature.VERBOSITY,
        Feature.USER,
        Feature.CACHE_KEY,
        Feature.LOGIT_BIAS,
    }


def test_cache_marks_go_where_the_model_takes_them() -> None:
    sample = decoded((bedrock.SAMPLES / "requests" / "cache_marks.json").read_bytes())
    assert sample.messages[0].parts == (Text("You know these rules by heart.", CacheMark("1h")),)
    assert sample.tools[0].cache == CacheMark()
    assert encoded(sample)[1] == frozenset()
    nova, lost = encoded(sample.for_model("amazon.nova-pro-v1:0"))
    assert lost == {Feature.CACHE_MARKS}
    assert nova["system"][1] == {"cachePoint": {"type": "default"}}
    assert len(nova["toolConfig"]["tools"]) == 1
    llama, lost = encoded(sample.for_model("meta.llama3-1-70b-instruct-v1:0"))
    assert lost == {Feature.CACHE_MARKS}
    assert len(llama["system"]) == 1


def test_a_prompt_that_bedrock_keeps_cannot_be_translated() -> None:
    call = READING.decode(b'{"promptVariables":{}}', CLAUDE, is_stream=False)
    assert isinstance(call, Call)
    assert isinstance(decode_request(call), Deny)


def test_an_unknown_role_is_refused() -> None:
    body = b'{"messages":[{"role":"tool","content":[]}]}'
    call = READING.decode(body, CLAUDE, is_stream=False)
    assert isinstance(call, Call)
    refused = decode_request(call)
    assert isinstance(refused, Deny)
    assert refused.param == "messages[0].role"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_nothing_in_a_request_can_break_its_translation(path: Path) -> None:
    for mutated in bedrock.mutations(json.loads(path.read_bytes()), (None, 7, "x", [[]], {"y": 1})):
        call = READING.decode(json.dumps(mutated).encode(), CLAUDE, is_stream=True)
        if isinstance(call, Call):
            READING.texts(call.document)
            READING.estimate_input_tokens(call)
            request = decode_request(call)
            if isinstance(request, Request):
                encode_request(request, Losses())


names = st.from_regex(r"\A[a-zA-Z0-9_-]{1,20}\Z")
words = st.from_regex(r"\A[a-zA-Z0-9ä日🦊]+( [a-z]+)*\Z")
marks = st.none() | st.just(CacheMark()) | st.just(CacheMark("1h"))
images = st.builds(
    Image,
    st.just(Inline("image/png", "aWs=")) | st.just(Uploaded("s3://some-bucket/a.png", "image/png")),
    cache=marks,
)
said = st.builds(Text, words, marks)
thought = st.builds(
    Thinking, words, st.builds(Signature, st.just("c2VhbA=="), st.just(Dialect.BEDROCK))
) | st.just(Thinking("", Signature("c2Vh/w==", Dialect.BEDROCK), is_redacted=True))
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
schemas = st.none() | st.just(CLOSED)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """In the order that Bedrock wants: its own laws are tested in test_turns."""
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append(Message(Role.SYSTEM, tuple(draw(st.lists(said, min_size=1, max_size=2)))))
    results: list[Any] = []
    for number in range(draw(st.integers(1, 3))):
        file = Document(Plain(draw(words)), f"file {number}", draw(marks))
        parts = [*results, *draw(st.lists(said | images, max_size=2)), draw(said), file]
        messages.append(Message(Role.USER, tuple(parts)))
        answer: list[Any] = [*draw(st.lists(thought, max_size=2)), draw(said)]
        results = []
        for index in range(draw(st.integers(0, 2))):
            call = ToolCall(f"call_{number}_{index}", draw(names), '{"a":[1,2.5,"ä"]}')
            answer.append(replace(call, cache=draw(marks)))
            content = tuple(draw(st.lists(st.builds(Text, words), min_size=1, max_size=2)))
            is_error = draw(st.booleans())
            results.append(ToolResult(call.call_id, call.name, content, is_error, draw(marks)))
        messages.append(Message(Role.ASSISTANT, tuple(answer)))
    messages.append(Message(Role.USER, (*results, draw(said))))
    return tuple(messages)


def all_tools(messages: tuple[Message, ...]) -> tuple[Tool, ...]:
    calls = [each.name for m in messages for each in m.parts if isinstance(each, ToolCall)]
    return tuple(Tool(name, "what it does", {"type": "object"}) for name in dict.fromkeys(calls))


@given(conversations(), st.just(True) | st.none(), schemas)
def test_what_bedrock_expresses_survives(
    messages: tuple[Message, ...], is_strict: bool | None, schema: dict[str, object] | None
) -> None:
    tools = (*all_tools(messages), Tool("last", "", CLOSED, is_strict, CacheMark()))
    request = Request(
        CLAUDE,
        messages,
        tools=tools,
        max_output_tokens=100,
        stop=("a", "\n"),
        metadata={"team": "a b"},
        service_tier="flex",
        format=None if schema is None else JsonFormat(schema, "n", "d", is_strict=True),
    )
    document, lost = encoded(request)
    assert not lost
    assert decoded(json.dumps(document).encode()) == request
