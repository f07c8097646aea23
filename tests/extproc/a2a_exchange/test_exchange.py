"""One A2A request: where it goes, and what it is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.events import (
    Action,
    Direct,
    RequestBody,
    Respond,
    ResponseBody,
    ResponseHeaders,
)
from gateway import names
from tests.kit.a2a_exchange import (
    KEYED,
    TRAVEL,
    TWO,
    V0_3,
    V1,
    Played,
    agents,
    card,
    program,
    send,
)
from tests.kit.mcp_exchange import set_headers, told

BODY = RequestBody(b"")


def open_gateway(yaml: str = TRAVEL) -> Played:
    return Played(program(yaml, agents(travel=card(), hotels=card("hotels", "hotels"))))


def error(action: Action) -> Any:
    assert isinstance(action, Respond), action
    return json.loads(action.body)["error"]


def test_a_message_goes_to_its_agent_byte_for_byte() -> None:
    exchange, action = open_gateway().ask("/a2a/travel", send(), **V1)
    assert isinstance(action, Direct)
    assert action.body is None
    assert set_headers(BODY, action) == {
        names.A2A_HEADER: "service/a2a/travel",
        ":path": "/rpc",
        "baggage": "dragoman-agents=travel",
    }
    assert exchange.is_over
    assert exchange.let_go()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/message:send", "/rest/message:send"),
        ("/message:stream?x=1", "/rest/message:stream?x=1"),
        ("/tasks/t-1:cancel", "/rest/tasks/t-1:cancel"),
    ],
)
def test_over_http_what_is_behind_the_agents_name_stays(path: str, expected: str) -> None:
    body = send()["params"] if "message" in path else {}
    _, action = open_gateway().ask(f"/a2a/travel{path}", body, **V1)
    assert set_headers(BODY, action)[":path"] == expected


def test_what_has_no_body_is_answered_by_its_headers() -> None:
    exchange, action = open_gateway().ask(
        "/a2a/travel/tasks/t-1?historyLength=1", method="GET", **V1
    )
    assert isinstance(action, Direct)
    assert not action.is_read
    headers = told(None, action).request_headers.response.header_mutation.set_headers
    assert {each.header.key: each.header.raw_value for each in headers}[":path"] == (
        b"/rest/tasks/t-1?historyLength=1"
    )
    assert exchange.is_over


def test_paths_of_0_3_have_its_prefix() -> None:
    message = {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "x"}]}
    _, action = open_gateway().ask("/a2a/travel/v1/message:send", {"message": message}, **V0_3)
    assert set_headers(BODY, action)[":path"] == "/rest/v1/message:send"


def test_headers_of_the_configuration_go_to_the_agent() -> None:
    _, action = open_gateway(TWO).ask("/a2a/travel", send(), **V1)
    assert set_headers(BODY, action)["x-from"] == "gateway"


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/a2a/nobody", "POST", 404, "unknown_agent"),
        ("/a2a/nobody/tasks/1", "GET", 404, "unknown_agent"),
        ("/elsewhere", "GET", 404, "unknown_agent"),
        ("/a2a/travel", "GET", 405, "method_not_allowed"),
        ("/a2a", "POST", 405, "method_not_allowed"),
        ("/a2a/travel/.well-known/agent-card.json", "POST", 405, "method_not_allowed"),
    ],
)
def test_what_there_is_not_is_refused(path: str, method: str, status: int, code: str) -> None:
    _, action = open_gateway().ask(path, method=method, **V1)
    assert isinstance(action, Respond)
    assert action.status == status
    assert action.details == f"dragoman_{code}"


def test_who_is_not_known_gets_no_further_than_cards() -> None:
    gateway = open_gateway(TRAVEL + KEYED)
    _, refused = gateway.ask("/a2a/travel", send(), **V1)
    assert isinstance(refused, Respond)
    assert refused.status == 401
    assert error(refused)["data"][0]["metadata"] == {"code": "missing_api_key"}
    _, found = gateway.ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    assert isinstance(found, Respond)
    assert found.status == 200
    _, sent = gateway.ask("/a2a/travel", send(), authorization="Bearer sk-ann", **V1)
    assert isinstance(sent, Direct)


def test_cards_may_be_for_those_alone_who_may_come_in() -> None:
    gateway = open_gateway(
        KEYED + "a2a: {public_cards: false, agents: {travel: {url: 'http://t'}}}"
    )
    _, action = gateway.ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    assert isinstance(action, Respond)
    assert action.status == 401


def test_what_cannot_be_read_is_said_in_the_words_of_the_binding() -> None:
    gateway = open_gateway()
    _, found = gateway.ask("/a2a/travel", b"{", **V1)
    assert error(found)["code"] == -32700
    _, found = gateway.ask("/a2a/travel/message:send", b"{", **V1)
    assert error(found)["status"] == "INVALID_ARGUMENT"
    _, found = gateway.ask("/lf.a2a.v1.A2AService/GetTask", b"x", content_type="application/grpc")
    assert isinstance(found, Respond)
    assert dict(found.headers)["grpc-status"] == "3"


@pytest.mark.parametrize("version", ["99.0", "1.7", "x"])
def test_a_version_that_is_none_is_refused_in_the_words_of_those_who_say_one(version: str) -> None:
    asked = open_gateway()
    _, found = asked.ask("/a2a/travel", send(), a2a_version=version)
    assert isinstance(found, Respond)
    error = json.loads(found.body)["error"]
    assert (error["code"], error["data"][0]["reason"]) == (-32009, "VERSION_NOT_SUPPORTED")
    _, found = asked.ask("/a2a/travel/message:send", send()["params"], a2a_version=version)
    assert isinstance(found, Respond)
    assert json.loads(found.body)["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


@pytest.mark.parametrize(("version", "kind"), [(V1, "a2a+json"), (V0_3, "json")])
def test_over_http_answers_have_the_type_of_their_revision(
    version: dict[str, str], kind: str
) -> None:
    place = {"url": "http://t/at", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    asked = Played(program(TRAVEL, agents(travel=card(supportedInterfaces=[place]))))
    path = "/a2a/travel/tasks/t" if version is V1 else "/a2a/travel/v1/tasks/t"
    exchange, _ = asked.ask(path, method="GET", **version)
    exchange.on_event(ResponseHeaders(200, "", headers={"content-type": "application/json"}))
    task = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": task}).encode()
    found = exchange.on_event(ResponseBody(body, True))
    assert isinstance(found, Respond)
    assert ("content-type", f"application/{kind}") in found.headers


def test_a_body_above_the_limit_is_refused() -> None:
    _, action = open_gateway().ask("/a2a/travel", b" " * ((1 << 20) + 1), **V1)
    assert isinstance(action, Respond)
    assert action.status == 413


def test_without_agents_nothing_is_served() -> None:
    empty = Played(program("gateways: {default: {port: 1}}", agents()))
    _, action = empty.ask("/a2a/travel", send(), **V1)
    assert isinstance(action, Respond)
    assert action.status == 503
