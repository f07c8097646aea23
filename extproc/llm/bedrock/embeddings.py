"""Embeddings of Titan, Nova and Cohere on Bedrock, for clients that ask as OpenAI has it.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
model-parameters-embed.html, and https://platform.openai.com/docs/api-reference/embeddings.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from extproc.llm.bedrock.invoke import usage_of_invoke
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.faults import wrong_value
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny
from gateway.usage import Usage

MOST_COHERE_TEXTS = 96
_INPUT_TYPES = frozenset({"search_document", "search_query", "classification", "clustering"})
_PURPOSES: Mapping[str, str] = {
    "search_document": "GENERIC_INDEX",
    "search_query": "GENERIC_RETRIEVAL",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
"""Cohere's words for what an embedding is for, and Nova's."""


class Embedded(Struct, frozen=True):
    """An answer to a client, and what it used."""

    body: bytes
    usage: Usage | None


class _Asked(Struct, frozen=True):
    texts: tuple[str, ...]
    dimensions: int | None
    input_type: str


def encode_embeddings(document: Mapping[str, object], model: str) -> bytes | Deny:
    """The body of an InvokeModel that asks for what an OpenAI embeddings request asks."""
    encode = _encoder(model)
    if encode is None:
        reason = f"the model {model!r} has no embeddings that are known here"
        return Deny(400, "unsupported_model", reason, param="model")
    asked = _asked(document)
    if isinstance(asked, Deny):
        return asked
    encoded = encode(asked, model)
    return encoded if isinstance(encoded, Deny) else json_spans.encode(encoded)


def decode_embeddings(body: bytes, model: str, encoding_format: str = "float") -> Embedded:
    """OpenAI's form of the answer."""
    try:
        document = json_spans.decode(body)
    except InvalidJson as error:
        raise UnreadableAnswer(str(error)) from None
    vectors = _vectors(document)
    usage = usage_of_invoke(document)
    tokens = 0 if usage is None else usage.input_tokens
    shown = _base64 if encoding_format == "base64" else list
    data = [
        {"object": "embedding", "index": index, "embedding": shown(vector)}
        for index, vector in enumerate(vectors)
    ]
    answer = {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Embedded(json_spans.encode(answer), usage)


def _encoder(model: str) -> Callable[[_Asked, str], dict[str, object] | Deny] | None:
    if "titan-embed" in model:
        return _titan
    if "cohere.embed" in model:
        return _cohere
    return _nova if "multimodal-embeddings" in model else None


def _asked(document: Mapping[str, object]) -> _Asked | Deny:
    given = document.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        return wrong_value("input", "must be a string, or an array of strings")
    if not all(isinstance(text, str) and text for text in texts):
        return wrong_value("input", "must be of strings that are not empty; tokens are not taken")
    dimensions = document.get("dimensions")
    if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
        return wrong_value("dimensions", "must be an integer above 0")
    if document.get("encoding_format", "float") not in ("float", "base64"):
        return wrong_value("encoding_format", "must be float or base64")
    input_type = document.get("input_type", "search_document")
    if not isinstance(input_type, str) or input_type not in _INPUT_TYPES:
        return wrong_value("input_type", f"must be one of {', '.join(sorted(_INPUT_TYPES))}")
    return _Asked(tuple(texts), dimensions if type(dimensions) is int else None, input_type)


def _titan(asked: _Asked, model: str) -> dict[str, object] | Deny:
    if len(asked.texts) > 1:
        return wrong_value("input", "must be one text for this model")
    body: dict[str, object] = {"inputText": asked.texts[0]}
    if asked.dimensions is None:
        return body
    if "embed-image" in model:
        body["embeddingConfig"] = {"outputEmbeddingLength": asked.dimensions}
    elif "embed-text-v1" in model or "embed-g1-text" in model:
        return wrong_value("dimensions", "cannot be chosen for this model")
    else:
        body["dimensions"] = asked.dimensions
    return body


def _cohere(asked: _Asked, model: str) -> dict[str, object] | Deny:
    if len(asked.texts) > MOST_COHERE_TEXTS:
        return wrong_value("input", f"must be at most {MOST_COHERE_TEXTS} texts for this model")
    body: dict[str, object] = {
        "texts": asked.texts,
        "input_type": asked.input_type,
        "embedding_types": ["float"],
    }
    if asked.dimensions is not None:
        if "embed-v4" not in model:
            return wrong_value("dimensions", "cannot be chosen for this model")
        body["output_dimension"] = asked.dimensions
    return body


def _nova(asked: _Asked, model: str) -> dict[str, object] | Deny:
    if len(asked.texts) > 1:
        return wrong_value("input", "must be one text for this model")
    params: dict[str, object] = {
        "embeddingPurpose": _PURPOSES[asked.input_type],
        "text": {"truncationMode": "NONE", "value": asked.texts[0]},
    }
    if asked.dimensions is not None:
        params["embeddingDimension"] = asked.dimensions
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}


def _vectors(document: Mapping[str, object]) -> list[Sequence[float]]:
    """Titan has one; Cohere's and Nova's are in arrays, by type or each with its own."""
    single = document.get("embedding")
    if isinstance(single, list):
        return [_vector(single)]
    several = document.get("embeddings")
    if isinstance(several, dict):
        several = several.get("float")
    if not isinstance(several, list):
        raise UnreadableAnswer("no embedding in the answer")
    return [_vector(each.get("embedding") if isinstance(each, dict) else each) for each in several]


def _vector(value: object) -> Sequence[float]:
    if not isinstance(value, list) or not all(type(each) in (int, float) for each in value):
        raise UnreadableAnswer("an embedding that is not of numbers")
    return value


def _base64(vector: Sequence[float]) -> str:
    """Of 32-bit floats, little-endian."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise UnreadableAnswer("an embedding of numbers beyond 32 bits") from None
