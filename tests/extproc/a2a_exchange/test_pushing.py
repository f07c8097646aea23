"""Webhooks that clients ask for: what agents are told, and clients."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a_exchange.exchange import A2aExchange
from extproc.events import (
    Action,
    Direct,
    RequestBody,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Show,
)
from extproc.events import RequestHeaders as Headers
from extproc.ports import Answered, Asked
from tests.kit.a2a_exchange import KEYED, TRAVEL, V0_3, V1, Played, agents, card, program, send
from tests.kit.mcp_exchange import LIMIT_BYTES, NOW, Servers

PUSH = """
a2a:
  push: {url: "https://gw"}
  agents: {travel: {url: "http://travel:9999", grpc: "http://travel:50051"}}
"""
HOOK = {
    "url": "https://client/hook",
    "token": "tok",
    "authentication": {"scheme": "Bearer", "credentials": "secret"},
}
CREATE = "CreateTaskPushNotificationConfig"


async def anywhere(host: str, port: int) -> Sequence[str]:
    return ("127.0.0.1",) if host == "inside" else ("8.8.8.8",)


def echoing(**more: object) -> Servers:
    """An agent that keeps webhooks, over JSON-RPC."""
    kept: list[Any] = []
    told = agents(travel=card(**more)).answers["service/a2a/travel"]

    def answer(asked: Asked) -> Answered:
        if asked.method == "GET":
            return told(asked)
        call = json.loads(asked.body)
        if "List" in call["method"] or call["method"].endswith("/list"):
            result: object = {"configs": kept} if "List" in call["method"] else kept
        else:
            kept.append(call["params"])
            result = call["params"]
        body = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode()
        return Answered(200, {"content-type": "application/json"}, body)

    return Servers({"service/a2a/travel": answer})


def gateway(peers: Servers, yaml: str = PUSH) -> Played:
    return Played(program(yaml, peers, resolve=anywhere))


def call(method: str, params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def result(action: Action) -> Any:
    assert isinstance(action, Respond), action
    return json.loads(action.body)["result"]


def error(action: Action) -> Any:
    assert isinstance(action, Respond), action
    return json.loads(action.body)["error"]


def test_without_a_word_in_the_configuration_they_are_refused() -> None:
    asked = Played(program(TRAVEL, agents(travel=card())))
    for body in (
        call(CREATE, {"taskId": "t", **HOOK}),
        call("ListTaskPushNotificationConfigs", {"taskId": "t"}),
        _with_message(HOOK),
        _with_message({"token": "x"}),
    ):
        _, action = asked.ask("/a2a/travel", body, **V1)
        assert error(action)["code"] == -32003


def test_agents_are_told_the_gateways_address_and_clients_their_own() -> None:
    peers = echoing()
    _, made = gateway(peers).ask("/a2a/travel", call(CREATE, {"taskId": "t", **HOOK}), **V1)
    assert result(made) == {"taskId": "t", "url": HOOK["url"]}
    said = json.loads(peers.asked[-1][1].body)["params"]
    assert said["url"].startswith("https://gw/a2a/.push/travel/")
    assert said["token"] not in ("", "tok")
    assert "authentication" not in said


def test_callers_see_their_own_alone() -> None:
    both = KEYED.replace("}]", "}, {name: bob, key: sk-bob}]")
    asked = gateway(echoing(), PUSH + both)
    create = call(CREATE, {"taskId": "t", **HOOK})
    listing = call("ListTaskPushNotificationConfigs", {"taskId": "t"})
    for name in ("ann", "bob"):
        asked.ask("/a2a/travel", create, authorization=f"Bearer sk-{name}", **V1)
    for name in ("ann", "bob"):
        _, told = asked.ask("/a2a/travel", listing, authorization=f"Bearer sk-{name}", **V1)
        assert len(result(told)["configs"]) == 1


def test_a_webhook_of_somebody_else_is_none() -> None:
    def other(asked: Asked) -> Answered:
        body = {"jsonrpc": "2.0", "id": 1, "result": {"taskId": "t", "url": "https://other"}}
        if asked.method == "GET":
            body = card()
        return Answered(200, {}, json.dumps(body).encode())

    asked = gateway(Servers({"service/a2a/travel": other}))
    get = call("GetTaskPushNotificationConfig", {"taskId": "t", "id": "p"})
    _, told = asked.ask("/a2a/travel", get, **V1)
    assert error(told)["code"] == -32001


def test_agents_of_the_other_revision_are_told_in_their_words() -> None:
    place = {"url": "http://t/at", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}
    peers = echoing(supportedInterfaces=[place])
    _, made = gateway(peers).ask("/a2a/travel", call(CREATE, {"taskId": "t", **HOOK}), **V1)
    assert result(made)["url"] == HOOK["url"]
    said = json.loads(peers.asked[-1][1].body)
    assert said["method"] == "tasks/pushNotificationConfig/set"
    assert said["params"]["pushNotificationConfig"]["url"].startswith("https://gw/")


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ({"url": "https://inside/"}, "no address that may be called"),
        ({"url": "http://client/"}, "https"),
        ({"token": "x"}, "url"),
        ({**HOOK, "authentication": {"scheme": "Digest", "credentials": "x"}}, "Digest"),
    ],
)
def test_what_must_not_be_called_is_refused_before_the_agent_is_asked(
    hook: Mapping[str, object], reason: str
) -> None:
    peers = echoing()
    asked = gateway(peers)
    for body in (call(CREATE, {"taskId": "t", **hook}), _with_message(hook)):
        _, action = asked.ask("/a2a/travel", body, **V1)
        assert error(action)["code"] == -32602
        assert reason in error(action)["message"]
    assert [each for _, each in peers.asked if each.method != "GET"] == []


@pytest.mark.parametrize("revision", ["1.0", "0.3"])
def test_with_a_message_the_bytes_pass_but_for_the_webhook(revision: str) -> None:
    asked = gateway(agents(travel=card()))
    body = _with_message(HOOK)
    headers = V1
    if revision == "0.3":
        parts = [{"kind": "text", "text": "x"}]
        message = {"messageId": "m", "role": "user", "parts": parts}
        config = {"pushNotificationConfig": {"url": HOOK["url"], "token": "tok"}}
        body = call("message/send", {"message": message, "configuration": config})
        headers = V0_3
    _, action = asked.ask("/a2a/travel", body, **headers)
    assert isinstance(action, Direct)
    assert action.body is not None
    assert b"https://gw/a2a/.push/travel/" in action.body
    assert b"client" not in action.body
    assert b"secret" not in action.body


def test_a_message_without_one_passes_unchanged() -> None:
    _, action = gateway(agents(travel=card())).ask("/a2a/travel", send(), **V1)
    assert isinstance(action, Direct)
    assert action.body is None


def _with_message(hook: object) -> dict[str, object]:
    message = send()
    params = message["params"]
    assert isinstance(params, dict)
    return {
        **message,
        "params": {**params, "configuration": {"taskPushNotificationConfig": hook}},
    }


# --- gRPC ----------------------------------------------------------------------------------

_CONFIG = "lf.a2a.v1.TaskPushNotificationConfig"
_GET = "GetTaskPushNotificationConfig"
_GRPC = {"content-type": "application/grpc"}


def over_grpc(
    method: str, name: str, document: dict[str, object]
) -> tuple[Any, A2aExchange, bytes]:
    """A call that went to the agent, and what that was told."""
    asked = gateway(agents(travel=card()))
    path = f"/lf.a2a.v1.A2AService/{method}"
    head = {":method": "POST", ":path": path, ":authority": "gw", "a2a-version": "1.0"}
    exchange = A2aExchange(asked.of, NOW, LIMIT_BYTES)
    assert asked.said(exchange.on_event(Headers(head, False))) == Show(is_flowing=True)
    message = protobuf.encode(f"lf.a2a.v1.{name}", document, [])
    sent = asked.said(exchange.on_event(RequestBody(grpc_frames.frame(message))))
    assert isinstance(sent, Direct)
    assert not exchange.is_over
    told = message if sent.body is None else grpc_frames.read_one(sent.body, {})
    return asked, exchange, told


def answer(asked: Played, exchange: A2aExchange, message: bytes) -> Any:
    exchange.on_event(ResponseHeaders(200, "", headers=_GRPC))
    exchange.on_event(ResponseBody(grpc_frames.frame(message), False))
    return asked.said(exchange.on_event(ResponseEnd(None, {"grpc-status": "0"})))


def test_over_grpc_the_answer_is_changed_as_it_passes() -> None:
    hook = {"taskId": "t", **HOOK}
    asked, exchange, told = over_grpc(CREATE, "TaskPushNotificationConfig", hook)
    for secret in (b"client", b"secret", b"tok\x12"):
        assert secret not in told
    found = answer(asked, exchange, told)
    shown = protobuf.decode(_CONFIG, grpc_frames.read_one(found.body, {}))
    assert shown == {"taskId": "t", "url": HOOK["url"]}
    assert exchange.is_over


def test_over_grpc_what_is_somebody_elses_is_not_there() -> None:
    ids = {"taskId": "t", "id": "p"}
    asked, exchange, _ = over_grpc(_GET, f"{_GET}Request", ids)
    other = protobuf.encode(_CONFIG, {"url": "https://other"}, [])
    found = answer(asked, exchange, other)
    assert isinstance(found, Respond)
    assert dict(found.headers)["grpc-status"] == "5"


def test_over_grpc_errors_pass() -> None:
    ids = {"taskId": "t", "id": "p"}
    asked, exchange, _ = over_grpc(_GET, f"{_GET}Request", ids)
    failed = {"content-type": "application/grpc", "grpc-status": "5"}
    found = asked.said(exchange.on_event(ResponseHeaders(200, "", headers=failed, is_end=True)))
    assert isinstance(found, Respond)
    assert dict(found.headers)["grpc-status"] == "5"
    assert exchange.is_over


def test_an_agent_of_grpc_alone_is_asked_by_clients_of_json() -> None:
    place = {"url": "travel:50051", "protocolBinding": "GRPC", "protocolVersion": "1.0"}
    asked = gateway(agents(travel=card(supportedInterfaces=[place])))
    create = call(CREATE, {"taskId": "t", **HOOK})
    exchange, sent = asked.ask("/a2a/travel", create, **V1)
    assert isinstance(sent, Direct)
    told = grpc_frames.read_one(sent.body or b"", {})
    assert b"client" not in told
    found = answer(asked, exchange, told)
    assert b'"url":"https://client/hook"' in found.body
    assert b"nonce" not in found.body
    assert b"token" not in found.body


# --- several that are one -------------------------------------------------------------------

SEVERAL = """
a2a:
  push: {url: "https://gw"}
  agents:
    travel:
      instances: {blue: {url: "http://travel:9999"}, green: {url: "http://green"}}
"""


def test_where_several_are_one_agent_each_is_told_its_own_ids() -> None:
    answer = echoing().answers["service/a2a/travel"]
    peers = Servers({f"service/a2a/travel~{each}": answer for each in ("blue", "green")})
    asked = gateway(peers, SEVERAL)
    create = call(CREATE, {"taskId": "t~green", **HOOK})
    _, made = asked.ask("/a2a/travel", create, **V1)
    assert result(made) == {"taskId": "t~green", "url": HOOK["url"]}
    cluster, said = peers.asked[-1]
    told = json.loads(said.body)["params"]
    assert (cluster, told["taskId"]) == ("service/a2a/travel~green", "t")
    task = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
    path = told["url"].removeprefix("https://gw")
    _, sent = asked.ask(path, {"task": task}, x_a2a_notification_token=told["token"])
    assert isinstance(sent, Direct)
    assert json.loads(sent.body or b"")["task"]["id"] == "t~green"
