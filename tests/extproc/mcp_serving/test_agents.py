"""The list of agents as an MCP server, alone and as one of several, for one caller or another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a_serving.serving import World
from extproc.a2a_serving.serving import serving as agents_of
from extproc.events import Respond
from extproc.mcp_serving.serving import serving
from extproc.ports import Answered
from extproc.program import Program, build
from tests.gateway.config.loading import complaints
from tests.kit.a2a_exchange import Clock, card
from tests.kit.gateways import gateway_of
from tests.kit.mcp_exchange import (
    META,
    MODERN,
    NOTHING_SERVED,
    SECRET,
    Fake,
    Servers,
    call,
    error,
    opened,
    played,
    request,
    world,
)
from tests.kit.memory_ledger import MemoryLedger

AGENTS = """
a2a: {agents: {travel: {url: "http://travel:9999"}, hotels: {url: "http://hotels"}}}
"""
ALONE = f"{AGENTS}mcp: {{servers: {{find: {{agents: true}}}}}}\n"
TWO = f'{AGENTS}mcp: {{servers: {{find: {{agents: true}}, a: {{url: "http://a.example/mcp"}}}}}}\n'
KEYED = """
identity: {api_keys: {keys: [{name: ann, key: sk-ann}, {name: bob, key: sk-bob}]}}
authorize:
  - {name: ann-travels-alone, for: {a2a: hotels}, deny: 'apiKey.name == "ann"'}
"""


async def no_address(_: str) -> tuple[str, ...]:
    return ()


def program(yaml: str, **fakes: Fake) -> Program:
    def agent(name: str) -> Any:
        return lambda asked: Answered(200, {}, json.dumps(card(name, f"{name}:9999")).encode())

    others = {f"service/mcp/{name}": each for name, each in fakes.items()}
    cards = {f"service/a2a/{name}": agent(name) for name in ("travel", "hotels")}
    peers = Servers({**cards, **others})
    agents = World(peers, Clock().times, lambda: 0.0, no_address, ())
    return build(
        gateway_of(yaml),
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=7,
        serve=NOTHING_SERVED._replace(
            mcp=lambda mcp: serving(mcp, (SECRET,), world(peers)),
            a2a=lambda a2a, identity: agents_of(a2a, identity, agents),
        ),
    )


def said(action: object) -> Any:
    assert isinstance(action, Respond), action
    return json.loads(action.body)["result"]


def names(result: Any) -> list[str]:
    assert result["isError"] is False
    return [each["name"] for each in result["structuredContent"]["agents"]]


def test_the_list_of_agents_is_a_server_with_one_tool() -> None:
    of = program(ALONE)
    begun = said(played(of).post(request("initialize", protocolVersion="2025-11-25")))
    assert begun["serverInfo"] == {"name": "find", "version": "1", "title": "Agents"}
    (tool,) = said(played(of).post(request("tools/list")))["tools"]
    assert (tool["name"], tool["annotations"]) == ("search_agents", {"readOnlyHint": True})
    found = said(played(of).post(call("search_agents", query="greets")))
    assert names(found) == ["travel", "hotels"]
    url = found["structuredContent"]["agents"][0]["url"]
    assert url.endswith("/a2a/travel")


def test_a_caller_finds_the_agents_that_the_rules_let_it_ask() -> None:
    of = program(ALONE + KEYED)
    for key, found in (("sk-ann", ["travel"]), ("sk-bob", ["travel", "hotels"])):
        asked = played(of, authorization=f"Bearer {key}", mcp_protocol_version="2025-11-25")
        assert names(said(asked.post(call("search_agents")))) == found


def test_one_of_several_is_asked_in_the_same_way() -> None:
    a = Fake("a")
    of = program(TWO, a=a)
    session = opened(of)
    listed = said(played(of, mcp_session_id=session).post(request("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["find__search_agents", "a__echo"]
    body = call("find__search_agents", limit=1)
    assert names(said(played(of, mcp_session_id=session).post(body))) == ["travel"]


def test_it_speaks_the_newest_revision() -> None:
    head = {"mcp_protocol_version": MODERN, "mcp_method": "tools/call"}
    body = request("tools/call", name="search_agents", arguments={}, _meta=META)
    found = said(played(program(ALONE), mcp_name="search_agents", **head).post(body))
    assert found["resultType"] == "complete"


def test_what_a_model_asks_wrongly_it_is_told() -> None:
    found = said(played(program(ALONE)).post(call("search_agents", limit=0)))
    assert found["isError"] is True
    assert "'pageSize' must be a number" in found["content"][0]["text"]
    assert error(played(program(ALONE)).post(call("other")))["message"] == "Unknown tool: other"


def test_it_is_called_alone() -> None:
    found = played(program(ALONE)).post([request("ping"), call("search_agents", 2)])
    assert isinstance(found, Respond)
    _, refused = json.loads(found.body)
    assert refused["error"]["message"] == "this tool is not called in a batch: call it alone"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "mcp: {servers: {find: {agents: true}}}",
            "mcp.servers.find.agents: there are no agents",
        ),
        (
            f"{AGENTS}mcp: {{servers: {{find: {{agents: true, url: 'http://x'}}}}}}",
            "mcp.servers.find: is the list of agents, and 'url' is for others",
        ),
    ],
)
def test_where_it_cannot_be_is_told(text: str, complaint: str) -> None:
    assert complaints(text) == [complaint]
