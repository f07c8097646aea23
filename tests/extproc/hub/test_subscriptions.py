"""What servers say unasked, told to who asked for it."""

from __future__ import annotations

import json
from typing import Any

from extproc.hub.subscriptions import Subscription, Told

SUBSCRIPTION = Subscription(
    b'"s"', {"toolsListChanged": True}, {"a": {"file:///own": "a+file:///own"}}
)
META = {"io.modelcontextprotocol/subscriptionId": "s"}


def said(event: bytes) -> Any:
    return json.loads(event.removeprefix(b"data: "))


def notification(method: str, **params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


def test_it_is_acknowledged_with_what_is_heard() -> None:
    found = said(SUBSCRIPTION.acknowledged())
    assert found["method"] == "notifications/subscriptions/acknowledged"
    assert found["params"]["_meta"] == META
    assert found["params"]["notifications"] == {
        "toolsListChanged": True,
        "resourceSubscriptions": ["a+file:///own"],
    }


def test_servers_are_asked_for_that_and_their_own_resources() -> None:
    found = json.loads(SUBSCRIPTION.asked("a", "2026-07-28"))
    assert found["params"]["notifications"]["resourceSubscriptions"] == ["file:///own"]
    assert "io.modelcontextprotocol/protocolVersion" in found["params"]["_meta"]
    other = json.loads(SUBSCRIPTION.asked("b", "2026-07-28"))
    assert other["params"]["notifications"] == {"toolsListChanged": True}


def test_what_was_asked_for_is_told_in_its_name() -> None:
    changed = said(SUBSCRIPTION.told("b", notification("notifications/tools/list_changed")))
    assert changed["params"]["_meta"] == META
    updated = notification("notifications/resources/updated", uri="file:///own", _meta={"x": 1})
    found = said(SUBSCRIPTION.told("a", updated))
    assert found["params"] == {"uri": "a+file:///own", "_meta": {"x": 1, **META}}


def test_nothing_else_is_told() -> None:
    for server, text in (
        ("a", notification("notifications/prompts/list_changed")),
        ("b", notification("notifications/resources/updated", uri="file:///own")),
        ("a", notification("notifications/message", level="info")),
        ("a", b'{"jsonrpc":"2.0","id":1,"method":"ping"}'),
        ("a", b"garbage"),
    ):
        assert SUBSCRIPTION.told(server, text) == b""


def test_a_stream_may_be_cut_anywhere() -> None:
    text = b"data: " + notification("notifications/tools/list_changed") + b"\n\n"
    told = Told(SUBSCRIPTION, "a")
    whole = b"".join(told.feed(text[each : each + 1]) for each in range(len(text)))
    assert whole == Told(SUBSCRIPTION, "a").feed(text) != b""


def test_all_lists_that_are_listened_to_may_have_changed() -> None:
    assert (
        said(SUBSCRIPTION.changed(("tools", "prompts")))["method"]
        == "notifications/tools/list_changed"
    )
