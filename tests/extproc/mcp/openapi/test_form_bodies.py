"""Forms are read by others as they were meant: the standard library's parsers."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import json
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp.openapi.requests import BadArguments, HttpRequest, encode
from extproc.mcp.openapi.tool import Tool
from extproc.protocols.multipart import parts
from gateway.openapi.values import Operation
from tests.kit.openapi_documents import body

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
TEXT = {"type": "string"}


def form(properties: dict[str, Any], media_type: str = FORM, **more: Any) -> Operation:
    return body({media_type: {"schema": {"type": "object", "properties": properties}, **more}})


def called(found: Operation, arguments: dict[str, Any]) -> HttpRequest:
    said = encode(Tool(found), json.dumps(arguments).encode())
    assert isinstance(said, HttpRequest), said
    return said


def fields(found: HttpRequest) -> list[tuple[str, str | None, str, bytes]]:
    """Name, filename, type and content of each part, as the mail parser reads them."""
    kind = dict(found.headers)["content-type"]
    text = b"Content-Type: " + kind.encode() + b"\r\n\r\n" + found.body
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text)
    assert isinstance(message, EmailMessage)
    read = []
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        kind = part.get_content_type() if "content-type" in part else ""
        read.append((name, part.get_filename(), kind, content))
    return read


def test_scalars_lists_and_objects_of_forms() -> None:
    found = form({"a": TEXT, "b": {"type": "array"}, "c": {"type": "object"}, "d[]": TEXT})
    said = called(found, {"a": "1 &+ä", "b": [1, True], "c": {"x": "y"}, "d": "e"})
    assert parse_qsl(said.body.decode()) == [
        *(("a", "1 &+ä"), ("b", "1"), ("b", "true"), ("c", '{"x":"y"}'), ("d[]", "e")),
    ]
    assert ("content-type", FORM) in said.headers


def test_fields_have_styles() -> None:
    encoding = {
        "a": {"style": "deepObject", "explode": True},
        "b": {"style": "form", "explode": False},
        "c": {"contentType": "application/json"},
    }
    found = form({"a": {"type": "object"}, "b": {"type": "array"}, "c": {}}, encoding=encoding)
    said = called(found, {"a": {"x": 1, "y": {"z": [2]}}, "b": [1, 2], "c": "text"})
    assert parse_qsl(said.body.decode()) == [
        *(("a[x]", "1"), ("a[y][z][]", "2"), ("b", "1,2"), ("c", '"text"')),
    ]


@given(st.dictionaries(st.sampled_from("abc"), st.text(st.characters(codec="utf-8"))))
def test_whatever_is_said_in_a_form_is_read_again(arguments: dict[str, str]) -> None:
    said = called(form(dict.fromkeys("abc", TEXT)), arguments)
    assert dict(parse_qsl(said.body.decode(), keep_blank_values=True)) == arguments


def test_files_texts_and_objects_of_multipart_forms() -> None:
    file = {"type": "string", "format": "binary"}
    properties = {
        "f": file,
        "t": TEXT,
        "o": {"type": "object"},
        "m": {"type": "array", "items": file},
    }
    encoding = {"m": {"contentType": "image/png, image/jpeg"}}
    found = form(properties, MULTIPART, encoding=encoding)
    bytes_ = base64.b64encode(b"\x00\r\n--x").decode()
    arguments = {
        "f": bytes_,
        "f_filename": 'a".txt',
        "t": "ä",
        "o": {"x": 1},
        "m": ["AA==", "AQ=="],
    }
    assert fields(called(found, arguments)) == [
        ("f", "a%22.txt", "application/octet-stream", b"\x00\r\n--x"),
        ("t", None, "", "ä".encode()),
        ("o", None, "application/json", b'{"x":1}'),
        ("m", "m", "image/png", b"\0"),
        ("m", "m", "image/png", b"\1"),
    ]


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), max_size=20))
def test_whatever_a_file_has_it_stays_one_part(content: bytes, name: str) -> None:
    found = form({"f": {"type": "string", "format": "binary"}, "t": TEXT}, MULTIPART)
    file = base64.b64encode(content).decode()
    said = called(found, {"f": file, "f_filename": name, "t": name})
    read = parts(said.body, dict(said.headers)["content-type"])
    assert [each.name for each in read] == ["f", "t"]
    assert said.body[read[0].start : read[0].end] == content
    assert said.body[read[1].start : read[1].end] == name.encode()


def test_names_of_files_end_no_line() -> None:
    found = form({"f": {"type": "string", "format": "binary"}}, MULTIPART)
    said = called(found, {"f": "AA==", "f_filename": "a\r\nb\x85c\u2028d"})
    assert fields(said)[0][1] == "a%0D%0Ab%C2%85c%E2%80%A8d"


def test_names_of_files_lead_to_no_folder() -> None:
    found = form({"f": {"type": "string", "format": "binary"}}, MULTIPART)
    said = called(found, {"f": "AA==", "f_filename": "../a\\b.txt"})
    assert fields(said)[0][1] == ".._a_b.txt"


@pytest.mark.parametrize("file", ["A", "AA=", "AA==\n", "_-8=", "ä"])
def test_what_is_no_base64_is_refused_and_named(file: str) -> None:
    found = form({"t": TEXT, "f": {"type": "string", "format": "binary"}}, MULTIPART)
    said = encode(Tool(found), json.dumps({"t": "x", "f": file}).encode())
    assert isinstance(said, BadArguments)
    assert said.reasons[0].startswith("argument 'f': must be base64")


def test_equal_forms_are_equal_bytes() -> None:
    found = form({"t": TEXT}, MULTIPART)
    assert called(found, {"t": "x"}) == called(found, {"t": "x"})
