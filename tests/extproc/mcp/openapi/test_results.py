"""Answers of APIs are results, as far as each revision knows."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest

from extproc.mcp.openapi.results import decode, failed
from extproc.mcp.openapi.tool import Tool
from tests.kit.openapi_documents import operation

NEWEST = "2025-11-25"
OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
JSON = "application/json"


def tool(schema: object = None) -> Tool:
    content = {JSON: {"schema": schema}} if schema is not None else {}
    return Tool(operation(responses={"200": {"description": "", "content": content}}))


def result(
    body: bytes,
    content_type: str = JSON,
    *,
    status: int = 200,
    schema: object = None,
    revision: str = NEWEST,
    **headers: str,
) -> Any:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type:
        said["content-type"] = content_type
    found = decode(tool(schema), status, said, body, revision, 1000)
    return json.loads(msgspec.json.encode(found))


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def test_objects_are_text_and_structured_content() -> None:
    assert result(b'{"a": 1}', schema=OBJECT) == {
        "content": [text('{"a": 1}')],
        "structuredContent": {"a": 1},
    }
    assert result(b'{"a": 1}')["structuredContent"] == {"a": 1}


def test_others_are_wrapped_where_the_schema_is() -> None:
    found = result(b"[1, 2]", schema={"type": "array"})
    assert found == {"content": [text("[1, 2]")], "structuredContent": {"result": [1, 2]}}
    assert "structuredContent" not in result(b"[1, 2]")


@pytest.mark.parametrize(
    ("body", "content_type", "fault"),
    [
        (b'{"b": 1}', JSON, "'required' does not hold"),
        (b"[]", JSON, "it is not JSON"),
        (b"<html>", "text/html", "it is not JSON"),
        (b"", "", "it is not JSON"),
        (b'{"a": 1, "a": 2}', JSON, "it is not JSON"),
        (b'{"a": ', JSON, "it is not JSON"),
    ],
)
def test_answers_that_break_the_document_are_errors_with_the_answer(
    body: bytes, content_type: str, fault: str
) -> None:
    found = result(body, content_type, schema=OBJECT)
    assert found["isError"] is True
    assert "structuredContent" not in found
    assert fault in found["content"][0]["text"]
    assert "The API did what was asked (HTTP 200)" in found["content"][0]["text"]
    if body:
        assert found["content"][1] == text(body.decode())


@pytest.mark.parametrize(
    ("revision", "keys"),
    [
        ("2024-11-05", {"content"}),
        ("2025-03-26", {"content"}),
        ("2025-06-18", {"content", "structuredContent"}),
        ("2025-11-25", {"content", "structuredContent"}),
        ("2026-07-28", {"content", "structuredContent", "resultType"}),
    ],
)
def test_each_revision_is_told_what_it_knows(revision: str, keys: set[str]) -> None:
    assert result(b'{"a": 1}', schema=OBJECT, revision=revision).keys() == keys


@pytest.mark.parametrize(
    ("body", "content_type", "block"),
    [
        (b"a,b", "text/csv", text("a,b")),
        (b"<a/>", "application/xml", text("<a/>")),
        (b"\xe4", "text/plain; charset=latin-1", text("ä")),
        (b"\xe4", "text/plain; charset=nonsense", text("�")),
        (b"plain", "", text("plain")),
        (b"\x00", "image/png", {"type": "image", "data": "AA==", "mimeType": "image/png"}),
        (b"\x00", "audio/wav", {"type": "audio", "data": "AA==", "mimeType": "audio/wav"}),
        (
            b"\x00",
            "application/pdf",
            {
                "type": "resource",
                "resource": {
                    "uri": "openapi:///get_x",
                    "mimeType": "application/pdf",
                    "blob": "AA==",
                },
            },
        ),
    ],
)
def test_what_is_no_json_is_content_of_its_kind(
    body: bytes, content_type: str, block: dict[str, Any]
) -> None:
    assert result(body, content_type) == {"content": [block]}


def test_the_oldest_revision_knows_no_audio() -> None:
    found = result(b"\x00", "audio/wav", revision="2024-11-05")
    assert found["content"][0]["type"] == "resource"


def test_an_empty_answer_says_its_status_and_where_things_are() -> None:
    found = result(b"", "", status=201, location="/things/3")
    assert found == {"content": [text("HTTP 201 Created\nlocation: /things/3")]}


@pytest.mark.parametrize(
    ("status", "body", "content_type", "said"),
    [
        (404, b'{"no": "thing"}', JSON, 'HTTP 404 Not Found\n{"no": "thing"}'),
        (503, b"", "", "HTTP 503 Service Unavailable\nretry-after: 5"),
        (429, b"slow", "text/plain", "HTTP 429 Too Many Requests\nretry-after: 5\nslow"),
        (302, b"", "", "HTTP 302\nretry-after: 5"),
        (
            500,
            b"\x00",
            "image/png",
            "HTTP 500 Internal Server Error\nretry-after: 5\n(1 bytes of image/png)",
        ),
    ],
)
def test_what_did_not_succeed_is_an_error_with_its_words(
    status: int, body: bytes, content_type: str, said: str
) -> None:
    headers = {} if status == 404 else {"retry_after": "5"}
    found = result(body, content_type, status=status, schema=OBJECT, **headers)
    assert found == {"content": [text(said)], "isError": True}


def test_compressed_answers_are_read() -> None:
    body = gzip.compress(b'{"a": 1}')
    assert result(body, content_encoding="gzip")["structuredContent"] == {"a": 1}
    assert result(b"no", content_encoding="gzip")["isError"] is True
    assert result(b"no", content_encoding="rot13")["isError"] is True


def test_large_answers_are_refused() -> None:
    assert "larger than 1000 bytes" in result(b"x" * 1001, "text/plain")["content"][0]["text"]
    body = gzip.compress(b"x" * 100_000)
    assert (
        "larger than" in result(body, "text/plain", content_encoding="gzip")["content"][0]["text"]
    )


def test_numbers_stay_as_they_are_written() -> None:
    found = decode(tool(), 200, {"content-type": JSON}, b'{"a":1.10000000000000000001}', NEWEST)
    assert b"1.10000000000000000001" in msgspec.json.encode(found)


def test_what_failed_is_told_the_model() -> None:
    assert failed(("a", "b"), NEWEST) == {"content": [text("a\nb")], "isError": True}
    assert failed((), "2026-07-28")["resultType"] == "complete"
