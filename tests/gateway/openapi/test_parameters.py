"""Parameters say where they are and how they are written, in each edition."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.openapi.values import Location, Operation, Style
from tests.kit.openapi_documents import document, only, operation, parameter, problems


def swagger(*parameters: dict[str, Any], path: str = "/x", **more: Any) -> Operation:
    """An operation of Swagger 2 with these parameters."""
    item = {"get": {"parameters": list(parameters), "responses": {}, **more}}
    return only(json.dumps({"swagger": "2.0", "paths": {path: item}}))


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [
        ("query", Style.FORM, True),
        ("path", Style.SIMPLE, False),
        ("header", Style.SIMPLE, False),
        ("cookie", Style.FORM, True),
    ],
)
def test_each_place_has_its_style(location: str, style: Style, explode: bool) -> None:
    (found,) = operation(
        parameter("a", location), path="/{a}" if location == "path" else "/x"
    ).parameters
    assert (found.location, found.style, found.explode) == (Location(location), style, explode)


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [
        *(("path", style, explode) for style in ("matrix", "label") for explode in (True, False)),
        *(("query", style, False) for style in ("form", "spaceDelimited", "pipeDelimited")),
        ("query", "deepObject", True),
        ("cookie", "cookie", False),
    ],
)
def test_styles_are_read(location: str, style: str, explode: bool) -> None:
    written = parameter("a", location, style=style, explode=explode)
    (found,) = operation(written, path="/{a}" if location == "path" else "/x").parameters
    assert (found.style, found.explode) == (style, explode)


@pytest.mark.parametrize(
    ("location", "form", "style", "explode"),
    [
        ("query", None, Style.FORM, False),
        ("query", "csv", Style.FORM, False),
        ("query", "multi", Style.FORM, True),
        ("query", "ssv", Style.SPACE_DELIMITED, False),
        ("query", "tsv", Style.TAB_DELIMITED, False),
        ("path", "pipes", Style.PIPE_DELIMITED, False),
        ("header", "csv", Style.SIMPLE, False),
    ],
)
def test_swaggers_formats_of_lists_are_styles(
    location: str, form: str | None, style: Style, explode: bool
) -> None:
    written = {"name": "a", "in": location, "type": "array", "items": {"type": "string"}}
    if form is not None:
        written["collectionFormat"] = form
    (found,) = swagger(
        {**written, "required": True}, path="/{a}" if location == "path" else "/x"
    ).parameters
    assert (found.style, found.explode) == (style, explode)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (parameter("a", "query", style="matrix"), "'matrix' is no style of a query parameter"),
        (parameter("a", "header", style="form"), "'form' is no style of a header parameter"),
        (parameter("a b", "header"), "'a b' is no name of a header"),
        (parameter("", "query"), "a parameter needs a name"),
        (parameter("a", "querystring"), "'a' is in 'querystring', which is not supported"),
        (parameter("a", "path"), "the path has no {a}"),
        (parameter("a", "query", {"$ref": "#/no"}), "leads to nothing"),
        (
            parameter("X-Forwarded-For", "header", required=True),
            "the header 'X-Forwarded-For' is the gateway's own",
        ),
        (3, "a parameter must be an object"),
    ],
)
def test_what_is_wrong_is_said(written: object, said: str) -> None:
    (problem,) = problems(document("/x", "get", {"parameters": [written]}))
    assert said in problem


@pytest.mark.parametrize(
    "name",
    [
        *("Accept", "content-type", "Authorization", "Host", "Content-Length", "Cookie"),
        *("X-Forwarded-For", "x-envoy-retry-on", "X-Dragoman-Key", "Transfer-Encoding"),
        *("Connection", "Proxy-Authorization", "Mcp-Session-Id"),
    ],
)
def test_headers_that_are_not_the_models_are_no_arguments(name: str) -> None:
    assert operation(parameter(name, "header")).parameters == ()


def test_keys_of_the_api_are_no_arguments() -> None:
    schemes = {
        "a": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "b": {"type": "apiKey", "in": "query", "name": "key"},
        "c": {"type": "apiKey", "in": "cookie", "name": "sid"},
        "d": {"type": "http", "scheme": "bearer"},
    }
    found = operation(
        parameter("x-key", "header", required=True),
        parameter("key", "query"),
        parameter("sid", "cookie"),
        parameter("key", "header"),
        components={"securitySchemes": schemes},
    )
    assert [(each.name, each.location) for each in found.parameters] == [("key", "header")]
    assert found.reserved == {"key"}
    assert found.reserved_cookies == {"sid"}


def test_those_of_operations_replace_those_of_paths() -> None:
    item = {
        "parameters": [parameter("a", "query"), parameter("b", "query")],
        "get": {"parameters": [parameter("a", "query", {"type": "integer"})], "responses": {}},
    }
    text = {"openapi": "3.1.0", "paths": {"/x": item}}
    schema = json.loads(only(json.dumps(text)).input_schema)
    assert schema["properties"] == {"a": {"type": "integer"}, "b": {"type": "string"}}


def test_a_required_one_that_has_a_default_need_not_be_said() -> None:
    found = operation(parameter("v", "query", {"type": "string", "default": "1"}, required=True))
    assert found.parameters[0].default == '"1"'
    assert "required" not in json.loads(found.input_schema)


def test_content_says_how_one_is_written() -> None:
    content = {"application/json": {"schema": {"type": "object"}}}
    found = operation(parameter("a", "query", content=content, description="d", example={"x": 1}))
    assert found.parameters[0].media_type == "application/json"
    assert json.loads(found.input_schema)["properties"]["a"] == {
        "type": "object",
        "description": "d",
        "examples": [{"x": 1}],
    }


def test_reserved_characters_pass_in_the_query_alone() -> None:
    found = operation(
        parameter("a", "query", allowReserved=True), parameter("b", "header", allowReserved=True)
    )
    assert [each.allows_reserved for each in found.parameters] == [True, False]


def test_parameters_may_be_references() -> None:
    shared = {"parameters": {"A": parameter("a", "query")}}
    found = operation({"$ref": "#/components/parameters/A"}, components=shared)
    assert [each.name for each in found.parameters] == ["a"]
