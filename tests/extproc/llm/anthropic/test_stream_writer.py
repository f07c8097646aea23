from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.answer import (
    CallDelta,
    CallStarted,
    Citation,
    Cited,
    Ended,
    Failed,
    Fault,
    Finished,
    PartEnded,
    ProviderError,
    RefusalDelta,
    SpeechDelta,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.anthropic.blocks import Blocks
from extproc.llm.anthropic.stream_reader import MessagesDecoding
from extproc.llm.anthropic.stream_writer import MessagesEncoding
from extproc.llm.dialect import Asked
from extproc.llm.request import Signature, Text, Thinking, ToolCall
from extproc.protocols.sse import SseDecoder
from gateway.model import Dialect
from gateway.usage import Usage

FOLDER = Path(__file__).parents[3] / "translations/anthropic/streams"
SAMPLES = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.sse"))}
ASKED = Asked("fast", "1f2e", 1700000000)
START = Started("a1", "m")
END = [Finished(Stop.END), Ended(Usage(5, 3))]
SEAL = Signature("Cg==", Dialect.GEMINI)


def encoded(*events: StreamEvent) -> bytes:
    encoding = MessagesEncoding(ASKED)
    return b"".join(encoding.feed(event) for event in events)


def said(*events: StreamEvent) -> list[dict[str, Any]]:
    found = []
    for event in SseDecoder().feed(encoded(*events)):
        document = json.loads(event.data)
        assert event.name == document["type"]
        found.append(document)
    return found


def decoded(data: bytes) -> list[StreamEvent]:
    decoding = MessagesDecoding()
    return [*decoding.feed(data), *decoding.end()]


def received(data: bytes) -> Message:
    """What a client of Anthropic's library has at the end."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data)

    with httpx2.Client(transport=httpx2.MockTransport(respond)) as http:
        client = anthropic.Anthropic(api_key="k", http_client=http, max_retries=0)
        with client.messages.stream(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            return stream.get_final_message()


def content(*events: StreamEvent) -> list[dict[str, Any]]:
    message = received(encoded(START, *events, *END))
    return [block.model_dump(exclude_none=True) for block in message.content]


def without_reports(events: list[StreamEvent]) -> list[StreamEvent]:
    found: list[StreamEvent] = []
    for event in events:
        match event:
            case Started(answer_id, model, Usage() as usage):
                found.append(Started(answer_id, model, replace(usage, reported=())))
            case Ended(Usage() as usage):
                found.append(Ended(replace(usage, reported=())))
            case Failed(error, _):
                found.append(Failed(error))
            case _:
                found.append(event)
    return found


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "overloaded"])
def test_samples_are_said_again_as_anthropics_library_reads_them(name: str) -> None:
    ours = encoded(*decoded(SAMPLES[name]))
    assert without_reports(decoded(ours)) == without_reports(decoded(SAMPLES[name]))
    if name in ("citations", "unknown_events", "refusal"):
        received(ours)
        return
    theirs, again = received(SAMPLES[name]), received(ours)
    assert again.content == theirs.content
    assert (again.stop_reason, again.stop_sequence) == (theirs.stop_reason, theirs.stop_sequence)
    assert again.usage.output_tokens == theirs.usage.output_tokens
    assert again.usage.input_tokens == theirs.usage.input_tokens


def test_a_stream_is_told_in_named_events() -> None:
    assert said(START, TextDelta("a"), TextDelta("b"), *END) == [
        {
            "type": "message_start",
            "message": {
                "id": "a1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 0, "output_tokens": 0},
            },
        },
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "a"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "b"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 3,
            },
        },
        {"type": "message_stop"},
    ]


def test_another_kind_begins_another_block() -> None:
    found = content(ThinkingDelta("hm"), TextDelta("a"), CallStarted(0, "1", "f"), TextDelta("b"))
    assert [block["type"] for block in found] == ["thinking", "text", "tool_use", "text"]


def test_a_part_that_ended_is_not_gone_on_with() -> None:
    found = content(TextDelta("a"), PartEnded(), PartEnded(), TextDelta("b"))
    assert [block["text"] for block in found] == ["a", "b"]


def test_thinking_is_ended_by_its_seal() -> None:
    own = Signature("s", Dialect.ANTHROPIC)
    found = content(
        ThinkingDelta("a"), ThinkingDelta("b", own), ThinkingDelta("c"), ThinkingDelta("", None)
    )
    assert found == [
        {"type": "thinking", "thinking": "ab", "signature": "s"},
        {"type": "thinking", "thinking": "c", "signature": ""},
    ]
    assert content(ThinkingDelta("", own, is_redacted=True)) == [
        {"type": "redacted_thinking", "data": "s"}
    ]
    assert content(ThinkingDelta(""), ThinkingDelta("", None, is_redacted=True)) == []


def test_calls_in_a_row_are_told_one_after_the_other() -> None:
    found = content(
        CallStarted(0, "1", "f"),
        CallDelta(0, '{"a"'),
        CallDelta(0, ":1}"),
        CallStarted(1, "2", "g"),
        CallDelta(1, '{"b":2}'),
    )
    assert [(block["id"], block["input"]) for block in found] == [("1", {"a": 1}), ("2", {"b": 2})]


def test_calls_that_take_turns_are_told_one_after_the_other() -> None:
    events = [
        CallStarted(0, "1", "f"),
        CallStarted(1, "2", "g"),
        CallDelta(0, '{"a"'),
        CallDelta(1, '{"b"'),
        CallStarted(2, "3", "h"),
        CallDelta(1, ":2}"),
        CallDelta(0, ":1}"),
        CallDelta(2, '{"c":3}'),
    ]
    found = content(*events)
    assert [(block["id"], block["input"]) for block in found] == [
        ("1", {"a": 1}),
        ("2", {"b": 2}),
        ("3", {"c": 3}),
    ]
    kinds = [each["type"] for each in said(START, *events, *END)]
    starts = [at for at, kind in enumerate(kinds) if kind == "content_block_start"]
    stops = [at for at, kind in enumerate(kinds) if kind == "content_block_stop"]
    assert all(stop < start for stop, start in zip(stops, starts[1:], strict=False))


def test_a_call_that_waits_for_one_that_never_ends_is_told_at_the_end() -> None:
    found = said(
        START,
        CallStarted(0, "1", "f"),
        CallDelta(0, '{"a":'),
        CallStarted(1, "2", "g"),
        CallDelta(1, "{}"),
        Finished(Stop.MAX_TOKENS),
        Ended(None),
    )
    assert [each["content_block"]["id"] for each in found if "content_block" in each] == ["1", "2"]


def test_a_late_piece_of_a_call_that_was_told_is_dropped() -> None:
    found = content(CallStarted(0, "1", "f"), CallDelta(0, "{}"), TextDelta("a"), CallDelta(0, "x"))
    assert [block["type"] for block in found] == ["tool_use", "text"]


def test_seals_of_other_providers_come_back_in_the_next_request() -> None:
    found = content(
        ThinkingDelta("hm", SEAL),
        TextDelta("a"),
        TextDelta("", signature=SEAL),
        CallStarted(0, "1", "f", SEAL),
        CallDelta(0, '{"a":1}'),
        CallStarted(1, "2", "f"),
        CallDelta(1, "{}"),
    )
    assert Blocks().parts(found, "content") == [
        Thinking("hm", SEAL),
        Text("a", signature=SEAL),
        ToolCall("1", "f", '{"a":1}', SEAL),
        ToolCall("2", "f", "{}"),
    ]


def test_a_refusal_is_told_as_text_unless_there_is_some() -> None:
    message = received(encoded(START, RefusalDelta("I "), RefusalDelta("will not"), *END))
    assert [block.text for block in message.content if block.type == "text"] == ["I will not"]
    assert message.stop_reason == "refusal"
    delta = said(START, TextDelta("No"), RefusalDelta("I will not"), *END)[-2]["delta"]
    assert delta["stop_details"]["explanation"] == "I will not"
    assert content(TextDelta("No"), RefusalDelta("I will not"))[0]["text"] == "No"


def test_citations_stand_with_their_text_and_speech_is_its_words() -> None:
    found = content(
        SpeechDelta("AAAA"), SpeechDelta(transcript="hi"), Cited(Citation("https://a.example"))
    )
    assert found[0]["text"] == "hi"
    assert found[0]["citations"][0]["url"] == "https://a.example"
    assert content(Cited(Citation("https://a.example"))) == []


def test_only_the_first_of_several_choices_is_told() -> None:
    found = content(
        TextDelta("a"),
        TextDelta("b", choice=1),
        ThinkingDelta("c", choice=1),
        PartEnded(choice=1),
        Finished(Stop.MAX_TOKENS, choice=1),
    )
    assert found == [{"type": "text", "text": "a"}]


def test_a_stream_that_says_nothing_is_a_message() -> None:
    message = received(encoded(Ended(None)))
    assert (message.id, message.model, message.content) == ("msg_1f2e", "fast", [])
    assert message.stop_reason == "end_turn"
    assert content(START, TextDelta("")) == []


def test_a_failure_is_an_error_event_and_the_end() -> None:
    error = ProviderError(529, Fault.OVERLOADED, "Overloaded")
    data = encoded(START, TextDelta("a"), Failed(error), TextDelta("b"), Ended(None))
    assert data.endswith(
        b'event: error\ndata: {"type":"error","error":'
        b'{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    )
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        received(data)
    (failed,) = [event for event in decoded(data) if isinstance(event, Failed)]
    assert failed.error.fault is Fault.OVERLOADED


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
own_seal = st.builds(Signature, words, st.just(Dialect.ANTHROPIC))


@st.composite
def streams(draw: st.DrawFn) -> list[StreamEvent]:
    """As a provider of this dialect would tell it."""
    events: list[StreamEvent] = [Started("a1", "m", Usage(3, 0))]
    calls = 0
    for kind in draw(st.lists(st.sampled_from(["text", "thinking", "sealed", "call"]), max_size=5)):
        if kind == "text":
            events += [TextDelta(each) for each in draw(st.lists(words, min_size=1, max_size=3))]
        elif kind == "thinking":
            events += [ThinkingDelta(each) for each in draw(st.lists(words, max_size=3))]
            events.append(ThinkingDelta("", draw(own_seal)))
        elif kind == "sealed":
            events.append(ThinkingDelta("", draw(own_seal), is_redacted=True))
        else:
            events.append(CallStarted(calls, draw(words), draw(words)))
            events += [CallDelta(calls, piece) for piece in ('{"a":', json.dumps("é"), "}")]
            calls += 1
        events.append(PartEnded())
    return [*events, Finished(Stop.SEQUENCE, draw(words)), Ended(Usage(3, draw(st.integers(0, 9))))]


@given(streams())
def test_what_is_said_is_read_again_as_it_was(events: list[StreamEvent]) -> None:
    assert without_reports(decoded(encoded(*events))) == events
