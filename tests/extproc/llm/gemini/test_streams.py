"""Streams, cut anywhere, both ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from google.genai import types
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
    ProviderError,
    RefusalDelta,
    SpeechDelta,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.dialect import Asked
from extproc.llm.gemini.streams import GeminiArrayEncoding, GeminiDecoding, GeminiEncoding
from extproc.llm.request import Signature
from extproc.protocols.sse import LARGEST_EVENT_BYTES
from gateway.model import Dialect
from gateway.usage import Usage

SAMPLES = Path(__file__).parents[3] / "translations" / "gemini" / "streams"
STREAMS = {path.stem: path.read_bytes() for path in sorted(SAMPLES.glob("*.sse"))}
ASKED = Asked("fast", "answer-1", 0)


def decode(pieces: Sequence[bytes]) -> list[StreamEvent]:
    decoding = GeminiDecoding()
    found = [event for piece in pieces for event in decoding.feed(piece)]
    found.extend(decoding.end())
    assert list(decoding.feed(b"data: {}\n\n")) == list(decoding.end()) == []
    return found


def encode(events: Sequence[StreamEvent]) -> bytes:
    encoding = GeminiEncoding(ASKED)
    return b"".join([encoding.feed(event) for event in events])


def pieces_of(stream: bytes) -> list[types.GenerateContentResponse]:
    return [
        types.GenerateContentResponse.model_validate_json(event.removeprefix(b"data: "))
        for event in stream.strip().split(b"\n\n")
    ]


def piece(*parts: dict[str, object], **candidate: object) -> bytes:
    said = {"candidates": [{"content": {"parts": list(parts)}, "index": 0, **candidate}]}
    return b"data: " + json.dumps({**said, "responseId": "s1"}).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("name", STREAMS)
def test_cuts_do_not_matter(name: str) -> None:
    stream = STREAMS[name]
    whole = decode([stream])
    assert decode([stream[place : place + 1] for place in range(len(stream))]) == whole
    for place in range(0, len(stream), 7):
        assert decode([stream[:place], stream[place:]]) == whole


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_line_ends_do_not_matter(name: str, end: bytes) -> None:
    assert decode([STREAMS[name].replace(b"\r\n", end)]) == decode([STREAMS[name]])


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "error_midway"])
def test_samples_survive_and_google_reads_them(name: str) -> None:
    """Citations come at the end, calls whole; else nothing moves."""
    events = decode([STREAMS[name]])
    stream = encode(events)
    pieces_of(stream)
    again = decode([stream])
    assert texts(again) == texts(events)
    assert calls(again) == calls(events)
    for kind in (Finished, Cited):
        assert [each for each in again if isinstance(each, kind)] == [
            each for each in events if isinstance(each, kind)
        ]


def texts(events: Sequence[StreamEvent]) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for event in events:
        if isinstance(event, TextDelta | ThinkingDelta) and event.text:
            key = (type(event).__name__, event.choice)
            found[key] = found.get(key, "") + event.text
    return found


def calls(events: Sequence[StreamEvent]) -> list[StreamEvent]:
    return [event for event in events if isinstance(event, CallStarted | CallDelta)]


def test_a_text() -> None:
    events = decode([STREAMS["text"]])
    assert events[0] == Started("s1", "gemini-2.5-flash", Usage(9, 0, reported=(
        ("promptTokenCount", 9), ("totalTokenCount", 9))))  # fmt: skip
    assert texts(events) == {("TextDelta", 0): "Paris – für Köln 🌉."}
    assert events[-2] == Finished(Stop.END)
    last = events[-1]
    assert isinstance(last, Ended)
    assert last.usage is not None
    assert (last.usage.input_tokens, last.usage.output_tokens) == (9, 8)


def test_thoughts_come_before_and_the_seal_last() -> None:
    kinds = [type(event) for event in decode([STREAMS["reasoning"]])]
    assert kinds == [
        Started, ThinkingDelta, ThinkingDelta, TextDelta, TextDelta, TextDelta, PartEnded,
        Finished, Ended,
    ]  # fmt: skip


def test_calls_are_numbered_and_end_the_answer() -> None:
    events = decode([STREAMS["parallel_calls"]])
    started = [event for event in events if isinstance(event, CallStarted)]
    assert [(event.number, event.call_id) for event in started] == [(0, "fc_a"), (1, "fc_b")]
    assert started[0].signature is not None
    assert Finished(Stop.TOOL_CALLS) in events


def test_each_candidate_finishes() -> None:
    events = decode([STREAMS["two_candidates"]])
    assert texts(events) == {("TextDelta", 0): "Paris.", ("TextDelta", 1): "It is Paris."}
    assert [event for event in events if isinstance(event, Finished)] == [
        Finished(Stop.END, choice=0),
        Finished(Stop.END, choice=1),
    ]


def test_a_blocked_prompt_is_a_filtered_answer() -> None:
    assert [type(event) for event in decode([STREAMS["prompt_blocked"]])] == [
        Started, Finished, Ended,
    ]  # fmt: skip


def test_sources_are_of_characters_of_the_whole_text() -> None:
    (cited,) = [event for event in decode([STREAMS["citations"]]) if isinstance(event, Cited)]
    assert cited.citation == Citation("https://example.com/koeln", "Köln", 0, 20)


def test_an_error_midway_is_the_end() -> None:
    last = decode([STREAMS["error_midway"]])[-1]
    assert isinstance(last, Failed)
    assert (last.error.status, last.error.fault) == (503, Fault.OVERLOADED)
    assert last.usage is not None


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        piece({"text": "Par"}),
        piece({"text": "Par"})[:-9],
        b"data: {\n\n",
        b'{"error": {"code": 500}}',
        piece({"text": "a"}, finishReason="FINISH_REASON_UNSPECIFIED"),
    ],
)
def test_streams_that_break_off_fail(stream: bytes) -> None:
    events = decode([stream])
    assert isinstance(events[-1], Failed)
    assert not any(isinstance(event, Finished | Ended) for event in events)


def test_an_event_without_end_fails() -> None:
    decoding = GeminiDecoding()
    (failed,) = decoding.feed(b"data: " + b"x" * (LARGEST_EVENT_BYTES + 1))
    assert isinstance(failed, Failed)


def test_a_reason_in_every_piece_does_not_end_the_stream() -> None:
    events = decode([piece({"text": "a"}, finishReason="STOP"), piece({"text": "b"})])
    assert [type(event) for event in events] == [Started, TextDelta, TextDelta, Finished, Ended]


def test_what_is_not_known_is_passed_over() -> None:
    events = decode([piece({"new": 1}, {"text": ""}, finishReason="STOP"), b": hi\n\n"])
    assert [type(event) for event in events] == [Started, Finished, Ended]


BROKEN = Failed(ProviderError(500, Fault.SERVER, "x"))
CALLS = [
    Started("a", "m"),
    ThinkingDelta("hm"),
    ThinkingDelta("", Signature("c2VhbA==", Dialect.ANTHROPIC)),
    PartEnded(),
    CallStarted(0, "c1", "f"),
    CallStarted(1, "c2", "g"),
    CallDelta(0, '{"a":'),
    CallDelta(1, '{"b":"ü'),
    CallDelta(0, "1}"),
    CallDelta(1, '"}'),
    PartEnded(),
    Finished(Stop.TOOL_CALLS),
    Ended(Usage(5, 6)),
]


def test_arguments_in_pieces_become_whole_calls() -> None:
    read = pieces_of(encode(CALLS))
    found = [call for each in read for call in each.function_calls or ()]
    assert [(call.id, call.name, call.args) for call in found] == [
        ("c1", "f", {"a": 1}),
        ("c2", "g", {"b": "ü"}),
    ]
    last = read[-1]
    assert last.candidates is not None
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    assert last.usage_metadata is not None
    assert last.usage_metadata.total_token_count == 11
    assert {each.response_id for each in read} == {"a"}


def test_calls_come_before_the_text_that_follows_them() -> None:
    events = [CallStarted(0, "c", "f"), CallDelta(0, "{}"), TextDelta("done"), Finished(Stop.END)]
    (said, _) = pieces_of(encode([*events, Ended(None)]))
    assert said.candidates is not None
    content = said.candidates[0].content
    assert content is not None
    assert content.parts is not None
    assert [part.text for part in content.parts] == [None, "done"]


def test_calls_that_are_cut_off_are_malformed() -> None:
    events = [CallStarted(0, "c", "f"), CallDelta(0, '{"a'), Finished(Stop.TOOL_CALLS), Ended(None)]
    (said,) = pieces_of(encode(events))
    assert said.candidates is not None
    assert said.candidates[0].finish_reason == types.FinishReason.MALFORMED_FUNCTION_CALL
    assert said.function_calls is None


def test_other_parts_are_said_too() -> None:
    read = pieces_of(
        encode(
            [
                Started("", ""),
                RefusalDelta("no"),
                SpeechDelta("QUJD", "hi"),
                TextDelta("x", signature=Signature("QUJD", Dialect.GEMINI)),
                Cited(Citation("https://a", "A", 0, 1)),
                Finished(Stop.REFUSAL),
                Ended(None),
            ]
        )
    )
    assert [each.text for each in read[:3]] == ["no", "hi", "x"]
    last = read[-1].candidates
    assert last is not None
    assert last[0].grounding_metadata is not None
    assert read[0].response_id == "answer-1"
    assert read[0].model_version == "fast"


def test_a_failure_is_an_error_of_googles() -> None:
    failed = Failed(ProviderError(503, Fault.OVERLOADED, "busy"))
    stream = encode([Started("a", "m"), TextDelta("x"), failed])
    last = decode([stream])[-1]
    assert isinstance(last, Failed)
    assert last.error.fault is Fault.OVERLOADED
    assert last.error.message == "busy"


@pytest.mark.parametrize("events", [CALLS, [*CALLS[:2], BROKEN]])
def test_the_array_holds_the_same_pieces(events: list[StreamEvent]) -> None:
    encoding = GeminiArrayEncoding(ASKED)
    stream = b"".join([encoding.feed(event) for event in events])
    array = json.loads(stream)
    assert array == [
        json.loads(event.removeprefix(b"data: ")) for event in encode(events).strip().split(b"\n\n")
    ]


def test_an_array_of_nothing_but_a_failure_is_one() -> None:
    (only,) = json.loads(
        GeminiArrayEncoding(ASKED).feed(Failed(ProviderError(429, Fault.RATE_LIMIT, "x")))
    )
    assert only["error"]["status"] == "RESOURCE_EXHAUSTED"


DELTAS = st.one_of(
    st.builds(TextDelta, st.text(min_size=1), st.integers(0, 1)),
    st.builds(lambda text, choice: ThinkingDelta(text, choice=choice), st.text(min_size=1),
              st.integers(0, 1)),
)  # fmt: skip


@given(st.lists(DELTAS, max_size=8), st.lists(st.integers(0, 2000), max_size=5))
def test_what_is_written_is_read_as_the_same_however_it_is_cut(
    deltas: list[StreamEvent], cuts: list[int]
) -> None:
    events = [Started("a", "m"), *deltas, Finished(Stop.END), Finished(Stop.MAX_TOKENS, choice=1)]
    stream = encode([*events, Ended(Usage(1, 2))])
    places = sorted({0, len(stream), *[cut % (len(stream) + 1) for cut in cuts]})
    read = decode([stream[a:b] for a, b in pairwise(places)])
    assert texts(read) == texts(events)
    assert {event for event in read if isinstance(event, Finished)} == set(events[-2:])
