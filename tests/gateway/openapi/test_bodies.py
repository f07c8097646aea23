"""Of the bodies that an operation takes, one is sent, and its fields are known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.openapi.values import Body, BodyKind, Field, Operation, Style
from tests.kit.openapi_documents import body, document, only, problems

TEXT = {"type": "string"}
OBJECT = {"type": "object", "properties": {"a": TEXT}}


def sent(found: Operation) -> Body:
    assert found.body is not None
    return found.body


@pytest.mark.parametrize(
    ("types", "kind", "media_type"),
    [
        (["application/xml", "application/json"], BodyKind.JSON, "application/json"),
        (["application/vnd.x+json; v=1"], BodyKind.JSON, "application/vnd.x+json; v=1"),
        (["*/*"], BodyKind.JSON, "application/json"),
        (["application/x-www-form-urlencoded"], BodyKind.FORM, "application/x-www-form-urlencoded"),
        (
            ["application/x-www-form-urlencoded", "multipart/form-data"],
            BodyKind.MULTIPART,
            "multipart/form-data",
        ),
        (["text/plain"], BodyKind.TEXT, "text/plain"),
        (["text/*"], BodyKind.TEXT, "text/plain"),
        (["application/xml"], BodyKind.TEXT, "application/xml"),
        (["application/octet-stream"], BodyKind.BINARY, "application/octet-stream"),
        (["image/*"], BodyKind.BINARY, "application/octet-stream"),
    ],
)
def test_the_kind_is_the_one_that_says_most(
    types: list[str], kind: BodyKind, media_type: str
) -> None:
    found = sent(body({key: {"schema": OBJECT} for key in types}))
    assert (found.kind, found.media_type) == (kind, media_type)


def test_anything_without_a_schema_is_bytes() -> None:
    found = body({"*/*": {}})
    assert sent(found).kind is BodyKind.BINARY
    assert json.loads(found.input_schema)["properties"]["body"] == {
        "type": "string",
        "contentEncoding": "base64",
    }


def test_several_kinds_of_bytes_can_be_chosen() -> None:
    found = body({"image/png": {}, "image/jpeg": {}})
    assert sent(found).media_type_argument == "content_type"
    chosen = json.loads(found.input_schema)["properties"]["content_type"]
    assert chosen["enum"] == ["image/png", "image/jpeg"]


def test_files_of_multipart_forms_are_base64_and_have_names() -> None:
    properties = {
        "a": {**TEXT, "format": "binary"},
        "b": {},
        "c": TEXT,
        "d": {**TEXT, "format": "byte"},
        "e": {"type": "array", "items": {}},
        "f": {**TEXT, "contentMediaType": "image/png"},
    }
    found = body({"multipart/form-data": {"schema": {"type": "object", "properties": properties}}})
    files = {each.name: each for each in sent(found).fields if each.is_file}
    assert set(files) == {"a", "b", "e", "f"}
    assert files["f"].media_type == "image/png"
    assert files["a"].filename_argument == "a_filename"
    assert files["e"].filename_argument == ""
    schema = json.loads(found.input_schema)["properties"]
    base64 = {"type": "string", "contentEncoding": "base64"}
    assert schema["a"] == schema["b"] == schema["e"]["items"] == base64
    assert schema["a_filename"]["type"] == "string"


def test_encodings_say_how_fields_are_written() -> None:
    encoding = {
        "a": {"style": "deepObject", "explode": True},
        "b": {"contentType": "application/json, */*"},
        "c": {"explode": False, "allowReserved": True},
    }
    properties = {key: {"type": "object"} for key in "abc"}
    media = {"schema": {"type": "object", "properties": properties}, "encoding": encoding}
    found = sent(body({"application/x-www-form-urlencoded": media}))
    assert found.fields == (
        Field("a", "a", Style.DEEP_OBJECT, True),
        Field("b", "b", media_type="application/json"),
        Field("c", "c", Style.FORM, False, True),
    )


def test_styles_of_multipart_forms_are_of_edition_31() -> None:
    media = {"schema": OBJECT, "encoding": {"a": {"style": "pipeDelimited"}}}
    new = sent(body({"multipart/form-data": media}))
    old = sent(body({"multipart/form-data": media}, openapi="3.0.3"))
    assert new.fields[0].style is Style.PIPE_DELIMITED
    assert old.fields[0].style is None


def swagger(*parameters: dict[str, Any], consumes: list[str] | None = None) -> Operation:
    item = {"post": {"parameters": list(parameters), "responses": {}, "consumes": consumes or []}}
    return only(json.dumps({"swagger": "2.0", "paths": {"/x": item}}))


def test_swaggers_fields_are_a_form() -> None:
    listed = {"type": "array", "items": TEXT, "collectionFormat": "pipes"}
    fields = (
        {"name": "a", "in": "formData", **listed},
        {"name": "b", "in": "formData", **TEXT, "required": True},
    )
    found = swagger(*fields)
    assert sent(found).kind is BodyKind.FORM
    assert sent(found).fields[0].style is Style.PIPE_DELIMITED
    assert json.loads(found.input_schema)["required"] == ["b"]
    assert sent(swagger(*fields, consumes=["multipart/form-data"])).kind is BodyKind.MULTIPART


def test_swaggers_files_make_a_multipart_form() -> None:
    found = swagger({"name": "f", "in": "formData", "type": "file"})
    assert sent(found).kind is BodyKind.MULTIPART
    assert sent(found).fields[0].is_file


@pytest.mark.parametrize(
    ("consumes", "kind"),
    [
        ([], BodyKind.JSON),
        (["application/xml", "application/json"], BodyKind.JSON),
        (["application/xml"], BodyKind.TEXT),
        (["application/octet-stream"], BodyKind.BINARY),
    ],
)
def test_swaggers_bodies_are_what_they_consume(consumes: list[str], kind: BodyKind) -> None:
    found = swagger({"name": "b", "in": "body", "schema": TEXT}, consumes=consumes)
    assert sent(found).kind is kind


@pytest.mark.parametrize(
    ("media", "said"),
    [
        ({"schema": OBJECT, "encoding": {"a": {"style": "simple"}}}, "no style of a field"),
        ({"schema": OBJECT, "encoding": {"a": 3}}, "must be an object"),
        ({"schema": 3}, "a schema must be an object"),
        (3, "must be an object"),
    ],
)
def test_what_is_wrong_is_said(media: object, said: str) -> None:
    content = {"application/x-www-form-urlencoded": media}
    (problem,) = problems(document("/x", "post", {"requestBody": {"content": content}}))
    assert said in problem
