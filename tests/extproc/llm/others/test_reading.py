from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.dialect import Call
from extproc.llm.others import reading
from extproc.llm.others.reading import JsonReading
from extproc.protocols import json_spans
from extproc.rewording import Reworded
from extproc.verdict import Deny

EVERY: dict[str, tuple[JsonReading, dict[str, object]]] = {
    "completions": (reading.COMPLETIONS, {"prompt": "say secret"}),
    "embeddings": (reading.EMBEDDINGS, {"input": ["say secret", "b"]}),
    "moderations": (reading.MODERATIONS, {"input": [{"type": "text", "text": "say secret"}]}),
    "images": (reading.IMAGE_GENERATIONS, {"prompt": "say secret", "n": 2}),
    "speech": (reading.SPEECH, {"input": "say secret", "voice": "alloy"}),
    "rerank": (reading.RERANK, {"query": "say secret", "documents": ["b"]}),
}
rows = pytest.mark.parametrize(("read", "fields"), EVERY.values(), ids=EVERY)


class Masking:
    def text(self, text: str) -> str:
        return text.replace("secret", "[x]")

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return pieces

    def fixed(self, text: str) -> None:
        assert "secret" not in text


def decoded(read: JsonReading, document: object, model: str = "") -> Call:
    call = read.decode(json.dumps(document).encode(), model, is_stream=False)
    assert isinstance(call, Call), call
    return call


def fault(read: JsonReading, body: bytes, model: str = "") -> Deny:
    deny = read.decode(body, model, is_stream=False)
    assert isinstance(deny, Deny)
    return deny


@rows
def test_what_policies_need_is_read(read: JsonReading, fields: dict[str, object]) -> None:
    call = decoded(read, {"model": "m", **fields})
    assert (call.model, call.is_stream, call.tells_usage) == ("m", False, True)
    texts = read.texts(call.document)
    assert "say secret" in texts
    assert read.estimate_input_tokens(call) > 0
    assert read.demands(call).is_estimated is False


@rows
def test_texts_are_reworded_and_the_rest_stays(
    read: JsonReading, fields: dict[str, object]
) -> None:
    body = json.dumps({"model": "m", "x-mine": 1.10, **fields}).encode()
    reworded = read.reword(body, Masking())
    assert isinstance(reworded, Reworded)
    after = json_spans.replace(body, reworded.values)
    assert after == body.replace(b"secret", b"[x]") or json.loads(after) == json.loads(
        body.replace(b"secret", b"[x]")
    )
    assert "say [x]" in reworded.texts
    assert b"1.1" in after


@rows
def test_the_model_is_renamed(read: JsonReading, fields: dict[str, object]) -> None:
    body = json.dumps({"model": "m", **fields}).encode()
    call = decoded(read, {"model": "m", **fields})
    after = json.loads(json_spans.replace(body, read.rename(call, "a/b")))
    assert after == {"model": "a/b", **fields}


@rows
def test_a_path_that_names_the_model_and_the_body_agree(
    read: JsonReading, fields: dict[str, object]
) -> None:
    assert decoded(read, fields, "deployed").model == "deployed"
    assert decoded(read, {"model": "deployed", **fields}, "deployed").model == "deployed"
    body = json.dumps({"model": "other", **fields}).encode()
    assert fault(read, body, "deployed").param == "model"


@rows
def test_what_could_be_read_in_two_ways_is_refused(
    read: JsonReading, fields: dict[str, object]
) -> None:
    body = json.dumps({"model": "m", **fields}).encode()
    assert fault(read, body[:-1] + b', "mo\\u0064el": "n"}').code == "duplicate_key"
    assert fault(read, body[:-1] + b', "Model": "n"}').code == "ambiguous_key"
    assert fault(read, body[:-1]).code == "invalid_json"
    assert fault(read, b"[]").code == "invalid_json"
    assert fault(read, json.dumps({"model": "a b", **fields}).encode()).param == "model"
    assert fault(read, json.dumps({"model": 1, **fields}).encode()).param == "model"


def test_only_moderations_need_no_model() -> None:
    for read, fields in EVERY.values():
        if read is reading.MODERATIONS:
            assert decoded(read, fields).model == "omni-moderation-latest"
        else:
            assert fault(read, json.dumps(fields).encode()).param == "model"


def test_a_streamed_completion_is_asked_for_its_usage() -> None:
    document: dict[str, object] = {"model": "m", "prompt": "a", "stream": True}
    call = decoded(reading.COMPLETIONS, document)
    assert (call.is_stream, call.tells_usage, call.max_output_tokens) == (True, False, 16)
    options = json.loads(reading.COMPLETIONS.ask_usage(call)["stream_options"])
    assert options == {"include_usage": True}
    told = decoded(reading.COMPLETIONS, {**document, "stream_options": options})
    assert told.tells_usage
    assert reading.COMPLETIONS.ask_usage(told) == {}
    other = decoded(reading.COMPLETIONS, {**document, "stream_options": {"x": 1}})
    asked = json.loads(reading.COMPLETIONS.ask_usage(other)["stream_options"])
    assert asked == {"x": 1, "include_usage": True}


def test_streams_are_known() -> None:
    spoken = {"model": "m", "input": "a", "stream_format": "sse"}
    assert decoded(reading.SPEECH, spoken).is_stream
    drawn = {"model": "m", "prompt": "a", "stream": True}
    assert decoded(reading.IMAGE_GENERATIONS, drawn).is_stream
    assert decoded(reading.IMAGE_GENERATIONS, drawn).tells_usage
    assert fault(reading.IMAGE_GENERATIONS, b'{"model":"m","prompt":"a","stream":1}').param == (
        "stream"
    )


@pytest.mark.parametrize(
    ("read", "document"),
    [
        (reading.EMBEDDINGS, {"model": "m", "input": [1, 2]}),
        (reading.EMBEDDINGS, {"model": "m", "input": [[1, 2]]}),
        (reading.COMPLETIONS, {"model": "m", "prompt": [1, 2]}),
    ],
)
def test_what_no_guard_can_read_is_refused_where_one_asks(
    read: JsonReading, document: dict[str, object]
) -> None:
    refusal = read.texts(decoded(read, document).document)
    assert isinstance(refusal, Deny)
    assert refusal.code == "unreadable_input"


def test_refusals_are_said_as_clients_of_openai_read_them() -> None:
    error = json.loads(reading.RERANK.encode_error(Deny(404, "x", "no such model")).body)
    assert error["error"]["message"] == "no such model"


@given(st.binary(max_size=60), st.sampled_from(sorted(EVERY)))
def test_no_body_is_too_strange(body: bytes, name: str) -> None:
    assert isinstance(EVERY[name][0].decode(body, "", is_stream=False), Deny)
