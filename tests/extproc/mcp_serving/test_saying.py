"""What the gateway itself says to MCP clients."""

from __future__ import annotations

import json

import pytest

from extproc.mcp.jsonrpc import Fault
from extproc.mcp_serving.saying import accepted, fault, refused, result, unknown
from extproc.verdict import Deny
from tests.extproc.mcp_exchange.test_asked import read
from tests.kit.mcp_exchange import request


def test_a_refusal_has_its_status_its_headers_and_a_code_of_json_rpc() -> None:
    answer = refused(Deny(429, "slow", "too fast", "x", (("retry-after", "1"),)), b"7")
    assert answer.status == 429
    assert ("retry-after", "1") in answer.headers
    assert answer.details == "dragoman_slow"
    assert json.loads(answer.body) == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {"code": -32005, "message": "too fast", "data": {"code": "slow", "param": "x"}},
    }


@pytest.mark.parametrize(("status", "code"), [(400, -32600), (401, -32001), (500, -32603)])
def test_each_status_has_its_code(status: int, code: int) -> None:
    assert json.loads(refused(Deny(status, "a", "b")).body)["error"]["code"] == code


def test_a_fault_has_its_own_status() -> None:
    answer = fault(Fault(-32601, "no such method", b"1", 404))
    assert (answer.status, answer.details) == (404, "dragoman_mcp_-32601")


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (request("tools/call", name="t"), -32602, "Unknown tool: t"),
        (request("prompts/get", name="p"), -32602, "Unknown prompt: p"),
        (request("resources/read", uri="u"), -32002, "Resource not found: u"),
        (request("tasks/get", taskId="1"), -32602, "Unknown task"),
        (request("completion/complete"), -32602, "Unknown reference of completion/complete"),
    ],
)
def test_what_there_is_not_is_said_as_its_server_would(
    message: object, code: int, text: str
) -> None:
    found = unknown(read(message))
    assert (found.code, found.message, found.status) == (code, text, 200)


def test_a_result_has_the_id_of_its_request() -> None:
    answer = result(read(request("ping", "abc")), b"{}", (("x", "y"),))
    assert json.loads(answer.body) == {"jsonrpc": "2.0", "id": "abc", "result": {}}
    assert ("x", "y") in answer.headers
    assert accepted().status == 202
