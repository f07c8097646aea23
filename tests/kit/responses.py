"""Samples of the Responses API, and requests and answers that it can say, for laws."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from msgspec import structs

from extproc.llm.answer import Answer, Candidate, Citation, Logprob, Stop
from extproc.llm.dialect import Asked, Call
from extproc.llm.openai_responses.reading import READING
from extproc.llm.request import (
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    JsonFormat,
    Message,
    Reasoning,
    Refusal,
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
from gateway.usage import Usage

SAMPLES = Path(__file__).parents[1] / "translations" / "openai_responses"
REQUESTS = sorted(SAMPLES.glob("requests/*.json"))
ANSWERS = sorted(SAMPLES.glob("answers/*.json"))
STREAMS = sorted(SAMPLES.glob("streams/*.sse"))
ASKED = Asked("fast", "a1", 1_757_500_000)


def call_of(body: bytes) -> Call:
    """A request that is accepted."""
    call = READING.decode(body, "", is_stream=False)
    assert isinstance(call, Call), call
    return call


def call(**fields: object) -> Call:
    return call_of(json.dumps({"model": "fast", "input": "hello", **fields}).encode())


def events(stream: bytes) -> list[dict[str, Any]]:
    """The data of the events of a stream that we wrote."""
    blocks = stream.decode().split("\n\n")
    assert blocks.pop() == ""
    found = []
    for block in blocks:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
names = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
maybe_words = st.just("") | words
base64_texts = st.sampled_from(["aGVsbG8=", "d29ybGQ=", "AA=="])
urls = st.sampled_from(["https://a.example/x", "https://b.example/y.png"])

texts = st.builds(Text, words)
images = st.builds(
    Image,
    st.builds(Inline, st.sampled_from(["image/png", "image/jpeg"]), base64_texts)
    | st.builds(Remote, urls),
    st.sampled_from(["auto", "low", "high"]),
)
documents = st.builds(
    Document,
    st.builds(Inline, st.sampled_from(["application/pdf", "text/plain"]), base64_texts)
    | st.builds(Remote, urls),
    words,
)
own_seals = st.builds(Signature, names, st.just(Dialect.OPENAI_RESPONSES))
foreign_seals = st.builds(
    Signature, names, st.sampled_from([Dialect.ANTHROPIC, Dialect.GEMINI, Dialect.BEDROCK])
)
redacted = st.builds(Thinking, st.just(""), own_seals, st.just(True))
own_thinking = st.builds(Thinking, maybe_words, own_seals) | redacted
arguments = st.dictionaries(names, words, max_size=2).map(json.dumps)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """As the API can say them: turns of the assistant do not follow each other."""
    messages = [Message(Role.SYSTEM, (text,)) for text in draw(st.lists(texts, max_size=2))]
    for turn in range(draw(st.integers(1, 3))):
        messages.append(
            Message(
                Role.USER, tuple(draw(st.lists(texts | images | documents, min_size=1, max_size=3)))
            )
        )
        said = draw(st.lists(texts | own_thinking | st.builds(Refusal, words), max_size=3))
        calls = [
            ToolCall(f"call_{turn}_{number}", draw(names), draw(arguments))
            for number in range(draw(st.integers(0, 2)))
        ]
        if said or calls:
            messages.append(Message(Role.ASSISTANT, (*said, *calls)))
        if calls:
            content = st.lists(texts | images | documents, max_size=2).map(tuple)
            results = [ToolResult(each.call_id, each.name, draw(content)) for each in calls]
            messages.append(Message(Role.USER, tuple(results)))
    if draw(st.booleans()):
        messages.append(Message(Role.SYSTEM, (draw(texts),)))
    return tuple(messages)


schemas = st.dictionaries(names, words, max_size=2).map(
    lambda properties: {
        "type": "object",
        "description": "",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
)
tools = st.builds(Tool, names, maybe_words.map(str.strip), st.none() | schemas, st.booleans())
formats = st.builds(JsonFormat) | st.builds(
    JsonFormat, schemas, names, maybe_words, st.none() | st.booleans()
)
reasonings = st.builds(Reasoning, st.sampled_from(Effort), is_shown=st.sampled_from([None, True]))
samplings = st.builds(Sampling, st.none() | st.floats(0, 2), st.none() | st.floats(0, 1))
requests = st.builds(
    Request,
    names,
    conversations(),
    is_stream=st.booleans(),
    tools=st.lists(tools, max_size=2).map(tuple),
    tool_choice=st.none() | st.sampled_from([Choice.AUTO, Choice.NONE, Choice.REQUIRED]),
    is_parallel=st.none() | st.booleans(),
    max_output_tokens=st.none() | st.integers(16, 1000),
    sampling=samplings,
    format=st.none() | formats,
    reasoning=st.none() | reasonings,
    logprobs=st.none() | st.integers(0, 20),
    verbosity=st.sampled_from(["", "low", "high"]),
    user=maybe_words,
    metadata=st.none() | st.dictionaries(names, words, min_size=1, max_size=2),
    service_tier=st.sampled_from(["", "flex", "priority"]),
    cache_key=maybe_words,
) | st.builds(Request, names, conversations(), tool_choice=st.just(Choice.NAMED), tool_name=names)
"""All that the dialect carries in full."""


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    """With what any provider may have said."""
    parts: list[Any] = []
    characters = 0
    foreign_thinking = st.builds(Thinking, maybe_words, foreign_seals) | st.builds(
        Thinking, st.just(""), foreign_seals, st.just(True)
    )
    kinds = (
        texts
        | st.builds(Text, words, signature=foreign_seals)
        | own_thinking
        | foreign_thinking
        | st.builds(Thinking, words)
        | st.builds(Refusal, words)
    )
    for part in draw(st.lists(kinds, max_size=4)):
        parts.append(part)
        if isinstance(part, Text):
            if draw(st.booleans()):
                end = characters + len(part.text)
                parts.append(Citation(draw(urls), draw(maybe_words), characters, end))
            characters += len(part.text)
    seals = st.none() | foreign_seals
    parts += [
        ToolCall(f"call_{number}", draw(names), draw(arguments), draw(seals))
        for number in range(draw(st.integers(0, 2)))
    ]
    stop = Stop.END
    if any(isinstance(part, ToolCall) for part in parts):
        stop = Stop.TOOL_CALLS
    elif any(isinstance(part, Refusal) for part in parts):
        stop = Stop.REFUSAL
    if draw(st.booleans()):
        stop = draw(st.sampled_from([stop, Stop.MAX_TOKENS, Stop.CONTENT_FILTER]))
    return Candidate(tuple(parts), stop, logprobs=draw(st.none() | _logprobs(parts)))


def _logprobs(parts: list[Any]) -> st.SearchStrategy[Any]:
    """A token for each character, with the bytes that it has."""
    characters = "".join(part.text for part in parts if isinstance(part, Text))
    if not characters:
        return st.none()
    token = [
        Logprob(each, -0.5, each.encode(), (Logprob(each, -0.5, each.encode()),))
        for each in characters
    ]
    return st.just(tuple(token))


usages = st.builds(
    lambda read, written, cached: Usage(
        read, written, cached_input_tokens=cached, reasoning_tokens=min(written, 7)
    ),
    st.integers(1, 1000),
    st.integers(1, 1000),
    st.integers(0, 5),
)
answers = st.builds(
    Answer,
    st.just("resp_1"),
    names,
    candidates().map(lambda candidate: (candidate,)),
    st.none() | usages,
)


def without_reports(answer: Answer) -> Answer:
    """Usage as we mean it, without the provider's own words for it."""
    if answer.usage is None:
        return answer
    return replace(answer, usage=structs.replace(answer.usage, reported=(), service_tier=""))


ODD: tuple[Any, ...] = (None, True, 5, -1, 10**400, 0.5, "x", [], ["x"], [[]], {}, {"x": 1})


def bent(value: Any) -> Iterator[Any]:
    """A JSON value with each value in it replaced by odd ones."""
    yield from ODD
    if isinstance(value, dict):
        for name in value:
            for odd in bent(value[name]):
                yield {**value, name: odd}
    elif isinstance(value, list):
        for index in range(len(value)):
            for odd in bent(value[index]):
                yield [*value[:index], odd, *value[index + 1 :]]
