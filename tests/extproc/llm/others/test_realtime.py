"""Events of the realtime API: which are read, and what they tell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from extproc.llm.others import realtime
from extproc.llm.others.realtime import Began, Ended, Transcribed, Transcriber
from extproc.verdict import OUT_OF_BUDGET, Deny
from gateway.catalog import cost
from gateway.price import Price
from gateway.usage import Usage

USAGE = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 99,
        "audio_tokens": 23,
        "image_tokens": 10,
        "cached_tokens": 75,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 8, "image_tokens": 3},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
DONE = {
    "type": "response.done",
    "event_id": "event_CCXLgMZPo3qioWCeQa4WH",
    "response": {
        "object": "realtime.response",
        "id": "resp_CCXLR4dnVSzDJRJ4bzLgl",
        "status": "completed",
        "status_details": None,
        "output": [
            {
                "id": "item_CCXLgR",
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_audio", "transcript": 'so-called "usage"'}],
            }
        ],
        "usage": USAGE,
        "metadata": None,
    },
}
TRANSCRIBED = {
    "type": "conversation.item.input_audio_transcription.completed",
    "event_id": "event_2122",
    "item_id": "item_003",
    "content_index": 0,
    "transcript": "Hello, how are you?",
    "usage": {
        "type": "tokens",
        "total_tokens": 48,
        "input_tokens": 38,
        "input_token_details": {"text_tokens": 10, "audio_tokens": 28},
        "output_tokens": 10,
    },
}
DELTA = {"type": "response.output_audio.delta", "event_id": "event_5", "delta": "AAAA" * 1000}
DOLLAR = 1_000_000_000
PRICE = Price(
    input=4 * DOLLAR,
    output=16 * DOLLAR,
    cached_input=1 * DOLLAR,
    cache_write=0,
    audio_input=32 * DOLLAR,
    image_input=5 * DOLLAR,
    audio_output=64 * DOLLAR,
)


def said(event: dict[str, Any], *, indent: int | None = None) -> bytes:
    return json.dumps(event, indent=indent).encode()


def compact(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def done(**response: Any) -> dict[str, Any]:
    return {**DONE, "response": {**DONE["response"], **response}}  # type: ignore[dict-item]


def test_a_response_tells_all_its_parts() -> None:
    told = realtime.read(compact(DONE))
    assert isinstance(told, Ended)
    assert told.usage is not None
    assert replace(told.usage, reported=()) == Usage(
        132, 121, cached_input_tokens=75, audio_input_tokens=15, image_input_tokens=7,
        audio_output_tokens=91,
    )  # fmt: skip
    assert ("input_token_details.audio_tokens", 23) in told.usage.reported
    assert not told.is_failure


def test_each_part_costs_its_own_price_and_what_is_cached_that_of_the_cache() -> None:
    told = realtime.usage_of(USAGE)
    assert told is not None
    text, heard, seen = 99 - 64, 23 - 8, 10 - 3
    dollars = text * 4 + heard * 32 + seen * 5 + 75 * 1 + 30 * 16 + 91 * 64
    assert cost(PRICE, told) == dollars * 1000


def test_totals_alone_are_enough() -> None:
    assert realtime.usage_of({"input_tokens": 7, "output_tokens": 3}) == Usage(
        7, 3, reported=(("input_tokens", 7), ("output_tokens", 3))
    )


@pytest.mark.parametrize("usage", [None, {}, "much", {"input_tokens": "7"}, {"input_tokens": -1}])
def test_a_response_may_end_without_usage(usage: Any) -> None:
    assert realtime.read(compact(done(usage=usage))) == Ended(None, False)
    assert realtime.read(compact(done(usage=usage, status="failed"))) == Ended(None, True)


@pytest.mark.parametrize("said_as", [compact, said, lambda event: said(event, indent=1)])
def test_events_are_read_however_they_are_written(said_as: Any) -> None:
    assert isinstance(realtime.read(said_as(DONE)), Ended)
    turned = dict(reversed(DONE.items()))
    assert realtime.read(said_as(turned)) == realtime.read(compact(DONE))
    created = {"type": "response.created", "event_id": "e", "response": {"id": "resp_1"}}
    assert realtime.read(said_as(created)) == Began()
    assert realtime.read(said_as(dict(reversed(created.items())))) == Began()


def test_transcriptions_tell_tokens_or_a_duration() -> None:
    told = realtime.read(compact(TRANSCRIBED))
    assert isinstance(told, Transcribed)
    assert (told.usage.input_tokens, told.usage.output_tokens) == (38, 10)
    assert told.usage.audio_input_tokens == 28
    told = realtime.read(compact({**TRANSCRIBED, "usage": {"type": "duration", "seconds": 2.04}}))
    assert told == Transcribed(Usage(0, 0, milliseconds=2040))
    assert realtime.read(compact({**TRANSCRIBED, "usage": {"type": "duration"}})) is None


@pytest.mark.parametrize(
    ("session", "model"),
    [
        ({"audio": {"input": {"transcription": {"model": "whisper-1"}}}}, "whisper-1"),
        ({"input_audio_transcription": {"model": "gpt-4o-transcribe"}}, "gpt-4o-transcribe"),
        ({"audio": {"input": {"transcription": None}}}, ""),
        ({}, ""),
    ],
)
def test_a_session_tells_who_transcribes(session: dict[str, Any], model: str) -> None:
    for kind in ("session.created", "session.updated", "transcription_session.updated"):
        event = {"type": kind, "event_id": "e", "session": {"type": "realtime", **session}}
        assert realtime.read(compact(event)) == Transcriber(model)


@pytest.mark.parametrize(
    "event",
    [
        DELTA,
        {"type": "rate_limits.updated", "rate_limits": []},
        {"type": "response.output_item.done", "item": {"text": '"response.done"', "usage": USAGE}},
        {"event_id": "e", "type": "error", "error": {"message": 'no "response.done"'}},
        {"event_id": "e"},
    ],
)
def test_other_events_tell_nothing_whatever_is_in_them(event: dict[str, Any]) -> None:
    for form in (compact(event), said(event), said(event, indent=1)):
        assert realtime.read(form) is None


@pytest.mark.parametrize(
    "message", [b"", b"{", b"[]", b'"response"', b"\xff", b'{"type":"', b"null"]
)
def test_what_is_no_event_tells_nothing(message: bytes) -> None:
    assert realtime.read(message) is None


def test_a_response_that_cannot_be_read_has_ended_all_the_same() -> None:
    whole = compact(DONE)
    assert realtime.read(whole[:60]) == Ended(None, False)
    assert realtime.read(whole[:60], is_whole=False) == Ended(None, False)
    turned = b'{"event_id":"e","type":"response.done","response":{'
    assert realtime.read(turned, is_whole=False) == Ended(None, False)
    assert realtime.read(compact(DELTA)[:500], is_whole=False) is None


def test_the_first_response_is_taken_for_a_spoken_one() -> None:
    expected = realtime.expected(None)
    assert (expected.input_tokens, expected.output_tokens) == (0, 1024)
    assert expected.audio_output_tokens == 1024


def test_the_next_response_is_taken_for_one_like_the_last() -> None:
    last = Usage(2000, 3000, cached_input_tokens=1500, audio_output_tokens=2500)
    assert realtime.expected(last) == last
    short = realtime.expected(Usage(50, 24, audio_output_tokens=20))
    assert (short.output_tokens, short.audio_output_tokens) == (1024, 1020)
    written = realtime.expected(Usage(50, 24))
    assert (written.output_tokens, written.audio_output_tokens) == (1024, 0)


def test_a_duration_is_tokens_where_seconds_have_no_price() -> None:
    assert realtime.in_tokens(Usage(0, 0, milliseconds=2040)) == Usage(21, 0, audio_input_tokens=21)


def test_the_client_is_told_in_an_event_of_the_api() -> None:
    event = json.loads(realtime.error_event(Deny(429, OUT_OF_BUDGET, "budget 'b' is spent")))
    assert event["type"] == "error"
    assert event["event_id"]
    assert event["error"] == {
        "type": "insufficient_quota",
        "code": OUT_OF_BUDGET,
        "message": "budget 'b' is spent",
        "param": None,
    }
