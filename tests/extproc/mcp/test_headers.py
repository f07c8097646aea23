from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp import headers, messages
from extproc.mcp.jsonrpc import HEADER_MISMATCH, INVALID_PARAMS
from extproc.mcp.messages import Message

META = {headers.META_VERSION: "2026-07-28", headers.META_CAPABILITIES: {}}


def message(method: str, params: dict[str, Any], **more: Any) -> Message:
    document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **more}
    read = messages.read(json.dumps(document).encode())
    assert isinstance(read, Message)
    return read


def said(method: str, name: str | None = None, version: str = "2026-07-28") -> dict[str, str]:
    found = {headers.PROTOCOL_VERSION: version, headers.METHOD: method}
    return found if name is None else {**found, headers.NAME: name}


CALL = message("tools/call", {"name": "weather", "_meta": META})


@pytest.mark.parametrize(
    ("sent", "of"),
    [
        (said("tools/call", "weather"), CALL),
        (said("tools/call", "=?base64?d2VhdGhlcg==?="), CALL),
        (said("tools/list"), message("tools/list", {"_meta": META})),
        (
            said("resources/read", "file:///a b"),
            message("resources/read", {"uri": "file:///a b", "_meta": META}),
        ),
        (
            said("prompts/get", "=?base64?w6k=?="),
            message("prompts/get", {"name": "é", "_meta": META}),
        ),
        (said("tasks/get", "7"), message("tasks/get", {"taskId": "7", "_meta": META})),
        (said("tasks/get"), message("tasks/get", {"taskId": "7", "_meta": META})),
        (said("tools/call", "weather") | {"mcp-param-city": "x"}, CALL),
    ],
)
def test_headers_that_say_what_the_body_says_pass(sent: dict[str, str], of: Message) -> None:
    assert headers.mismatch(sent, of) is None


@pytest.mark.parametrize(
    ("sent", "of"),
    [
        (said("tools/list", "weather"), CALL),
        (said("tools/call", "other"), CALL),
        (said("tools/call", "Weather"), CALL),
        (said("tools/call"), CALL),
        (said("tools/call", "weather", "2026-09-01"), CALL),
        (said("tools/call", "weather", "2025-11-25"), CALL),
        ({headers.METHOD: "tools/call", headers.NAME: "weather"}, CALL),
        ({headers.PROTOCOL_VERSION: "2026-07-28", headers.NAME: "weather"}, CALL),
        (said("tools/call", "=?base64?!?="), CALL),
        (said("tools/call", "=?base64?/w==?="), CALL),
        (said("tools/call", "=?BASE64?d2VhdGhlcg==?="), CALL),
        (said("tools/call", "wéather"), CALL),
        (said("tasks/get", "8"), message("tasks/get", {"taskId": "7", "_meta": META})),
    ],
)
def test_headers_that_say_something_else_are_refused(sent: dict[str, str], of: Message) -> None:
    fault = headers.mismatch(sent, of)
    assert fault is not None
    assert (fault.code, fault.status, fault.raw_id) == (HEADER_MISMATCH, 400, b"1")


@pytest.mark.parametrize("meta", [{}, {headers.META_VERSION: "2026-07-28"}, {"a": 1}])
def test_a_modern_request_says_its_version_and_capabilities(meta: dict[str, Any]) -> None:
    of = message("tools/call", {"name": "weather", "_meta": meta})
    fault = headers.mismatch(said("tools/call", "weather"), of)
    assert fault is not None
    assert (fault.code, fault.status) == (INVALID_PARAMS, 400)


def test_older_revisions_have_no_such_headers() -> None:
    of = message("tools/call", {"name": "weather"})
    assert headers.mismatch({headers.PROTOCOL_VERSION: "2025-11-25"}, of) is None
    assert headers.mismatch(said("other", "else", "2025-11-25"), of) is None
    assert headers.mismatch({}, of) is None


def test_notifications_need_none_but_may_not_lie() -> None:
    note = messages.read(b'{"jsonrpc":"2.0","method":"notifications/x"}')
    assert isinstance(note, Message)
    assert headers.mismatch({headers.PROTOCOL_VERSION: "2026-07-28"}, note) is None
    assert headers.mismatch(said("notifications/x"), note) is None
    fault = headers.mismatch(said("notifications/y"), note)
    assert fault is not None
    assert fault.code == HEADER_MISMATCH


def test_answers_are_not_looked_at() -> None:
    answer = messages.read(b'{"jsonrpc":"2.0","id":1,"result":{}}')
    assert isinstance(answer, Message)
    assert headers.mismatch(said("tools/call", "x"), answer) is None


def test_the_revision_is_the_headers_or_else_the_bodys() -> None:
    assert headers.revision({headers.PROTOCOL_VERSION: "2025-06-18"}, CALL) == "2025-06-18"
    assert headers.revision({}, CALL) == "2026-07-28"
    assert headers.revision({}, message("ping", {})) == ""


def test_a_long_value_is_not_told_whole() -> None:
    fault = headers.mismatch(said("tools/call", "x" * 9000), CALL)
    assert fault is not None
    assert len(fault.message) < 300


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("us-west1", "us-west1"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("a b\tc", "a b\tc"),
        ("", ""),
    ],
)
def test_values_are_encoded_where_they_must_be(value: str, header: str) -> None:
    assert headers.encoded(value) == header
    assert headers.decoded(header) == value


@given(st.text())
def test_every_text_comes_back(value: str) -> None:
    header = headers.encoded(value)
    assert header.isascii()
    assert header == header.strip()
    assert headers.decoded(header) == value
