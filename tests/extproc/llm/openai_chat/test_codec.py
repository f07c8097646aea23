"""The dialect keeps what it says it keeps: every sample, and all that hypothesis thinks of."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from extproc.llm.answer import Answer, Ended, Failed
from extproc.llm.dialect import Asked, Call, UnreadableAnswer
from extproc.llm.losses import HINTS, Feature, Losses
from extproc.llm.openai_chat.capabilities import EXPRESSES, ROUGHLY, SAYS
from extproc.llm.openai_chat.codec import CODEC, codec_for
from extproc.llm.openai_chat.reading import READING
from extproc.llm.openai_chat.servers import Server
from extproc.llm.request import Request
from extproc.protocols.sse import SseDecoder, encode
from extproc.verdict import Deny
from gateway.model import Dialect, Lossiness
from tests.kit.conversations import answers, requests
from tests.kit.cuts import cut
from tests.kit.folded import folded
from tests.kit.mutated import mutated
from tests.kit.told import told

SAMPLES = Path(__file__).parents[3] / "translations" / "openai_chat"
REQUESTS = {Feature(path.stem): path for path in (SAMPLES / "requests").glob("*.json")}
ANSWERS = sorted((SAMPLES / "answers").glob("*.json"))
ASKED = Asked("fast", "abc-1", 1700000000)
EVERYTHING = codec_for(
    Server(
        takes=frozenset(
            {
                "cache_control",
                "extra_content",
                "images",
                "reasoning",
                "reasoning_content",
                "reasoning_details",
                "top_k",
                "video_url",
            }
        )
    )
)


def accepted(body: bytes) -> Call:
    call = READING.decode(body, "", is_stream=False)
    assert not isinstance(call, Deny), call.reason
    return call


def decoded(body: bytes) -> Request:
    request = CODEC.decode_request(accepted(body))
    assert not isinstance(request, Deny), request.reason
    return request


def sample(feature: Feature) -> Request:
    return decoded(REQUESTS[feature].read_bytes())


def without_report(answer: Answer) -> Answer:
    """The provider's own names are not told on."""
    usage = answer.usage and structs.replace(answer.usage, reported=())
    return replace(answer, usage=usage)


def test_there_is_a_sample_of_everything_that_clients_say() -> None:
    assert set(REQUESTS) == SAYS
    assert not EXPRESSES & ROUGHLY.keys()


@pytest.mark.parametrize("feature", sorted(SAYS & EXPRESSES))
def test_what_is_expressed_comes_back_as_it_went(feature: Feature) -> None:
    losses = Losses()
    body = CODEC.encode_request(sample(feature), losses)
    assert losses.features == frozenset()
    assert decoded(body) == sample(feature)


@pytest.mark.parametrize("feature", sorted(SAYS - EXPRESSES - ROUGHLY.keys()))
def test_what_is_not_expressed_is_reported(feature: Feature) -> None:
    losses = Losses()
    CODEC.encode_request(sample(feature), losses)
    assert feature in losses.features
    is_refused = losses.refusal(Lossiness.HINTS, "OpenAI") is not None
    assert is_refused is any(each not in HINTS for each in losses.features)
    assert losses.refusal(Lossiness.ALL, "OpenAI") is None


@pytest.mark.parametrize(
    ("feature", "is_lost"),
    [
        (Feature.AUDIO_INPUT, False),
        (Feature.CACHE_MARKS, True),
        (Feature.IMAGE_OUTPUT, True),
        (Feature.IMAGE_OUTPUT_FORM, True),
        (Feature.REASONING_BUDGET, True),
        (Feature.REASONING_SIGNATURE, True),
        (Feature.REASONING_TEXT, True),
        (Feature.SERVICE_TIER, False),
        (Feature.STOP, False),
        (Feature.STRICT_TOOLS, False),
        (Feature.TOOL_RESULT_IMAGE, False),
        (Feature.TOP_K, True),
        (Feature.VIDEO_INPUT, True),
    ],
)
def test_what_is_carried_roughly_is_reported_where_something_is_lost(
    feature: Feature, is_lost: bool
) -> None:
    losses = Losses()
    CODEC.encode_request(sample(feature), losses)
    assert (feature in losses.features) is is_lost


def test_all_that_is_carried_roughly_is_tested() -> None:
    said_by_others_alone = {Feature.CITATIONS, Feature.DOCUMENT_TEXT}
    assert len(ROUGHLY.keys() - said_by_others_alone) == 13


@pytest.mark.parametrize(
    "feature",
    sorted((SAYS & ROUGHLY.keys()) - {Feature.TOOL_RESULT_IMAGE}),
)
def test_a_server_that_takes_more_is_told_more(feature: Feature) -> None:
    losses = Losses()
    body = EVERYTHING.encode_request(sample(feature), losses)
    assert losses.features == frozenset()
    assert decoded(body) == sample(feature)


