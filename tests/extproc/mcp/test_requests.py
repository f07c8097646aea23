"""What servers are asked by the gateway itself."""

from __future__ import annotations

import json

from msgspec import Raw

from extproc.mcp.requests import (
    Client,
    asked,
    client_of,
    ended,
    read,
    told,
    with_meta,
    without_meta,
)
from extproc.mcp.sessions import ServerSession
from extproc.mcp.views import Served

SERVED = Served("a", "service/mcp/a", "/mcp", (("x-one", "1"),), True, 1.0)
LEGACY = ServerSession("s-1", "2025-06-18")
MODERN = ServerSession("", "2026-07-28")
CLIENT = Client(Raw(b'{"name":"c","version":"1"}'), Raw(b'{"sampling":{}}'))


def test_a_server_of_sessions_is_asked_in_its_own() -> None:
    found = asked(SERVED, LEGACY, "tools/list", b'{"cursor":"x"}', CLIENT)
    assert dict(found.headers) == {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2025-06-18",
        "mcp-session-id": "s-1",
        "x-one": "1",
    }
    said = json.loads(found.body)
    assert said == {
        "jsonrpc": "2.0",
        "id": said["id"],
        "method": "tools/list",
        "params": {"cursor": "x"},
    }
    assert ended(SERVED, LEGACY).method == "DELETE"


def test_no_request_of_a_session_has_the_id_of_another() -> None:
    """Servers keep what they are asked by its id; other workers ask in the same session."""
    sent = [asked(SERVED, LEGACY, "tools/list", b"", CLIENT).body for _ in range(100)]
    assert len({json.loads(each)["id"] for each in sent}) == 100


def test_a_modern_server_is_told_all_with_each_request() -> None:
    found = told(SERVED, MODERN, "notifications/cancelled", b"", CLIENT)
    assert dict(found.headers)["mcp-method"] == "notifications/cancelled"
    meta = json.loads(found.body)["params"]["_meta"]
    assert meta == {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"sampling": {}},
    }


def test_what_else_is_said_beside_stays() -> None:
    said = json.loads(with_meta(b'{"_meta":{"a":1},"cursor":"x"}', "2026-07-28", CLIENT))
    assert said["cursor"] == "x"
    assert said["_meta"]["a"] == 1


def test_a_client_is_known_by_how_it_initialized() -> None:
    said = b'{"clientInfo":{"name":"c"},"capabilities":{"roots":{}}}'
    assert client_of(said) == Client(Raw(b'{"name":"c"}'), Raw(b'{"roots":{}}'))
    assert client_of(b"[]") == Client()


def test_answers_are_read_and_what_is_none_is_told() -> None:
    good = read(200, {"mcp-session-id": "s"}, b'{"jsonrpc":"2.0","id":1,"result":{"a":1}}')
    assert (good.result, good.session, good.code) == (b'{"a":1}', "s", 0)
    bad = read(200, {}, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"x"}}')
    assert bad.code == -32601
    odd = read(200, {}, b'{"error":{"code":"x"}}')
    assert odd.code == 0
    for body in (b"Not Found", b'{"id":1}', b"[]"):
        assert read(404, {}, body).why == "status 404, and no JSON-RPC answer"


def test_a_server_of_sessions_is_not_told_what_its_handshake_said() -> None:
    """It could take who says it for a client without sessions."""
    params = with_meta(b'{"a":1,"_meta":{"progressToken":5}}', MODERN.revision, CLIENT)
    for found in (
        asked(SERVED, LEGACY, "x", params, CLIENT),
        told(SERVED, LEGACY, "x", params, CLIENT),
    ):
        assert json.loads(found.body)["params"] == {"a": 1, "_meta": {"progressToken": 5}}
    body = b'{"jsonrpc":"2.0","id":1.0,"method":"x","params":%s}' % params
    expected = (
        b'{"jsonrpc":"2.0","id":1.0,"method":"x","params":{"a":1,"_meta":{"progressToken":5}}}'
    )
    assert without_meta(body) == expected
    for other in (b"", b"{}", b'{"params":{"a":"io.modelcontextprotocol/"}}'):
        assert without_meta(other) == other
