"""Streams are read however they are cut, whoever's servers write them, and never past their end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.answer import (
    Answer,
    CallDelta,
    CallStarted,
    Candidate,
    Ended,
    Failed,
    Fault,
    Finished,
    ProviderError,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.identifiers import call_id
from extproc.llm.openai_chat.answers import decode_answer
from extproc.llm.openai_chat.stream_reader import Decoding
from extproc.llm.request import Text, Thinking, ToolCall
from gateway.usage import Usage
from tests.kit.cuts import cut
from tests.kit.folded import folded

SAMPLES = Path(__file__).parents[3] / "translations" / "openai_chat"
STREAMS = sorted((SAMPLES / "streams").glob("*.sse"))
WHOLE = [path for path in STREAMS if (SAMPLES / "answers" / f"{path.stem}.json").exists()]


def read(pieces: Iterable[bytes]) -> list[StreamEvent]:
    decoding = Decoding()
    events = [event for piece in pieces for event in decoding.feed(piece)]
    return events + list(decoding.end())


def chunk(**fields: object) -> bytes:
    return b"data: " + json.dumps({"id": "x", "model": "m", **fields}).encode() + b"\n\n"


def delta(delta: object, *, finish: str | None = None, **fields: object) -> bytes:
    return chunk(choices=[{"index": 0, "delta": delta, "finish_reason": finish, **fields}])


def call(**fields: object) -> bytes:
    return delta({"tool_calls": [fields]})


def parts(*pieces: bytes) -> tuple[object, ...]:
    answer = folded(read([*pieces, b"data: [DONE]\n\n"]))
    assert isinstance(answer, Answer)
    return answer.candidates[0].parts


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_a_stream_says_what_the_whole_answer_would(path: Path) -> None:
    answer = decode_answer((SAMPLES / "answers" / f"{path.stem}.json").read_bytes())
    assert folded(read([path.read_bytes()])) == answer


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_neither_cuts_nor_line_ends_matter(path: Path, line_end: bytes) -> None:
    data = path.read_bytes()
    events = read([data])
    data = data.replace(b"\n", line_end)
    for place in range(0, len(data), 7):
        assert read([data[:place], data[place:]]) == events
    assert read(data[place : place + 1] for place in range(len(data))) == events


@given(st.lists(st.integers(0)))
def test_characters_of_several_bytes_may_be_cut(places: list[int]) -> None:
    data = (SAMPLES / "streams" / "text.sse").read_bytes()
    assert read(cut(data, places)) == read([data])


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_a_stream_that_is_cut_off_fails(path: Path) -> None:
    data = path.read_bytes()
    for place in range(0, data.rindex(b"finish_reason", 0, data.rindex(b'"usage":{')), 11):
        events = read([data[:place]])
        assert isinstance(events[-1], Failed)
        assert events[-1].error.fault is Fault.SERVER
        assert sum(isinstance(event, Failed | Ended) for event in events) == 1


def test_a_provider_that_leaves_out_done_has_finished_all_the_same() -> None:
    data = (SAMPLES / "streams" / "choices.sse").read_bytes().removesuffix(b"data: [DONE]\n\n")
    events = read([data])
    assert [event.choice for event in events if isinstance(event, Finished)] == [0, 1]
    assert isinstance(events[-1], Ended)


def test_one_choice_that_is_not_finished_is_enough_to_fail() -> None:
    data = chunk(
        choices=[
            {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"},
            {"index": 1, "delta": {"content": "b"}, "finish_reason": None},
        ]
    )
    assert isinstance(read([data])[-1], Failed)


def test_done_finishes_what_nobody_said_is_finished() -> None:
    answer = folded(read([delta({"content": "a"}), b"data: [DONE]\n\n"]))
    assert answer == Answer("x", "m", (Candidate((Text("a"),), Stop.END),), None)


def test_nothing_follows_the_end() -> None:
    decoding = Decoding()
    assert len(decoding.feed(delta({"content": "a"}) + b"data: [DONE]\n\n")) == 4
    assert decoding.feed(delta({"content": "b"})) == []
    assert decoding.end() == []


@pytest.mark.parametrize(
    "told",
    [
        b'data: {"error":{"message":"busy","type":"server_error"}}\n\n',
        b'data: {"error":{"message":"busy","code":502},"choices":[]}\n\n',
        b'event: error\ndata: {"message":"busy"}\n\n',
        b'event: error\ndata: {"error":{"message":"busy"}}\n\n',
        b'data: {"object":"error","message":"busy"}\n\n',
        b'data: {"error":"busy"}\n\n',
        delta({}, finish="error", error={"message": "busy", "code": 502}),
    ],
)
def test_an_error_within_a_stream_fails_it(told: bytes) -> None:
    events = read([delta({"content": "a"}), told, delta({"content": "b"})])
    assert events[:2] == [Started("x", "m"), TextDelta("a")]
    failed = events[2]
    assert isinstance(failed, Failed)
    assert (failed.error.message, failed.error.fault) == ("busy", Fault.SERVER)
    assert failed.error.status in (500, 502)
    assert len(events) == 3


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b"data: <html>\n\n", b"<html>"])
def test_what_is_no_stream_fails(data: bytes) -> None:
    events = read([data])
    assert isinstance(events[-1], Failed)
    assert isinstance(folded(events), ProviderError)


def test_what_was_used_before_a_failure_is_known() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    events = read([chunk(choices=[], usage=usage), delta({"content": "a"})])
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.usage is not None
    assert replace(failed.usage, reported=()) == Usage(9, 1)


@pytest.mark.parametrize("place", range(3))
def test_usage_is_read_wherever_it_is_told(place: int) -> None:
    told: dict[str, object] = {"usage": {"prompt_tokens": 9}, "service_tier": "flex"}
    first: dict[str, object] = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
    last: dict[str, object] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    chunks = [first, last, {"choices": []}]
    chunks[place] |= told
    decoding = Decoding()
    events = decoding.feed(b"".join([chunk(**each) for each in chunks]) + b"data: [DONE]\n\n")
    assert decoding.usage == Usage(9, 0, service_tier="flex", reported=(("prompt_tokens", 9),))
    assert events[-1] == Ended(decoding.usage)


def test_azures_word_on_the_prompt_is_no_start() -> None:
    told = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{}]}
    events = read([chunk(**told), delta({"content": "a"})])
    assert events[0] == Started("x", "m")


def test_events_of_other_kinds_are_passed_over() -> None:
    events = read(
        [b": ping\n\n", b'event: ping\ndata: {"type":"ping"}\n\n', delta({"content": "a"})]
    )
    assert TextDelta("a") in events


def test_calls_of_one_index_with_ids_of_their_own_are_several() -> None:
    told = [
        call(index=0, id=name, function={"name": name, "arguments": '{"n":1}'})
        for name in ("one", "two")
    ]
    assert parts(*told) == (ToolCall("one", "one", '{"n":1}'), ToolCall("two", "two", '{"n":1}'))


def test_an_id_that_is_repeated_is_the_same_call() -> None:
    told = [
        call(index=0, id="one", function={"name": "f", "arguments": piece})
        for piece in ('{"n"', ":1}")
    ]
    assert parts(*told) == (ToolCall("one", "f", '{"n":1}'),)


def test_a_call_without_index_or_id_is_told_apart_all_the_same() -> None:
    told = (
        call(id="one", function={"name": "f", "arguments": '{"n"'}),
        call(function={"arguments": ":1}"}),
        call(id="two", function={"name": "g", "arguments": ""}),
    )
    assert parts(*told) == (ToolCall("one", "f", '{"n":1}'), ToolCall("two", "g", "{}"))
    named = call(index=0, function={"name": "f", "arguments": "{}"})
    assert parts(named) == (ToolCall(call_id("x/0", 0), "f", "{}"),)


def test_arguments_wait_for_the_name() -> None:
    events = read(
        [
            call(index=0, id="one", function={"arguments": '{"n'}),
            call(index=0, function={"name": "f", "arguments": '":'}),
            call(index=0, function={"arguments": "1}"}),
        ]
    )
    assert events[1:4] == [
        CallStarted(0, "one", "f"),
        CallDelta(0, '{"n":'),
        CallDelta(0, "1}"),
    ]


def test_arguments_that_are_json_already_are_spelled() -> None:
    told = call(index=0, id="one", function={"name": "f", "arguments": {"n": [1, "é"]}})
    assert parts(told) == (ToolCall("one", "f", '{"n":[1,"é"]}'),)


def test_the_legacy_function_call_is_a_call() -> None:
    told = (
        delta({"function_call": {"name": "f", "arguments": ""}}),
        delta({"function_call": {"arguments": '{"n":1}'}}),
        delta({}, finish="function_call"),
    )
    answer = folded(read([*told, b"data: [DONE]\n\n"]))
    assert isinstance(answer, Answer)
    call = ToolCall(call_id("x/0", 0), "f", '{"n":1}')
    assert answer.candidates == (Candidate((call,), Stop.TOOL_CALLS),)


def test_reasoning_that_is_told_twice_is_read_once() -> None:
    both = delta({"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]})
    assert parts(both, both) == (Thinking("aa"),)
    assert parts(
        delta({"reasoning_content": "a"}),
        delta({"reasoning_content": "b"}),
        delta({"reasoning_details": [{"type": "reasoning.text", "text": "ab"}]}),
        delta({"reasoning_content": "c"}),
    ) == (Thinking("ab"), Thinking("c"))
    summary = delta({"reasoning_details": [{"type": "reasoning.summary", "summary": "s"}]})
    assert parts(summary) == (Thinking("s"),)


def test_mistrals_reasoning_is_part_of_the_content() -> None:
    told = delta(
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "Paris"},
                7,
            ]
        }
    )
    assert parts(told) == (Thinking("hm"), Text("Paris"))


@pytest.mark.parametrize(
    "odd",
    [
        {"content": 7, "refusal": [], "tool_calls": {}, "audio": "", "annotations": 1},
        {"tool_calls": [7, {}, {"index": "a", "function": 1}], "function_call": 1},
        {"reasoning_details": [7, {}, {"type": "x"}, {"type": "reasoning.encrypted"}]},
        {"reasoning_content": {}, "extra_content": {"google": 1}, "annotations": [{}, 1]},
        7,
        None,
    ],
)
def test_what_is_odd_is_passed_over(odd: object) -> None:
    assert parts(delta({"content": "a"}), delta(odd), delta({"content": "b"})) == (Text("ab"),)


def test_odd_choices_are_passed_over() -> None:
    odd = chunk(choices=[7, {"index": "a", "delta": {"content": "b"}}, {}])
    assert parts(delta({"content": "a"}), odd) == (Text("ab"),)


def test_an_event_without_end_fails() -> None:
    decoding = Decoding()
    events: list[StreamEvent] = []
    for _ in range(40):
        events += decoding.feed(b"data: " + b"x" * (1 << 20))
    assert [type(event) for event in events] == [Failed]


def test_text_goes_on_after_reasoning() -> None:
    events = read([delta({"reasoning_content": "a"}), delta({"content": "b"})])
    assert events[1:3] == [ThinkingDelta("a"), TextDelta("b")]