@given(requests(Dialect.OPENAI_CHAT))
def test_a_request_comes_back_as_it_went(request: Request) -> None:
    losses = Losses()
    assert decoded(EVERYTHING.encode_request(request, losses)) == request
    assert losses.features == frozenset()


@given(requests(Dialect.ANTHROPIC))
def test_no_provider_is_sent_a_foreign_seal(request: Request) -> None:
    losses = Losses()
    body: dict[str, Any] = json.loads(EVERYTHING.encode_request(request, losses))
    for message in body["messages"]:
        assert "reasoning_details" not in message
        assert all("extra_content" not in call for call in message.get("tool_calls", ()))
    assert losses.features <= {Feature.REASONING_SIGNATURE}


@given(answers(Dialect.OPENAI_CHAT))
def test_an_answer_comes_back_as_it_went(answer: Answer) -> None:
    body = CODEC.encode_answer(answer, ASKED)
    assert without_report(CODEC.decode_answer(body)) == answer
    ChatCompletion.model_validate_json(body, strict=True)


@given(answers(Dialect.OPENAI_CHAT), st.integers(1, 9), st.lists(st.integers(0), max_size=9))
def test_a_stream_comes_back_as_it_went(answer: Answer, piece: int, places: list[int]) -> None:
    encoding = CODEC.encoding(ASKED)
    data = b"".join([encoding.feed(event) for event in told(answer, piece)])
    decoding = CODEC.decoding()
    events = [decoding.feed(each) for each in cut(data, places)]
    found = folded([*itertools.chain.from_iterable(events), *decoding.end()])
    assert isinstance(found, Answer)
    assert without_report(found) == answer
    for event in SseDecoder().feed(data):
        if event.data != b"[DONE]":
            ChatCompletionChunk.model_validate_json(event.data, strict=True)


@given(answers(Dialect.ANTHROPIC))
def test_foreign_seals_are_shown_to_clients_and_come_back(answer: Answer) -> None:
    body: dict[str, Any] = json.loads(CODEC.encode_answer(answer, ASKED))
    messages = [choice["message"] for choice in body["choices"]]
    back = decoded(json.dumps({"model": "m", "messages": messages}).encode())
    for candidate, message in zip(answer.candidates, back.messages, strict=True):
        seals = [part.signature for part in candidate.parts if getattr(part, "signature", None)]
        assert [
            part.signature for part in message.parts if getattr(part, "signature", None)
        ] == seals


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_answers_of_the_provider_come_back_as_they_went(path: Path) -> None:
    answer = CODEC.decode_answer(path.read_bytes())
    ChatCompletion.model_validate_json(path.read_bytes(), strict=True)
    again = CODEC.decode_answer(CODEC.encode_answer(answer, ASKED))
    assert without_report(again) == without_report(answer)


@pytest.mark.parametrize(
    "path", sorted((SAMPLES / "errors").glob("*.json")), ids=lambda path: path.stem
)
def test_errors_of_the_provider_say_the_same_when_they_come_back(path: Path) -> None:
    error = CODEC.decode_error(int(path.stem[:3]), path.read_bytes())
    again = CODEC.decode_error(error.status, CODEC.encode_error(error).body)
    assert (again.status, again.fault, again.message) == (
        error.status,
        error.fault,
        error.message,
    )
    fault = path.stem[4:]
    assert error.fault == {"mistral": "invalid", "gemini": "invalid"}.get(fault, fault)


@given(st.data())
def test_no_request_is_too_odd_to_be_read_or_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(REQUESTS.values())))
    body = json.dumps(data.draw(mutated(json.loads(path.read_bytes())))).encode()
    call = READING.decode(body, "", is_stream=False)
    if isinstance(call, Call):
        request = CODEC.decode_request(call)
        if isinstance(request, Request):
            EVERYTHING.encode_request(request, Losses())
            return
        call = request
    assert call.status == 400
    assert call.reason


@given(st.data())
def test_no_answer_is_too_odd_to_be_read_or_said_to_be_none(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(ANSWERS))
    body = json.dumps(data.draw(mutated(json.loads(path.read_bytes())))).encode()
    try:
        answer = CODEC.decode_answer(body)
    except UnreadableAnswer:
        return
    ChatCompletion.model_validate_json(CODEC.encode_answer(answer, ASKED), strict=True)


@given(st.data())
def test_no_stream_is_too_odd_to_end(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted((SAMPLES / "streams").glob("*.sse"))))
    events = [event.data for event in SseDecoder().feed(path.read_bytes())]
    place = data.draw(st.integers(0, len(events) - 1))
    if events[place] != b"[DONE]":
        events[place] = json.dumps(data.draw(mutated(json.loads(events[place])))).encode()
    decoding, encoding = CODEC.decoding(), CODEC.encoding(ASKED)
    found = [*decoding.feed(b"".join(map(encode, events))), *decoding.end()]
    assert isinstance(found[-1], Ended | Failed)
    folded(found)
    for event in found:
        encoding.feed(event)
