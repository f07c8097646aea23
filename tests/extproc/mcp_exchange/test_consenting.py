"""Servers that a caller has not agreed to: what is listed and answered meanwhile, and after."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from extproc.events import Direct, Respond, ResponseHeaders
from extproc.mcp.oauth_client import Tokens
from extproc.mcp.tickets import owner_of
from extproc.ports import Answered, Asked
from extproc.principal import of_key
from extproc.program import Program
from gateway.model import ApiKey
from tests.kit.mcp_exchange import (
    MODERN,
    Fake,
    Played,
    Servers,
    answer,
    call,
    error,
    fakes,
    played,
    program,
    request,
)

YAML = """
identity: {api_keys: {keys: [{name: ann, key: sk-ann}, {name: bob, key: sk-bob}]}}
mcp:
  consents: {url: "https://gateway.example"}
  servers:
    a: {url: "http://a.example/mcp", consent: CONSENT}
    b: {url: "http://b.example/mcp"}
authorize:
  - {name: no-drop, for: {mcp: a}, deny: 'mcp.tool == "drop"'}
  - {name: bob-connects-nothing, deny: 'mcp.tool == "connect_a" && principal.name == "bob"'}
""".replace(
    "CONSENT",
    "{authorize_url: 'https://as.example/go', token_url: 'https://as.example/t', client: {id: us}}",
)
URLS = {"elicitation": {"url": {}}}
LATEST = "2025-11-25"


class World:
    """Two servers, one of which wants consent; ann is its caller."""

    def __init__(self) -> None:
        self.a = Fake("a", ("echo", "drop"))
        self.b = Fake("b")
        self.servers: Servers = fakes(self.a, self.b)
        self.program: Program = program(YAML, self.servers)
        self.session = ""

    def agree(self, token: str = "at-1", who: str = "ann") -> None:
        serving = self.program.mcp
        assert serving is not None
        assert serving.connections is not None
        owner = owner_of(of_key(ApiKey(who, "")))
        asyncio.run(serving.connections.agreed("a", owner, "key ann", Tokens(token)))

    def played(self, key: str = "sk-ann", path: str = "/mcp", **head: str) -> Played:
        session = {"mcp_session_id": self.session} if self.session else {}
        return played(self.program, path, authorization=f"Bearer {key}", **session, **head)

    def begin(self, capabilities: Any = None, path: str = "/mcp") -> Any:
        said = request("initialize", protocolVersion=LATEST, capabilities=capabilities or {})
        action = self.played(path=path).post(said)
        assert isinstance(action, Respond), action
        self.session = dict(action.headers)["mcp-session-id"]
        return answer(action)

    def modern(self, method: str, capabilities: Any = None, **params: Any) -> Any:
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": capabilities or {},
        }
        head = {"mcp_protocol_version": MODERN, "mcp_method": method}
        if "name" in params:
            head["mcp_name"] = params["name"]
        return self.played(**head).post(request(method, 1, **params, _meta=meta))


def names(action: Any) -> list[str]:
    return [each["name"] for each in answer(action)["tools"]]


def test_lists_have_a_tool_that_connects_the_server_and_the_others() -> None:
    world = World()
    hello = world.begin(URLS)
    assert {"tools", "prompts", "resources"} <= set(hello["capabilities"])
    assert world.a.said == []
    assert names(world.played().post(request("tools/list"))) == ["connect_a", "b__echo"]
    assert answer(world.played().post(request("prompts/list"))) == {"prompts": []}
    world.agree()
    listed = names(world.played().post(request("tools/list")))
    assert listed == ["a__echo", "b__echo"]
    assert dict(world.a.said[-1][1].headers)["authorization"] == "Bearer at-1"
    done = answer(world.played().post(call("connect_a")))
    assert "is connected" in done["content"][0]["text"]


def test_calls_ask_for_consent_and_go_on_once_it_is_there() -> None:
    world = World()
    world.begin(URLS)
    for tool in ("connect_a", "a__echo"):
        found = error(world.played().post(call(tool)))
        assert found["code"] == -32042
        url = found["data"]["elicitations"][0]["url"]
        assert url.startswith("https://gateway.example/mcp/.oauth/connect/")
    world.agree()
    action = world.played().post(call("a__echo"))
    assert isinstance(action, Direct)
    assert action.token == "Bearer at-1"


def test_rules_are_asked_before_anybody_is() -> None:
    world = World()
    world.begin(URLS)
    assert "Unknown tool" in error(world.played().post(call("a__drop")))["message"]
    world.session = ""
    said = request("initialize", protocolVersion=LATEST, capabilities=URLS)
    action = world.played("sk-bob").post(said)
    assert isinstance(action, Respond)
    world.session = dict(action.headers)["mcp-session-id"]
    assert "Unknown tool" in error(world.played("sk-bob").post(call("connect_a")))["message"]


def test_what_cannot_be_asked_for_is_unknown() -> None:
    world = World()
    world.begin(URLS)
    for tool in ("connect_b", "connect_nobody", "connect_"):
        assert "Unknown tool" in error(world.played().post(call(tool)))["message"]
    prompt = {"ref": {"type": "ref/prompt", "name": "a__x"}, "argument": {}}
    found = error(world.played().post(request("completion/complete", 1, **prompt)))
    assert found["code"] == -32602


def test_a_server_alone_is_there_too() -> None:
    world = World()
    world.begin(path="/mcp/a")
    assert names(world.played(path="/mcp/a").post(request("tools/list"))) == ["connect_a"]
    said = answer(world.played(path="/mcp/a").post(call("echo")))
    assert said["isError"]
    world.agree()
    assert names(world.played(path="/mcp/a").post(request("tools/list"))) == ["echo"]


def test_clients_of_2026_wait_until_their_user_is_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.mcp_exchange.consenting._WAIT_SECONDS", 0.5)
    world = World()
    first = answer(world.modern("tools/call", URLS, name="a__echo"))
    assert first["resultType"] == "input_required"
    (key,) = first["inputRequests"]
    back = {
        "requestState": first["requestState"],
        "inputResponses": {key: {"action": "accept"}},
    }
    second = answer(world.modern("tools/call", URLS, name="a__echo", **back))
    assert second == {"resultType": "input_required", "requestState": first["requestState"]}
    world.agree()
    third = world.modern("tools/call", URLS, name="a__echo", requestState=first["requestState"])
    assert isinstance(third, Direct)
    assert third.body is not None
    assert set(json.loads(third.body)["params"]) <= {"name", "arguments", "_meta"}


def test_states_of_others_are_asked_anew() -> None:
    world = World()
    state = answer(world.modern("tools/call", URLS, name="a__echo"))["requestState"]
    for said in (f"{state[:-4]}AAAA", "dmc.", "dmc.x"):
        found = answer(world.modern("tools/call", URLS, name="a__echo", requestState=said))
        assert "inputRequests" in found
    answers = {"consent": {"action": "decline"}}
    declined = answer(
        world.modern("tools/call", URLS, name="a__echo", requestState=state, inputResponses=answers)
    )
    assert declined["isError"]


def test_a_token_that_is_refused_asks_anew_in_the_same_answer() -> None:
    world = World()
    world.begin(URLS)
    world.agree()
    one = world.played()
    assert isinstance(one.post(call("a__echo")), Direct)
    refused = one.say(ResponseHeaders(401, "service/mcp/a"))
    assert error(refused)["code"] == -32042
    assert "connect_a" in names(world.played().post(request("tools/list")))


def test_what_a_server_refuses_one_caller_keeps_nothing_from_another() -> None:
    world = World()
    world.agree("ann's")
    world.agree("bob's", "bob")
    a = world.a

    def refusing(asked: Asked) -> Answered:
        is_anns = ("authorization", "Bearer ann's") in asked.headers
        return Answered(403, {}, b"") if is_anns else a(asked)

    world.servers.answers = {**world.servers.answers, "service/mcp/a": refusing}
    for key, expected in (("sk-ann", ["b__echo"]), ("sk-bob", ["a__echo", "b__echo"])):
        world.session = ""
        said = request("initialize", protocolVersion=LATEST, capabilities={})
        action = world.played(key).post(said)
        assert isinstance(action, Respond)
        assert action.status == 200
        world.session = dict(action.headers)["mcp-session-id"]
        found = names(world.played(key).post(request("tools/list")))
        assert [each for each in found if each != "connect_a"] == expected


def test_anonymous_callers_see_the_others_alone() -> None:
    yaml = YAML.replace("identity: {", "identity: {required: false, ")
    of = program(yaml, fakes(Fake("a"), Fake("b")))
    said = request("initialize", protocolVersion=LATEST, capabilities=URLS)
    assert isinstance(played(of).post(said), Respond)
    alone = played(of, "/mcp/a").post(said)
    assert isinstance(alone, Respond)
    assert alone.status == 401
