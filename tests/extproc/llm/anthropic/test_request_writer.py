from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import MessageCreateParams
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from extproc.llm.anthropic.reading import READING
from extproc.llm.anthropic.request_writer import (
    ANSWER_IN_JSON,
    encode_request,
    encode_request_with_betas,
)
from extproc.llm.anthropic.requests import decode_request
from extproc.llm.dialect import Call
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    CacheMark,
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
)
from gateway.model import Dialect

OLD, NEW, ALWAYS = "claude-sonnet-4-5", "claude-sonnet-5", "claude-opus-5-5"
SAMPLES = sorted((Path(__file__).parents[3] / "translations/anthropic/requests").glob("*.json"))
CHANGED = {
    "citations",
    "other",
    "provider_tools",
    "stored_state",
    "system_midway",
    "uploaded_file",
}
"""Samples of what cannot be said again from the canonical form."""
HELLO = (Message(Role.USER, (Text("hi"),)),)
CLOSED = {"type": "object", "additionalProperties": False}
TOOL = Tool("f", "d", {"type": "object", "properties": {}})
THEIRS: TypeAdapter[Any] = TypeAdapter(MessageCreateParams)


def encoded(request: Request) -> tuple[dict[str, Any], set[Feature]]:
    losses = Losses()
    return json.loads(encode_request(request, losses)), set(losses.features)


def again(body: bytes) -> Request:
    call = READING.decode(body, "", is_stream=False)
    assert isinstance(call, Call)
    request = decode_request(call)
    assert isinstance(request, Request), request
    return request


def whole(value: object) -> object:
    """Pydantic checks what can be iterated only as it is."""
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return value
    return [whole(each) for each in value]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_said_as_they_were_or_with_a_loss(path: Path) -> None:
    losses = Losses()
    document = json.loads(encode_request_with_betas(again(path.read_bytes()), losses))
    assert bool(losses.features) is (path.stem in CHANGED)
    if path.stem not in CHANGED:
        assert document == json.loads(path.read_text())


def test_anthropic_reads_of_betas_in_a_header_alone() -> None:
    request = Request("m", HELLO, betas=("a-1",))
    assert "anthropic_beta" not in encoded(request)[0]
    assert json.loads(encode_request_with_betas(request, Losses()))["anthropic_beta"] == ["a-1"]
    plain = Request("m", HELLO)
    assert "anthropic_beta" not in json.loads(encode_request_with_betas(plain, Losses()))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_what_anthropics_library_would_send(path: Path) -> None:
    document, _ = encoded(again(path.read_bytes()))
    whole(THEIRS.validate_python(document))


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "tool", "content": "a"}],
        [{"role": "user", "content": [{"type": "text"}]}],
        [{"role": "user", "content": [{"type": "image", "source": {"type": "fax"}}]}],
    ],
)
def test_the_library_does_see_what_is_wrong(messages: object) -> None:
    with pytest.raises(ValidationError):
        whole(THEIRS.validate_python({"model": "m", "max_tokens": 1, "messages": messages}))


