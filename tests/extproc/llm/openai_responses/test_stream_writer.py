from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from openai import OpenAI
from openai.lib.streaming.responses import ResponseStream
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

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
from extproc.llm.openai_responses.sealed import on_call, on_text
from extproc.llm.openai_responses.stream_writer import ResponsesEncoding
from extproc.llm.request import Signature
from gateway.model import Dialect
from gateway.usage import Usage
from tests.kit import responses as kit

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
STARTED = Started("resp_1", "m")
SEAL = Signature("abc", Dialect.GEMINI)


def said(*events: StreamEvent, asked: Asked = kit.ASKED) -> list[dict[str, Any]]:
    encoding = ResponsesEncoding(asked)
    told = kit.events(b"".join(map(encoding.feed, events)))
    for number, event in enumerate(told):
        EVENT.validate_python(event)
        assert event["sequence_number"] == number
    return told


def kinds(told: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in told]


def output(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told[-1]["response"]["output"]
    return found


def test_a_text_is_announced_told_and_repeated() -> None:
    told = said(
        STARTED,
        TextDelta("Par"),
        TextDelta("is"),
        PartEnded(),
        Finished(Stop.END),
        Ended(Usage(3, 2)),
    )
    assert kinds(told) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert told[6]["text"] == "Paris"
    assert told[-1]["response"]["usage"]["total_tokens"] == 5
    assert {event["item_id"] for event in told[3:8]} == {told[2]["item"]["id"]}


def test_texts_in_a_row_are_parts_of_one_message() -> None:
    ends = (Finished(Stop.END), Ended(None))
    told = said(STARTED, TextDelta("a"), PartEnded(), TextDelta("b"), *ends)
    (message,) = output(told)
    assert [part["text"] for part in message["content"]] == ["a", "b"]
    deltas = [event for event in told if event["type"] == "response.output_text.delta"]
    assert [event["content_index"] for event in deltas] == [0, 1]


def test_calls_may_take_turns() -> None:
    told = said(
        STARTED,
        CallStarted(0, "c0", "get"),
        CallStarted(1, "c1", "put"),
        CallDelta(0, '{"a"'),
        CallDelta(1, "{}"),
        PartEnded(),
        CallDelta(0, ":1}"),
        Finished(Stop.TOOL_CALLS),
        Ended(None),
    )
    assert [(item["call_id"], item["arguments"]) for item in output(told)] == [
        ("c0", '{"a":1}'),
        ("c1", "{}"),
    ]


def test_a_call_that_is_whole_is_done_before_the_next() -> None:
    told = said(
        STARTED,
        CallStarted(0, "c0", "get"),
        CallDelta(0, "{}"),
        PartEnded(),
        CallStarted(1, "c1", "put"),
        CallDelta(1, ""),
        Finished(Stop.TOOL_CALLS),
        Ended(None),
    )
    items = [event for event in told if event["type"].startswith("response.output_item")]
    assert [event["output_index"] for event in items] == [0, 0, 1, 1]
    assert output(told)[1]["arguments"] == "{}"


def test_calls_of_custom_tools_are_told_in_their_own_form() -> None:
    asked = replace(kit.ASKED, document={"tools": [{"type": "custom", "name": "math"}]})
    told = said(
        STARTED,
        CallStarted(0, "c", "math"),
        CallDelta(0, '{"input":"4'),
        CallDelta(0, ' + 5"}'),
        Finished(Stop.TOOL_CALLS),
        Ended(None),
        asked=asked,
    )
    assert kinds(told)[2:-1] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    assert output(told)[0]["input"] == "4 + 5"


def test_reasoning_is_a_summary_with_its_seal() -> None:
    told = said(
        STARTED,
        ThinkingDelta("h"),
        ThinkingDelta("m"),
        ThinkingDelta("", SEAL),
        PartEnded(),
        TextDelta("a"),
        Finished(Stop.END),
        Ended(None),
    )
    assert kinds(told)[2:9] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert output(told)[0]["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert output(told)[0]["encrypted_content"] == "dragoman:gemini:abc"


def test_reasoning_that_is_only_sealed_has_no_summary() -> None:
    told = said(
        STARTED,
        ThinkingDelta("", SEAL, is_redacted=True),
        ThinkingDelta("", SEAL),
        Finished(Stop.END),
        Ended(None),
    )
    redacted, empty = output(told)
    assert redacted["summary"] == []
    assert empty["summary"] == [{"type": "summary_text", "text": ""}]


def test_seals_on_calls_and_texts_have_items_of_their_own() -> None:
    told = said(
        STARTED,
        TextDelta("a"),
        TextDelta("", signature=SEAL),
        PartEnded(),
        TextDelta("b"),
        CallStarted(0, "c", "get", SEAL),
        Finished(Stop.TOOL_CALLS),
        Ended(None),
    )
    items = output(told)
    assert [item["type"] for item in items] == [
        "message",
        "reasoning",
        "message",
        "reasoning",
        "function_call",
    ]
    assert items[1]["encrypted_content"] == on_text(SEAL)
    assert items[3]["encrypted_content"] == on_call(SEAL)


def test_citations_stand_in_their_text() -> None:
    told = said(
        STARTED,
        TextDelta("ab"),
        PartEnded(),
        TextDelta("cd"),
        PartEnded(),
        Cited(Citation("https://a.example", "A", 2, 4)),
        Finished(Stop.END),
        Ended(None),
    )
    (note,) = [event for event in told if "annotation_index" in event]
    assert (note["content_index"], note["annotation"]["start_index"]) == (1, 0)
    assert output(told)[0]["content"][1]["annotations"] == [note["annotation"]]


def test_a_citation_of_nothing_is_passed_over() -> None:
    told = said(STARTED, Cited(Citation("https://a.example")), Finished(Stop.END), Ended(None))
    assert kinds(told) == ["created", "in_progress", "completed"]


def test_refusals_are_told() -> None:
    told = said(
        STARTED,
        RefusalDelta("n"),
        RefusalDelta("o"),
        Finished(Stop.REFUSAL),
        Ended(None),
    )
    assert output(told)[0]["content"] == [{"type": "refusal", "refusal": "no"}]
    assert told[-1]["type"] == "response.completed"


def test_logprobs_come_with_their_text() -> None:
    told = said(
        STARTED,
        TextDelta("a", logprobs=(Logprob("a", -0.5),)),
        Finished(Stop.END),
        Ended(None),
    )
    logprob = {"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": []}
    assert told[4]["logprobs"] == [logprob]
    assert output(told)[0]["content"][0]["logprobs"] == [logprob]


def test_of_speech_the_words_are_told() -> None:
    told = said(
        STARTED,
        SpeechDelta(data="AAAA"),
        SpeechDelta(transcript="hello"),
        Finished(Stop.END),
        Ended(None),
    )
    assert output(told)[0]["content"][0]["text"] == "hello"


@contextmanager
def streamed(*events: StreamEvent) -> Iterator[ResponseStream[None]]:
    """As the library's own helper reads it."""
    body = b"".join(map(ResponsesEncoding(kit.ASKED).feed, events))

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    transport = httpx.MockTransport(answer)
    with (
        httpx.Client(transport=transport) as http,
        OpenAI(api_key="k", base_url="http://gateway.example/v1", http_client=http) as client,
        client.responses.stream(model="fast", input="hello") as stream,
    ):
        yield stream


def test_the_library_follows_a_stream_to_its_end() -> None:
    with streamed(
        STARTED,
        ThinkingDelta("hm"),
        ThinkingDelta("", SEAL),
        PartEnded(),
        TextDelta("Par"),
        TextDelta("is"),
        PartEnded(),
        CallStarted(0, "c0", "get"),
        CallStarted(1, "c1", "put", SEAL),
        CallDelta(1, "{}"),
        CallDelta(0, '{"a":1}'),
        Finished(Stop.TOOL_CALLS),
        Ended(Usage(3, 2)),
    ) as stream:
        text = "".join(
            event.delta for event in stream if event.type == "response.output_text.delta"
        )
        response = stream.get_final_response()
    assert text == response.output_text == "Paris"
    assert [item.type for item in response.output] == [
        "reasoning",
        "message",
        "function_call",
        "reasoning",
        "function_call",
    ]


@pytest.mark.parametrize("before", [(), (STARTED,), (STARTED, TextDelta("a"))])
def test_the_library_hears_of_a_failure_at_any_time(before: tuple[StreamEvent, ...]) -> None:
    with streamed(*before, Failed(ProviderError(502, Fault.SERVER, "broken"))) as stream:
        last = list(stream)[-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.message == "broken"


def test_an_answer_that_was_cut_is_incomplete() -> None:
    told = said(STARTED, TextDelta("a"), Finished(Stop.MAX_TOKENS), Ended(None))
    assert told[-1]["type"] == "response.incomplete"
    assert told[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_stream_that_breaks_is_a_response_that_failed() -> None:
    error = ProviderError(502, Fault.SERVER, "broken")
    failed = Failed(error, Usage(1, 1))
    told = said(STARTED, TextDelta("a"), PartEnded(), ThinkingDelta("b"), failed)
    assert told[-1]["type"] == "response.failed"
    response = told[-1]["response"]
    assert response["error"] == {"code": "server_error", "message": "broken"}
    assert response["usage"]["input_tokens"] == 1
    assert [item["type"] for item in response["output"]] == ["message"]


def test_a_stream_that_never_began_is_begun_to_fail() -> None:
    told = said(Failed(ProviderError(429, Fault.RATE_LIMIT, "slower")))
    assert kinds(told) == ["created", "in_progress", "failed"]
    response = told[-1]["response"]
    assert response["status"] == "failed"
    assert response["error"] == {"code": "rate_limit_exceeded", "message": "slower"}
    assert response["id"] == told[0]["response"]["id"] != ""


def test_what_is_told_without_a_beginning_gets_one() -> None:
    told = said(TextDelta("a"), Started("resp_9", "m"), Finished(Stop.END), Ended(None))
    assert kinds(told)[:3] == ["created", "in_progress", "output_item.added"]
    assert told[0]["response"]["id"] == "resp_a1"


def test_one_choice_is_told() -> None:
    told = said(
        STARTED,
        TextDelta("b", 1),
        RefusalDelta("b", 1),
        ThinkingDelta("b", choice=1),
        CallStarted(0, "c", "get", choice=1),
        CallDelta(0, "{}", 1),
        SpeechDelta(transcript="b", choice=1),
        Cited(Citation("https://a.example"), 1),
        PartEnded(1),
        Finished(Stop.MAX_TOKENS, choice=1),
        Finished(Stop.END),
        Ended(None),
    )
    assert kinds(told) == ["created", "in_progress", "completed"]
