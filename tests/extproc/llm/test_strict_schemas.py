"""What OpenAI would refuse as a strict schema is known before it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from extproc.llm.strict_schemas import is_strict

CLOSED: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def having(**properties: object) -> dict[str, Any]:
    """A closed object that requires all it has."""
    return {**CLOSED, "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    "schema",
    [
        None,
        CLOSED,
        having(a={"type": "string"}, b={"type": ["integer", "null"]}),
        having(a=having(b={"type": "string"})),
        having(a={"type": "array", "items": having(b={"enum": [1]})}),
        {**having(a={"$ref": "#/$defs/b"}), "$defs": {"b": having(c={"type": "number"})}},
        having(a={"anyOf": [{"type": "null"}, CLOSED]}),
    ],
)
def test_closed_objects_that_require_all_they_have_are_strict(schema: dict[str, Any]) -> None:
    assert is_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array", "items": CLOSED},
        {"type": "object", "properties": {}},
        {**CLOSED, "additionalProperties": {"type": "string"}},
        {**CLOSED, "properties": {"a": {"type": "string"}}},
        {**having(a={}, b={}), "required": ["a"]},
        having(a={"type": "object"}),
        having(a={"type": ["object", "null"]}),
        having(a={"properties": {"b": {}}}),
        having(a={"type": "array", "items": {"type": "object"}}),
        {**CLOSED, "$defs": {"b": {"type": "object"}}},
        {**CLOSED, "definitions": {"b": {"type": "object"}}},
        having(a={"anyOf": [{"type": "null"}, {"type": "object"}]}),
        having(a=True),
    ],
)
def test_what_is_open_or_optional_anywhere_is_not(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)
