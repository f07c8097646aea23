from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    RefusalDelta,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.openai_responses.stream_reader import ResponsesDecoding
from extproc.llm.request import Signature
from gateway.model import Dialect
from tests.kit import responses as kit
from tests.kit.cuts import cut

STARTED = Started("resp_68c2a1", "gpt-5-mini-2025-08-07")
SEALED = Signature("gAAAAABo1sealed==", Dialect.OPENAI_RESPONSES)


def read(*pieces: bytes) -> list[StreamEvent]:
    decoding = ResponsesDecoding()
    told = [event for piece in pieces for event in decoding.feed(piece)]
    return [*told, *decoding.end()]


def sample(name: str) -> bytes:
    return (kit.SAMPLES / "streams" / f"{name}.sse").read_bytes()


def stream(*events: dict[str, object]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def told(name: str) -> list[StreamEvent]:
    """Of a sample, without its beginning and its usage."""
    first, *rest, last = read(sample(name))
    assert first == STARTED
    assert isinstance(last, Ended)
    assert last.usage is not None
    return rest


def test_texts_are_told_in_pieces() -> None:
    assert told("text") == [
        TextDelta("Par"),
        TextDelta("is"),
        TextDelta(", ville lumière 🗼"),
        PartEnded(),
        Finished(Stop.END),
    ]


def test_calls_that_take_turns_are_kept_apart() -> None:
    assert told("parallel_calls") == [
        TextDelta("Let me "),
        TextDelta("look."),
        PartEnded(),
        CallStarted(0, "call_paris", "get_weather"),
        CallStarted(1, "call_rome", "get_weather"),
        CallDelta(0, '{"ci'),
        CallDelta(1, '{"city"'),
        CallDelta(0, 'ty":"Paris"}'),
        CallDelta(1, ':"Rome"}'),
        PartEnded(),
        Finished(Stop.TOOL_CALLS),
    ]


def test_reasoning_ends_with_its_seal() -> None:
    thinking = [event for event in told("reasoning") if isinstance(event, ThinkingDelta)]
    assert "".join(event.text for event in thinking) == (
        "**Counting**\n\nI go through the numbers.\n\n**Checking**\n\n25 it is."
    )
    assert thinking[-1] == ThinkingDelta("", SEALED)


def test_reasoning_that_is_only_sealed_is_told() -> None:
    assert told("reasoning_sealed")[:2] == [ThinkingDelta("", SEALED, True), PartEnded()]


def test_reasoning_itself_is_told() -> None:
    assert told("reasoning_text")[:3] == [
        ThinkingDelta("2, 3, "),
        ThinkingDelta("5, 7."),
        PartEnded(),
    ]


def test_of_reasoning_and_its_summary_one_is_told() -> None:
    events = read(
        stream(
            {"type": "response.reasoning_text.delta", "output_index": 0, "delta": "long"},
            {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "short"},
            {"type": "response.completed", "response": {}},
        )
    )
    assert ThinkingDelta("long") in events
    assert ThinkingDelta("short") not in events


def test_refusals_are_told() -> None:
    assert told("refusal") == [
        RefusalDelta("I cannot "),
        RefusalDelta("help with that."),
        PartEnded(),
        Finished(Stop.REFUSAL),
    ]


@pytest.mark.parametrize(
    ("name", "stop"),
    [("max_tokens", Stop.MAX_TOKENS), ("content_filter", Stop.CONTENT_FILTER)],
)
def test_answers_that_were_cut_say_why(name: str, stop: Stop) -> None:
    assert told(name)[-1] == Finished(stop)


def test_citations_follow_their_text() -> None:
    assert told("citations")[2] == Cited(Citation("https://atlas.example/france", "France", 0, 5))


def test_citations_that_come_late_are_told_once() -> None:
    at = {"output_index": 0, "content_index": 0}
    first = {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}
    second = {**first, "url": "https://b.example"}
    events = read(
        stream(
            {"type": "response.output_text.delta", **at, "delta": "ab"},
            {"type": "response.output_text.annotation.added", **at, "annotation": first},
            {
                "type": "response.content_part.done",
                **at,
                "part": {"text": "ab", "annotations": [first, second]},
            },
            {"type": "response.output_text.delta", **at, "content_index": 1, "delta": "cd"},
            {
                "type": "response.output_text.annotation.added",
                **at,
                "content_index": 1,
                "annotation": first,
            },
            {"type": "response.completed", "response": {}},
        )
    )
    cited = [event.citation for event in events if isinstance(event, Cited)]
    assert cited == [
        Citation("https://a.example", "A", 0, 1),
        Citation("https://b.example", "A", 0, 1),
        Citation("https://a.example", "A", 2, 3),
    ]


def test_logprobs_come_with_their_text() -> None:
    first = told("logprobs")[0]
    assert isinstance(first, TextDelta)
    assert first.logprobs[0].top[1].token == "Lon"


def test_calls_of_custom_tools_are_calls_with_one_argument() -> None:
    call, *deltas = told("custom_tool_call")
    assert call == CallStarted(0, "call_sum", "math")
    said = "".join(event.arguments for event in deltas if isinstance(event, CallDelta))
    assert json.loads(said) == {"input": "4 + 5"}


def test_items_that_come_whole_are_told_when_they_are_done() -> None:
    def done(index: int, **item: object) -> dict[str, object]:
        return {"type": "response.output_item.done", "output_index": index, "item": item}

    text = {"type": "output_text", "text": "a"}
    events = read(
        stream(
            done(0, type="message", content=[text]),
            done(1, type="function_call", call_id="c", name="get", arguments="{}"),
            done(2, type="web_search_call"),
            {"type": "response.completed", "response": {}},
        )
    )
    assert events == [
        Started("", ""),
        TextDelta("a"),
        PartEnded(),
        CallStarted(0, "c", "get"),
        CallDelta(0, "{}"),
        PartEnded(),
        Finished(Stop.TOOL_CALLS),
        Ended(None),
    ]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "get", "arguments": ""}
    events = read(
        stream(
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {}},
        )
    )
    assert events[1:4] == [CallStarted(0, "c", "get"), CallDelta(0, "{}"), PartEnded()]


