"""ConverseStream: every sample at every cut, and what boto3 reads of ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EventStreamError
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
from extproc.llm.bedrock.streams import BedrockDecoding, BedrockEncoding
from extproc.llm.dialect import Asked
from extproc.llm.request import Signature
from extproc.protocols import event_stream
from gateway.model import Dialect
from gateway.usage import Usage
from tests.kit import bedrock
from tests.kit.golden import matches

STREAMS = list(bedrock.sample_streams())
ASKED = Asked("m", "id", 0, document={"additionalModelResponseFieldPaths": ["/stop_sequence"]})
BROKEN = {"throttled", "truncated"}
START = bedrock.frame("messageStart", {"role": "assistant"})
SEALED = base64.b64encode(bytes(range(48))).decode()


def decode(data: bytes, cuts: Sequence[int] = ()) -> list[StreamEvent]:
    decoding = BedrockDecoding()
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    events = [each for start, end in pairwise(places) for each in decoding.feed(data[start:end])]
    return [*events, *decoding.end()]


def encode(events: Sequence[StreamEvent], asked: Asked = ASKED) -> bytes:
    encoding = BedrockEncoding(asked)
    return b"".join(map(encoding.feed, events))


def sample(name: str) -> bytes:
    return next(data for path, data in STREAMS if path.stem == name)


def joined(events: Sequence[StreamEvent]) -> list[StreamEvent]:
    """Deltas that follow each other as one, and nothing about where parts end."""
    out: list[StreamEvent] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            out[-1] = TextDelta(last.text + event.text)
        elif isinstance(event, CallDelta) and isinstance(last, CallDelta):
            out[-1] = CallDelta(last.number, last.arguments + event.arguments)
        elif not isinstance(event, PartEnded):
            out.append(event)
    return out


def read_by_boto3(events: Sequence[StreamEvent]) -> list[dict[str, Any]]:
    return bedrock.read_stream(encode(events))


@pytest.mark.parametrize(("path", "data"), STREAMS, ids=lambda each: getattr(each, "stem", ""))
def test_the_samples_are_what_is_written_beside_them(path: Path, data: bytes) -> None:
    assert matches(bedrock.encoded(data), path.with_suffix(".b64"))


@pytest.mark.parametrize(("path", "data"), STREAMS, ids=lambda each: getattr(each, "stem", ""))
def test_every_cut_gives_the_same_events(path: Path, data: bytes) -> None:
    whole = decode(data)
    assert isinstance(whole[-1], Failed) is (path.stem in BROKEN)
    for cut in range(len(data)):
        assert decode(data, [cut]) == whole
    assert decode(data, range(len(data))) == whole


@pytest.mark.parametrize(("path", "data"), STREAMS, ids=lambda each: getattr(each, "stem", ""))
def test_boto3_reads_of_ours_what_it_reads_of_theirs(path: Path, data: bytes) -> None:
    if path.stem == "throttled":
        with pytest.raises(EventStreamError, match="throttlingException"):
            read_by_boto3(decode(data))
        return
    if path.stem == "truncated":
        with pytest.raises(EventStreamError, match="ended before it was whole"):
            read_by_boto3(decode(data))
        return
    ours, theirs = read_by_boto3(decode(data)), bedrock.read_stream(data)
    for event in (*ours, *theirs):
        if "metadata" in event:
            del event["metadata"]["metrics"]
    if path.stem == "content_filter":  # which we say in a word for all filters
        assert ours[-2] == {"messageStop": {"stopReason": "content_filtered"}}
        del ours[-2], theirs[-2]
    if path.stem == "citations":  # a web page's domain is in its URL
        del theirs[2]["contentBlockDelta"]["delta"]["citation"]["location"]["web"]["domain"]
    assert ours == theirs


def test_calls_come_in_pieces() -> None:
    assert decode(sample("parallel_calls")) == [
        Started("", ""),
        CallStarted(0, "tooluse_1", "get_weather"),
        CallDelta(0, '{"city": '),
        CallDelta(0, '"Oslo"}'),
        PartEnded(),
        CallStarted(1, "tooluse_2", "get_time"),
        CallDelta(1, '{"city": "Bergen"}'),
        PartEnded(),
        Finished(Stop.TOOL_CALLS),
        Ended(
            Usage(
                25,
                30,
                reported=(("inputTokens", 25), ("outputTokens", 30), ("totalTokens", 55)),
            )
        ),
    ]


def test_reasoning_is_sealed() -> None:
    events = decode(sample("reasoning"))
    assert ThinkingDelta("", Signature("EqQBCkgIARABGAIiQL8mJ8cvWbW3", Dialect.BEDROCK)) in events
    assert ThinkingDelta("", Signature(SEALED, Dialect.BEDROCK), is_redacted=True) in events


def test_usage_is_known_when_it_is_told() -> None:
    decoding = BedrockDecoding()
    decoding.feed(sample("cached"))
    assert decoding.usage is not None
    assert (decoding.usage.input_tokens, decoding.usage.service_tier) == (3005, "flex")
    assert decoding.usage.cache_write_1h_tokens == 600


def test_the_stop_sequence_is_told() -> None:
    assert Finished(Stop.SEQUENCE, "END") in decode(sample("stop_sequence"))


def test_an_exception_ends_the_stream() -> None:
    decoding = BedrockDecoding()
    events = decoding.feed(sample("throttled") + START)
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert (failed.error.fault, failed.error.status) == (Fault.RATE_LIMIT, 429)
    assert not decoding.feed(START)
    assert not decoding.end()


def test_an_error_message_ends_the_stream() -> None:
    headers = {":message-type": "error", ":error-code": "Oops", ":error-message": "it broke"}
    data = event_stream.encode(event_stream.Message(event_stream.texts(headers), b""))
    failed = decode(START + data)[-1]
    assert failed == Failed(ProviderError(500, Fault.SERVER, "it broke", "Oops"))


@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 502 Bad Gateway",
        bytes(40),
        START[:-1] + b"x",
        event_stream.encode(
            event_stream.Message(
                event_stream.texts({":message-type": "event", ":event-type": "metadata"}), b"?"
            )
        ),
    ],
)
def test_what_is_no_stream_fails(broken: bytes) -> None:
    failed = decode(START + broken)[-1]
    assert isinstance(failed, Failed)
    assert (failed.error.status, failed.error.fault) == (502, Fault.SERVER)


@pytest.mark.parametrize("name", ["text", "tool_calls", "reasoning"])
def test_a_stream_without_its_end_fails(name: str) -> None:
    data = sample(name)
    finish = data.rindex(b"messageStop") - 30
    for end in (0, 20, finish, len(data) - 1):
        assert isinstance(decode(data[:end])[-1], Failed)


def test_without_metadata_a_finished_stream_is_whole() -> None:
    stop = bedrock.frame("messageStop", {"stopReason": "end_turn"})
    assert decode(START + stop) == [Started("", ""), Finished(Stop.END), Ended(None)]


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("somethingNew", {"a": 1}),
        ("contentBlockStart", {"start": {"image": {"format": "png"}}, "contentBlockIndex": 0}),
        (
            "contentBlockStart",
            {
                "start": {"toolUse": {"toolUseId": "a", "name": "b", "type": "server_tool_use"}},
                "contentBlockIndex": 0,
            },
        ),
        ("contentBlockDelta", {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 0}),
        ("contentBlockDelta", {"delta": {"toolResult": [{"text": "a"}]}, "contentBlockIndex": 0}),
        ("contentBlockDelta", {"delta": {"reasoningContent": {}}, "contentBlockIndex": [0]}),
        ("contentBlockDelta", {"delta": 7}),
        ("contentBlockDelta", {}),
    ],
)
def test_events_that_are_not_known_are_passed_over(name: str, document: object) -> None:
    assert BedrockDecoding().feed(bedrock.frame(name, document)) == []


def test_a_call_without_an_id_gets_one() -> None:
    start = bedrock.frame("contentBlockStart", {"start": {"toolUse": {"name": "f"}}})
    (event,) = BedrockDecoding().feed(start)
    assert isinstance(event, CallStarted)
    assert event.call_id


@pytest.mark.parametrize("name", ["tool_calls", "reasoning", "citations", "cached", "throttled"])
def test_nothing_in_an_event_can_break_the_stream(name: str) -> None:
    for message in event_stream.MessageDecoder().feed(sample(name)):
        document = json.loads(message.payload)
        for mutated in bedrock.mutations(document, (None, 7, "x", [[]], {"y": 1})):
            payload = json.dumps(mutated).encode()
            data = event_stream.encode(event_stream.Message(message.headers, payload))
            encoding = BedrockEncoding(ASKED)
            for event in BedrockDecoding().feed(data):
                encoding.feed(event)


ENDING: tuple[StreamEvent, ...] = (Finished(Stop.TOOL_CALLS), Ended(Usage(3, 2)))


def blocks(events: Sequence[StreamEvent]) -> list[tuple[int, str, str]]:
    """Index, tool and input of each block, as a client reads them: one after the other."""
    found: list[tuple[int, str, str]] = []
    tool, written, open_index = "", "", -1
    for event in read_by_boto3(events):
        ((name, value),) = event.items()
        if name == "contentBlockStart":
            assert open_index == -1
            tool, written, open_index = (
                value["start"]["toolUse"]["name"],
                "",
                value["contentBlockIndex"],
            )
        elif name == "contentBlockDelta":
            assert open_index in (-1, value["contentBlockIndex"])
            open_index = value["contentBlockIndex"]
            delta = value["delta"]
            written += delta.get("text", "") or delta.get("toolUse", {}).get("input", "")
        elif name == "contentBlockStop":
            assert open_index == value["contentBlockIndex"]
            found.append((open_index, tool, written))
            tool, written, open_index = "", "", -1
    assert open_index == -1
    return found


def test_calls_that_take_turns_are_told_one_after_the_other() -> None:
    events = [
        Started("", ""),
        TextDelta("a"),
        CallStarted(0, "1", "f"),
        CallDelta(0, "{"),
        CallStarted(1, "2", "g"),
        CallDelta(1, "[1"),
        CallDelta(0, "}"),
        CallDelta(1, "]"),
        CallStarted(2, "3", "h"),
        PartEnded(),
        *ENDING,
    ]
    assert blocks(events) == [(0, "", "a"), (1, "f", "{}"), (2, "g", "[1]"), (3, "h", "")]


def test_calls_that_follow_each_other_are_told_as_they_come() -> None:
    encoding = BedrockEncoding(ASKED)
    assert encoding.feed(CallStarted(0, "1", "f"))
    assert encoding.feed(PartEnded())
    assert encoding.feed(CallStarted(1, "2", "g"))
    assert encoding.feed(CallDelta(1, "{}"))


def test_other_choices_are_not_told() -> None:
    events = [
        Started("", ""),
        TextDelta("a"),
        TextDelta("b", choice=1),
        Finished(Stop.END, choice=1),
        Finished(Stop.END),
        Ended(None),
    ]
    told = read_by_boto3(events)
    assert [next(iter(each)) for each in told] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]


def test_what_other_dialects_have_is_told_in_texts() -> None:
    events = [Started("", ""), RefusalDelta("no"), SpeechDelta("AAAA"), SpeechDelta(transcript="!")]
    assert blocks([*events, *ENDING]) == [(0, "", "no!")]


def test_a_citation_is_in_the_block_of_its_text() -> None:
    events = [Started("", ""), TextDelta("a"), Cited(Citation("https://a.example", "A")), *ENDING]
    cited = read_by_boto3(events)[2]["contentBlockDelta"]
    assert cited == {
        "contentBlockIndex": 0,
        "delta": {"citation": {"title": "A", "location": {"web": {"url": "https://a.example"}}}},
    }


def test_foreign_seals_are_shown_in_blocks_of_their_own() -> None:
    seal = Signature("xyz", Dialect.GEMINI)
    events = [
        Started("", ""),
        ThinkingDelta("hm", seal),
        ThinkingDelta("", seal, is_redacted=True),
        TextDelta("a", signature=seal),
        CallStarted(0, "1", "f", seal),
        *ENDING,
    ]
    reasoning = [
        (delta["contentBlockIndex"], delta["delta"]["reasoningContent"])
        for each in read_by_boto3(events)
        if (delta := each.get("contentBlockDelta")) and "reasoningContent" in delta["delta"]
    ]
    assert reasoning == [
        (0, {"text": "hm"}),
        (0, {"signature": "dragoman:gemini:xyz"}),
        (1, {"redactedContent": b"dragoman:gemini:xyz"}),
        (3, {"signature": "dragoman-text:dragoman:gemini:xyz"}),
        (4, {"signature": "dragoman-call:dragoman:gemini:xyz"}),
    ]


@pytest.mark.parametrize("fault", Fault)
def test_failures_are_exceptions_that_boto3_knows(fault: Fault) -> None:
    with pytest.raises(EventStreamError, match="it broke"):
        read_by_boto3([Started("", ""), Failed(ProviderError(500, fault, "it broke"))])


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)
cuts = st.lists(st.integers(0, 5000), max_size=8)


@st.composite
def streams(draw: st.DrawFn) -> list[StreamEvent]:
    events: list[StreamEvent] = [Started("", "")]
    number = 0
    for kind in draw(st.lists(st.sampled_from(["text", "call", "thinking"]), max_size=5)):
        pieces = draw(st.lists(texts, min_size=1, max_size=3))
        if kind == "text":
            events += map(TextDelta, pieces)
        elif kind == "thinking":
            events += [ThinkingDelta(piece) for piece in pieces]
            events.append(ThinkingDelta("", Signature("seal", Dialect.BEDROCK)))
        else:
            events.append(CallStarted(number, f"call_{number}", "f"))
            events += [CallDelta(number, piece) for piece in pieces]
            number += 1
        events.append(PartEnded())
    stop = draw(st.sampled_from([Stop.END, Stop.TOOL_CALLS, Stop.MAX_TOKENS, Stop.CONTEXT]))
    usage = draw(st.none() | st.just(Usage(5, 2, cached_input_tokens=3)))
    return [*events, Finished(stop), Ended(usage)]


@given(streams(), cuts)
def test_what_is_told_is_read_wherever_it_is_cut(events: list[StreamEvent], at: list[int]) -> None:
    *read, ended = decode(encode(events), at)
    assert isinstance(ended, Ended)
    assert joined(read) == joined(events[:-1])
    usage = None if ended.usage is None else replace(ended.usage, reported=())
    assert Ended(usage) == events[-1]


@given(streams())
def test_boto3_reads_all_that_is_told(events: list[StreamEvent]) -> None:
    shape = bedrock.service().operation_model(bedrock.CONVERSE_STREAM).get_event_stream_output()
    for event in read_by_boto3(events):
        ((name, value),) = event.items()
        assert set(shape.members[name].required_members) <= set(value)
        assert list(bedrock.unmatched(json.loads(json.dumps(value)), shape.members[name])) == []


def test_what_is_cited_is_the_text_of_its_block() -> None:
    def delta(index: int, **delta: object) -> bytes:
        return bedrock.frame("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})

    link = {"location": {"web": {"url": "https://a.example"}}}
    decoding = BedrockDecoding()
    events = decoding.feed(
        START
        + delta(0, text="So be it. ")
        + delta(1, text="Köln ")
        + delta(1, text="lies here.")
        + delta(1, citation=link)
        + delta(2, citation=link)
    )
    cited = [event.citation for event in events if isinstance(event, Cited)]
    assert [(each.start, each.end) for each in cited] == [(10, 25), (0, 0)]
