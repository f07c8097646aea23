"""Schemas as Gemini documents them, and from its older form."""

from __future__ import annotations

import jsonschema
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.gemini.schemas import MAX_NODES, for_gemini, from_openapi


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"const": 3}, {"type": "integer", "enum": [3]}),
        ({"const": True}, {"type": "boolean"}),
        ({"const": None}, {"type": "null"}),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "d"},
            {"type": ["string", "null"], "description": "d"},
        ),
        (
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        ),
        ({"type": "string", "format": "uri"}, {"type": "string"}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"$schema": "x", "$id": "y", "type": "object"}, {"type": "object"}),
        (
            {
                "allOf": [
                    {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "string"}}, "required": ["b", "a"]},
                ]
            },
            {
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a", "b"],
            },
        ),
        (
            {"type": "object", "properties": {"$ref": {"type": "string"}, "format": {}}},
            {"type": "object", "properties": {"$ref": {"type": "string"}, "format": {}}},
        ),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "additionalProperties": False},
        ),
    ],
)
def test_what_gemini_does_not_have_is_said_otherwise(
    schema: dict[str, object], said: dict[str, object]
) -> None:
    assert for_gemini(schema) == said
    assert for_gemini(said) == said


def test_references_are_written_out_with_what_stands_beside_them() -> None:
    schema = {
        "type": "object",
        "properties": {"home": {"$ref": "#/$defs/address", "description": "where"}},
        "$defs": {"address": {"type": "object", "properties": {"zip~/": {"type": "string"}}}},
    }
    assert for_gemini(schema) == {
        "type": "object",
        "properties": {
            "home": {
                "type": "object",
                "properties": {"zip~/": {"type": "string"}},
                "description": "where",
            }
        },
    }


def test_a_schema_within_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/definitions/node"}}}
    schema = {"$ref": "#/definitions/node", "definitions": {"node": node}}
    said = for_gemini(schema)
    assert "$ref" not in repr(said)
    jsonschema.Draft202012Validator.check_schema(said)
    jsonschema.validate({"next": {"next": {"next": {}}}}, said)


def test_a_reference_to_the_root_or_to_nothing() -> None:
    assert for_gemini({"type": "array", "items": {"$ref": "#"}})["type"] == "array"
    assert for_gemini({"$ref": "#/$defs/none"}) == {"$ref": "#/$defs/none"}
    assert for_gemini({"$ref": "https://x"}) == {"$ref": "https://x"}


def test_what_would_grow_beyond_bounds_stays_as_it_is() -> None:
    definitions: dict[str, object] = {"0": {"type": "string"}}
    for level in range(1, 20):
        below = {"$ref": f"#/$defs/{level - 1}"}
        definitions[str(level)] = {"type": "object", "properties": {"a": below, "b": below}}
    schema = {"$ref": "#/$defs/19", "$defs": definitions}
    assert MAX_NODES < 2**19
    assert for_gemini(schema) is schema


def test_the_older_form_is_read() -> None:
    assert from_openapi(
        {
            "type": "OBJECT",
            "properties": {
                "a": {"type": "STRING", "nullable": True, "format": "enum", "enum": ["x"]},
                "b": {"type": "ARRAY", "items": {"type": "NUMBER"}, "min_items": "2"},
                "type": {"any_of": [{"type": "STRING"}, {"type": "INTEGER"}], "nullable": True},
            },
            "required": ["a"],
            "example": {"a": "x"},
        }
    ) == {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", None]},
            "b": {"type": "array", "items": {"type": "number"}, "minItems": 2},
            "type": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        },
        "required": ["a"],
        "examples": [{"a": "x"}],
    }


@pytest.mark.parametrize("keyword", ["propertyOrdering", "property_ordering"])
@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        (["c", "a"], ["c", "a", "b"]),
        (["a", "z", "a"], ["a", "b", "c"]),
        (None, ["a", "b", "c"]),
        ("cba", ["a", "b", "c"]),
        ([["c"], 1], ["a", "b", "c"]),
    ],
)
def test_the_order_of_properties_is_that_of_their_names(
    keyword: str, wanted: object, order: list[str]
) -> None:
    """The keyword is Google's own; Anthropic refuses schemas with keywords it does not know."""
    types = {name: {"type": "STRING"} for name in "abc"}
    said = from_openapi({"type": "OBJECT", "properties": types, keyword: wanted})
    assert set(said) == {"type", "properties"}
    assert list(said["properties"]) == order


LEAVES = st.sampled_from(
    [{"type": "STRING"}, {"type": "INTEGER", "nullable": True}, {"type": "BOOLEAN"}]
)
OPENAPI = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "ARRAY", "items": items}, inner),
        st.builds(
            lambda fields: {"type": "OBJECT", "properties": fields},
            st.dictionaries(st.text(max_size=3), inner, max_size=3),
        ),
    ),
    max_leaves=8,
)


@given(OPENAPI)
def test_whatever_google_takes_becomes_json_schema_that_gemini_takes(
    schema: dict[str, object],
) -> None:
    types.Schema.model_validate(schema)
    said = from_openapi(schema)
    jsonschema.Draft202012Validator.check_schema(said)
    assert for_gemini(said) == said
