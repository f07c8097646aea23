"""Arguments stand side by side, and are told apart where their names are the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.json_schemas import Schema
from gateway.openapi.values import Operation
from tests.kit.openapi_documents import JSON_BODY, operation, parameter

TEXT = {"type": "string"}


def with_body(
    schema: object, *parameters: dict[str, Any], required: bool = True, **more: Any
) -> Operation:
    requested = {"required": required, "content": {JSON_BODY: {"schema": schema}}}
    return operation(*parameters, method="post", requestBody=requested, **more)


def names(found: Operation) -> list[str]:
    return list(json.loads(found.input_schema)["properties"])


def test_properties_of_the_body_stand_beside_parameters() -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "b[c]": TEXT}, "required": ["a"]}
    found = with_body(schema, parameter("q", "query"))
    assert names(found) == ["q", "a", "b_c"]
    assert found.body is not None
    assert [(each.argument, each.name) for each in found.body.fields] == [
        ("a", "a"),
        ("b_c", "b[c]"),
    ]
    assert json.loads(found.input_schema)["required"] == ["a"]
    assert json.loads(found.input_schema)["additionalProperties"] is False


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"q": TEXT}},  # as the parameter is called
        {"type": "object", "properties": {"a[b]": TEXT, "a_b": TEXT}},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": True},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT},
        {"type": "object", "properties": {"a": TEXT}, "minProperties": 1},
        {"type": ["object", "null"], "properties": {"a": TEXT}},
        {"type": "object", "properties": {"a": TEXT}, "required": ["b"]},
        {"oneOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}}]},
        {"type": "object"},
        {"type": "array", "items": TEXT},
        {},
    ],
)
def test_other_bodies_are_one_argument(schema: object) -> None:
    found = with_body(schema, parameter("q", "query"))
    assert names(found) == ["q", "body"]
    assert found.body is not None
    assert found.body.argument == "body"
    assert json.loads(found.input_schema)["required"] == ["body"]


def test_a_parameter_that_is_called_body_gives_way() -> None:
    found = with_body({}, parameter("body", "query"))
    assert names(found) == ["body_query", "body"]


def test_one_name_in_several_places_says_which() -> None:
    found = operation(
        parameter("id", "path"), parameter("id", "query"), parameter("Id", "header"), path="/{id}"
    )
    assert names(found) == ["id_path", "id_query", "Id"]


def test_parts_that_are_combined_stand_side_by_side() -> None:
    schemas = {"Base": {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}}
    both = {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"b": TEXT}}]}
    found = with_body(both, components={"schemas": schemas})
    assert names(found) == ["a", "b"]
    contrary = {"allOf": [*both["allOf"], {"properties": {"b": {"type": "integer"}}}]}
    assert names(with_body(contrary, components={"schemas": schemas})) == ["body"]


def test_a_body_that_may_be_absent_is_whole_when_it_is_there() -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a"]}
    found = Schema.of(with_body(schema, required=False).input_schema)
    assert found.fault("{}") is None
    assert found.fault('{"a": "1"}') is None
    assert found.fault('{"b": "1"}') is not None


def test_a_body_that_is_empty_has_no_argument() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    assert names(with_body(schema, required=False)) == []


def test_all_that_a_schema_needs_is_in_it() -> None:
    schemas = {
        "Tree": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Tree"}}}
    }
    found = with_body({"$ref": "#/components/schemas/Tree"}, components={"schemas": schemas})
    compiled = Schema.of(found.input_schema)
    assert compiled.fault('{"next": {"next": {}}}') is None
    assert compiled.fault('{"next": {"next": 3}}') is not None
