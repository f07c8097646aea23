"""A client and an agent who have no form in common: what the agent is asked, and what becomes of
its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a_exchange.exchange import A2aExchange
from extproc.events import (
    Direct,
    Replace,
    RequestBody,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Show,
    Watch,
)
from extproc.events import RequestHeaders as Headers
from extproc.ports import Answered
from tests.kit.a2a_exchange import TRAVEL, V0_3, V1, Played, agents, card, program, send
from tests.kit.mcp_exchange import LIMIT_BYTES, NOW, Servers, set_headers

BODY = RequestBody(b"")
OLD = {
    "messageId": "m",
    "role": "user",
    "kind": "message",
    "parts": [{"kind": "text", "text": "x"}],
}


def speaking(binding: str, revision: str) -> Servers:
    """An agent that speaks so, and nothing else."""
    place = {"url": "http://t/at", "protocolBinding": binding, "protocolVersion": revision}
    return agents(travel=card(supportedInterfaces=[place]))


def asked(peers: Servers, path: str, body: object, **headers: str) -> tuple[A2aExchange, Any]:
    """Played as Envoy does: twice, since the first time the card is asked for."""
    gateway = Played(program(TRAVEL, peers))
    gateway.ask(path, body, **headers)
    return gateway.ask(path, body, **headers)


def test_a_message_of_1_0_is_said_in_0_3_and_its_answer_back() -> None:
    exchange, action = asked(speaking("JSONRPC", "0.3"), "/a2a/travel", send("hello"), **V1)
    assert isinstance(action, Direct)
    assert action.body is not None
    said = json.loads(action.body)
    assert said["method"] == "message/send"
    assert said["params"]["message"]["parts"] == [{"kind": "text", "text": "hello"}]
    headers = set_headers(BODY, action)
    assert (headers[":path"], headers["a2a-version"]) == ("/at", "0.3")
    assert not exchange.is_over
    head = {"content-type": "application/json", "content-length": "90"}
    begun = exchange.on_event(ResponseHeaders(200, "", headers=head))
    assert isinstance(begun, Watch)
    assert begun.is_whole
    result = {"jsonrpc": "2.0", "id": 1, "result": OLD}
    found = exchange.on_event(ResponseBody(json.dumps(result).encode(), True))
    assert isinstance(found, Respond)
    document = json.loads(found.body)
    assert (found.status, document["id"]) == (200, 7)
    assert document["result"]["message"]["parts"] == [{"text": "x"}]
    assert exchange.is_over


def test_an_answer_of_unknown_length_waits_for_its_end() -> None:
    exchange, _ = asked(speaking("JSONRPC", "0.3"), "/a2a/travel", send(), **V1)
    begun = exchange.on_event(
        ResponseHeaders(200, "", headers={"content-type": "application/json"})
    )
    assert isinstance(begun, Watch)
    assert not begun.is_whole
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": OLD}).encode()
    assert exchange.on_event(ResponseBody(body[:9], False)) == Replace(b"")
    found = exchange.on_event(ResponseBody(body[9:], True))
    assert isinstance(found, Replace)
    assert json.loads(found.body)["result"]["message"]["parts"] == [{"text": "x"}]


def test_events_pass_one_by_one() -> None:
    body = send(method="SendStreamingMessage")
    exchange, action = asked(speaking("HTTP+JSON", "1.0"), "/a2a/travel", body, **V1)
    assert set_headers(BODY, action)[":path"] == "/at/message:stream"
    head = {"content-type": "text/event-stream"}
    assert isinstance(exchange.on_event(ResponseHeaders(200, "", headers=head)), Watch)
    message = {"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "x"}]}}
    event = b"data: " + json.dumps(message).encode() + b"\n\n"
    assert exchange.on_event(ResponseBody(event[:20], False)) == Replace(b"")
    found = exchange.on_event(ResponseBody(event[20:], False))
    assert isinstance(found, Replace)
    said = json.loads(found.body.partition(b"data: ")[2])
    assert said["result"] == message
    exchange.on_event(ResponseBody(b"", True))
    assert exchange.is_over


def test_an_error_has_the_status_of_the_clients_binding() -> None:
    path = "/a2a/travel/message:send"
    exchange, _ = asked(speaking("JSONRPC", "1.0"), path, send()["params"], **V1)
    head = {"content-type": "application/json", "content-length": "90"}
    exchange.on_event(ResponseHeaders(200, "", headers=head))
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "no such task"}}
    found = exchange.on_event(ResponseBody(json.dumps(error).encode(), True))
    assert isinstance(found, Respond)
    assert found.status == 404


def test_what_has_no_body_the_worker_asks_itself() -> None:
    peers = speaking("JSONRPC", "1.0")
    tell = peers.answers["service/a2a/travel"]
    task = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}

    def answering(request: Any) -> Answered:
        if request.method == "GET":
            return tell(request)
        said = json.loads(request.body)
        assert (said["method"], said["params"]["id"]) == ("GetTask", "t")
        return Answered(200, {}, json.dumps({"jsonrpc": "2.0", "id": 1, "result": task}).encode())

    peers.answers = {"service/a2a/travel": answering}
    _, found = Played(program(TRAVEL, peers)).ask("/a2a/travel/tasks/t", method="GET", **V1)
    assert isinstance(found, Respond)
    assert (found.status, json.loads(found.body)["id"]) == (200, "t")


def test_what_streams_without_a_body_is_refused() -> None:
    gateway = Played(program(TRAVEL, speaking("JSONRPC", "1.0")))
    _, found = gateway.ask("/a2a/travel/tasks/t:subscribe", method="GET", **V1)
    assert isinstance(found, Respond)
    assert json.loads(found.body)["error"]["details"][0]["reason"] == "UNSUPPORTED_OPERATION"


def test_an_agent_that_is_not_there_is_told_so() -> None:
    peers = speaking("JSONRPC", "1.0")
    gateway = Played(program(TRAVEL, peers))
    gateway.ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    peers.answers = {}
    _, found = gateway.ask("/a2a/travel/tasks/t", method="GET", **V1)
    assert isinstance(found, Respond)
    assert found.status == 503


@pytest.mark.parametrize(("headers", "is_shown"), [(V1, False), (V0_3, True)])
def test_answers_are_shown_where_they_have_to_be_read(
    headers: dict[str, str], is_shown: bool
) -> None:
    gateway = Played(program(TRAVEL, speaking("JSONRPC", "1.0")))
    gateway.ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    exchange = A2aExchange(gateway.of, NOW, LIMIT_BYTES)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    head = {":method": "POST", ":path": "/a2a/travel", ":authority": "gw", **named}
    assert isinstance(exchange.on_event(Headers(head, False)), Show) is is_shown
