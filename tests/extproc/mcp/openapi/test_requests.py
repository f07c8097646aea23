"""Calls of tools are requests, and whatever an argument says stays in its place."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp.openapi.requests import BadArguments, HttpRequest, encode
from extproc.mcp.openapi.tool import Tool
from gateway.openapi.values import Operation
from tests.kit.openapi_documents import SHOP_31, body, operation, parameter, read

FORM = "application/x-www-form-urlencoded"


def called(found: Operation, **arguments: Any) -> HttpRequest:
    said = encode(Tool(found), json.dumps(arguments).encode())
    assert isinstance(said, HttpRequest), said
    return said


def refused(found: Operation, **arguments: Any) -> str:
    said = encode(Tool(found), json.dumps(arguments).encode())
    assert isinstance(said, BadArguments), said
    return "\n".join(said.reasons)


def headers(found: HttpRequest) -> dict[str, str]:
    return {name: value for name, value in found.headers if name != "accept"}


def test_each_argument_goes_where_the_document_says() -> None:
    found = called(
        operation(
            *(parameter("a", "path"), parameter("b", "query"), parameter("C", "header")),
            *(parameter("d", "cookie"), parameter("e", "cookie")),
            path="/x/{a}/y",
        ),
        a="1/2",
        b="3 4",
        C="5",
        d="6;",
        e="7",
    )
    assert (found.method, found.path) == ("GET", "/x/1%2F2/y?b=3%204")
    assert headers(found) == {"c": "5", "cookie": "d=6%3B; e=7"}
    assert found.body == b""


def test_a_shop_is_asked() -> None:
    tools = {each.name: each for each in read(SHOP_31).operations}
    listed = called(tools["listThings"], color=["red", "blue"], limit=5, trace="t")
    assert listed.path == "/v1/things?color=red&color=blue&limit=5"
    assert listed.headers == (("accept", "application/json, */*;q=0.1"), ("trace", "t"))
    added = called(tools["addThing"], name="x", parts=[{"name": "y"}])
    assert (added.method, added.path) == ("POST", "/v1/things")
    assert json.loads(added.body) == {"name": "x", "parts": [{"name": "y"}]}
    assert headers(added) == {"content-type": "application/json"}
    assert called(tools["things_remove"], id=3).path == "/v1/things/3"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, '"a" is a required property'),
        ({"a": "x", "n": "three"}, "at '/n'"),
        ({"a": "x", "query": {"n": 3}}, "'query'"),
        ({"a": "x", "query": {"n": 3}}, "the arguments of 'get_x_by_a' are: a, n"),
        ({"a": ""}, "argument 'a': is empty, or dots"),
        ({"a": ".."}, "argument 'a': has a segment of dots"),
        ({"a": "../../admin"}, "argument 'a': has a segment of dots"),
        ({"a": "b\\..\\c"}, "argument 'a': has a segment of dots"),
        ({"a": "\ud800"}, "it is not JSON"),
    ],
)
def test_what_cannot_be_is_refused_and_the_argument_named(
    arguments: dict[str, Any], said: str
) -> None:
    found = operation(
        parameter("a", "path"), parameter("n", "query", {"type": "integer"}), path="/x/{a}"
    )
    assert said in refused(found, **arguments)


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_argument_leaves_its_segment(value: str) -> None:
    for style in ("simple", "label", "matrix"):
        found = operation(parameter("a", "path", style=style), path="/files/{a}/end")
        said = encode(Tool(found), json.dumps({"a": value}).encode())
        if isinstance(said, BadArguments):
            assert value == "" or {".", ".."} & set(value.replace("\\", "/").split("/"))
            continue
        assert "?" not in said.path
        segments = said.path.split("/")
        assert len(segments) == 4
        assert unquote(segments[2]) not in ("", ".", "..")
        assert value in unquote(segments[2])


@given(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.text(st.characters(codec="utf-8"), max_size=20),
)
def test_no_argument_sets_anothers_parameter(one: str, other: str) -> None:
    found = operation(parameter("a", "query"), parameter("b", "query", allowReserved=True))
    path = called(found, a=one, b=other.replace("%", "")).path
    members = parse_qsl(urlsplit(path).query, keep_blank_values=True)
    assert [name for name, _ in members] == ["a", "b"]
    assert members[0][1] == one


@given(st.text(max_size=20))
def test_no_argument_adds_a_header(value: str) -> None:
    found = operation(parameter("X-A", "header"), parameter("b", "cookie"))
    said = encode(Tool(found), json.dumps({"X-A": value, "b": value}).encode())
    if isinstance(said, HttpRequest):
        assert [name for name, _ in said.headers] == ["accept", "x-a", "cookie"]
        assert not any(sign in text for _, text in said.headers for sign in "\r\n\0")


def test_keys_of_free_objects_are_no_other_parameters() -> None:
    free = {"type": "object", "additionalProperties": {"type": "string"}}
    schemes = {"k": {"type": "apiKey", "in": "query", "name": "api_key"}}
    found = operation(
        *(parameter("filter", "query", free), parameter("limit", "query")),
        components={"securitySchemes": schemes},
    )
    assert called(found, filter={"x": "1"}).path == "/x?x=1"
    assert "would set 'api_key'" in refused(found, filter={"api_key": "mine"})
    assert "would set 'limit'" in refused(found, filter={"limit": "1"})


def test_cookies_of_free_objects_are_no_other_cookies() -> None:
    free = {"type": "object", "additionalProperties": {"type": "string"}}
    schemes = {"k": {"type": "apiKey", "in": "cookie", "name": "sid"}}
    found = operation(parameter("c", "cookie", free), components={"securitySchemes": schemes})
    assert "would set 'sid'" in refused(found, c={"sid": "mine"})
    plain = operation(parameter("c", "cookie", style="cookie"))
    assert headers(called(plain, c="a=b")) == {"cookie": "c=a=b"}
    assert "cannot stand in a cookie" in refused(plain, c="a; b=c")


def test_defaults_of_required_ones_are_said() -> None:
    found = operation(parameter("v", "query", {"type": "integer", "default": 2}, required=True))
    assert called(found).path == "/x?v=2"
    assert called(found, v=3).path == "/x?v=3"


def test_parameters_with_a_media_type_are_written_in_it() -> None:
    content = {"application/json": {"schema": {}}}
    found = operation(
        *(parameter("a", place, content=content) for place in ("query", "cookie")),
        parameter("b", "header", content=content),
        parameter("c", "path", content={"text/plain": {}}),
        path="/{c}",
    )
    said = called(found, a_query={"x": [1]}, a_cookie="y", b={"z": "ä😀"}, c="d")
    assert said.path == "/d?a=%7B%22x%22%3A%5B1%5D%7D"
    assert headers(said) == {"b": '{"z":"\\u00e4\\ud83d\\ude00"}', "cookie": "a=%22y%22"}


def test_a_query_in_the_path_goes_on() -> None:
    found = operation(parameter("b", "query"), path="/x?action=y")
    assert called(found, b="1").path == "/x?action=y&b=1"
    assert called(found).path == "/x?action=y"


def test_numbers_are_said_as_they_were_written() -> None:
    found = body({"application/json": {"schema": {"properties": {"n": {"type": "number"}}}}})
    said = encode(Tool(found), b'{"n": 1.10000000000000000001}')
    assert isinstance(said, HttpRequest)
    assert said.body == b'{"n":1.10000000000000000001}'


def test_bodies_are_written_as_their_kind_is() -> None:
    whole = body({"application/json": {"schema": {"type": "array"}}})
    assert called(whole, body=[1, {"a": None}]).body == b'[1,{"a":null}]'
    assert called(body({"text/plain": {}}), body="hällo").body == "hällo".encode()
    octets = body({"application/octet-stream": {}})
    assert called(octets, body="AP8=").body == b"\x00\xff"
    assert "argument 'body': must be base64" in refused(octets, body="AP8")
    both = body({"image/png": {}, "image/gif": {}})
    assert headers(called(both, body="", content_type="image/gif")) == {"content-type": "image/gif"}


def test_an_absent_body_has_no_type() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    optional = body({"application/json": {"schema": schema}}, required=False)
    assert (called(optional).body, headers(called(optional))) == (b"", {})
    assert called(body({"application/json": {"schema": schema}})).body == b"{}"
    assert called(body({"text/plain": {}}, required=False)).body == b""


def test_arguments_that_are_no_object_are_refused() -> None:
    for said in (b"[]", b"3", b"null"):
        assert isinstance(encode(Tool(operation()), said), BadArguments)
