"""Embeddings of models on Bedrock, asked for and told as OpenAI has it."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from extproc.llm.bedrock.embeddings import decode_embeddings, encode_embeddings
from extproc.llm.dialect import UnreadableAnswer
from extproc.verdict import Deny

TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-english-v3"
COHERE_4 = "us.cohere.embed-v4:0"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"


def encoded(document: dict[str, Any], model: str) -> Any:
    body = encode_embeddings(document, model)
    assert isinstance(body, bytes)
    return json.loads(body)


@pytest.mark.parametrize(
    ("model", "document", "body"),
    [
        (TITAN, {"input": "a"}, {"inputText": "a"}),
        (TITAN, {"input": ["a"], "dimensions": 256}, {"inputText": "a", "dimensions": 256}),
        (
            "amazon.titan-embed-image-v1",
            {"input": "a", "dimensions": 384},
            {"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 384}},
        ),
        (
            COHERE,
            {"input": ["a", "b"], "encoding_format": "base64"},
            {"texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"]},
        ),
        (
            COHERE_4,
            {"input": "a", "dimensions": 512, "input_type": "search_query"},
            {
                "texts": ["a"],
                "input_type": "search_query",
                "embedding_types": ["float"],
                "output_dimension": 512,
            },
        ),
        (
            NOVA,
            {"input": "a", "dimensions": 1024},
            {
                "taskType": "SINGLE_EMBEDDING",
                "singleEmbeddingParams": {
                    "embeddingPurpose": "GENERIC_INDEX",
                    "embeddingDimension": 1024,
                    "text": {"truncationMode": "NONE", "value": "a"},
                },
            },
        ),
    ],
)
def test_each_model_is_asked_in_its_form(model: str, document: Any, body: object) -> None:
    assert encoded(document, model) == body


@pytest.mark.parametrize(
    ("model", "document", "param"),
    [
        ("anthropic.claude-v2", {"input": "a"}, "model"),
        (TITAN, {}, "input"),
        (TITAN, {"input": ""}, "input"),
        (TITAN, {"input": []}, "input"),
        (TITAN, {"input": [1, 2]}, "input"),
        (TITAN, {"input": ["a", "b"]}, "input"),
        (NOVA, {"input": ["a", "b"]}, "input"),
        (TITAN, {"input": "a", "dimensions": 0}, "dimensions"),
        (TITAN, {"input": "a", "dimensions": True}, "dimensions"),
        ("amazon.titan-embed-text-v1", {"input": "a", "dimensions": 256}, "dimensions"),
        (COHERE, {"input": "a", "dimensions": 256}, "dimensions"),
        (COHERE, {"input": ["a"] * 97}, "input"),
        (COHERE, {"input": "a", "input_type": "image"}, "input_type"),
        (COHERE, {"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_what_a_model_does_not_take_is_refused(model: str, document: Any, param: str) -> None:
    deny = encode_embeddings(document, model)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.param) == (400, param)


@pytest.mark.parametrize(
    ("body", "vectors"),
    [
        ({"embedding": [0.5, 1], "inputTextTokenCount": 4}, [[0.5, 1]]),
        ({"embeddings": [[0.5], [1.0]], "response_type": "embeddings_floats"}, [[0.5], [1.0]]),
        ({"embeddings": {"float": [[0.5], [1.0]]}}, [[0.5], [1.0]]),
        ({"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5]}]}, [[0.5]]),
    ],
)
def test_every_form_of_vectors(body: object, vectors: list[list[float]]) -> None:
    embedded = decode_embeddings(json.dumps(body).encode(), "m")
    answer = json.loads(embedded.body)
    assert [each["embedding"] for each in answer["data"]] == vectors
    assert [each["index"] for each in answer["data"]] == list(range(len(vectors)))
    assert (answer["object"], answer["model"]) == ("list", "m")


def test_usage_is_titans_alone() -> None:
    titan = decode_embeddings(b'{"embedding":[1],"inputTextTokenCount":4}', "m")
    assert titan.usage is not None
    assert titan.usage.input_tokens == 4
    assert json.loads(titan.body)["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    cohere = decode_embeddings(b'{"embeddings":[[1]]}', "m")
    assert cohere.usage is None
    assert json.loads(cohere.body)["usage"]["prompt_tokens"] == 0


def test_vectors_in_base64_are_small_floats() -> None:
    embedded = decode_embeddings(b'{"embedding":[0.5,-2]}', "m", "base64")
    (entry,) = json.loads(embedded.body)["data"]
    assert struct.unpack("<2f", base64.b64decode(entry["embedding"])) == (0.5, -2.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"embedding":"x"}',
        b'{"embedding":[true]}',
        b'{"embeddings":{"int8":[[1]]}}',
        b'{"embeddings":[{}]}',
    ],
)
def test_what_is_no_answer_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_embeddings(body, "m")


def test_numbers_beyond_small_floats_are_no_answer() -> None:
    with pytest.raises(UnreadableAnswer):
        decode_embeddings(b'{"embedding":[1e300]}', "m", "base64")
