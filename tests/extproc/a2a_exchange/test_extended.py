"""Extended cards: asked for by the worker, or changed as they pass; never with the agent's own
addresses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a import grpc_frames
from extproc.a2a.forms import card_messages
from extproc.a2a_exchange.exchange import A2aExchange
from extproc.events import (
    Action,
    Direct,
    Flow,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Show,
)
from extproc.ports import Answered, Asked, ServiceUnavailable
from gateway import names
from gateway.a2a import Revision
from tests.kit.a2a_exchange import KEYED, TRAVEL, V0_3, V1, Played, card, program
from tests.kit.mcp_exchange import LIMIT_BYTES, NOW, Servers

CLUSTER = "service/a2a/travel"
JSON_TYPE = "application/json"
JSON = {"content-type": JSON_TYPE}
OVER_GRPC = {"content-type": "application/grpc"}
EXTENDED = card(name="travel for friends", capabilities={"extendedAgentCard": True})
GATEWAY = {"http://gw/a2a/travel", "gw:80"}
JSONRPC = {"jsonrpc": "2.0", "id": "x", "method": "GetExtendedAgentCard"}
LEGACY = {"jsonrpc": "2.0", "id": "x", "method": "agent/getAuthenticatedExtendedCard"}
GRPC = {
    Revision.V1_0: "/lf.a2a.v1.A2AService/GetExtendedAgentCard",
    Revision.V0_3: "/a2a.v1.A2AService/GetAgentCard",
}


def peers(answer: object, status: int = 200, public: object = None) -> Servers:
    """An agent that tells its card, and answers this to whatever else it is asked."""

    def answered(asked: Asked) -> Answered:
        if asked.path.endswith("agent-card.json"):
            return Answered(200, JSON, json.dumps(public or card()).encode())
        return Answered(
            status, JSON, answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        )

    return Servers({CLUSTER: answered})


def urls(told: Any) -> set[str]:
    return {each["url"] for each in told["supportedInterfaces"]}


LEGACY_CARD = {"name": "a", "url": "http://travel:9999/rpc", "version": "1"}
LEGACY_HTTP = {**LEGACY_CARD, "url": "http://travel:9999/rest", "preferredTransport": "HTTP+JSON"}
OVER_JSONRPC = ("POST", "/rpc", "GetExtendedAgentCard", "a2a-extensions")
OVER_HTTP = ("GET", "/rest/extendedAgentCard", "", "a2a-extensions")
WITH_TENANT = ("GET", "/rest/own/extendedAgentCard", "", "a2a-extensions")
OLD = ("POST", "/rpc", "agent/getAuthenticatedExtendedCard", "x-a2a-extensions")
OLD_HTTP = ("GET", "/rest/v1/card", "", "x-a2a-extensions")


@pytest.mark.parametrize(
    ("public", "path", "asked", "sent"),
    [
        (card(), "", JSONRPC, OVER_JSONRPC),
        (card(), "", LEGACY, OVER_JSONRPC),
        (card(), "/extendedAgentCard", None, OVER_HTTP),
        (card(), "/v1/card", None, OVER_HTTP),
        (card(), "/own/extendedAgentCard", None, WITH_TENANT),
        (LEGACY_CARD, "", LEGACY, OLD),
        (LEGACY_HTTP, "/v1/card", None, OLD_HTTP),
    ],
)
def test_the_agent_is_asked_in_its_newest_words_and_the_client_answered_in_its_own(
    public: object, path: str, asked: dict[str, object] | None, sent: tuple[str, str, str, str]
) -> None:
    result: object = {"jsonrpc": "2.0", "id": 1, "result": EXTENDED}
    servers = peers(EXTENDED if sent[0] == "GET" else result, public=public)
    is_old = asked == LEGACY or path == "/v1/card"
    head = {"a2a_extensions": "urn:one"} | (V0_3 if is_old else V1)
    method = "POST" if asked else "GET"
    _, found = Played(program(TRAVEL, servers)).ask(f"/a2a/travel{path}", asked, method, **head)
    assert isinstance(found, Respond)
    told = json.loads(found.body)
    if asked is not None:
        assert told["id"] == "x"
        told = told["result"]
    assert told["name"] == "travel for friends"
    assert urls(told) <= GATEWAY
    assert ("cache-control", "no-store") in found.headers
    cluster, said = servers.asked[-1]
    assert (cluster, said.method, said.path) == (CLUSTER, *sent[:2])
    assert (sent[3], "urn:one") in said.headers
    if sent[2]:
        assert json.loads(said.body)["method"] == sent[2]


def test_nothing_of_it_is_kept_for_others() -> None:
    servers = peers(EXTENDED)
    asked = Played(program(TRAVEL, servers))
    for _ in range(2):
        asked.ask("/a2a/travel/extendedAgentCard", method="GET", **V1)
    assert [said.path for _, said in servers.asked].count("/rest/extendedAgentCard") == 2
    _, public = asked.ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    assert isinstance(public, Respond)
    assert json.loads(public.body)["name"] == "travel"


def test_what_the_agent_refuses_with_is_told() -> None:
    refusal = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32007, "message": "none"}}
    _, found = Played(program(TRAVEL, peers(refusal))).ask("/a2a/travel", JSONRPC, **V1)
    assert isinstance(found, Respond)
    said = json.loads(found.body)
    assert (said["id"], said["error"]["code"], said["error"]["message"]) == ("x", -32007, "none")
    refusal = {"error": {"code": 403, "message": "not you", "status": "PERMISSION_DENIED"}}
    _, found = Played(program(TRAVEL, peers(refusal, 403))).ask(
        "/a2a/travel/extendedAgentCard", method="GET", **V1
    )
    assert isinstance(found, Respond)
    assert (found.status, json.loads(found.body)["error"]["message"]) == (403, "not you")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"{", "its answer is no JSON"),
        (b'{"result": 1}', "the card is no JSON"),
        (b'{"id": 1}', "the card is no JSON"),
        ({"result": {"name": "a"}}, "the card names no interface"),
    ],
)
def test_what_is_no_card_is_not_passed_on(answer: object, why: str) -> None:
    _, found = Played(program(TRAVEL, peers(answer))).ask("/a2a/travel", JSONRPC, **V1)
    assert isinstance(found, Respond)
    assert found.status == 502
    message = json.loads(found.body)["error"]["message"]
    assert message.startswith(f"the agent 'travel' tells no extended card: {why}")


def test_an_agent_that_is_silent_is_told() -> None:
    def answered(asked: Asked) -> Answered:
        if asked.path.endswith("agent-card.json"):
            return Answered(200, JSON, json.dumps(card()).encode())
        raise ServiceUnavailable("no answer within 10 s")

    asked = Played(program(TRAVEL, Servers({CLUSTER: answered})))
    _, found = asked.ask("/a2a/travel", JSONRPC, **V1)
    assert isinstance(found, Respond)
    assert "no answer within 10 s" in json.loads(found.body)["error"]["message"]


def test_where_callers_are_known_it_is_for_them_alone() -> None:
    optional = KEYED.replace("{api_keys:", "{required: false, api_keys:")
    asked = Played(program(TRAVEL + optional, peers(EXTENDED)))
    path = "/a2a/travel/extendedAgentCard"
    _, nobody = asked.ask(path, method="GET", **V1)
    assert isinstance(nobody, Respond)
    assert nobody.status == 401
    _, ann = asked.ask(path, method="GET", authorization="Bearer sk-ann", **V1)
    assert isinstance(ann, Respond)
    assert ann.status == 200
    _, nobody = asked.ask("/a2a/travel", JSONRPC, **V1)
    assert isinstance(nobody, Respond)
    assert nobody.status == 401


def grpc(revision: Revision) -> tuple[Played, A2aExchange, Action]:
    """A call of gRPC that went to the agent."""
    played = Played(program(TRAVEL, peers(EXTENDED)))
    exchange = A2aExchange(played.of, NOW, LIMIT_BYTES)
    head = {":method": "POST", ":path": GRPC[revision], ":authority": "gw", ":scheme": "http"}
    head["a2a-version"] = revision.value
    assert played.said(exchange.on_event(RequestHeaders(head, False))) == Show(is_flowing=True)
    action = played.said(exchange.on_event(RequestBody(grpc_frames.frame(b""))))
    assert isinstance(action, Direct)
    assert "grpc-accept-encoding" in action.remove_headers
    assert not exchange.is_over
    assert not exchange.let_go()
    return played, exchange, action


@pytest.mark.parametrize("revision", Revision)
@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_over_grpc_the_card_is_changed_as_it_passes(revision: Revision, size: int) -> None:
    played, exchange, _ = grpc(revision)
    assert exchange.on_event(ResponseHeaders(200, "c", headers=OVER_GRPC)) == Flow()
    message = grpc_frames.frame(card_messages.to_message(_for(revision), revision, []))
    for start in range(0, len(message), size):
        piece = ResponseBody(message[start : start + size], is_end=False)
        assert exchange.on_event(piece) == Flow()
    found: Any = played.said(exchange.on_event(ResponseEnd(None, {"grpc-status": "0"})))
    assert ("cache-control", "no-store") in found.head.set_headers
    assert found.trailers.set_headers == (("grpc-status", "0"),)
    (told,) = grpc_frames.FrameDecoder().feed(found.body)
    document: Any = card_messages.from_message(told, revision)
    assert document["name"] == "travel for friends"
    assert b"travel:" not in told
    if revision is Revision.V1_0:
        assert urls(document) == GATEWAY
    else:
        assert document["url"] == "http://gw/a2a/travel"


def _for(revision: Revision) -> dict[str, object]:
    if revision is Revision.V1_0:
        return EXTENDED
    return {"name": "travel for friends", "url": "http://travel:9999/rpc", "version": "1"}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x01\0\0\0\x01x", "13"),
        (grpc_frames.frame(b"\xff"), "13"),
        (grpc_frames.frame(b""), "14"),
        (grpc_frames.frame(b"") * 2, "13"),
        (b"\0\xff\xff\xff\xff", "13"),
    ],
    ids=["compressed", "no message", "no card", "two", "too large"],
)
def test_over_grpc_what_is_no_card_is_an_error(data: bytes, status: str) -> None:
    played, exchange, _ = grpc(Revision.V1_0)
    exchange.on_event(ResponseHeaders(200, "c", headers=OVER_GRPC))
    exchange.on_event(ResponseBody(data, is_end=False))
    found = played.said(exchange.on_event(ResponseEnd(None, {"grpc-status": "0"})))
    assert isinstance(found, Respond)
    assert dict(found.headers)["grpc-status"] == status
    assert exchange.is_over


def test_over_grpc_what_the_agent_refuses_with_is_told() -> None:
    played, exchange, _ = grpc(Revision.V1_0)
    head = {**OVER_GRPC, "grpc-status": "7", "grpc-message": "not you"}
    found = played.said(exchange.on_event(ResponseHeaders(200, "c", headers=head, is_end=True)))
    assert isinstance(found, Respond)
    said = dict(found.headers)
    assert (said["grpc-status"], said["grpc-message"]) == ("7", "not you")
    assert exchange.is_over


@pytest.mark.parametrize("revision", Revision)
def test_over_grpc_an_agent_of_json_is_asked(revision: Revision) -> None:
    public = card(supportedInterfaces=card()["supportedInterfaces"][:1])  # type: ignore[index]
    played = Played(program(TRAVEL, peers(EXTENDED, public=public)))
    asked = {"a2a_version": revision.value}
    exchange, action = played.ask(GRPC[revision], grpc_frames.frame(b""), **asked)
    assert isinstance(action, Direct)
    assert json.loads(action.body or b"")["method"] == "GetExtendedAgentCard"
    head = {**OVER_GRPC, names.A2A_STATUS_HEADER: "200", names.A2A_TYPE_HEADER: JSON_TYPE}
    assert exchange.on_event(ResponseHeaders(200, "c", headers=head)) == Flow()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": EXTENDED}).encode()
    assert exchange.on_event(ResponseBody(body, is_end=False)) == Flow()
    found: Any = played.said(exchange.on_event(ResponseEnd(None, {"grpc-status": "0"})))
    document: Any = card_messages.from_message(grpc_frames.read_one(found.body, {}), revision)
    assert document["name"] == "travel for friends"


def test_a_client_of_json_is_told_the_card_of_an_agent_of_grpc() -> None:
    public = card(supportedInterfaces=card()["supportedInterfaces"][2:3])  # type: ignore[index]
    played = Played(program(TRAVEL, peers(EXTENDED, public=public)))
    path = "/a2a/travel/extendedAgentCard"
    exchange, action = played.ask(path, method="GET", **V1)
    assert isinstance(action, Direct)
    exchange.on_event(ResponseHeaders(200, "c", headers=OVER_GRPC))
    message = card_messages.to_message(EXTENDED, Revision.V1_0, [])
    exchange.on_event(ResponseBody(grpc_frames.frame(message), is_end=False))
    found = played.said(exchange.on_event(ResponseEnd(None, {"grpc-status": "0"})))
    assert isinstance(found, Respond)
    told = json.loads(found.body)
    assert (told["name"], urls(told)) == ("travel for friends", GATEWAY)
    assert ("cache-control", "no-store") in found.headers


def test_the_card_of_one_of_several_is_at_the_address_of_all() -> None:
    yaml = 'a2a: {agents: {travel: {instances: {blue: {url: "http://travel:9999"}}}}}'
    told = peers({"jsonrpc": "2.0", "id": 1, "result": EXTENDED})
    found = Played(program(yaml, Servers({f"{CLUSTER}~blue": told.answers[CLUSTER]})))
    _, action = found.ask("/a2a/travel", JSONRPC, **V1)
    assert isinstance(action, Respond)
    assert urls(json.loads(action.body)["result"]) == GATEWAY