def test_the_least_that_can_be_said() -> None:
    assert encoded(Request(OLD, HELLO)) == (
        {"model": OLD, "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}]},
        set(),
    )


def test_json_is_asked_for_in_words_where_there_is_no_schema() -> None:
    document, lost = encoded(Request(OLD, HELLO, format=JsonFormat()))
    assert (document["system"], lost) == (ANSWER_IN_JSON, set())
    system = Message(Role.SYSTEM, (Text("be brief"),))
    document, _ = encoded(Request(OLD, (system, *HELLO), format=JsonFormat()))
    assert [block["text"] for block in document["system"]] == ["be brief", ANSWER_IN_JSON]


@pytest.mark.parametrize(
    ("choice", "is_parallel", "said"),
    [
        (None, None, None),
        (Choice.AUTO, None, {"type": "auto"}),
        (Choice.REQUIRED, True, {"type": "any", "disable_parallel_tool_use": False}),
        (
            Choice.NAMED,
            False,
            {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        ),
        (Choice.NONE, False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_the_choice_of_tools_is_said(
    choice: Choice | None, is_parallel: bool | None, said: object
) -> None:
    request = Request(
        OLD,
        HELLO,
        tools=(TOOL,),
        tool_choice=choice,
        tool_name="f" if choice is Choice.NAMED else "",
        is_parallel=is_parallel,
    )
    assert encoded(request)[0].get("tool_choice") == said


def test_without_tools_there_is_no_choice_among_them() -> None:
    assert "tool_choice" not in encoded(Request(OLD, HELLO, tool_choice=Choice.AUTO))[0]


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        (None, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "object"}, {"type": "object"}),
    ],
)
def test_a_tool_takes_an_object(parameters: dict[str, object] | None, schema: object) -> None:
    document, _ = encoded(Request(OLD, HELLO, tools=(Tool("f", parameters=parameters),)))
    assert document["tools"] == [{"name": "f", "input_schema": schema}]


@pytest.mark.parametrize(
    ("model", "sampling", "said", "lost"),
    [
        (OLD, Sampling(0.4), {"temperature": 0.4}, set()),
        (OLD, Sampling(1.7), {"temperature": 1}, {Feature.TEMPERATURE}),
        (OLD, Sampling(0.4, 0.9, 5), {"temperature": 0.4, "top_k": 5}, {Feature.TOP_P}),
        ("claude-3-haiku", Sampling(0.4, 0.9), {"temperature": 0.4, "top_p": 0.9}, set()),
        (OLD, Sampling(None, 0.9), {"top_p": 0.9}, set()),
        (NEW, Sampling(1), {}, set()),
        (
            NEW,
            Sampling(0, 0.9, 5),
            {},
            {Feature.TEMPERATURE, Feature.TOP_P, Feature.TOP_K},
        ),
        (OLD, Sampling(presence_penalty=1), {}, {Feature.PENALTIES}),
        (OLD, Sampling(frequency_penalty=0), {}, {Feature.PENALTIES}),
        (OLD, Sampling(seed=1), {}, {Feature.SEED}),
    ],
)
def test_sampling_is_said_as_the_model_takes_it(
    model: str, sampling: Sampling, said: dict[str, object], lost: set[Feature]
) -> None:
    document, found = encoded(Request(model, HELLO, sampling=sampling))
    assert {key: document[key] for key in document if key[:2] in ("te", "to")} == said
    assert found == lost


def test_thinking_goes_without_most_sampling() -> None:
    request = Request(OLD, HELLO, reasoning=Reasoning(Effort.LOW), sampling=Sampling(0.4, 0.97, 5))
    document, lost = encoded(request)
    assert (document["top_p"], "temperature" in document, "top_k" in document) == (
        0.97,
        False,
        False,
    )
    assert lost == {Feature.TEMPERATURE, Feature.TOP_K}


def test_a_forced_tool_goes_without_thinking() -> None:
    request = Request(
        OLD,
        HELLO,
        tools=(TOOL,),
        tool_choice=Choice.REQUIRED,
        reasoning=Reasoning(Effort.HIGH),
    )
    document, lost = encoded(request)
    assert "thinking" not in document
    assert lost == {Feature.REASONING_EFFORT}


def test_an_answer_that_was_begun_goes_on_without_thinking() -> None:
    messages = (*HELLO, Message(Role.ASSISTANT, (Text("It is ("),)))
    document, lost = encoded(Request(OLD, messages, reasoning=Reasoning(Effort.HIGH)))
    assert "thinking" not in document
    assert lost == {Feature.REASONING_EFFORT}


def test_calls_whose_thinking_is_gone_go_on_without() -> None:
    seal = Signature("s", Dialect.GEMINI)
    call = ToolCall("1", "f", "{}")
    result = Message(Role.USER, (ToolResult("1", "f", (Text("5"),)),))
    messages = (*HELLO, Message(Role.ASSISTANT, (Thinking("hm", seal), call)), result)
    request = Request(OLD, messages, tools=(TOOL,), reasoning=Reasoning(budget_tokens=2000))
    document, lost = encoded(request)
    assert "thinking" not in document
    assert lost == {Feature.REASONING_SIGNATURE, Feature.REASONING_BUDGET}
    document, _ = encoded(Request(NEW, messages, reasoning=Reasoning(Effort.HIGH)))
    assert document["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize(
    ("tier", "said"),
    [("auto", "auto"), ("default", "standard_only"), ("standard", "standard_only")],
)
def test_tiers_are_said_in_anthropics_words(tier: str, said: str) -> None:
    assert encoded(Request(OLD, HELLO, service_tier=tier))[0]["service_tier"] == said


@pytest.mark.parametrize(
    ("request_", "lost"),
    [
        (Request(OLD, HELLO, service_tier="flex"), Feature.SERVICE_TIER),
        (Request(OLD, HELLO, choices=2), Feature.CHOICES),
        (Request(OLD, HELLO, logprobs=0), Feature.LOGPROBS),
        (Request(OLD, HELLO, verbosity="low"), Feature.VERBOSITY),
        (Request(OLD, HELLO, metadata={"a": "b"}), Feature.METADATA),
        (Request(OLD, HELLO, cache_key="k"), Feature.CACHE_KEY),
        (Request(OLD, HELLO, stop=("a", "\n")), Feature.STOP),
        (Request(OLD, HELLO, extras=(Feature.LOGIT_BIAS,)), Feature.LOGIT_BIAS),
    ],
)
def test_what_claude_does_not_take_is_reported(request_: Request, lost: Feature) -> None:
    assert encoded(request_)[1] == {lost}


# --- what is said can be read again ----------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip())
)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
marks = st.none() | st.builds(CacheMark, st.sampled_from([None, "5m", "1h"]))
images = st.builds(
    Image,
    st.builds(Inline, st.sampled_from(["image/png", "image/webp"]), st.just("aGk="))
    | st.just(Remote("https://a.example/b")),
    st.just(""),
    marks,
)
documents = st.builds(
    Document,
    st.just(Inline("application/pdf", "JVBERi0x"))
    | st.just(Remote("https://a.example/b"))
    | st.builds(Plain, words),
    words | st.just(""),
    marks,
)
texts = st.builds(Text, words, marks)
seals = st.builds(Signature, ids, st.just(Dialect.ANTHROPIC))
thoughts = st.builds(Thinking, words, seals) | st.builds(
    Thinking, st.just(""), seals, st.just(True)
)
calls = st.builds(ToolCall, ids, ids, st.just('{"a":[1,"é"]}'), st.none(), marks)
users = st.builds(
    Message,
    st.just(Role.USER),
    st.lists(texts | images | documents, min_size=1, max_size=3).map(tuple),
)


@st.composite
def assistants(draw: st.DrawFn) -> Message:
    thinking = draw(st.lists(thoughts, max_size=2))
    rest = draw(st.lists(texts | calls, min_size=1, max_size=3))
    return Message(Role.ASSISTANT, (*thinking, *rest))


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    system = draw(st.lists(texts, max_size=2))
    found = [Message(Role.SYSTEM, tuple(system))] if system else []
    found.append(draw(users))
    for _ in range(draw(st.integers(0, 2))):
        answer = draw(assistants())
        results = tuple(
            ToolResult(
                call.call_id,
                names[call.call_id],
                tuple(draw(st.lists(texts | images, max_size=2))),
                False,
                draw(marks),
            )
            for names in [
                {part.call_id: part.name for part in answer.parts if isinstance(part, ToolCall)}
            ]
            for call in answer.parts
            if isinstance(call, ToolCall)
        )
        found += [answer, Message(Role.USER, (*results, *draw(users).parts))]
    return tuple(found)


@given(
    conversations(),
    st.sampled_from([OLD, NEW, ALWAYS]),
    st.booleans(),
    st.lists(words, max_size=2),
    words | st.just(""),
    st.none() | st.sampled_from([Choice.AUTO, Choice.NONE]),
)
def test_what_anthropic_expresses_is_read_again_as_it_was(
    messages: tuple[Message, ...],
    model: str,
    is_stream: bool,
    stop: list[str],
    user: str,
    choice: Choice | None,
) -> None:
    request = Request(
        model,
        messages,
        is_stream=is_stream,
        tools=(TOOL, Tool("g", "", CLOSED, True, CacheMark("1h"))),
        tool_choice=choice,
        is_parallel=False if choice is Choice.AUTO else None,
        max_output_tokens=700,
        stop=tuple(stop),
        user=user,
        format=JsonFormat(CLOSED, is_strict=True),
        reasoning=None if model == OLD else Reasoning(Effort.LOW, is_shown=True),
        service_tier="auto",
    )
    losses = Losses()
    body = encode_request(request, losses)
    assert losses.features == frozenset()
    assert again(body) == request
    whole(THEIRS.validate_python(json.loads(body)))


def test_the_schemas_of_strict_tools_are_closed_as_those_of_answers_are() -> None:
    open_schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}}
    tools = (Tool("f", "", open_schema, is_strict=True), TOOL)
    document, losses = encoded(Request("claude-sonnet-4-5", HELLO, tools=tools))
    strict, other = document["tools"]
    assert strict["input_schema"]["additionalProperties"] is False
    assert strict["input_schema"]["properties"]["a"] == {
        "type": "string",
        "description": '{"minLength":2}',
    }
    assert "additionalProperties" not in other["input_schema"]
    assert not losses
