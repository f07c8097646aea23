"""Messages to REST APIs in an exchange: alone, and as one of several."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.events import Respond
from extproc.ports import Answered
from tests.kit.mcp_exchange import (
    KEYED,
    META,
    MODERN,
    Fake,
    Servers,
    call,
    error,
    opened,
    played,
    program,
    request,
)

DOCUMENT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "http://shop.example/v1"}],
        "paths": {
            "/things": {"get": {"operationId": "list", "responses": {}}},
            "/things/{id}": {"delete": {"operationId": "remove", "responses": {}}},
        },
    }
)
ALONE = f"mcp: {{servers: {{shop: {{openapi: {{inline: '{DOCUMENT}'}}}}}}}}\n"
TWO = (
    f"mcp: {{servers: {{shop: {{openapi: {{inline: '{DOCUMENT}'}}}}, "
    'a: {url: "http://a.example/mcp"}}}\n'
)
RULE = "authorize: [{name: no, for: {mcp: shop}, deny: 'mcp.tool == \"remove\"'}]\n"


def behind(status: int = 200, **fakes: Fake) -> Servers:
    def shop(_: object) -> Answered:
        return Answered(status, {"content-type": "application/json"}, b'{"n":1}')

    others = {f"service/mcp/{name}": each for name, each in fakes.items()}
    return Servers({"service/mcp/shop": shop, **others})


def said(action: object) -> Any:
    assert isinstance(action, Respond), action
    return json.loads(action.body)["result"]


def test_the_worker_answers_for_an_api_alone() -> None:
    servers = behind()
    of = program(ALONE, servers)
    begun = said(played(of).post(request("initialize", protocolVersion="2025-11-25")))
    assert begun["serverInfo"] == {"name": "shop", "version": "1", "title": "Shop"}
    listed = said(played(of).post(request("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["list", "remove"]
    assert servers.asked == []
    one = played(of, mcp_protocol_version="2025-11-25")
    assert said(one.post(call("list")))["structuredContent"] == {"n": 1}
    assert one.exchange.is_over
    ((cluster, asked),) = servers.asked
    assert (cluster, asked.method, asked.path) == ("service/mcp/shop", "GET", "/v1/things")


def test_it_speaks_the_newest_revision() -> None:
    head = {"mcp_protocol_version": MODERN, "mcp_method": "tools/call", "mcp_name": "list"}
    body = request("tools/call", name="list", arguments={}, _meta=META)
    found = said(played(program(ALONE, behind()), **head).post(body))
    assert found["resultType"] == "complete"


def test_it_has_no_streams_and_no_sessions() -> None:
    of = program(ALONE, behind())
    for method in ("GET", "DELETE"):
        refused = played(of, method=method).begin(is_end=True)
        assert isinstance(refused, Respond)
        assert (refused.status, dict(refused.headers)["allow"]) == (405, "POST")
    batch = played(of).post([request("ping"), request("ping", 2)])
    assert isinstance(batch, Respond)
    assert [each["id"] for each in json.loads(batch.body)] == [1, 2]


def test_rules_hide_tools_and_refuse_calls() -> None:
    servers = behind()
    of = program(ALONE + RULE, servers)
    listed = said(played(of).post(request("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["list"]
    assert error(played(of).post(call("remove", id="1")))["message"] == "Unknown tool: remove"
    batch = played(of).post([request("ping"), call("remove", 2, id="1")])
    assert error(batch)["message"] == "Unknown tool: remove"
    assert servers.asked == []


def test_one_of_several_is_asked_by_the_worker() -> None:
    a = Fake("a")
    servers = behind(a=a)
    of = program(TWO, servers)
    session = opened(of)
    listed = said(played(of, mcp_session_id=session).post(request("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["shop__list", "shop__remove", "a__echo"]
    found = said(played(of, mcp_session_id=session).post(call("shop__remove", id="1")))
    assert found["structuredContent"] == {"n": 1}
    (removed,) = [each for name, each in servers.asked if name.endswith("shop")]
    assert (removed.method, removed.path) == ("DELETE", "/v1/things/1")
    assert "tools/call" not in a.methods()


@pytest.mark.parametrize("yaml", [ALONE, TWO])
def test_guards_read_arguments_and_answers(yaml: str) -> None:
    guard = """
guardrails:
  - {type: regex, patterns: ["sk-[a-z]+"], phase: both, action: mask, for: {mcp: shop}}
  - {type: regex, patterns: ["forbidden"], phase: both, for: {mcp: shop}}
"""
    servers = behind(a=Fake("a"))
    secret = b'{"n":"sk-abc"}'
    servers.answers = {
        **servers.answers,
        "service/mcp/shop": lambda asked: Answered(
            200,
            {"content-type": "application/json"},
            b'{"n":"forbidden"}' if asked.path.endswith("bad") else secret,
        ),
    }
    of = program(yaml + guard, servers)
    head = {"mcp_session_id": opened(of)} if yaml == TWO else {}
    name = "shop__remove" if yaml == TWO else "remove"
    masked = said(played(of, **head).post(call(name, id="sk-xyz")))
    assert "sk-" not in json.dumps(masked)
    (asked,) = [each for where, each in servers.asked if where.endswith("shop")]
    assert "sk-" not in asked.path
    refused = said(played(of, **head).post(call(name, id="bad")))
    assert refused["isError"]
    assert "forbidden" not in json.dumps(refused)
    count = len(servers.asked)
    blocked = said(played(of, **head).post(call(name, id="forbidden")))
    assert blocked["isError"]
    assert len(servers.asked) == count


def test_a_failing_api_is_told_the_model_as_one_that_is_silent() -> None:
    found = said(played(program(ALONE, behind(500))).post(call("list")))
    assert found["isError"]
    assert found["content"][0]["text"].startswith("HTTP 500 Internal Server Error")
    silent = said(played(program(ALONE, Servers())).post(call("list")))
    assert "gives no answer" in silent["content"][0]["text"]


@pytest.mark.parametrize("yaml", [ALONE, TWO])
def test_who_is_not_known_calls_nothing(yaml: str) -> None:
    servers = behind(a=Fake("a"))
    refused = played(program(yaml + KEYED, servers)).post(call("list"))
    assert isinstance(refused, Respond)
    assert refused.status == 401
    assert servers.asked == []
