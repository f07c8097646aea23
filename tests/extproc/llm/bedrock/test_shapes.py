"""What a guard sees of a Converse request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from extproc.llm.bedrock.reading import READING
from extproc.llm.bedrock.shapes import REQUEST
from extproc.llm.shapes import Unread
from tests.kit import bedrock

SAMPLES = sorted((bedrock.SAMPLES / "requests").glob("*.json"))
STRUCTURE = frozenset({"user", "assistant", "default", "success", "error", "png", "json_schema"})


def texts(document: dict[str, Any]) -> tuple[str, ...]:
    found = READING.texts(document)
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_have_no_structure_among_their_texts(path: Path) -> None:
    found = texts(json.loads(path.read_bytes()))
    assert found
    assert not STRUCTURE & set(found)


def said(block: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [block]}]}


@pytest.mark.parametrize(
    "document",
    [
        said({"text": "secret"}),
        {"messages": [{"role": "secret", "content": []}]},
        said({"secret": {}}),
        {
            "messages": [
                {"role": "user", "content": [{"guardContent": {"text": {"text": "secret"}}}]}
            ]
        },
        said({"cachePoint": {"type": "secret"}}),
        said({"document": {"name": "secret"}}),
        said({"document": {"context": "secret"}}),
        said({"document": {"source": {"text": "secret"}}}),
        said({"image": {"format": "secret"}}),
        said({"toolUse": {"input": {"secret": 1}}}),
        {
            "messages": [
                {"role": "user", "content": [{"toolResult": {"content": [{"json": "secret"}]}}]}
            ]
        },
        {"system": [{"text": "secret"}]},
        {"toolConfig": {"tools": [{"toolSpec": {"description": "secret"}}]}},
        {"toolConfig": {"tools": [{"toolSpec": {"inputSchema": {"json": {"secret": {}}}}}]}},
        {"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "secret"}}}}},
        {"outputConfig": {"effort": "secret"}},
        {"promptVariables": {"a": {"text": "secret"}}},
        {"requestMetadata": {"secret": "a"}},
        {"inferenceConfig": {"stopSequences": ["secret"]}},
        {"additionalModelRequestFields": {"thinking": {"type": "secret"}}},
        {"additionalModelRequestFields": {"system_hint": "secret"}},
        {"secret": 1},
    ],
)
def test_a_text_is_seen_wherever_it_is(document: dict[str, Any]) -> None:
    assert "secret" in texts(document)


def test_texts_side_by_side_are_one_text_too() -> None:
    content = [{"text": "sec"}, {"text": "ret"}]
    body = json.dumps({"messages": [{"role": "user", "content": content}]})
    assert {"sec", "ret"} <= set(texts(json.loads(body)))


def unknown(rule: object, shape: Shape, where: str, seen: set[str]) -> list[str]:
    """Fields that are listed here and that botocore does not have."""
    while isinstance(shape, ListShape):
        shape = shape.member
    if not isinstance(rule, dict) or isinstance(shape, MapShape) or not rule:
        return []
    if getattr(shape, "is_document_type", False):
        return []
    assert isinstance(shape, StructureShape), where
    wrong: list[str] = []
    for name, inner in rule.items():
        if name not in shape.members:
            wrong.append(f"{where}.{name}")
        elif inner is not Unread.ALL:
            seen.add(f"{where}.{name}")
            wrong += unknown(inner, shape.members[name], f"{where}.{name}", seen)
    return wrong


def test_every_listed_field_is_bedrocks() -> None:
    seen: set[str] = set()
    shape = bedrock.service().operation_model(bedrock.CONVERSE).input_shape
    assert unknown(REQUEST, shape, "", seen) == []
    assert len(seen) > 80
