from __future__ import annotations

import base64
import json

import pytest

from extproc.llm.anthropic.elsewhere import (
    BEDROCK_VERSION,
    VERTEX_VERSION,
    Messages,
    betas_in,
    chunk_of_event,
    event_of_chunk,
    from_path,
    to_bedrock,
    to_vertex,
    with_betas,
)
from extproc.llm.dialect import UnreadableAnswer
from extproc.verdict import Deny

BODY = b'{"model": "claude-opus-5-5","stream":true, "later" : 1e400,"max_tokens":5,"messages":[]}'


def test_vertex_has_the_model_in_the_path_and_the_version_in_the_body() -> None:
    assert to_vertex(BODY) == (
        b'{"stream":true, "later" : 1e400,"max_tokens":5,"messages":[],'
        b'"anthropic_version":"vertex-2023-10-16"}'
    )
    assert json.loads(to_vertex(BODY))["anthropic_version"] == VERTEX_VERSION


def test_bedrock_says_the_stream_in_the_path_too() -> None:
    assert to_bedrock(BODY) == (
        b'{ "later" : 1e400,"max_tokens":5,"messages":[],"anthropic_version":"bedrock-2023-05-31"}'
    )
    assert json.loads(to_bedrock(BODY))["anthropic_version"] == BEDROCK_VERSION


def test_a_version_that_a_client_says_is_kept() -> None:
    body = b'{"anthropic_version":"2026-10-21","model":"m"}'
    assert to_vertex(body) == to_bedrock(body) == b'{"anthropic_version":"2026-10-21"}'


def test_a_clouds_request_is_one_for_anthropic() -> None:
    body = b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"anthropic_beta":["a","b"]}'
    assert from_path(body, "claude@1", is_stream=False) == Messages(
        b'{"max_tokens":5,"model":"claude@1"}', "bedrock-2023-05-31", ("a", "b")
    )
    streamed = from_path(b'{"max_tokens":5}', "m", is_stream=True)
    assert streamed == Messages(b'{"max_tokens":5,"model":"m","stream":true}', "", ())
    vertex = from_path(b'{"stream":true}', "m", is_stream=True)
    assert vertex == Messages(b'{"stream":true,"model":"m"}', "", ())
    contradicted = from_path(b'{"stream":true}', "m", is_stream=False)
    assert contradicted == Messages(b'{"stream":false,"model":"m"}', "", ())


@pytest.mark.parametrize("is_stream", [True, False])
def test_there_and_back_changes_nothing_that_is_not_the_clouds(is_stream: bool) -> None:
    flag = b"true" if is_stream else b"false"
    body = b'{"a":[1,{"model":2}],"b":"\\u00e9","model":"m","stream":' + flag + b"}"
    for form in (to_vertex(body), to_bedrock(body)):
        back = from_path(form, "m", is_stream=is_stream)
        assert isinstance(back, Messages)
        assert json.loads(back.body).items() >= {"a": [1, {"model": 2}], "model": "m"}.items()
        assert b'"b":"\\u00e9"' in back.body
        assert (json.loads(back.body).get("stream") is True) is is_stream


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"anthropic_version":1}', "anthropic_version"),
        (b'{"anthropic_beta":"a"}', "anthropic_beta"),
        (b'{"anthropic_beta":[1]}', "anthropic_beta[0]"),
        (b'{"anthropic_beta":["a,b"]}', "anthropic_beta[0]"),
        (b'{"anthropic_beta":["a\\nb"]}', "anthropic_beta[0]"),
        (b'{"anthropic_beta":[""]}', "anthropic_beta[0]"),
        (b'{"anthropic_beta":["' + b"a" * 129 + b'"]}', "anthropic_beta[0]"),
        (b'{"anthropic_beta":[' + b",".join([b'"a"'] * 65) + b"]}", "anthropic_beta"),
        (b'{"model":"other"}', "model"),
        (b'{"a":1,"a":2}', None),
    ],
)
def test_what_cannot_be_meant_is_refused(body: bytes, param: str | None) -> None:
    deny = from_path(body, "m", is_stream=False)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.param) == (400, param)


def test_betas_of_a_header_go_into_a_body_that_says_none() -> None:
    assert with_betas(b'{"a":1}', ("b", "c")) == b'{"a":1,"anthropic_beta":["b","c"]}'
    assert with_betas(b'{"a":1}', ()) == b'{"a":1}'
    body = b'{"anthropic_beta":["a"]}'
    assert with_betas(body, ("b",)) is body


def test_what_no_header_could_say_is_no_beta() -> None:
    said = ["a-1", "", "b,c", "d\n", "é", 5, None, "f" * 129, "g-2"]
    assert betas_in({"anthropic_beta": said}) == ("a-1", "g-2")
    assert len(betas_in({"anthropic_beta": ["a"] * 100})) == 64
    assert betas_in({"anthropic_beta": "a-1"}) == betas_in({}) == ()


def test_chunks_hold_events() -> None:
    data = b'{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":9}}'
    assert event_of_chunk(chunk_of_event(data)) == b"event: message_stop\ndata: " + data + b"\n\n"


def test_no_chunk_can_say_more_than_one_event() -> None:
    said = '{"type":"a\\nevent: b",\n\n"x":1}'
    assert event_of_chunk(chunk_of_event(said.encode())) == (
        b'data: {"type":"a\\nevent: b","x":1}\n\n'
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"bytes":5}',
        b'{"bytes":"?"}',
        json.dumps({"bytes": base64.b64encode(b"[1]").decode()}).encode(),
    ],
)
def test_what_is_no_chunk_is_unreadable(payload: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        event_of_chunk(payload)
