"""What is asked of MCP servers, as policies see it."""

from __future__ import annotations

import json

import pytest

from extproc.facts import McpCall
from extproc.mcp import messages
from extproc.mcp.messages import Message
from extproc.mcp_exchange.asked import call_of, named
from tests.kit.mcp_exchange import request

REF = {"type": "ref/prompt", "name": "p"}
TEMPLATE = {"type": "ref/resource", "uri": "file:///{x}"}


def read(document: object) -> Message:
    found = messages.read(json.dumps(document).encode())
    assert isinstance(found, Message)
    return found


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (request("tools/call", name="t", arguments={"a": 1}), {"tool": "t", "arguments": {"a": 1}}),
        (request("prompts/get", name="p"), {"prompt": "p"}),
        (request("resources/read", uri="u"), {"resource": "u"}),
        (request("resources/subscribe", uri="u"), {"resource": "u"}),
        (request("completion/complete", ref=REF), {"prompt": "p"}),
        (request("completion/complete", ref=TEMPLATE), {"resource": "file:///{x}"}),
        (request("tasks/get", taskId="1"), {"task": "1"}),
    ],
)
def test_what_has_a_name_is_asked_of_its_server(message: object, call: dict[str, object]) -> None:
    found = read(message)
    assert call_of(found, "s", named(found), "v") == McpCall(
        found.method,
        "s",
        view="v",
        **call,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("method", ["initialize", "ping", "tools/list", "tasks/list"])
def test_what_has_none_is_nobodys(method: str) -> None:
    found = read(request(method))
    assert call_of(found, "s", named(found), "v") == McpCall(method, view="v")
