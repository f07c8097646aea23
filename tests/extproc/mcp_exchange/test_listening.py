"""What the hub is told of who listens, and to whom."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from extproc.events import Action, Direct, RequestBody, Respond
from extproc.program import Program
from gateway import names
from tests.kit.mcp_exchange import (
    MODERN,
    TWO,
    Fake,
    error,
    fakes,
    modern,
    opened,
    played,
    program,
    set_headers,
)

HEAD = {"mcp_protocol_version": MODERN, "mcp_method": "subscriptions/listen"}


def told(action: Action) -> Any:
    assert isinstance(action, Direct), action
    head = set_headers(RequestBody(b""), action)
    return json.loads(base64.b64decode(head[names.MCP_STREAMS_HEADER]))


def listen(of: Program, **wanted: object) -> Action:
    return played(of, **HEAD).post(modern("subscriptions/listen", notifications=wanted))


def test_a_stream_is_of_the_servers_that_take_part() -> None:
    of = program(TWO, fakes(Fake("a")))
    action = played(of, method="GET", mcp_session_id=opened(of)).begin(is_end=True)
    assert isinstance(action, Direct)
    document = json.loads(base64.b64decode(dict(action.set_headers)[names.MCP_STREAMS_HEADER]))
    assert document["servers"] == {"a": ["a-1", "2025-06-18"]}
    assert document["number"]


def test_who_has_no_session_says_what_it_wants_to_hear() -> None:
    a, b = Fake("a", resources=("file:///a",)), Fake("b", is_modern=True, resources=("file:///b",))
    of = program(TWO, fakes(a, b))
    uris = ["file:///a", "file:///b"]
    document = told(listen(of, toolsListChanged=True, x=False, resourceSubscriptions=uris))
    assert document["listen"] == 1
    assert document["notifications"] == {"toolsListChanged": True}
    assert document["uris"] == {"a": {"file:///a": "file:///a"}, "b": {"file:///b": "file:///b"}}
    assert document["servers"]["b"] == ["", MODERN]
    assert document["servers"]["a"][0].startswith("a-")
    assert "resources/subscribe" in a.methods()
    assert "resources/subscribe" not in b.methods()


def test_what_the_caller_may_not_read_is_not_listened_to() -> None:
    rule = "authorize: [{name: no, for: {mcp: a}, deny: 'mcp.resource == \"file:///a\"'}]"
    of = program(TWO + rule, fakes(Fake("a", resources=("file:///a",)), Fake("b")))
    assert told(listen(of, resourceSubscriptions=["file:///a"]))["uris"] == {}


@pytest.mark.parametrize("params", [{}, {"notifications": 1}])
def test_who_wants_nothing_is_refused(params: dict[str, object]) -> None:
    of = program(TWO, fakes(Fake("a"), Fake("b")))
    action = played(of, **HEAD).post(modern("subscriptions/listen", **params))
    assert error(action)["code"] == -32602


def test_who_wants_too_much_is_refused() -> None:
    of = program(TWO, fakes(Fake("a"), Fake("b")))
    action = listen(of, resourceSubscriptions=[f"file:///{each}" for each in range(300)])
    assert isinstance(action, Respond)
    assert error(action)["message"] == "more than 256 resources"
