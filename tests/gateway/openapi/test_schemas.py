"""Schemas of each edition become JSON Schema 2020-12 that stands alone."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.openapi.document import Document, Edition
from gateway.openapi.schemas import Direction, Schemas, is_file


def translated(
    schema: object,
    edition: Edition = Edition.OPENAPI_3_0,
    direction: Direction = Direction.REQUEST,
    **components: Any,
) -> dict[str, Any]:
    document = Document({"components": {"schemas": components}}, edition)
    schemas = Schemas(document, direction)
    found = schemas.closed(schemas.translated(schema, ("x",)))
    assert document.mistakes == []
    Draft202012Validator.check_schema(found)
    return found


def mistakes(schema: object, **components: Any) -> list[str]:
    document = Document({"components": {"schemas": components}}, Edition.OPENAPI_3_1)
    Schemas(document, Direction.REQUEST).translated(schema, ("x",))
    return [each.message for each in document.mistakes]


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "nullable": True, "enum": ["a"]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"nullable": True}, {}),
        (
            {"allOf": [{"type": "string"}], "nullable": True, "title": "t"},
            {"anyOf": [{"allOf": [{"type": "string"}]}, {"type": "null"}], "title": "t"},
        ),
        ({"minimum": 3, "exclusiveMinimum": True}, {"exclusiveMinimum": 3}),
        ({"maximum": 3, "exclusiveMaximum": False}, {"maximum": 3}),
        ({"exclusiveMaximum": 3}, {"exclusiveMaximum": 3}),
        ({"example": 3}, {"examples": [3]}),
        ({"examples": {"a": {"value": 3}}}, {}),
        (
            {"type": "string", "format": "byte"},
            {"type": "string", "format": "byte", "contentEncoding": "base64"},
        ),
        ({"type": "string", "format": "binary"}, {"type": "string", "contentEncoding": "base64"}),
        ({"type": "object", "required": True, "xml": {}, "x-a": 1}, {"type": "object"}),
        ({"type": "string", "pattern": "^a+$"}, {"type": "string", "pattern": "^a+$"}),
        (
            {"type": "string", "pattern": "(?=a)", "description": "d"},
            {"type": "string", "description": "d\n\nPattern: (?=a)"},
        ),
        ({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}),
        (
            {"additionalProperties": {"nullable": True, "type": "string"}},
            {"additionalProperties": {"type": ["string", "null"]}},
        ),
    ],
)
def test_words_of_openapi_30_are_translated(written: object, meant: object) -> None:
    assert translated(written) == meant


def test_swaggers_files_are_base64() -> None:
    found = translated({"type": "file"}, Edition.SWAGGER_2)
    assert found == {"type": "string", "contentEncoding": "base64"}
    assert is_file(found)
    assert not is_file({"type": "string", "format": "byte", "contentEncoding": "base64"})


def test_bytes_of_openapi_31_are_base64() -> None:
    found = translated({"type": "string", "contentMediaType": "image/png"}, Edition.OPENAPI_3_1)
    assert is_file(found)
    assert not is_file(
        translated({"type": "string", "contentMediaType": "text/html"}, Edition.OPENAPI_3_1)
    )


def test_words_of_openapi_31_stay() -> None:
    written = {
        "type": ["object", "null"],
        "if": {"required": ["a"]},
        "then": True,
        "else": False,
        "dependentSchemas": {"a": {"minProperties": 2}},
        "patternProperties": {"^x": {}},
        "unevaluatedProperties": False,
        "propertyNames": {"maxLength": 3},
        "prefixItems": [{"const": 1}],
        "contains": {"type": "integer"},
        "not": {"const": 3},
    }
    assert translated(written, Edition.OPENAPI_3_1) == written


def test_schemas_may_contain_themselves() -> None:
    tree = {"type": "object", "properties": {"left": ref("Tree"), "right": ref("Other")}}
    found = translated(ref("Tree"), Tree=tree, Other={"anyOf": [ref("Tree"), {"type": "null"}]})
    assert found["$ref"] == "#/$defs/Tree"
    assert set(found["$defs"]) == {"Tree", "Other"}
    validator = Draft202012Validator(found)
    assert validator.is_valid({"left": {"left": {}}, "right": None})
    assert not validator.is_valid({"left": {"left": 3}})


def test_scalars_stand_where_they_are_used() -> None:
    found = translated({"properties": {"a": ref("Id")}}, Id={"type": "string", "nullable": True})
    assert found == {"properties": {"a": {"type": ["string", "null"]}}}


def test_what_stands_beside_a_reference_counts_where_the_edition_says_so() -> None:
    beside = {**ref("Id"), "maxLength": 3, "description": "d"}
    assert translated(beside, Id={"type": "string"}) == {"type": "string", "description": "d"}
    assert translated(beside, Edition.OPENAPI_3_1, Id={"type": "string"}) == {
        "type": "string",
        "maxLength": 3,
        "description": "d",
    }
    both = translated({**ref("Id"), "type": "string"}, Edition.OPENAPI_3_1, Id={"type": "integer"})
    assert not Draft202012Validator(both).is_valid("a")


def test_definitions_with_one_name_are_told_apart() -> None:
    document = Document(
        {"a": {"X": {"items": {}}}, "b": {"X": {"properties": {}}}}, Edition.OPENAPI_3_0
    )
    schemas = Schemas(document, Direction.REQUEST)
    both = {"anyOf": [{"$ref": "#/a/X"}, {"$ref": "#/b/X"}]}
    assert set(schemas.closed(schemas.translated(both, ()))["$defs"]) == {"X", "X_2"}


@pytest.mark.parametrize(
    ("direction", "kept"), [(Direction.REQUEST, "secret"), (Direction.ANSWER, "id")]
)
def test_each_side_knows_what_it_says(direction: Direction, kept: str) -> None:
    written = {
        "type": "object",
        "required": ["id", "secret"],
        "properties": {"id": ref("Id"), "secret": {"type": "string", "writeOnly": True}},
    }
    found = translated(written, direction=direction, Id={"type": "integer", "readOnly": True})
    assert list(found["properties"]) == found["required"] == [kept]


def test_a_discriminator_decides_where_several_would_fit() -> None:
    pet = {
        "oneOf": [ref("Cat"), ref("Dog")],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {"cat": "#/components/schemas/Cat", "kitten": "Cat", "dog": "Dog"},
        },
    }
    animal = {"type": "object", "properties": {"kind": {"type": "string"}}}
    validator = Draft202012Validator(translated(pet, Cat=animal, Dog=animal))
    assert validator.is_valid({"kind": "kitten"})
    assert validator.is_valid({"kind": "dog"})
    assert not validator.is_valid({"kind": "cow"})


def test_what_is_too_large_for_a_model_allows_anything() -> None:
    long = {name: {"type": "string", "description": "x" * 100} for name in map(str, range(1000))}
    far = {"type": "object", "properties": {"more": ref("Long")}}
    document = Document(
        {"components": {"schemas": {"Far": far, "Long": {"properties": long}}}}, Edition.OPENAPI_3_0
    )
    schemas = Schemas(document, Direction.REQUEST)
    found = schemas.closed(schemas.translated(ref("Far"), ()), 10_000)
    assert found["$defs"]["Long"] == {}
    assert "more" in found["$defs"]["Far"]["properties"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "a.yaml#/X"}, "the reference 'a.yaml#/X' leads out of the document"),
        ({"$ref": "http://a/b"}, "leads out of the document"),
        ({"$ref": "#/components/schemas/No"}, "leads to nothing"),
        ({"$ref": "#anchor"}, "is no path in the document"),
        ({"$ref": "#/components/schemas/Loop"}, "the reference leads to itself"),
        ({"$dynamicRef": "#x"}, "$dynamicRef is not supported"),
        ({"type": "strin"}, "no type 'strin'"),
        ({"properties": []}, "must be an object of schemas"),
        ({"allOf": {}}, "must be a list of schemas"),
        (3, "a schema must be an object"),
    ],
)
def test_what_is_wrong_is_said(schema: object, said: str) -> None:
    found = mistakes(schema, Loop={"$ref": "#/components/schemas/Loop"})
    assert len(found) == 1
    assert said in found[0]
