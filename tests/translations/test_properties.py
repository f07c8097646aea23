"""Laws over all pairs: what both can say survives the way there and back; cuts do not matter."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.llm.answer import Answer
from extproc.llm.losses import Feature, Losses
from extproc.llm.reference import CAPABILITIES
from extproc.llm.request import (
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    JsonFormat,
    Message,
    Reasoning,
    Remote,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from gateway.model import Dialect
from tests.kit import matrix
from tests.kit.conversations import answers, arguments, marks, names
from tests.kit.cuts import cut
from tests.kit.features import NAMED_ALONE, value
from tests.kit.matrix import ASKED, PAIRS, SPEAKERS
from tests.kit.told import told

words = st.text(st.characters(categories=["L", "N", "S"]), min_size=1, max_size=9)
blobs = st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode())
texts = st.builds(Text, words, marks)
images = st.builds(
    Image,
    st.builds(Inline, st.just("image/png"), blobs)
    | st.builds(Remote, names.map("https://images.example/{}.png".format)),
)
papers = st.builds(Document, st.builds(Inline, st.just("application/pdf"), blobs), names)
CHOICES = [Choice.AUTO, Choice.REQUIRED, Choice.NAMED]
"""Not `none`, which Bedrock is told by leaving out the tools."""
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


@st.composite
def turns(draw: st.DrawFn, number: int) -> list[Message]:
    """The user says something, the assistant answers or calls tools, and is told what they gave."""
    user = [draw(texts), *draw(st.lists(texts | images | papers, max_size=2))]
    calls = [
        ToolCall(f"call_{number}_{place}", draw(names), draw(arguments))
        for place in range(draw(st.integers(0, 2)))
    ]
    said = draw(st.lists(texts, min_size=not calls, max_size=2))
    results = [ToolResult(each.call_id, each.name, (draw(texts),)) for each in calls]
    told_of_them = [Message(Role.USER, tuple(results))] if results else []
    return [
        Message(Role.USER, tuple(user)),
        Message(Role.ASSISTANT, (*said, *calls)),
        *told_of_them,
    ]


@st.composite
def conversations(draw: st.DrawFn) -> Request:
    """As any provider takes them: who speaks takes turns, and tools that are called are there."""
    spoken = [draw(turns(number)) for number in range(draw(st.integers(0, 3)))]
    system = [Message(Role.SYSTEM, (text,)) for text in draw(st.lists(texts, max_size=2))]
    messages = (*system, *itertools.chain.from_iterable(spoken), Message(Role.USER, (Text("go"),)))
    called = {p.name for m in messages for p in m.parts if isinstance(p, ToolCall)}
    tools = tuple(
        Tool(name, draw(words | st.just("")), draw(st.none() | st.just(SCHEMA)))
        for name in sorted(called | draw(st.sets(names, max_size=1)))
    )
    choice = draw(st.none() | st.sampled_from(CHOICES)) if tools else None
    return Request(
        "m",
        messages,
        is_stream=draw(st.booleans()),
        tools=tools,
        tool_choice=choice,
        tool_name=tools[0].name if choice is Choice.NAMED else "",
        is_parallel=draw(st.none() | st.booleans()) if tools else None,
        max_output_tokens=draw(st.integers(16, 9999)),
        sampling=Sampling(
            *(draw(st.none() | st.floats(0, 1)) for _ in range(2)),
            draw(st.none() | st.integers(1, 99)),
            *(draw(st.none() | st.floats(-2, 2)) for _ in range(2)),
            draw(st.none() | st.integers(0, 99)),
        ),
        stop=tuple(draw(st.lists(words, max_size=3))),
        choices=draw(st.integers(1, 2)),
        format=draw(st.none() | st.just(JsonFormat(SCHEMA))),
        reasoning=draw(st.none() | st.builds(Reasoning, st.sampled_from(Effort))),
        logprobs=draw(st.none() | st.integers(0, 9)),
        verbosity=draw(st.sampled_from(["", "low"])),
        user=draw(st.just("") | names),
        service_tier=draw(st.sampled_from(["", "default", "flex"])),
        cache_key=draw(st.just("") | names),
    )


def as_said(dialect: Dialect, request: Request) -> Request:
    """What a client of the dialect says when it wants this, as far as it can."""
    body = SPEAKERS[dialect].codec.encode_request(request.for_model("m"), Losses())
    return matrix.read(dialect, body)


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@settings(max_examples=12)
@given(conversations())
def test_what_both_can_say_comes_back_as_it_went(
    client: Dialect, provider: Dialect, wanted: Request
) -> None:
    request = as_said(client, wanted)
    there = matrix.said(request, provider)
    able = CAPABILITIES[provider]
    assert not there.losses.features & able.expresses
    again = matrix.read(provider, there.body)
    home = as_said(client, again)
    both = able.expresses & able.says & CAPABILITIES[client].says - NAMED_ALONE
    if request.reasoning and request.reasoning.budget_tokens is not None:  # becomes an effort
        both -= {Feature.REASONING_EFFORT}
    for feature in both - there.losses.features:
        assert value(feature, again) == value(feature, request), feature
        if feature in CAPABILITIES[client].expresses:
            assert value(feature, home) == value(feature, request), feature


@pytest.mark.parametrize(("provider", "client"), PAIRS)
@settings(max_examples=12)
@given(st.data())
def test_cuts_and_line_ends_do_not_matter(
    provider: Dialect, client: Dialect, data: st.DataObject
) -> None:
    answer: Answer = data.draw(answers(provider))
    encoding = SPEAKERS[provider].codec.encoding(ASKED)
    stream = b"".join(encoding.feed(event) for event in told(answer))
    whole = matrix.streamed(provider, client, [stream])
    if provider is not Dialect.BEDROCK:
        ends: Any = st.sampled_from([b"\n", b"\r\n", b"\r"])
        stream = stream.replace(b"\r\n", b"\n").replace(b"\n", data.draw(ends))
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=40))
    assert matrix.streamed(provider, client, cut(stream, places)) == whole
