"""Claude's stream in Bedrock's frames is the stream that Anthropic would send."""

from __future__ import annotations

import json

import pytest

from extproc.llm.answer import Ended, Failed, Fault, ProviderError, StreamEvent
from extproc.llm.anthropic.elsewhere import chunk_of_event
from extproc.llm.anthropic.stream_reader import MessagesDecoding
from extproc.llm.bedrock.claude import ClaudeDecoding, ClaudeEncoding
from extproc.llm.dialect import Asked
from extproc.protocols.sse import SseDecoder
from tests.kit.bedrock import frame
from tests.kit.sample_providers import stream_of


def framed(sample: str) -> bytes:
    events = SseDecoder().feed(stream_of("anthropic", sample))
    return b"".join(frame("chunk", json.loads(chunk_of_event(each.data))) for each in events)


def told(data: bytes, size: int) -> list[StreamEvent]:
    decoding = ClaudeDecoding()
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    return [*(event for piece in pieces for event in decoding.feed(piece)), *decoding.end()]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("sample", ["text", "tool_calls", "reasoning", "parallel_calls"])
def test_what_is_framed_is_told_as_if_it_were_not(sample: str, size: int) -> None:
    plain = MessagesDecoding()
    expected = [*plain.feed(stream_of("anthropic", sample)), *plain.end()]
    assert told(framed(sample), size) == expected
    assert isinstance(expected[-1], Ended)


def test_an_exception_of_bedrock_ends_it() -> None:
    events = told(frame("throttlingException", {"message": "slow down"}, "exception"), 11)
    assert isinstance(events[-1], Failed)
    assert events[-1].error.message == "slow down"
    assert len(events) == 1


def test_broken_frames_and_chunks_end_it() -> None:
    for data in (b"\x00" * 40, frame("chunk", {"bytes": "!"})):
        events = told(data, 1 << 20)
        assert [type(each) for each in events] == [Failed]


def test_a_stream_that_stops_early_is_not_whole() -> None:
    events = told(framed("text")[: len(framed("text")) // 2], 1 << 20)
    assert isinstance(events[-1], Failed)


def test_other_events_are_passed_over() -> None:
    assert told(frame("somethingNew", {}) + framed("text"), 1 << 20) == told(framed("text"), 13)


@pytest.mark.parametrize("sample", ["text", "tool_calls", "reasoning", "parallel_calls"])
def test_what_is_written_in_frames_is_read_as_what_it_was(sample: str) -> None:
    plain = MessagesDecoding()
    events = [*plain.feed(stream_of("anthropic", sample)), *plain.end()]
    encoding = ClaudeEncoding(Asked("opus", "id-1", 1))
    again = told(b"".join(map(encoding.feed, events)), 17)
    assert [type(each) for each in again] == [type(each) for each in events]
    assert again[1:-1] == events[1:-1]


def test_a_failure_is_an_exception_of_bedrocks() -> None:
    encoding = ClaudeEncoding(Asked("opus", "id-1", 1))
    [event] = told(encoding.feed(Failed(ProviderError(429, Fault.RATE_LIMIT, "slow down"))), 99)
    assert isinstance(event, Failed)
    assert (event.error.fault, event.error.message) == (Fault.RATE_LIMIT, "slow down")
