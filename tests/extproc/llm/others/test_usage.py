from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.others import usage
from extproc.llm.others.usage import EventUsage
from extproc.llm.usage_reader import Told, UsageReader
from gateway.usage import Usage

IMAGES = {
    "created": 1,
    "data": [{"b64_json": "AAAA"}, {"b64_json": "BBBB"}],
    "quality": "high",
    "size": "1024x1024",
    "usage": {
        "input_tokens": 50,
        "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
        "output_tokens": 500,
        "total_tokens": 550,
    },
}
TRANSCRIPTION = {
    "text": "hello",
    "usage": {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 2, "audio_tokens": 12},
        "output_tokens": 5,
        "total_tokens": 19,
    },
}


def counted(found: Usage | None) -> Usage:
    assert found is not None
    return replace(found, reported=())


def read(told: Told, answer: dict[str, object]) -> Usage | None:
    reader = UsageReader(told)
    reader.feed(json.dumps(answer).encode())
    reader.end()
    return reader.usage


def test_embeddings_say_what_was_read() -> None:
    answer = {"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    found = read(usage.EMBEDDINGS, answer)
    assert counted(found) == Usage(8, 0)
    assert found is not None
    assert found.reported == (("prompt_tokens", 8), ("total_tokens", 8))
    assert counted(read(usage.EMBEDDINGS, {"usage": {"total_tokens": 9}})) == Usage(9, 0)


def test_a_rerank_is_told_in_searches_or_tokens() -> None:
    cohere = {"results": [], "meta": {"api_version": {}, "billed_units": {"search_units": 2.0}}}
    assert counted(read(usage.RERANK, cohere)) == Usage(0, 0, searches=2)
    jina = {"model": "m", "results": [], "usage": {"total_tokens": 815}}
    assert counted(read(usage.RERANK, jina)) == Usage(815, 0)
    counts = {"meta": {"tokens": {"input_tokens": 12}, "billed_units": {"search_units": 1}}}
    assert counted(read(usage.RERANK, counts)) == Usage(12, 0, searches=1)


def test_images_are_counted_and_their_tokens_told_apart() -> None:
    assert counted(usage.images(IMAGES)) == Usage(
        50,
        500,
        image_input_tokens=40,
        image_output_tokens=500,
        images=2,
        image_kind="high/1024x1024",
    )
    apart = {**IMAGES["usage"], "output_tokens_details": {"image_tokens": 480, "text_tokens": 20}}  # type: ignore[dict-item]
    assert counted(usage.images({"usage": apart})).image_output_tokens == 480
    assert counted(usage.images({"data": [{"url": "http://a"}]})) == Usage(0, 0, images=1)


def test_a_transcription_is_told_in_tokens_or_seconds() -> None:
    assert counted(usage.transcriptions(TRANSCRIPTION)) == Usage(14, 5, audio_input_tokens=12)
    heard = {"text": "a", "usage": {"type": "duration", "seconds": 2.5}}
    assert counted(usage.transcriptions(heard)) == Usage(0, 0, milliseconds=2500)
    assert counted(usage.transcriptions({"duration": "8.47", "text": ""})).milliseconds == 8470


def test_speech_is_told_in_its_last_event() -> None:
    event = {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101}}
    assert counted(usage.speech(event)) == Usage(14, 101, audio_output_tokens=101)


@pytest.mark.parametrize(
    "told",
    [usage.EMBEDDINGS, usage.RERANK, usage.IMAGES, usage.TRANSCRIPTIONS, usage.SPEECH],
)
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"usage": None, "meta": []},
        {"usage": {}},
        {"usage": {"prompt_tokens": -1, "total_tokens": True, "input_tokens": "x"}},
        {"usage": {"input_tokens": 1e300, "seconds": "nan"}, "duration": "inf"},
    ],
)
def test_what_is_told_wrongly_is_not_told(told: Told, answer: dict[str, object]) -> None:
    assert read(told, answer) is None


