"""A gateway whose agents stand for several, without Envoy: who is asked, and what they answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from extproc.a2a_exchange.exchange import A2aExchange
from extproc.events import (
    Action,
    Direct,
    Flow,
    RequestBody,
    ResponseBody,
    ResponseHeaders,
)
from extproc.ports import Answered, Asked
from tests.kit.a2a_exchange import Played, card, program
from tests.kit.mcp_exchange import Servers, set_headers

BODY = RequestBody(b"")
JSON = {"content-type": "application/json"}
INSTANCES = """
a2a:
  agents:
    travel:
      instances:
        blue: {url: "http://blue:9999", grpc: "http://blue:50051"}
        green: {url: "http://green:9999", grpc: "http://green:50051"}
"""
GROUP = """
a2a:
  agents:
    cars: {url: "http://cars:9999", price: 0.5}
    hotels: {instances: {one: {url: "http://one:9999"}, two: {url: "http://two:9999"}}}
  groups:
    desk: {agents: {cars: {}, hotels: {weight: 3}}, choose: failover}
"""

Answer = Callable[[Asked], Answered]


def skilled(skill: str, *modes: str) -> list[dict[str, object]]:
    """The skills of an agent that has one."""
    inputs = {"inputModes": list(modes)} if modes else {}
    return [{"id": skill, "name": skill, "description": skill, "tags": [], **inputs}]


def telling(name: str, **more: object) -> Answer:
    """What an agent tells as its card."""
    body = json.dumps(card(name, f"{name}:9999", **more)).encode()
    return lambda asked: Answered(200, JSON, body)


def instances(**others: Answer) -> Servers:
    """Two of one agent; some are another's."""
    found = {f"service/a2a/travel~{each}": telling(each) for each in ("blue", "green")}
    return Servers({**found, **{f"service/a2a/travel~{each}": of for each, of in others.items()}})


def group() -> Servers:
    """Those of `GROUP`."""
    return Servers(
        {
            "service/a2a/cars": telling("cars", skills=skilled("rent", "text/plain", "image/png")),
            "service/a2a/hotels~one": telling("one", skills=skilled("book")),
            "service/a2a/hotels~two": telling("two", skills=skilled("book")),
        }
    )


def desk(yaml: str = INSTANCES, peers: Servers | None = None, **more: Any) -> Played:
    """A gateway that knows their cards."""
    found = Played(program(yaml, peers or (group() if yaml is GROUP else instances()), **more))
    for name in found.of.a2a.directory.agents if found.of.a2a else ():
        found.ask(f"/a2a/{name}/.well-known/agent-card.json", method="GET")
    return found


def where(action: Action, event: Any = BODY) -> str:
    """Where a request goes."""
    assert isinstance(action, Direct), action
    return set_headers(event, action)["x-dragoman-a2a"].removeprefix("service/a2a/")


def call(method: str, **params: object) -> dict[str, object]:
    """Of JSON-RPC."""
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def params(action: Action) -> Any:
    """What the agent is asked."""
    assert isinstance(action, Direct)
    assert action.body is not None
    return json.loads(action.body)["params"]


def answered(exchange: A2aExchange, document: object) -> Any:
    """What the client is told where the agent tells this."""
    begun = exchange.on_event(ResponseHeaders(200, "", headers=JSON))
    assert begun == Flow()
    body = json.dumps(document).encode()
    assert exchange.on_event(ResponseBody(body[:5], False)) == Flow()
    last = exchange.on_event(ResponseBody(body[5:], True))
    assert isinstance(last, Flow)
    assert exchange.is_over
    return json.loads(last.body)


def task(own: str = "t", context: str = "c", **more: object) -> dict[str, object]:
    """One of 1.0."""
    return {"id": own, "contextId": context, "status": {"state": "TASK_STATE_WORKING"}, **more}
