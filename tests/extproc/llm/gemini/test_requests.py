"""Whole requests, both ways."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.dialect import Call
from extproc.llm.gemini.capabilities import SAYS
from extproc.llm.gemini.reading import READING
from extproc.llm.gemini.requests import decode_request, encode_request
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    Audio,
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    JsonFormat,
    Message,
    Plain,
    Reasoning,
    Remote,
    Request,
    Role,
    Sampling,
    Signature,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Video,
)
from extproc.verdict import Deny
from gateway.model import Dialect

SAMPLES = Path(__file__).parents[3] / "translations" / "gemini" / "requests"
MODEL = "gemini-3-flash"


def decoded(body: bytes, model: str = MODEL) -> Request:
    call = READING.decode(body, model, is_stream=False)
    assert isinstance(call, Call)
    request = decode_request(call)
    assert isinstance(request, Request), request
    return request


def checked(body: bytes) -> bytes:
    """The body, if Google's own types take it."""
    said = json.loads(body)
    for content in said["contents"]:
        types.Content.model_validate(content)
    types.Content.model_validate(said.get("systemInstruction", {}))
    config = dict(said.get("generationConfig", {}))
    types.ImageConfig.model_validate(config.pop("imageConfig", {}))
    types.GenerationConfig.model_validate(
        {key: each for key, each in config.items() if key[:2] != "th"}
    )
    for tool in said.get("tools", ()):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(said.get("toolConfig", {}))
    return body


def test_there_is_a_sample_of_each_feature() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == {feature.value for feature in SAYS}


EXTRAS = {
    "audio_output": {Feature.AUDIO_OUTPUT, Feature.OTHER},
    "provider_tools": {Feature.PROVIDER_TOOLS},
    "stored_state": {Feature.STORED_STATE},
    "safety_settings": {Feature.SAFETY_SETTINGS},
    "other": {Feature.OTHER},
}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_samples_survive(path: Path) -> None:
    request = decoded(path.read_bytes())
    assert set(request.extras) == EXTRAS.get(path.stem, set())
    losses = Losses()
    again = decoded(checked(encode_request(request, losses)))
    kept = replace(request, extras=(), metadata=None)
    assert again == kept
    lost = set(request.extras) | ({Feature.METADATA} if request.metadata else set())
    assert losses.features == lost


NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
TEXTS = st.text(min_size=1, max_size=20)
SEALS = st.sampled_from([None, *(Signature(each, Dialect.GEMINI) for each in ("QUJD", "/w=="))])
ARGUMENTS = st.dictionaries(NAMES, st.integers() | TEXTS, max_size=3).map(
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
)
MEDIA = st.sampled_from(
    [
        Image(Inline("image/png", "QUJD")),
        Image(Remote("https://example.com/a", "image/webp")),
        Document(Inline("application/pdf", "QUJD"), "a.pdf"),
        Document(Plain("Ein Text.")),
        Audio(Inline("audio/mp3", "QUJD")),
        Video(Inline("video/mp4", "QUJD")),
    ]
)
USER = st.lists(st.builds(Text, TEXTS) | MEDIA, min_size=1, max_size=3).map(
    lambda parts: Message(Role.USER, tuple(parts))
)


@st.composite
def turns(draw: st.DrawFn, number: int) -> list[Message]:
    """A question, calls and their results, an answer."""
    calls = [
        ToolCall(
            f"c{number}_{index}",
            draw(NAMES),
            draw(ARGUMENTS),
            Signature("QUJD", Dialect.GEMINI) if index == 0 else draw(SEALS),
        )
        for index in range(draw(st.integers(0, 3)))
    ]
    found = [draw(USER)]
    thinking = Thinking(draw(TEXTS), draw(SEALS))
    if calls:
        found.append(Message(Role.ASSISTANT, (thinking, *calls)))
        results = tuple(
            ToolResult(call.call_id, call.name, (Text(draw(TEXTS)),), draw(st.booleans()))
            for call in calls
        )
        found.append(Message(Role.USER, results))
    found.append(Message(Role.ASSISTANT, (Text(draw(TEXTS), signature=draw(SEALS)),)))
    return found


