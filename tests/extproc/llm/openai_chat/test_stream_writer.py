"""Streams are written as OpenAI writes them, chunk by chunk."""

from __future__ import annotations

import json
from typing import Any

import pytest
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
    Logprob,
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
from extproc.llm.openai_chat.stream_writer import Encoding
from extproc.llm.request import Signature
from extproc.protocols.sse import SseDecoder
from gateway.model import Dialect
from gateway.usage import Usage

ASKED = Asked("fast", "abc-1", 1700000000)
SILENT = replace(ASKED, includes_usage=False)
LEGACY = replace(SILENT, document={"functions": [{"name": "f"}]})
START = Started("x", "m")
SEAL = Signature("s", Dialect.OPENAI_CHAT)


def write(*events: StreamEvent, asked: Asked = ASKED) -> list[Any]:
    """What the events become, each in its turn."""
    encoding = Encoding(asked)
    decoder = SseDecoder()
    datas = [each.data for event in events for each in decoder.feed(encoding.feed(event))]
    return [data if data == b"[DONE]" else json.loads(data) for data in datas]


def choices(*events: StreamEvent, asked: Asked = SILENT) -> list[Any]:
    """The choices of the chunks after the first, which says whose they are."""
    return [chunk["choices"][0] for chunk in write(START, *events, asked=asked)[1:]]


def deltas(*events: StreamEvent, asked: Asked = SILENT) -> list[Any]:
    return [choice["delta"] for choice in choices(*events, asked=asked)]


def test_a_stream_begins_with_its_role_and_ends_with_its_usage() -> None:
    shared = {"id": "x", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}

    def chunk(delta: object, reason: str | None = None) -> object:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**shared, "choices": [choice], "usage": None}

    first, text, last, used, done = write(
        START, TextDelta("é\n"), Finished(Stop.MAX_TOKENS), Ended(Usage(9, 4, service_tier="flex"))
    )
    assert first == chunk({"role": "assistant", "content": "", "refusal": None})
    assert text == chunk({"content": "é\n"})
    assert last == chunk({}, "length")
    assert used["choices"] == []
    assert used["usage"]["total_tokens"] == 13
    assert used["service_tier"] == "flex"
    assert done == b"[DONE]"


def test_usage_that_nobody_asked_for_is_not_told() -> None:
    found = write(START, TextDelta("a"), Finished(Stop.END), Ended(Usage(9, 4)), asked=SILENT)
    assert found[-1] == b"[DONE]"
    assert all("usage" not in chunk for chunk in found[:-1])
    assert len(found) == 4


def test_usage_that_nobody_knows_is_not_told_either() -> None:
    assert write(START, Ended(None))[1:] == [b"[DONE]"]


def test_a_stream_without_names_is_given_ours() -> None:
    chunk = write(Started("", ""))[0]
    assert (chunk["id"], chunk["model"]) == ("chatcmpl-abc-1", "fast")


def test_every_choice_says_whose_it_is_first() -> None:
    found = choices(TextDelta("a"), TextDelta("b", 1), TextDelta("c", 1), Finished(Stop.END, "", 2))
    assert [(each["index"], each["delta"].get("role")) for each in found] == [
        (0, None),
        (1, "assistant"),
        (1, None),
        (1, None),
        (2, "assistant"),
        (2, None),
    ]


def test_calls_are_told_apart_by_their_index() -> None:
    assert deltas(
        CallStarted(0, "1", "f", SEAL),
        CallStarted(1, "2", "g"),
        CallDelta(0, '{"a"'),
        CallDelta(1, "{}"),
    ) == [
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": ""},
                    "extra_content": {"google": {"thought_signature": "s"}},
                }
            ]
        },
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "2",
                    "type": "function",
                    "function": {"name": "g", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
    ]


