from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.llm.anthropic.codec import CODEC
from extproc.llm.anthropic.reading import READING
from extproc.llm.anthropic.stream_reader import MessagesDecoding
from extproc.llm.anthropic.stream_writer import MessagesEncoding
from extproc.llm.dialect import Asked, Call, UnreadableAnswer
from extproc.llm.losses import Losses
from extproc.llm.request import Request
from extproc.verdict import Deny

FOLDER = Path(__file__).parents[3] / "translations/anthropic"
REQUESTS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("requests/*.json")}
ANSWERS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("answers/*.json")}
STREAMS = {
    path.stem: [
        json.loads(event.partition("data: ")[2]) for event in path.read_text().split("\n\n")[:-1]
    ]
    for path in FOLDER.glob("streams/*.sse")
}
ASKED = Asked("m", "1", 0)

odd = st.sampled_from(
    ["null", "true", "-1", "1.5", '""', '"text"', "[]", "[1]", '["a"]', "{}", '{"type":"text"}']
).map(json.loads)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document: what holds it, and under which key."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def spoiled(document: Any, data: st.DataObject) -> Any:
    """A document in which some things are not what they ought to be."""
    document = json.loads(json.dumps(document))
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(list(places(document))))
        if data.draw(st.booleans()):
            holder[key] = data.draw(odd)
        elif isinstance(holder, dict):
            holder.pop(key, None)
    return document


def test_the_dialect_is_whole() -> None:
    body = b'{"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
    call = READING.decode(body, "", is_stream=False)
    assert isinstance(call, Call)
    request = CODEC.decode_request(call)
    assert isinstance(request, Request)
    assert json.loads(CODEC.encode_request(request, Losses()))["messages"][0]["content"] == "hi"
    assert isinstance(CODEC.decoding(), MessagesDecoding)
    assert isinstance(CODEC.encoding(ASKED), MessagesEncoding)
    assert (CODEC.name, CODEC.stream_type) == ("Anthropic Messages", "text/event-stream")


@pytest.mark.parametrize("name", sorted(REQUESTS))
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_whatever_a_client_says_is_a_request_or_refused(name: str, data: st.DataObject) -> None:
    call = READING.decode(json.dumps(spoiled(REQUESTS[name], data)).encode(), "", is_stream=False)
    if isinstance(call, Deny):
        return
    assert isinstance(READING.texts(call.document), tuple)
    assert READING.estimate_input_tokens(call) > 0
    request = CODEC.decode_request(call)
    if isinstance(request, Request):
        json.loads(CODEC.encode_request(request, Losses()))


@pytest.mark.parametrize("name", sorted(ANSWERS))
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_whatever_a_provider_says_is_an_answer_or_unreadable(
    name: str, data: st.DataObject
) -> None:
    body = json.dumps(spoiled(ANSWERS[name], data)).encode()
    with contextlib.suppress(UnreadableAnswer):
        json.loads(CODEC.encode_answer(CODEC.decode_answer(body), ASKED))
    CODEC.encode_error(CODEC.decode_error(500, body))


@pytest.mark.parametrize("name", sorted(STREAMS))
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_whatever_a_provider_streams_comes_to_an_end(name: str, data: st.DataObject) -> None:
    decoding, encoding = CODEC.decoding(), CODEC.encoding(ASKED)
    events = [
        event
        for said in spoiled(STREAMS[name], data)
        for event in decoding.feed(b"data: " + json.dumps(said).encode() + b"\n\n")
    ]
    told = b"".join(map(encoding.feed, [*events, *decoding.end()]))
    assert told.count(b"event: message_stop\n") + told.count(b"event: error\n") == 1
