"""One operation: whether it may be, and how it goes to its agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a.forms.losses import Losses
from extproc.a2a_exchange.described import parts_of
from extproc.events import Action, Direct, RequestBody, Respond
from gateway import names
from tests.kit.a2a_exchange import TRAVEL, TWO, V1, Played, agents, card, program, send
from tests.kit.mcp_exchange import Servers, set_headers
from tests.kit.memory_ledger import MemoryLedger

BODY = RequestBody(b"")
CARDS = {"travel": card(), "hotels": card("hotels", "hotels")}


def gateway(yaml: str = TRAVEL, peers: Servers | None = None, **more: Any) -> Played:
    return Played(program(yaml, peers or agents(**CARDS), **more))


def error(action: Action) -> Any:
    assert isinstance(action, Respond), action
    return json.loads(action.body)["error"]


def test_rules_see_what_is_asked_of_whom() -> None:
    rules = """
authorize:
  - {name: a, for: {a2a: travel}, deny: 'a2a.method == "CancelTask" && a2a.task_id == "t"'}
  - {name: b, deny: 'a2a.skill == "secret"'}
  - {name: c, deny: 'a2a.parts.exists(part, has(part.url))'}
  - {name: d, deny: 'resource.kind == "a2a" && resource.name == "hotels"'}
  - {name: e, deny: 'a2a.context_id == "c"'}
"""
    asked = gateway(TWO + rules)
    cancel = {"jsonrpc": "2.0", "id": 1, "method": "CancelTask", "params": {"id": "t"}}
    for path, body, rule in (
        ("/a2a/travel", cancel, "a"),
        ("/a2a/travel", send(metadata={"skillId": "secret"}), "b"),
        ("/a2a/travel", send(parts=[{"url": "http://x"}]), "c"),
        ("/a2a/hotels", send(), "d"),
        ("/a2a/travel", send(contextId="c"), "e"),
    ):
        _, found = asked.ask(path, body, **V1)
        assert isinstance(found, Respond)
        assert found.status == 403
        assert f"'{rule}'" in error(found)["message"]
    _, passed = asked.ask("/a2a/travel", send(metadata={"skill": "open"}), **V1)
    assert isinstance(passed, Direct)


def test_messages_cost_what_the_agent_says_and_other_operations_nothing() -> None:
    ledger = MemoryLedger()
    budget = "budgets: [{name: b, for: {a2a: travel}, limit: 1 USD, per: day}]\n"
    asked = gateway(TWO + budget, ledger=ledger)
    task = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "t"}}
    for _ in range(3):
        assert isinstance(asked.ask("/a2a/travel", task, **V1)[1], Direct)
    for _ in range(2):
        exchange, action = asked.ask("/a2a/travel", send(), **V1)
        assert isinstance(action, Direct)
        exchange.on_close()
    _, action = asked.ask("/a2a/travel", send(), **V1)
    assert isinstance(action, Respond)
    assert action.status == 429
    assert isinstance(asked.ask("/a2a/hotels", send(), **V1)[1], Direct)


def test_each_skill_may_have_a_limit_and_a_budget_of_its_own() -> None:
    yaml = (
        TWO
        + """
budgets: [{name: b, for: {a2a: "*"}, by: 'a2a.agent + "/" + a2a.skill', limit: 0.5 USD, per: day}]
"""
    )
    asked = gateway(yaml, ledger=MemoryLedger())

    def is_sent(skill: str) -> bool:
        _, found = asked.ask("/a2a/travel", send(metadata={"skillId": skill}), **V1)
        return isinstance(found, Direct)

    assert [is_sent(each) for each in ("book", "rent", "book")] == [True, True, False]


def test_media_types_that_the_agent_does_not_take_are_refused_before_it_is_asked() -> None:
    parts = [{"url": "http://x/y.png", "mediaType": "image/png"}]
    _, action = gateway().ask("/a2a/travel", send(parts=parts), **V1)
    assert error(action)["code"] == -32005
    body = send()
    body["params"]["configuration"] = {"acceptedOutputModes": ["image/png"]}  # type: ignore[index]
    _, action = gateway().ask("/a2a/travel", body, **V1)
    assert error(action)["code"] == -32005


def test_an_agent_that_is_nowhere_where_it_may_be_asked_is_not_asked() -> None:
    place = {"url": "travel:50051", "protocolBinding": "GRPC", "protocolVersion": "1.0"}
    asked = gateway(TWO, peers=agents(travel=card(supportedInterfaces=[place])))
    _, action = asked.ask("/a2a/travel", send(), **V1)
    assert error(action)["code"] == -32004
    assert "nowhere where the gateway may ask it" in error(action)["message"]


@pytest.mark.parametrize("method", ["CreateTaskPushNotificationConfig", "SendMessage"])
def test_no_agent_calls_back_past_the_gateway(method: str) -> None:
    if method == "SendMessage":
        body = send()
        where = {"url": "http://169.254.169.254/"}
        body["params"]["configuration"] = {"taskPushNotificationConfig": where}  # type: ignore[index]
    else:
        params = {"taskId": "t", "url": "http://169.254.169.254/"}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    _, action = gateway().ask("/a2a/travel", body, **V1)
    assert error(action)["code"] == -32003


def test_who_tells_no_card_is_not_asked() -> None:
    _, action = gateway(peers=Servers()).ask("/a2a/travel", send(), **V1)
    assert isinstance(action, Respond)
    assert action.status == 503
    assert "tells no card" in error(action)["message"]


def framed(tenant: str) -> bytes:
    said = {"tenant": tenant, "id": "t"}
    message = protobuf.encode("lf.a2a.v1.GetTaskRequest", said, Losses())
    return grpc_frames.frame(message)


def test_over_grpc_the_tenant_names_the_agent_and_goes_no_further() -> None:
    asked = gateway(TWO.replace('"http://travel:9999"', '"http://travel:9999", grpc: "http://t:1"'))
    _, action = asked.ask("/lf.a2a.v1.A2AService/GetTask", framed("travel"), **V1)
    assert isinstance(action, Direct)
    assert set_headers(BODY, action)[names.A2A_HEADER] == "service/a2a-grpc/travel"
    assert ":path" not in set_headers(BODY, action)
    assert action.body is not None
    message = grpc_frames.read_one(action.body, {})
    assert protobuf.decode("lf.a2a.v1.GetTaskRequest", message) == {"id": "t"}
    _, action = asked.ask("/lf.a2a.v1.A2AService/GetTask", framed("nobody"), **V1)
    assert isinstance(action, Respond)
    assert dict(action.headers)["grpc-status"] == "3"


def test_the_only_agent_needs_no_name() -> None:
    _, action = gateway().ask("/lf.a2a.v1.A2AService/GetTask", framed(""), **V1)
    assert isinstance(action, Direct)
    assert action.body is None


def test_parts_are_found_in_the_words_of_each_revision() -> None:
    assert parts_of({"parts": [{"text": "a"}, 1]}) == ({"text": "a"},)
    assert parts_of({"content": [{"text": "a"}]}) == ({"text": "a"},)
    assert parts_of({}) == ()