def test_a_call_without_arguments_has_an_empty_object_of_them() -> None:
    def call(number: int, arguments: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": number, "function": {"arguments": arguments}}]}

    started = CallStarted(0, "a", "now")
    done = Finished(Stop.TOOL_CALLS)
    assert deltas(started, PartEnded(), done)[1:] == [call(0, "{}"), {}]
    assert deltas(started, CallDelta(0, ""), done)[1:] == [call(0, ""), call(0, "{}"), {}]
    assert deltas(started, CallDelta(0, "{}"), PartEnded(), done)[1:] == [call(0, "{}"), {}]
    in_turns = (started, CallStarted(1, "b", "then"), PartEnded(), CallDelta(0, '{"a":1}'), done)
    assert deltas(*in_turns)[2:] == [call(1, "{}"), call(0, '{"a":1}'), {}]
    legacy = deltas(started, PartEnded(), Finished(Stop.TOOL_CALLS), asked=LEGACY)
    assert legacy[1:] == [{"function_call": {"arguments": "{}"}}, {}]


def test_a_legacy_client_is_told_the_first_call() -> None:
    events = (
        CallStarted(0, "1", "f"),
        CallStarted(1, "2", "g"),
        CallDelta(0, "{}"),
        CallDelta(1, "{}"),
        Finished(Stop.TOOL_CALLS),
    )
    found = choices(*events, asked=LEGACY)
    assert [each["delta"] for each in found] == [
        {"function_call": {"name": "f"}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    assert found[-1]["finish_reason"] == "function_call"


def sealed(text: str, index: int) -> dict[str, object]:
    return {"type": "reasoning.text", "text": text, "signature": "s", "index": index}


def test_a_seal_comes_with_all_that_it_seals() -> None:
    assert deltas(
        ThinkingDelta("a"),
        ThinkingDelta("b"),
        ThinkingDelta("", SEAL),
        PartEnded(),
        ThinkingDelta("c", SEAL),
    ) == [
        {"reasoning_content": "a"},
        {"reasoning_content": "b"},
        {"reasoning_details": [sealed("ab", 0)]},
        {"reasoning_content": "c"},
        {"reasoning_details": [sealed("c", 1)]},
    ]


def test_reasoning_without_a_seal_is_closed_where_it_ends() -> None:
    assert deltas(ThinkingDelta("a"), PartEnded(), PartEnded(), TextDelta("b"), PartEnded()) == [
        {"reasoning_content": "a"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]},
        {"content": "b"},
    ]


@pytest.mark.parametrize(
    "event", [TextDelta("yes"), CallStarted(0, "c", "f"), RefusalDelta("no"), SpeechDelta("QQ==")]
)
def test_reasoning_without_a_seal_is_closed_where_anything_else_begins(event: StreamEvent) -> None:
    first, closed, other = deltas(ThinkingDelta("hm"), event)
    assert first == {"reasoning_content": "hm"}
    assert closed == {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}]}
    assert not other.keys() & {"reasoning_content", "reasoning_details"}


def test_hidden_reasoning_comes_after_what_was_shown_before_it() -> None:
    told = deltas(ThinkingDelta("hm"), ThinkingDelta("", SEAL, is_redacted=True), PartEnded())
    details = [delta["reasoning_details"][0] for delta in told[1:]]
    assert [each["type"] for each in details] == ["reasoning.text", "reasoning.encrypted"]
    assert [each["index"] for each in details] == [0, 1]


def test_hidden_reasoning_is_data_and_seals_of_others_are_marked() -> None:
    foreign = Signature("s", Dialect.ANTHROPIC)
    data = "dragoman:anthropic:s"
    assert deltas(ThinkingDelta("", foreign, is_redacted=True)) == [
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": data, "index": 0}]}
    ]
    assert deltas(ThinkingDelta("")) == []


def test_everything_else_has_its_place_in_the_delta() -> None:
    speech = SpeechDelta("AAAA", "a", "audio_1", 7)
    cited = Cited(Citation("https://a.example/", "t", 0, 1))
    refusal, spoken, citation, text = deltas(
        RefusalDelta("no"), speech, cited, TextDelta("a", signature=SEAL)
    )
    assert refusal == {"refusal": "no"}
    assert spoken == {
        "audio": {"id": "audio_1", "data": "AAAA", "transcript": "a", "expires_at": 7}
    }
    assert citation["annotations"][0]["url_citation"]["url"] == "https://a.example/"
    assert text == {"content": "a", "extra_content": {"google": {"thought_signature": "s"}}}


def test_logprobs_stand_beside_the_delta() -> None:
    (found,) = choices(TextDelta("é", logprobs=(Logprob("é", -0.5),)))
    assert found["delta"] == {"content": "é"}
    assert found["logprobs"]["content"] == [
        {"token": "é", "logprob": -0.5, "bytes": [195, 169], "top_logprobs": []}
    ]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((RefusalDelta("no"), Finished(Stop.REFUSAL)), "stop"),
        ((TextDelta("a"), Finished(Stop.REFUSAL)), "content_filter"),
        ((TextDelta("a"), Finished(Stop.SEQUENCE, "END")), "stop"),
    ],
)
def test_the_last_chunk_says_why(events: tuple[StreamEvent, ...], reason: str) -> None:
    last = choices(*events)[-1]
    assert last["finish_reason"] == reason
    stop = events[-1]
    assert isinstance(stop, Finished)
    assert last.get("stop_reason", "") == stop.sequence


def test_a_failure_is_an_error_that_openais_library_raises() -> None:
    error = ProviderError(503, Fault.OVERLOADED, "busy")
    for events in ((START, TextDelta("a"), Failed(error)), (Failed(error),)):
        assert write(*events)[-1] == {
            "error": {
                "message": "busy",
                "type": "service_unavailable_error",
                "param": None,
                "code": "overloaded",
            }
        }