SCHEMA = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    count = draw(st.integers(1, 3))
    messages = [message for number in range(count) for message in draw(turns(number))]
    if draw(st.booleans()):
        messages.insert(0, Message(Role.SYSTEM, (Text(draw(TEXTS)),)))
    is_strict = draw(st.sampled_from([None, True]))
    names = draw(st.lists(NAMES, unique=True, max_size=3))
    tools = tuple(Tool(name, draw(st.text(max_size=5)), SCHEMA, is_strict) for name in names)
    choice = None
    if is_strict:
        choice = Choice.AUTO
    elif tools:
        choice = draw(st.sampled_from([None, *Choice]))
    if choice is Choice.NAMED:
        tools = tools[:1]
    number = st.none() | st.floats(0, 1)
    return Request(
        model=draw(st.sampled_from([MODEL, "gemini-2.5-flash"])),
        messages=tuple(messages),
        tools=tools,
        tool_choice=choice if tools else None,
        tool_name=tools[0].name if choice is Choice.NAMED else "",
        max_output_tokens=draw(st.none() | st.integers(1, 10_000)),
        sampling=Sampling(
            draw(number), draw(number), draw(st.none() | st.integers(1, 99)), draw(number),
            draw(number), draw(st.none() | st.integers(0, 99)),
        ),
        stop=tuple(draw(st.lists(TEXTS, max_size=5))),
        choices=draw(st.integers(1, 4)),
        format=draw(st.sampled_from([None, JsonFormat(), JsonFormat(SCHEMA, is_strict=True)])),
        reasoning=draw(
            st.sampled_from([None, Reasoning(), Reasoning(budget_tokens=100, is_shown=True)])
        ),
        logprobs=draw(st.none() | st.integers(0, 20)),
        service_tier=draw(st.sampled_from(["", "default", "flex", "priority"])),
    )  # fmt: skip


@given(requests())
def test_what_is_expressed_is_read_as_the_same(request: Request) -> None:
    losses = Losses()
    body = checked(encode_request(request, losses))
    assert decoded(body, request.model) == request
    assert losses.features == frozenset()


@pytest.mark.parametrize("effort", [Effort.MINIMAL, Effort.LOW, Effort.MEDIUM, Effort.HIGH])
def test_efforts_survive_from_gemini_3_on(effort: Effort) -> None:
    request = Request(
        MODEL, (Message(Role.USER, (Text("x"),)),), reasoning=Reasoning(effort, is_shown=True)
    )
    assert decoded(encode_request(request, Losses())) == request


def test_both_spellings_are_one_request() -> None:
    snake = {
        "system_instruction": {"parts": [{"text": "s"}]},
        "contents": [{"parts": [{"file_data": {"file_uri": "gs://a", "mime_type": "image/png"}}]}],
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {}}]}],
        "tool_config": {"functionCallingConfig": {"allowed_function_names": ["f"], "mode": "ANY"}},
        "generation_config": {
            "stop_sequences": ["x"],
            "response_mime_type": "application/json",
            "thinking_config": {"thinking_budget": 5},
        },
        "service_tier": "FLEX",
    }  # fmt: skip
    camel = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"parts": [{"fileData": {"fileUri": "gs://a", "mimeType": "image/png"}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {}}]}],
        "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["f"], "mode": "ANY"}},
        "generationConfig": {
            "stopSequences": ["x"],
            "responseMimeType": "application/json",
            "thinkingConfig": {"thinkingBudget": 5},
        },
        "serviceTier": "flex",
    }
    assert decoded(json.dumps(snake).encode()) == decoded(json.dumps(camel).encode())


def test_a_system_alone_is_said_by_the_user() -> None:
    request = Request(MODEL, (Message(Role.SYSTEM, (Text("Say hello."),), "Ann"),))
    losses = Losses()
    said = json.loads(encode_request(request, losses))
    assert said == {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}
    assert losses.features == {Feature.NAMES}


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}, "contents[0].role"),
        ({"contents": [], "labels": []}, "labels"),
        ({"contents": [], "labels": {"a": 1}}, "labels.a"),
        ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents[0].parts[0].fileData.fileUri"),
    ],
)  # fmt: skip
def test_what_is_wrong_within_is_refused_by_name(document: object, param: str) -> None:
    call = READING.decode(json.dumps(document).encode(), MODEL, is_stream=False)
    assert isinstance(call, Call)
    deny = decode_request(call)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.param) == (400, param)