def test_a_response_that_comes_whole_is_told() -> None:
    body = json.loads((kit.SAMPLES / "answers" / "reasoning.json").read_bytes())
    events = read(stream({"type": "response.completed", "response": body}))
    assert [type(event) for event in events] == [
        Started,
        ThinkingDelta,
        PartEnded,
        TextDelta,
        PartEnded,
        Finished,
        Ended,
    ]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("failed", Fault.SERVER),
        ("error", Fault.RATE_LIMIT),
        ("truncated", Fault.SERVER),
    ],
)
def test_streams_that_break_say_so(name: str, fault: Fault) -> None:
    events = read(sample(name))
    assert isinstance(events[-1], Failed)
    assert events[-1].error.fault is fault
    assert events[1] == TextDelta("Par")


def test_what_is_no_json_breaks_the_stream() -> None:
    (failed,) = read(b"data: {\n\n")
    assert isinstance(failed, Failed)


def test_an_event_without_an_end_breaks_the_stream() -> None:
    decoding = ResponsesDecoding()
    assert decoding.feed(b"data: " + b"x" * (1 << 20)) == []
    (failed,) = decoding.feed(b"x" * (32 << 20))
    assert isinstance(failed, Failed)
    assert decoding.end() == ()


@pytest.mark.parametrize("name", ["text", "failed"])
def test_nothing_follows_the_end(name: str) -> None:
    decoding = ResponsesDecoding()
    decoding.feed(sample(name))
    assert decoding.feed(sample(name)) == ()
    assert decoding.end() == ()


def test_done_and_unknown_events_are_passed_over() -> None:
    noise = stream({"type": "response.something_new"}, {"no": "type"}) + b"data: [DONE]\n\n"
    assert read(noise + sample("text") + noise) == read(sample("text"))


@pytest.mark.parametrize("path", kit.STREAMS, ids=lambda path: path.stem)
def test_a_stream_may_be_cut_at_every_byte(path: Path) -> None:
    data = path.read_bytes()
    whole = read(data)
    assert read(*(data[index : index + 1] for index in range(len(data)))) == whole


@given(st.lists(st.integers(0), max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_neither_cuts_nor_line_ends_matter(places: list[int], line_end: bytes) -> None:
    for name in ("text", "parallel_calls"):
        data = sample(name).replace(b"\n", line_end)
        assert read(*cut(data, places)) == read(sample(name))


@pytest.mark.parametrize("path", kit.STREAMS, ids=lambda path: path.stem)
def test_a_stream_that_ends_anywhere_ends_once(path: Path) -> None:
    data = path.read_bytes()
    for end in range(0, len(data), 97):
        events = read(data[:end])
        ends = [event for event in events if isinstance(event, Ended | Failed)]
        assert ends == events[-1:]
