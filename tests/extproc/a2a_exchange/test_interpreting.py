"""A client and an agent who have no form in common: what the agent is asked, and what becomes of
its answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extproc.a2a import errors, grpc_frames
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.forms import protobuf
from extproc.a2a_exchange.exchange import A2aExchange
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.events import (
    ChangeHeaders,
    Direct,
    Flow,
    RequestBody,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Show,
)
from extproc.events import RequestHeaders as Headers
from gateway import names
from gateway.a2a import Revision
from tests.kit.a2a_exchange import TRAVEL, TWO, V0_3, V1, Played, agents, card, program, send
from tests.kit.mcp_exchange import LIMIT_BYTES, NOW, Servers, set_headers

BODY, HEADERS = RequestBody(b""), Headers({}, True)
OLD = {
    "messageId": "m",
    "role": "user",
    "kind": "message",
    "parts": [{"kind": "text", "text": "x"}],
}
NEW = {"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "x"}]}}
JSON, EVENTS, GRPC = (
    {"content-type": kind} for kind in ("application/json", "text/event-stream", "application/grpc")
)
WELL = {"grpc-status": "0"}
MISSING = dict(errors.trailers(Fault(ErrorKind.TASK_NOT_FOUND, "no such task"), Revision.V1_0))
STREAM = "/lf.a2a.v1.A2AService/SendStreamingMessage"
SEND = "/lf.a2a.v1.A2AService/SendMessage"
PACKAGE = "lf.a2a.v1."


def speaking(binding: str, revision: str) -> Servers:
    """An agent that speaks so, and nothing else."""
    url = "t:50051" if binding == "GRPC" else "http://t/at"
    place = {"url": url, "protocolBinding": binding, "protocolVersion": revision}
    return agents(travel=card(supportedInterfaces=[place]))


def asked(peers: Servers, path: str, body: object, **headers: Any) -> tuple[A2aExchange, Any]:
    """Played as Envoy does: twice, since the first time the card is asked for."""
    gateway = Played(program(TRAVEL, peers))
    gateway.ask(path, body, **headers)
    return gateway.ask(path, body, **headers)


def framed(**more: object) -> bytes:
    """A message of 1.0, over gRPC."""
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
    document = {"message": message, **more}
    return grpc_frames.frame(protobuf.encode(f"{PACKAGE}SendMessageRequest", document, []))


def event(document: object, name: str = "StreamResponse") -> bytes:
    """What an agent answers over gRPC."""
    return grpc_frames.frame(protobuf.encode(PACKAGE + name, document, []))


def bridged(**headers: str) -> dict[str, str]:
    """The headers of an agent of JSON, as they come by the bridge."""
    found = {names.A2A_STATUS_HEADER: "200", names.A2A_TYPE_HEADER: "application/json"}
    named = {f"x-dragoman-a2a-{name}": value for name, value in headers.items()}
    return {**GRPC, **found, **named}


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
    assert exchange.on_event(ResponseHeaders(200, "", headers=JSON)) == Flow()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": OLD}).encode()
    assert exchange.on_event(ResponseBody(body[:9], False)) == Flow()
    found = exchange.on_event(ResponseBody(body[9:], True))
    assert isinstance(found, Respond)
    document = json.loads(found.body)
    assert (found.status, document["id"]) == (200, 7)
    assert document["result"]["message"]["parts"] == [{"text": "x"}]
    assert exchange.is_over


def test_events_pass_one_by_one() -> None:
    body = send(method="SendStreamingMessage")
    exchange, action = asked(speaking("HTTP+JSON", "1.0"), "/a2a/travel", body, **V1)
    assert set_headers(BODY, action)[":path"] == "/at/message:stream"
    begun: Any = exchange.on_event(ResponseHeaders(200, "", headers=EVENTS))
    assert dict(begun.head.set_headers) == {":status": "200", **EVENTS}
    said = b"data: " + json.dumps(NEW).encode() + b"\n\n"
    assert exchange.on_event(ResponseBody(said[:20], False)) == Flow()
    found = exchange.on_event(ResponseBody(said[20:], False))
    assert isinstance(found, Flow)
    assert found.head is None
    assert json.loads(found.body.partition(b"data: ")[2])["result"] == NEW
    assert exchange.on_event(ResponseBody(b"", True)) == Flow(is_end=True)
    assert exchange.is_over


def test_an_error_has_the_status_of_the_clients_binding() -> None:
    path = "/a2a/travel/message:send"
    exchange, _ = asked(speaking("JSONRPC", "1.0"), path, send()["params"], **V1)
    exchange.on_event(ResponseHeaders(200, "", headers=JSON))
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "no such task"}}
    found = exchange.on_event(ResponseBody(json.dumps(error).encode(), True))
    assert isinstance(found, Respond)
    assert found.status == 404


def test_what_has_no_body_is_given_one() -> None:
    path = "/a2a/travel/tasks/t"
    exchange, action = asked(speaking("JSONRPC", "1.0"), path, None, method="GET", **V1)
    assert isinstance(action, Direct)
    assert (action.is_read, action.is_flowing) == (False, True)
    said = json.loads(action.body or b"")
    assert (said["method"], said["params"]["id"]) == ("GetTask", "t")
    assert set_headers(HEADERS, action)[":method"] == "POST"
    exchange.on_event(ResponseHeaders(200, "", headers=JSON))
    task = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
    result = {"jsonrpc": "2.0", "id": 1, "result": task}
    found = exchange.on_event(ResponseBody(json.dumps(result).encode(), True))
    assert isinstance(found, Respond)
    assert json.loads(found.body) == task


def test_what_streams_is_asked_for_without_a_body_too() -> None:
    path = "/a2a/travel/tasks/t:subscribe"
    exchange, action = asked(speaking("JSONRPC", "1.0"), path, None, method="GET", **V1)
    assert json.loads(action.body)["method"] == "SubscribeToTask"
    begun = exchange.on_event(ResponseHeaders(200, "", headers=EVENTS))
    assert isinstance(begun, Flow)
    assert begun.head is not None


@pytest.mark.parametrize(("headers", "is_shown"), [(V1, False), (V0_3, True)])
def test_answers_are_shown_where_they_have_to_be_read(
    headers: dict[str, str], is_shown: bool
) -> None:
    gateway = Played(program(TRAVEL, speaking("JSONRPC", "1.0")))
    gateway.ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    exchange = A2aExchange(gateway.of, NOW, LIMIT_BYTES)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    head = {":method": "POST", ":path": "/a2a/travel", ":authority": "gw", **named}
    found = exchange.on_event(Headers(head, False))
    assert (found == Show(is_flowing=True)) is is_shown


def test_what_was_not_to_be_shown_cannot_be_said_otherwise() -> None:
    peers = speaking("JSONRPC", "1.0")
    gateway = Played(program(TRAVEL, peers))
    gateway.ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    exchange = A2aExchange(gateway.of, NOW, LIMIT_BYTES)
    head = {":method": "POST", ":path": "/a2a/travel", ":authority": "gw", "a2a-version": "1.0"}
    exchange.on_event(Headers(head, False))
    old = send(method="message/send")
    exchange._facts.headers = {**head, "a2a-version": "0.3"}  # as if the card had just changed
    old["params"] = {"message": OLD}
    found = exchange.on_event(RequestBody(json.dumps(old).encode()))
    assert isinstance(found, Respond)
    assert found.status == 503


# --- agents of gRPC ------------------------------------------------------------------------


def test_a_client_of_json_is_answered_when_the_trailers_say_that_it_went_well() -> None:
    exchange, action = asked(speaking("GRPC", "1.0"), "/a2a/travel", send("hello"), **V1)
    headers = set_headers(BODY, action)
    assert headers[":path"] == SEND
    assert (headers["content-type"], headers["te"]) == ("application/grpc", "trailers")
    assert headers[names.A2A_HEADER] == "service/a2a-grpc/travel"
    assert grpc_frames.read_one(action.body, {})
    assert exchange.on_event(ResponseHeaders(200, "", headers=GRPC)) == Flow()
    assert exchange.on_event(ResponseBody(event(NEW, "SendMessageResponse"), False)) == Flow()
    found = exchange.on_event(ResponseEnd(None, WELL))
    assert isinstance(found, Respond)
    assert (found.status, json.loads(found.body)["result"]) == (200, NEW)
    assert exchange.is_over


@pytest.mark.parametrize("is_in_head", [True, False])
def test_a_client_of_json_is_told_what_went_wrong_in_its_own_words(is_in_head: bool) -> None:
    path = "/a2a/travel/message:send"
    exchange, _ = asked(speaking("GRPC", "1.0"), path, send()["params"], **V1)
    if is_in_head:
        begun = ResponseHeaders(200, "", headers={**GRPC, **MISSING}, is_end=True)
        found: Any = exchange.on_event(begun)
    else:
        assert exchange.on_event(ResponseHeaders(200, "", headers=GRPC)) == Flow()
        found = exchange.on_event(ResponseEnd(None, MISSING))
    assert isinstance(found, Respond)
    assert (found.status, json.loads(found.body)["error"]["message"]) == (404, "no such task")


def test_messages_of_a_stream_are_events_and_an_error_is_the_last() -> None:
    body = send(method="SendStreamingMessage")
    exchange, _ = asked(speaking("GRPC", "1.0"), "/a2a/travel", body, **V1)
    assert exchange.on_event(ResponseHeaders(200, "", headers=GRPC)) == Flow()
    message = event(NEW)
    assert exchange.on_event(ResponseBody(message[:7], False)) == Flow()
    found: Any = exchange.on_event(ResponseBody(message[7:], False))
    assert dict(found.head.set_headers)["content-type"] == "text/event-stream"
    assert json.loads(found.body.partition(b"data: ")[2])["result"] == NEW
    last: Any = exchange.on_event(ResponseEnd(None, MISSING))
    assert (last.head, last.is_end) == (None, True)
    assert json.loads(last.body.partition(b"data: ")[2])["error"]["code"] == -32001
    assert "grpc-status" in last.trailers.remove_headers
    assert exchange.is_over


def test_a_stream_that_fails_before_its_first_event_is_no_stream() -> None:
    path = "/a2a/travel/message:stream"
    exchange, _ = asked(speaking("GRPC", "1.0"), path, send()["params"], **V1)
    exchange.on_event(ResponseHeaders(200, "", headers=GRPC))
    found = exchange.on_event(ResponseEnd(None, MISSING))
    assert isinstance(found, Respond)
    assert (found.status, dict(found.headers)["content-type"]) == (404, "application/json")


# --- clients of gRPC -----------------------------------------------------------------------


def test_a_client_of_grpc_is_answered_by_an_agent_of_json_with_trailers() -> None:
    exchange, action = asked(speaking("JSONRPC", "1.0"), SEND, framed(tenant="travel"), **V1)
    headers = set_headers(BODY, action)
    assert headers[names.A2A_HEADER] == names.A2A_BRIDGE_CLUSTER
    assert headers[names.SERVICE_HEADER] == "service/a2a/travel"
    assert headers[names.A2A_TYPE_HEADER] == "application/json"
    assert "content-type" not in headers  # the bridge has to see that it is gRPC
    assert "content-type" not in action.remove_headers
    said = json.loads(action.body)
    assert (said["method"], "tenant" in said["params"]) == ("SendMessage", False)
    assert exchange.on_event(ResponseHeaders(200, "", headers=bridged())) == Flow()
    result = json.dumps({"jsonrpc": "2.0", "id": 1, "result": NEW}).encode()
    assert exchange.on_event(ResponseBody(result, False)) == Flow()
    found: Any = exchange.on_event(ResponseEnd(None, WELL))
    assert dict(found.head.set_headers) == {":status": "200", "content-type": "application/grpc"}
    assert names.A2A_STATUS_HEADER in found.head.remove_headers
    told = grpc_frames.read_one(found.body, {})
    assert protobuf.decode(f"{PACKAGE}SendMessageResponse", told) == NEW
    assert found.trailers == ChangeHeaders((("grpc-status", "0"),))
    assert not found.is_end
    assert exchange.is_over


def test_a_client_of_grpc_is_told_the_status_of_an_agent_of_json() -> None:
    exchange, _ = asked(speaking("HTTP+JSON", "1.0"), SEND, framed(), **V1)
    exchange.on_event(ResponseHeaders(200, "", headers=bridged(status="404")))
    body = errors.http_body(Fault(ErrorKind.TASK_NOT_FOUND, "no such task"), Revision.V1_0)
    exchange.on_event(ResponseBody(body, False))
    found = exchange.on_event(ResponseEnd(None, {"grpc-status": "12"}))
    assert isinstance(found, Respond)
    assert found.status == 200
    assert dict(found.headers) == {**GRPC, **MISSING}


def test_events_of_an_agent_of_json_are_messages_and_an_error_is_in_the_trailers() -> None:
    exchange, action = asked(speaking("JSONRPC", "0.3"), STREAM, framed(), **V1)
    assert set_headers(BODY, action)[names.A2A_ACCEPT_HEADER] == "text/event-stream"
    head = bridged(type="text/event-stream")
    begun: Any = exchange.on_event(ResponseHeaders(200, "", headers=head))
    assert dict(begun.head.set_headers)["content-type"] == "application/grpc"
    said = json.dumps({"jsonrpc": "2.0", "id": 1, "result": OLD}).encode()
    found: Any = exchange.on_event(ResponseBody(b"data: %b\n\n" % said, False))
    told = grpc_frames.read_one(found.body, {})
    assert protobuf.decode(f"{PACKAGE}StreamResponse", told)["message"]["parts"] == [{"text": "x"}]
    failed = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "no such task"}}
    data = b"data: %b\n\n" % json.dumps(failed).encode()
    assert exchange.on_event(ResponseBody(data, False)) == Flow()
    last: Any = exchange.on_event(ResponseEnd(None, WELL))
    assert dict(last.trailers.set_headers) == MISSING


def test_what_never_reached_the_agent_is_told_as_envoy_says() -> None:
    exchange, _ = asked(speaking("JSONRPC", "1.0"), SEND, framed(), **V1)
    head = {**GRPC, "grpc-status": "14", "grpc-message": "no healthy upstream"}
    found = exchange.on_event(ResponseHeaders(200, "", headers=head, is_end=True))
    assert isinstance(found, Respond)
    assert dict(found.headers)["grpc-message"] == "no healthy upstream"
    exchange, _ = asked(speaking("JSONRPC", "1.0"), SEND, framed(), **V1)
    head = {**bridged(), "grpc-status": "2", "grpc-message": "envoy reverse bridge: …"}
    found = exchange.on_event(ResponseHeaders(200, "", headers=head, is_end=True))
    assert isinstance(found, Respond)
    said = dict(found.headers)
    assert (said["grpc-status"], said["grpc-message"]) == ("14", "the agent could not be reached")
    exchange, _ = asked(speaking("JSONRPC", "1.0"), SEND, framed(), **V1)
    found = exchange.on_event(ResponseHeaders(200, "", headers=GRPC))
    assert isinstance(found, Respond)
    assert dict(found.headers)["grpc-status"] == "14"


@pytest.mark.parametrize("cut", [0, 3, 5])
@pytest.mark.parametrize("answer", [b"", b"{}"])
def test_an_answer_without_a_body_is_a_message_that_says_nothing(answer: bytes, cut: int) -> None:
    push = "push: {hosts: ['*.example.com']}, url: 'https://gw.example.com', agents:"
    place = {"url": "http://t/at", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"}
    peers = agents(travel=card(supportedInterfaces=[place]))
    gateway = Played(program(TRAVEL.replace("agents:", push), peers))
    path = "/lf.a2a.v1.A2AService/DeleteTaskPushNotificationConfig"
    document = {"taskId": "t", "id": "p"}
    name = f"{PACKAGE}DeleteTaskPushNotificationConfigRequest"
    body = grpc_frames.frame(protobuf.encode(name, document, []))
    exchange, action = gateway.ask(path, body, **V1)
    assert isinstance(action, Direct)
    headers = set_headers(BODY, action)
    assert (headers[":method"], headers[names.A2A_FRAMED_HEADER]) == ("DELETE", "true")
    assert action.body == grpc_frames.frame(b"")
    assert exchange.on_event(ResponseHeaders(200, "", headers=bridged(framed="true"))) == Flow()
    said = grpc_frames.frame(answer)
    assert exchange.on_event(ResponseBody(said[:cut], False)) == Flow()
    assert exchange.on_event(ResponseBody(said[cut:], False)) == Flow()
    found: Any = exchange.on_event(ResponseEnd(None, WELL))
    assert found.body == grpc_frames.frame(b"")
    assert found.trailers.set_headers == (("grpc-status", "0"),)


def test_the_tenant_of_an_agents_interface_is_said_in_the_place_of_the_gateways() -> None:
    place = {"url": "http://t/at", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    peers = agents(travel=card(supportedInterfaces=[{**place, "tenant": "own"}]))
    _, action = asked(peers, SEND, framed(tenant="travel/own"), **V1)
    assert json.loads(action.body)["params"]["tenant"] == "own"


def test_calls_of_grpc_are_shown_where_some_agent_speaks_otherwise() -> None:
    gateway = Played(program(TWO, agents(travel=card(), hotels=card("hotels", "hotels"))))
    head = {":method": "POST", ":path": SEND, ":authority": "gw", "a2a-version": "1.0"}
    exchange = A2aExchange(gateway.of, NOW, LIMIT_BYTES)
    assert exchange.on_event(Headers(head, False)) == Show(is_flowing=True)


def test_an_answer_that_nobody_reads_flows_as_it_is(tmp_path: Path) -> None:
    limits = "limits: [{name: few, for: {a2a: '*'}, concurrent: 5}]\n"
    limiter = MappedLimiter(tmp_path, None, lambda: 10**12, rows=64)
    gateway = Played(program(TRAVEL + limits, agents(travel=card()), limiter=limiter))
    exchange, action = gateway.ask("/a2a/travel", send(), **V1)  # its card was not known before
    assert isinstance(action, Direct)
    assert not exchange.is_over
    assert exchange.on_event(ResponseHeaders(200, "")) == Flow(ChangeHeaders(()))
    assert exchange.on_event(ResponseBody(b"x", True)) == Flow(body=b"x", is_end=True)
    assert exchange.on_event(ResponseEnd(None)) == Flow(trailers=ChangeHeaders(()))
