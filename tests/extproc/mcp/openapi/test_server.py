"""The MCP server of an API answers for itself, and has the API asked for calls alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.mcp import messages
from extproc.mcp.messages import Message
from extproc.mcp.openapi.answers import LEGACY, MODERN
from extproc.mcp.openapi.server import ApiServer, Call
from extproc.ports import Answered
from tests.kit.openapi_documents import SHOP_31, read

SERVER = ApiServer("shop", read(SHOP_31))
JSON = {"content-type": "application/json"}


def message(method: str, identity: object = 1, **params: object) -> Message:
    body = {"jsonrpc": "2.0", "method": method, "params": params}
    if identity is not None:
        body["id"] = identity
    found = messages.read(json.dumps(body).encode())
    assert isinstance(found, Message)
    return found


def said(method: str, revision: str = LEGACY[-1], **params: object) -> tuple[int, Any]:
    found = SERVER.on_message({"mcp-protocol-version": revision}, message(method, "a", **params))
    assert isinstance(found, Answered)
    document = json.loads(found.body)
    assert document["id"] == "a"
    return found.status, document.get("result", document.get("error"))


def called(name: str, revision: str = LEGACY[-1], **arguments: object) -> Call | Answered:
    return SERVER.on_message(
        {"mcp-protocol-version": revision}, message("tools/call", name=name, arguments=arguments)
    )


def test_it_begins_and_lists() -> None:
    status, found = said("initialize", "", protocolVersion="2025-06-18")
    assert (status, found["protocolVersion"]) == (200, "2025-06-18")
    status, found = said("tools/list")
    assert [each["name"] for each in found["tools"]][:2] == ["listThings", "addThing"]
    assert said("ping") == (200, {})
    assert said("server/discover", MODERN)[1]["supportedVersions"][0] == MODERN


def test_the_revision_is_said_in_the_body_too() -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": MODERN}
    found = SERVER.on_message({}, message("server/discover", _meta=meta))
    assert isinstance(found, Answered)
    assert json.loads(found.body)["result"]["resultType"] == "complete"


@pytest.mark.parametrize(
    ("method", "revision", "status", "code"),
    [
        ("resources/list", LEGACY[-1], 200, -32601),
        ("resources/list", MODERN, 404, -32601),
        ("ping", MODERN, 404, -32601),
        ("initialize", MODERN, 404, -32601),
        ("server/discover", LEGACY[-1], 200, -32601),
        ("tools/list", "2027-01-01", 400, -32022),
        ("tools/list", "1999-01-01", 400, -32022),
    ],
)
def test_what_it_does_not_know_is_an_error(
    method: str, revision: str, status: int, code: int
) -> None:
    found, error = said(method, revision)
    assert (found, error["code"]) == (status, code)


def test_pages_and_tools_that_are_none_are_errors() -> None:
    assert said("tools/list", cursor="7")[1]["code"] == -32602
    assert said("tools/call", name="no")[1] == {"code": -32602, "message": "Unknown tool: no"}


def test_what_asks_nothing_is_accepted() -> None:
    found = SERVER.on_message({}, message("notifications/initialized", None))
    assert found == Answered(202, {}, b"")


def test_a_call_asks_the_api_and_its_answer_is_the_result() -> None:
    call = called("get_things_by_id", id=3)
    assert isinstance(call, Call)
    assert (call.request.method, call.request.path) == ("GET", "/v1/things/3")
    body = b'{"id": 3, "name": "x"}'
    found = json.loads(SERVER.on_answer(call, 200, JSON, body).body)
    assert found == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "content": [{"type": "text", "text": body.decode()}],
            "structuredContent": {"id": 3, "name": "x"},
        },
    }
    silent = json.loads(SERVER.on_silence(call, "too late").body)["result"]
    assert silent["isError"]
    assert silent["content"][0]["text"] == "the API gives no answer: too late"


def test_a_call_that_cannot_be_is_a_result_that_says_why() -> None:
    found = called("get_things_by_id", MODERN, id="three")
    assert isinstance(found, Answered)
    result = json.loads(found.body)["result"]
    assert (result["isError"], result["resultType"]) == (True, "complete")
    assert "at '/id'" in result["content"][0]["text"]


def test_a_call_without_arguments_has_none() -> None:
    found = SERVER.on_message({}, message("tools/call", name="listThings"))
    assert isinstance(found, Call)
    assert found.request.path == "/v1/things"
