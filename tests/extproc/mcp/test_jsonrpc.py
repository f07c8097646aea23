from __future__ import annotations

import json

from extproc.mcp import jsonrpc
from extproc.mcp.jsonrpc import Fault


def test_an_error_has_the_id_as_it_was_written() -> None:
    body = jsonrpc.error(b"1.0", jsonrpc.INVALID_PARAMS, 'no "tool"', {"tool": "x"})
    assert body.startswith(b'{"jsonrpc":"2.0","id":1.0,"error":')
    assert json.loads(body)["error"] == {
        "code": -32602,
        "message": 'no "tool"',
        "data": {"tool": "x"},
    }


def test_a_result_has_the_value_as_it_was_written() -> None:
    assert jsonrpc.result(b'"a"', b'{"x": 1.10}') == (
        b'{"jsonrpc":"2.0","id":"a","result":{"x": 1.10}}'
    )


def test_requests_and_notifications_have_parameters_or_none() -> None:
    assert jsonrpc.request(b"1", "ping") == b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    assert jsonrpc.request(b"1", "tools/list", b"{}") == (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'
    )
    assert jsonrpc.notification("notifications/initialized") == (
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    )
    assert json.loads(jsonrpc.notification("x", b"[1]"))["params"] == [1]


def test_a_fault_is_its_own_answer() -> None:
    assert json.loads(Fault(-32600, "no", b"7").body()) == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {"code": -32600, "message": "no"},
    }
    assert json.loads(Fault(-32700, "no").body())["id"] is None
