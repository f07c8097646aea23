"""embedContent and batchEmbedContents, as far as policies need them."""

from __future__ import annotations

import json

import pytest

from extproc.llm.dialect import Call, Reading
from extproc.llm.gemini.embedding import BATCH_EMBED_READING, EMBED_READING
from extproc.protocols import json_spans
from extproc.verdict import Deny

MODEL = "gemini-embedding-001"
ONE = {"content": {"parts": [{"text": "hello"}]}, "task_type": "RETRIEVAL_QUERY"}
MANY = {"requests": [{**ONE, "model": f"models/{MODEL}"}, ONE]}


def decode(reading: Reading, document: object) -> Call | Deny:
    return reading.decode(json.dumps(document).encode(), MODEL, is_stream=False)


@pytest.mark.parametrize(
    ("reading", "document", "texts"),
    [(EMBED_READING, ONE, ("hello",)), (BATCH_EMBED_READING, MANY, ("hello", "hello"))],
)
def test_texts_are_read(reading: Reading, document: object, texts: tuple[str, ...]) -> None:
    call = decode(reading, document)
    assert isinstance(call, Call)
    assert reading.texts(call.document) == texts
    assert reading.estimate_input_tokens(call) > 2
    assert reading.ask_usage(call) == {}
    assert json.loads(reading.encode_error(Deny(400, "x", "no")).body)["error"]["code"] == 400


def test_each_request_of_a_batch_is_renamed() -> None:
    call = decode(BATCH_EMBED_READING, MANY)
    assert isinstance(call, Call)
    body = json_spans.replace(
        json.dumps(MANY).encode(), BATCH_EMBED_READING.rename(call, "embed-2")
    )
    assert [each["model"] for each in json.loads(body)["requests"]] == ["models/embed-2"] * 2
    single = decode(EMBED_READING, ONE)
    assert isinstance(single, Call)
    assert EMBED_READING.rename(single, "embed-2") == {}


@pytest.mark.parametrize(
    ("reading", "document", "param"),
    [
        (EMBED_READING, {}, "content"),
        (EMBED_READING, {"content": "x"}, "content"),
        (EMBED_READING, {**ONE, "taskType": "X"}, "task_type"),
        (BATCH_EMBED_READING, {}, "requests"),
        (BATCH_EMBED_READING, {"requests": ["x"]}, "requests[0]"),
        (BATCH_EMBED_READING, {"requests": [{"content": None}]}, "requests[0].content"),
        (BATCH_EMBED_READING, {"requests": [{**ONE, "model": "models/x"}]}, "requests[0].model"),
    ],
)
def test_what_is_wrong_is_refused_by_name(reading: Reading, document: object, param: str) -> None:
    deny = decode(reading, document)
    assert isinstance(deny, Deny)
    assert deny.param == param
