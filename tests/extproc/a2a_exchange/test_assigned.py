"""Who has a request of those that an agent stands for: also where Envoy gave it to another."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from extproc.a2a_exchange.exchange import A2aExchange
from extproc.events import Action, Direct, Flow, ResponseBody, ResponseHeaders
from gateway import names
from tests.kit.a2a_exchange import V1, Clock, send
from tests.kit.a2a_pools import (
    BODY,
    GROUP,
    INSTANCES,
    JSON,
    call,
    desk,
    group,
    instances,
    task,
    telling,
    where,
)
from tests.kit.in_a_loop import in_a_loop
from tests.kit.mcp_exchange import set_headers, told

THREE = """
a2a:
  agents:
    travel:
      instances:
        blue: {url: "http://blue:9999"}
        green: {url: "http://green:9999"}
        red: {url: "http://red:9999"}
        grey: {url: "http://grey:9999"}
      choose: failover
"""
GREENS = "service/a2a/travel~green"


def turns(action: Action) -> list[str]:
    """Who may get it, in order; empty: the one that was chosen alone."""
    assert isinstance(action, Direct), action
    said, headers = told(BODY, action), set_headers(BODY, action)
    if names.PLAN_NAMESPACE not in said.dynamic_metadata:
        assert names.A2A_OTHERS_HEADER not in headers
        return []
    groups = said.dynamic_metadata[names.PLAN_NAMESPACE]["priority_groups"]
    found = [cluster["cluster_name"] for each in groups for cluster in each["clusters"]]
    assert found[0] == headers[names.A2A_HEADER]
    assert headers[names.A2A_OTHERS_HEADER] == str(len(found) - 1)
    assert headers[names.MAX_RETRIES_HEADER] == str(len(found) - 1)
    return [each.removeprefix("service/a2a/travel~") for each in found]


def of_result(exchange: A2aExchange, cluster: str) -> Any:
    """What the client is told of a task that this one answers with."""
    assert exchange.on_event(ResponseHeaders(200, cluster, headers=JSON)) == Flow()
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "result": {"task": task()}}).encode()
    last = exchange.on_event(ResponseBody(body, True))
    assert isinstance(last, Flow)
    return json.loads(last.body)["result"]["task"]


def test_another_may_get_what_belongs_to_nobody_and_ids_say_who_did() -> None:
    gateway = desk()
    exchange, action = gateway.ask("/a2a/travel", send(), **V1)
    assert turns(action) == ["blue", "green"]
    assert of_result(exchange, GREENS) == task("t~green", "c~green")
    exchange, action = gateway.ask("/a2a/travel", send(), **V1)
    assert where(action) == "travel~blue", "who works at nothing"
    exchange.on_close()


def test_who_answers_first_is_who_was_asked_first() -> None:
    exchange, _ = desk().ask("/a2a/travel", send(), **V1)
    assert of_result(exchange, "service/a2a/travel~blue") == task("t~blue", "c~blue")


def test_a_conversation_that_the_client_has_named_may_begin_elsewhere() -> None:
    for name in map(str, range(8)):
        exchange, action = desk().ask("/a2a/travel", send(contextId=name), **V1)
        assert {*turns(action)} == {"blue", "green"}
        cluster = f"service/a2a/travel~{turns(action)[1]}"
        assert of_result(exchange, cluster)["id"] == f"t~{turns(action)[1]}"


@pytest.mark.parametrize(
    "asked",
    [
        send(taskId="t~blue"),
        send(taskId="old"),
        send(contextId="c~blue"),
        send(referenceTaskIds=["t~blue"]),
        call("GetTask", id="t~blue"),
    ],
)
def test_nobody_else_gets_what_belongs_to_one(asked: dict[str, object]) -> None:
    _, action = desk().ask("/a2a/travel", asked, **V1)
    assert (where(action), turns(action)) == ("travel~blue", [])


def test_two_others_at_most_in_their_order_and_only_who_is_well() -> None:
    peers = {name: telling(name) for name in ("red", "grey")}
    _, action = desk(THREE, instances(**peers)).ask("/a2a/travel", send(), **V1)
    assert turns(action) == ["blue", "green", "red"]
    del peers["red"]  # it tells no card
    _, action = desk(THREE, instances(**peers)).ask("/a2a/travel", send(), **V1)
    assert turns(action) == ["blue", "green", "grey"]


def test_nobody_who_has_to_be_told_otherwise() -> None:
    elsewhere = {"url": "http://green:9999/v2", "protocolBinding": "JSONRPC"}
    said = {"protocolVersion": "1.0"}
    for place in ({**elsewhere, **said}, {**elsewhere, **said, "tenant": "g"}):
        green = telling("green", supportedInterfaces=[place])
        _, action = desk(peers=instances(green=green)).ask("/a2a/travel", send(), **V1)
        assert (where(action), turns(action)) == ("travel~blue", [])


def test_others_are_asked_in_the_form_of_the_first() -> None:
    place = {"url": "http://t/at", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}
    peers = instances(
        **{name: telling(name, supportedInterfaces=[place]) for name in ("blue", "green")}
    )
    exchange, action = desk(peers=peers).ask("/a2a/travel", send(), **V1)
    assert turns(action) == ["blue", "green"]
    assert exchange.on_event(ResponseHeaders(200, GREENS, headers=JSON)) == Flow()
    result = {"kind": "task", "id": "t", "contextId": "c", "status": {"state": "working"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    last = exchange.on_event(ResponseBody(body, True))
    assert b'"t~green"' in last.body  # type: ignore[union-attr]


def test_in_a_group_others_are_instances_of_the_same_agent() -> None:
    gateway = desk(GROUP, group())
    _, action = gateway.ask("/a2a/desk", send(), **V1)
    assert (where(action), turns(action)) == ("cars", [])
    _, action = gateway.ask("/a2a/desk", send(metadata={"skill": "book"}), **V1)
    assert [each.removeprefix("service/a2a/") for each in turns(action)] == [
        "hotels~one",
        "hotels~two",
    ]


@pytest.mark.parametrize(
    ("cluster", "status", "doubted"),
    [
        ("service/a2a/travel~blue", 200, set()),
        (GREENS, 200, {"blue"}),
        (GREENS, 503, {"blue", "green"}),
        ("service/a2a/travel~blue", 503, {"blue"}),
    ],
)
@in_a_loop
async def test_who_was_not_there_is_asked_for_its_card(
    cluster: str, status: int, doubted: set[str]
) -> None:
    clock, peers = Clock(), instances()
    gateway = await asyncio.to_thread(desk, INSTANCES, peers, clock=clock)
    exchange, _ = await asyncio.to_thread(lambda: gateway.ask("/a2a/travel", send(), **V1))
    clock.now += 2.0
    before = len(peers.asked)
    exchange.on_event(ResponseHeaders(status, cluster, headers=JSON))
    await asyncio.sleep(0.01)
    asked = {name.removeprefix("service/a2a/travel~") for name, _ in peers.asked[before:]}
    assert asked == doubted
