"""Agents that ask each other: seen, told and bounded."""

from __future__ import annotations

import json
from typing import Any

from extproc.events import Action, Direct, RequestBody, Respond
from tests.kit.a2a_exchange import TWO, V1, Played, agents, card, program, send
from tests.kit.mcp_exchange import set_headers

BODY = RequestBody(b"")


def gateway(yaml: str) -> Played:
    return Played(program(yaml, agents(travel=card(), hotels=card("hotels", "hotels"))))


def error(action: Action) -> Any:
    assert isinstance(action, Respond), action
    return json.loads(action.body)["error"]


def test_an_agent_is_told_who_asked_before_it() -> None:
    asked = gateway(TWO)
    _, action = asked.ask("/a2a/travel", send(), baggage="user=ada, dragoman-agents=hotels", **V1)
    assert set_headers(BODY, action)["baggage"] == "dragoman-agents=hotels/travel,user=ada"
    task = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "t"}}
    assert "baggage" not in set_headers(BODY, asked.ask("/a2a/travel", task, **V1)[1])


def test_agents_that_ask_each_other_for_ever_are_refused() -> None:
    circle = {"baggage": "dragoman-agents=travel/hotels", **V1}
    _, action = gateway(TWO).ask("/a2a/travel", send(), **circle)
    assert error(action)["data"][0]["metadata"] == {"code": "agent_loop"}
    assert "travel → hotels → travel" in error(action)["message"]
    allowed = TWO.replace("a2a:\n", "a2a:\n  loops: allow\n  max_hops: 3\n")
    assert isinstance(gateway(allowed).ask("/a2a/travel", send(), **circle)[1], Direct)
    long = {"baggage": "dragoman-agents=a/b/c", **V1}
    _, action = gateway(allowed).ask("/a2a/travel", send(), **long)
    assert error(action)["data"][0]["metadata"] == {"code": "too_many_hops"}


def test_rules_see_who_asked_before() -> None:
    rule = """
authorize: [{name: a, for: {a2a: travel}, deny: '"hotels" in a2a.chain'}]
"""
    _, action = gateway(TWO + rule).ask(
        "/a2a/travel", send(), baggage="dragoman-agents=hotels", **V1
    )
    assert isinstance(action, Respond)
    assert action.status == 403
