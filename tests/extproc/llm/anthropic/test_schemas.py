from __future__ import annotations

from extproc.llm.anthropic.schemas import closed


def test_objects_are_closed_at_every_depth() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "object", "properties": {}}},
            "b": {"anyOf": [{"type": ["object", "null"]}, {"type": "string"}]},
        },
        "$defs": {"c": {"properties": {"d": {"type": "integer"}}}},
    }
    assert closed(schema) == {
        "type": "object",
        "properties": {
            "a": {
                "type": "array",
                "items": {"type": "object", "properties": {}, "additionalProperties": False},
            },
            "b": {
                "anyOf": [
                    {"type": ["object", "null"], "additionalProperties": False},
                    {"type": "string"},
                ]
            },
        },
        "$defs": {"c": {"properties": {"d": {"type": "integer"}}, "additionalProperties": False}},
        "additionalProperties": False,
    }


def test_bounds_are_said_in_words() -> None:
    assert closed({"type": "integer", "minimum": 1, "maximum": 9}) == {
        "type": "integer",
        "description": '{"minimum":1,"maximum":9}',
    }
    assert closed({"type": "string", "maxLength": 5, "description": "a name"}) == {
        "type": "string",
        "description": 'a name\n{"maxLength":5}',
    }
    assert closed({"type": "array", "minItems": 1}) == {"type": "array", "minItems": 1}
    assert "minItems" not in closed({"type": "array", "minItems": 2})


def test_one_of_becomes_any_of_and_all_else_stays() -> None:
    assert closed({"oneOf": [{"const": 1}, True]}) == {"anyOf": [{"const": 1}, True]}
    schema = {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}
    assert closed(schema) == schema


def test_the_schema_that_was_given_is_not_changed() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "object"}}}
    closed(schema)
    assert schema == {"type": "object", "properties": {"a": {"type": "object"}}}


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    schema = {"properties": {"minimum": {"type": "string"}}, "additionalProperties": False}
    assert closed(schema) == schema
