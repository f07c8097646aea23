"""Answers: structured where all that succeed are JSON, and objects, or wrapped in one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.openapi.values import Operation
from tests.kit.openapi_documents import operation

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}
LIST = {"type": "array", "items": {"type": "integer"}}


def answering(responses: dict[str, Any], **more: Any) -> Operation:
    return operation(responses=responses, **more)


def json_of(schema: object) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def test_objects_are_structured_content() -> None:
    found = answering({"200": json_of(OBJECT), "404": json_of(LIST)})
    assert json.loads(found.output_schema) == OBJECT
    assert not found.is_wrapped


@pytest.mark.parametrize("schema", [LIST, {"type": "string"}, {"oneOf": [OBJECT, LIST]}])
def test_others_are_wrapped(schema: object) -> None:
    found = answering({"2XX": json_of(schema)})
    assert found.is_wrapped
    assert json.loads(found.output_schema) == {
        "type": "object",
        "properties": {"result": schema},
        "required": ["result"],
    }


@pytest.mark.parametrize(
    "schema", [{"oneOf": [OBJECT, OBJECT]}, {"allOf": [{"title": "x"}, OBJECT]}, {"properties": {}}]
)
def test_what_can_be_no_other_is_an_object(schema: dict[str, Any]) -> None:
    found = answering({"default": json_of(schema)})
    assert json.loads(found.output_schema) == {"type": "object", **schema}


def test_several_successes_are_one_schema() -> None:
    found = answering({"200": json_of(OBJECT), "202": json_of({"type": "object"})})
    assert json.loads(found.output_schema)["anyOf"] == [OBJECT, {"type": "object"}]


@pytest.mark.parametrize(
    "responses",
    [
        {},
        {"200": {"description": ""}},
        {"200": json_of(OBJECT), "204": {"description": ""}},
        {"200": {"description": "", "content": {"text/csv": {"schema": {"type": "string"}}}}},
        {"200": {"description": "", "content": {"application/json": {}}}},
        {"200": json_of({})},
        {"404": json_of(OBJECT)},
    ],
)
def test_what_may_be_missing_is_not_promised(responses: dict[str, Any]) -> None:
    found = answering(responses)
    assert (found.output_schema, found.is_wrapped) == ("", False)


def test_what_is_asked_for_is_json_before_others() -> None:
    content = {"text/csv": {}, "application/json": {"schema": OBJECT}, "bad\r\nname": {}}
    found = answering({"200": {"description": "", "content": content}})
    assert found.accept == "application/json, text/csv;q=0.9, */*;q=0.1"
    assert answering({}).accept == "application/json, */*;q=0.1"
    image = {"200": {"description": "", "content": {"image/png": {}}}}
    assert answering(image).accept == "image/png, */*;q=0.1"


def test_answers_may_be_references() -> None:
    components = {
        "responses": {"One": json_of({"$ref": "#/components/schemas/One"})},
        "schemas": {"One": OBJECT},
    }
    found = answering({"200": {"$ref": "#/components/responses/One"}}, components=components)
    assert json.loads(found.output_schema) == {
        "type": "object",
        "$ref": "#/$defs/One",
        "$defs": {"One": OBJECT},
    }


def test_large_schemas_are_cut_where_they_are_deep() -> None:
    wide = {
        "type": "object",
        "properties": {str(i): {"description": "x" * 100} for i in range(900)},
    }
    schemas = {
        "Wide": wide,
        "Top": {"type": "object", "properties": {"w": {"$ref": "#/components/schemas/Wide"}}},
    }
    found = answering(
        {"200": json_of({"$ref": "#/components/schemas/Top"})}, components={"schemas": schemas}
    )
    assert len(found.output_schema) < 1000
    assert json.loads(found.output_schema)["$defs"]["Wide"] == {}