@pytest.mark.parametrize(
    ("told", "answer", "wanted"),
    [
        (usage.EMBEDDINGS, {"data": [1], "usage": {"prompt_tokens": 8}}, Usage(8, 0)),
        (usage.RERANK, {"meta": {"billed_units": {"search_units": 1}}}, Usage(0, 0, searches=1)),
        (usage.RERANK, {"results": [], "usage": {"total_tokens": 5}}, Usage(5, 0)),
        (
            usage.IMAGES,
            IMAGES,
            Usage(
                50,
                500,
                image_input_tokens=40,
                image_output_tokens=500,
                images=2,
                image_kind="high/1024x1024",
            ),
        ),
        (
            usage.TRANSCRIPTIONS,
            {"text": "", "duration": 9.5},
            Usage(0, 0, milliseconds=9500),
        ),
        (usage.TRANSCRIPTIONS, TRANSCRIPTION, Usage(14, 5, audio_input_tokens=12)),
        (
            usage.TRANSCRIPTIONS,
            {"text": "", "usage": {"type": "duration", "seconds": 1.5}},
            Usage(0, 0, milliseconds=1500),
        ),
        (
            usage.SPEECH,
            {"usage": {"input_tokens": 1, "output_tokens": 2}},
            Usage(1, 2, audio_output_tokens=2),
        ),
    ],
)
def test_answers_that_pass_are_read_at_every_cut(
    told: Told, answer: dict[str, object], wanted: Usage
) -> None:
    body = json.dumps(answer).encode()
    for cut in range(len(body)):
        reader = UsageReader(told)
        reader.feed(body[:cut])
        reader.feed(body[cut:])
        reader.end()
        assert counted(reader.usage) == wanted


STREAM = (
    b'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image",'
    b'"b64_json":"AAAA"}\n\n'
    b'event: image_generation.completed\ndata: {"type":"image_generation.completed",'
    b'"b64_json":"\xc3\xa4","usage":{"input_tokens":5,"output_tokens":9}}\n\n'
    b'data: {"type":"image_generation.completed","usage":{"input_tokens":5,"output_tokens":9}}\n\n'
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_streams_are_read_at_any_cut_and_line_end(cuts: list[int], line_end: bytes) -> None:
    stream = STREAM.replace(b"\n", line_end)
    reader = UsageReader(usage.IMAGES)
    edges = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(edges):
        reader.feed(stream[start:end])
    reader.end()
    assert counted(reader.usage) == Usage(5, 9, image_output_tokens=9, images=2)


def test_a_streamed_transcription_says_it_when_it_is_done() -> None:
    reading = EventUsage(usage.transcriptions)
    assert reading.feed(b'data: {"type":"transcript.text.delta","delta":"usage"}\n\n') == ()
    assert reading.usage is None
    done = {"type": "transcript.text.done", **TRANSCRIPTION}
    reading.feed(f"data: {json.dumps(done)}".encode())
    assert reading.end() == ()
    assert counted(reading.usage) == Usage(14, 5, audio_input_tokens=12)
    assert reading.feed(b"data: {}\n\n") == ()


def test_an_event_that_does_not_end_has_no_usage() -> None:
    reading = EventUsage(usage.speech)
    for _ in range(40):
        reading.feed(b"x" * (1 << 20))
    reading.feed(b'\n\ndata: {"usage":{"input_tokens":1,"output_tokens":1}}\n\n')
    reading.end()
    assert reading.usage is None


def test_what_is_not_told_is_what_was_asked_for() -> None:
    asked = Usage(0, 0, images=2, image_kind="1024x1024")
    assert usage.with_demands(Usage(5, 9), asked) == Usage(5, 9, images=2, image_kind="1024x1024")
    assert usage.with_demands(Usage(0, 0, images=1), asked) == Usage(
        0, 0, images=1, image_kind="1024x1024"
    )
    spoken = Usage(0, 0, characters=5)
    assert usage.with_demands(None, spoken) == replace(spoken, is_estimated=True)
    assert usage.with_demands(None, Usage(0, 0)) is None
    heard = Usage(14, 5, audio_input_tokens=12)
    assert usage.with_demands(heard, Usage(0, 0, milliseconds=60_000)) == heard
