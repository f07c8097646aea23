"""Who reads one request, and its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a.operations import Operation
from extproc.a2a.requests import A2aRequest
from extproc.a2a_exchange.described import call_of
from extproc.a2a_exchange.reading import read
from extproc.a2a_exchange.reviewing import Passed, Reviewing
from extproc.events import Direct, Respond, ResponseBody, ResponseEnd, ResponseHeaders
from extproc.facts import Facts
from extproc.ports import Answered, Asked
from extproc.verdict import Deny
from gateway import names
from gateway.a2a import Binding
from tests.kit.a2a_exchange import TWO, V1, agents, card, program, send
from tests.kit.a2a_pools import GROUP, Answer, call, desk, task, telling
from tests.kit.mcp_exchange import NOW, Servers

GRPC = "application/grpc"

GUARDS = """
guardrails:
  - {name: a, type: regex, patterns: [apollo], action: mask, phase: both, for: {a2a: travel}}
  - {name: b, type: regex, patterns: [hermes], for: {a2a: travel}}
"""


def reviewed(text: str, agent: str = "travel", yaml: str = GUARDS) -> tuple[Reviewing, Any, Any]:
    built = program(TWO + yaml, agents(travel=card()))
    assert built.a2a is not None
    headers = {name.replace("_", "-"): value for name, value in V1.items()}
    facts = Facts(now=NOW, method="POST", path=f"/a2a/{agent}", headers=headers)
    body = json.dumps(send(text)).encode()
    request = read(Binding.JSONRPC, facts, "", body)
    assert isinstance(request, A2aRequest)
    facts.a2a = call_of(request, agent)
    reviewing = Reviewing(built, built.a2a, facts)
    return reviewing, request, reviewing.sent(request, body, "")


def test_a_request_goes_on_as_guards_have_left_it() -> None:
    _, request, found = reviewed("hello")
    assert isinstance(found, Passed)
    assert (found.request is request, found.is_changed) == (True, False)
    _, _, found = reviewed("apollo")
    assert isinstance(found, Passed)
    assert found.is_changed
    assert found.request.message is not None
    assert found.request.message["parts"] == [{"text": "[redacted]"}]
    assert b"apollo" not in found.body
    assert isinstance(reviewed("hermes")[2], Deny)


def test_answers_are_for_those_who_read_them() -> None:
    reviewing, request, _ = reviewed("hello")
    assert reviewing.may_read(["hotels", "travel"])
    assert not reviewing.may_read(["hotels"])
    assert reviewing.answer(request, None) is not None
    others = (reviewed("hello", "hotels"), reviewed("hello", yaml=""))
    for nobody, asked, _ in others:
        assert nobody.answer(asked, None) is None
    assert request.operation is Operation.SEND


def listing(name: str, text: str) -> Answer:
    tasks = [{**task(), "artifacts": [{"artifactId": "a", "parts": [{"text": text}]}]}]
    page = {"tasks": tasks, "nextPageToken": "", "pageSize": 1, "totalSize": 1}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": page}).encode()
    card_of = telling(name)
    return lambda asked: card_of(asked) if asked.method == "GET" else Answered(200, {}, body)


OF_GROUP = """
guardrails:
  - {name: a, type: regex, patterns: [apollo], action: mask, phase: response, for: {a2a: cars}}
  - {name: b, type: regex, patterns: [hermes], phase: response, for: {a2a: hotels}}
"""


@pytest.mark.parametrize(("text", "status"), [("apollo", 200), ("hermes", 400)])
def test_the_list_of_a_group_is_for_those_who_read_any_of_its_agents(
    text: str, status: int
) -> None:
    places = {"cars": "cars", "hotels~one": "one", "hotels~two": "two"}
    said = {place: text if place == "hotels~two" else "x" for place in places}
    tells = {f"service/a2a/{place}": listing(of, said[place]) for place, of in places.items()}
    gateway = desk(GROUP + OF_GROUP, Servers(tells))
    _, found = gateway.ask("/a2a/desk", call("ListTasks"), **V1)
    assert isinstance(found, Respond)
    assert found.status == status
    assert text.encode() not in found.body
    exchange, action = gateway.ask("/lf.a2a.v1.A2AService/ListTasks", in_group(), **V1)
    assert isinstance(action, Direct)
    head = {names.A2A_STATUS_HEADER: "200", names.A2A_TYPE_HEADER: "application/json"}
    exchange.on_event(ResponseHeaders(200, "", headers={**head, "content-type": GRPC}))
    first = tells["service/a2a/cars"](Asked("POST", "/", (), b""))
    gateway.said(exchange.on_event(ResponseBody(first.body, is_end=False)))
    last: Any = gateway.said(exchange.on_event(ResponseEnd(None, {"grpc-status": "0"})))
    if status == 200:
        told = grpc_frames.read_one(last.body, {})
        page: Any = protobuf.decode("lf.a2a.v1.ListTasksResponse", told)
        assert len(page["tasks"]) == 3
        assert b"[redacted]" in told
        assert b"apollo" not in told
    else:
        assert isinstance(last, Respond)
        assert dict(last.headers)["grpc-status"] != "0"
    exchange.on_close()


def in_group() -> bytes:
    asked = protobuf.encode("lf.a2a.v1.ListTasksRequest", {"tenant": "desk"}, [])
    return grpc_frames.frame(asked)
