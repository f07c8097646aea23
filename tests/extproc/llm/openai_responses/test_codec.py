from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from msgspec.structs import replace
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from extproc.llm.answer import Answer, Ended, Failed
from extproc.llm.dialect import Call, UnreadableAnswer
from extproc.llm.losses import Losses
from extproc.llm.openai_responses.codec import CODEC
from extproc.llm.openai_responses.reading import READING
from extproc.llm.request import Request
from extproc.llm.translate import events_of
from tests.kit import responses as kit

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


@given(kit.requests)
def test_a_request_that_is_said_is_read_as_it_was(request: Request) -> None:
    losses = Losses()
    call = READING.decode(CODEC.encode_request(request, losses), "", is_stream=False)
    assert isinstance(call, Call)
    assert CODEC.decode_request(call) == request
    assert losses.features == frozenset()


@given(kit.answers)
def test_an_answer_that_is_said_is_read_as_it_was(answer: Answer) -> None:
    body = CODEC.encode_answer(answer, kit.ASKED)
    assert kit.without_reports(CODEC.decode_answer(body)) == answer


@given(kit.answers)
def test_answers_are_what_the_library_expects(answer: Answer) -> None:
    Response.model_validate(json.loads(CODEC.encode_answer(answer, kit.ASKED)), strict=True)


@given(kit.answers)
def test_a_stream_ends_with_the_answer_that_would_have_come_whole(answer: Answer) -> None:
    encoding = CODEC.encoding(kit.ASKED)
    told = kit.events(b"".join(map(encoding.feed, events_of(answer))))
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    for event in told:
        EVENT.validate_python(event)
    last = told[-1]["response"]
    whole = json.loads(CODEC.encode_answer(answer, kit.ASKED))
    for document in (last, whole):  # logprobs are told with the first piece of a stream
        for item in document["output"]:
            for part in item.get("content", []):
                part.pop("logprobs", None)
    assert last == whole


@pytest.mark.parametrize("path", kit.ANSWERS, ids=lambda path: path.stem)
def test_samples_of_answers_are_those_of_the_library(path: Path) -> None:
    Response.model_validate_json(path.read_bytes())
    CODEC.decode_answer(path.read_bytes())


@pytest.mark.parametrize("path", kit.STREAMS, ids=lambda path: path.stem)
def test_samples_of_streams_are_those_of_the_library(path: Path) -> None:
    for event in kit.events(path.read_bytes()):
        EVENT.validate_python(event)


@pytest.mark.parametrize("path", kit.STREAMS, ids=lambda path: path.stem)
def test_a_stream_of_the_provider_is_told_again_as_one_of_the_library(path: Path) -> None:
    decoding, encoding = CODEC.decoding(), CODEC.encoding(kit.ASKED)
    told = [*decoding.feed(path.read_bytes()), *decoding.end()]
    again = b"".join(map(encoding.feed, told))
    for event in kit.events(again):
        EVENT.validate_python(event)
    second = CODEC.decoding()
    retold = [*second.feed(again), *second.end()]
    assert isinstance(told[-1], Failed) == isinstance(retold[-1], Failed)
    assert texts(told) == texts(retold)


def texts(events: list[object]) -> str:
    """All that was told in words, of whatever kind."""
    return "".join(
        getattr(event, "text", "") or getattr(event, "arguments", "") for event in events
    )


@pytest.mark.parametrize("path", kit.REQUESTS, ids=lambda path: path.stem)
def test_a_request_with_anything_wrong_is_refused_or_understood(path: Path) -> None:
    for document in kit.bent(json.loads(path.read_bytes())):
        call = READING.decode(json.dumps(document).encode(), "", is_stream=False)
        if isinstance(call, Call):
            READING.texts(call.document)
            READING.estimate_input_tokens(call)
            request = CODEC.decode_request(call)
            if isinstance(request, Request):
                CODEC.encode_request(request, Losses())
                asked = replace(kit.ASKED, document=call.document)
                CODEC.encode_answer(Answer("", "", (), None), asked)


@pytest.mark.parametrize("path", kit.ANSWERS, ids=lambda path: path.stem)
def test_an_answer_with_anything_wrong_is_unreadable_or_understood(path: Path) -> None:
    for document in kit.bent(json.loads(path.read_bytes())):
        try:
            answer = CODEC.decode_answer(json.dumps(document).encode())
        except UnreadableAnswer:
            continue
        CODEC.encode_answer(answer, kit.ASKED)


@pytest.mark.parametrize("path", kit.STREAMS, ids=lambda path: path.stem)
def test_a_stream_with_anything_wrong_ends_once(path: Path) -> None:
    events = [block + b"\n\n" for block in path.read_bytes().split(b"\n\n")[:-1]]
    seen: set[str] = set()
    for index, event in enumerate(events):
        document = json.loads(event.partition(b"data: ")[2])
        if document["type"] in seen or document["type"] == "response.in_progress":
            continue
        seen.add(document["type"])
        if "response" in document:  # settings are not read
            document["response"] = {
                name: document["response"][name]
                for name in ("id", "model", "output", "usage", "status", "error")
            }
        for odd in kit.bent(document):
            data = b"data: " + json.dumps(odd).encode() + b"\n\n"
            decoding = CODEC.decoding()
            told = [*decoding.feed(b"".join((*events[:index], data, *events[index + 1 :])))]
            told += decoding.end()
            encoding = CODEC.encoding(kit.ASKED)
            b"".join(map(encoding.feed, told))
            assert [event for event in told if isinstance(event, Ended | Failed)] == told[-1:]
