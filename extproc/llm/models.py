"""The models that clients may ask for, listed as each vendor lists its own.

https://platform.openai.com/docs/api-reference/models, https://docs.claude.com/en/api/models-list,
https://ai.google.dev/api/models. Everything is on the first page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto

from extproc.protocols import json_spans
from gateway.apis import Family

ANTHROPIC_HEADER = "anthropic-version"
GEMINI_HEADER = "x-goog-api-key"
"""What the vendors' own clients send, by which those that share a path are told apart."""

_OWNER = "dragoman"
_GEMINI_PREFIX = "models/"
_GEMINI_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


class ModelShape(Enum):
    """A vendor's way to list models."""

    OPENAI = auto()
    ANTHROPIC = auto()
    GEMINI = auto()


def shape_of(family: Family, headers: Mapping[str, str]) -> ModelShape:
    """What a client expects that asks at a path of this family, with these headers (lower case)."""
    if family is Family.GEMINI or GEMINI_HEADER in headers:
        return ModelShape.GEMINI
    if family is Family.ANTHROPIC or ANTHROPIC_HEADER in headers:
        return ModelShape.ANTHROPIC
    return ModelShape.OPENAI


def asked_name(shape: ModelShape, name: str) -> str:
    """The model that a path names: Gemini's clients may repeat `models/`."""
    return name.removeprefix(_GEMINI_PREFIX) if shape is ModelShape.GEMINI else name


def encode_list(shape: ModelShape, names: Iterable[str], created: int) -> bytes:
    """All of them; `created` in Unix seconds."""
    models = [_model(shape, name, created) for name in names]
    match shape:
        case ModelShape.OPENAI:
            page: Mapping[str, object] = {"object": "list", "data": models}
        case ModelShape.ANTHROPIC:
            page = {
                "data": models,
                "has_more": False,
                "first_id": _id(models, 0),
                "last_id": _id(models, -1),
            }
        case ModelShape.GEMINI:
            page = {"models": models}  # without `nextPageToken`: it is the last page
    return json_spans.encode(page)


def encode_one(shape: ModelShape, name: str, created: int) -> bytes:
    """One of them."""
    return json_spans.encode(_model(shape, name, created))


def _model(shape: ModelShape, name: str, created: int) -> dict[str, object]:
    match shape:
        case ModelShape.OPENAI:
            return {"id": name, "object": "model", "created": created, "owned_by": _OWNER}
        case ModelShape.ANTHROPIC:
            since = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return {
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": since,
                "lifecycle": "active",
            }
        case ModelShape.GEMINI:
            return {
                "name": f"{_GEMINI_PREFIX}{name}",
                "baseModelId": name,
                "version": "",
                "displayName": name,
                "supportedGenerationMethods": _GEMINI_METHODS,
            }


def _id(models: Sequence[Mapping[str, object]], index: int) -> object:
    return models[index]["id"] if models else None
