"""Agents that stand for several: who gets what, and that what follows reaches the same one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a_exchange.exchange import A2aExchange
from extproc.events import (
    Direct,
    Flow,
    RequestBody,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Show,
)
from extproc.events import RequestHeaders as Headers
from extproc.ports import Answered
from tests.kit.a2a_exchange import V0_3, V1, send
from tests.kit.a2a_pools import (
    BODY,
    GROUP,
    INSTANCES,
    answered,
    call,
    desk,
    group,
    instances,
    params,
    task,
    telling,
    where,
)
from tests.kit.mcp_exchange import LIMIT_BYTES, NOW, Servers, set_headers


def test_a_task_says_whose_it_is_and_what_follows_reaches_it() -> None:
    gateway = desk()
    exchange, action = gateway.ask("/a2a/travel", send(), **V1)
    assert isinstance(action, Direct)
    assert (where(action), action.body) == ("travel~blue", None)
    assert {"accept-encoding", "grpc-accept-encoding"} <= {*action.remove_headers}
    result = answered(exchange, {"jsonrpc": "2.0", "id": 7, "result": {"task": task()}})
    assert result["result"]["task"] == task("t~blue", "c~blue")
    for body in (
        call("GetTask", id="t~green"),
        call("CancelTask", id="t~green"),
        call("SubscribeToTask", id="t~green"),
    ):
        _, action = gateway.ask("/a2a/travel", body, **V1)
        assert (where(action), params(action)) == ("travel~green", {"id": "t"})
    _, action = gateway.ask("/a2a/travel", send(taskId="t~green", contextId="c~green"), **V1)
    message = params(action)["message"]
    assert (where(action), message["taskId"], message["contextId"]) == ("travel~green", "t", "c")


def test_another_worker_knows_it_too() -> None:
    for _ in range(2):
        _, action = desk().ask("/a2a/travel", send(contextId="c~green"), **V1)
        assert where(action) == "travel~green"


def test_0_3_and_http_are_no_others() -> None:
    gateway = desk()
    _, action = gateway.ask("/a2a/travel", call("tasks/get", id="t~green"), **V0_3)
    assert (where(action), params(action)) == ("travel~green", {"id": "t"})
    for path, version, wanted in (
        ("/tasks/t~green?historyLength=2", V1, "/rest/tasks/t?historyLength=2"),
        ("/v1/tasks/t~green", V0_3, "/rest/v1/tasks/t"),
    ):
        event = Headers({}, True)
        _, action = gateway.ask(f"/a2a/travel{path}", method="GET", **version)
        assert isinstance(action, Direct)
        assert (action.is_flowing, action.body) == (True, None)
        assert where(action, event) == "travel~green"
        assert set_headers(event, action)[":path"] == wanted
    _, action = gateway.ask("/a2a/travel/tasks/t~green:cancel", {}, **V1)
    assert isinstance(action, Direct)
    assert set_headers(BODY, action)[":path"] == "/rest/tasks/t:cancel"


def test_so_is_grpc() -> None:
    gateway = desk()
    asked = {"id": "t~green", "tenant": "travel"}
    message = protobuf.encode("lf.a2a.v1.GetTaskRequest", asked, [])
    head = {"content-type": "application/grpc", "a2a-version": "1.0"}
    exchange = A2aExchange(gateway.of, NOW, LIMIT_BYTES)
    path = "/lf.a2a.v1.A2AService/GetTask"
    begun = exchange.on_event(Headers({":method": "POST", ":path": path, **head}, False))
    assert isinstance(begun, Show)
    action = exchange.on_event(RequestBody(grpc_frames.frame(message)))
    assert isinstance(action, Direct)
    assert set_headers(BODY, action)["x-dragoman-a2a"] == "service/a2a-grpc/travel~green"
    assert action.body is not None
    assert protobuf.decode("lf.a2a.v1.GetTaskRequest", action.body[5:]) == {"id": "t"}
    exchange.on_event(ResponseHeaders(200, "", headers=head))
    told = protobuf.encode("lf.a2a.v1.Task", {"id": "t", "contextId": "mine~"}, [])
    last = exchange.on_event(ResponseBody(grpc_frames.frame(told), False))
    assert isinstance(last, Flow)
    found = protobuf.decode("lf.a2a.v1.Task", last.body[5:])
    assert found == {"id": "t~green", "contextId": "mine"}


def test_a_conversation_that_a_client_has_named_stays_where_it_began_and_keeps_its_name() -> None:
    chosen = set()
    for name in map(str, range(20)):
        first, second = (desk().ask("/a2a/travel", send(contextId=name), **V1)[1] for _ in range(2))
        assert where(first) == where(second)
        assert params(first)["message"]["contextId"] == f"{name}~"
        chosen.add(where(first))
    assert chosen == {"travel~blue", "travel~green"}
    exchange, action = desk().ask("/a2a/travel", send(contextId="mine"), **V1)
    result = answered(exchange, {"jsonrpc": "2.0", "id": 7, "result": {"task": task("t", "mine~")}})
    key = where(action).removeprefix("travel~")
    assert result["result"]["task"] == task(f"t~{key}", "mine")


def test_each_is_told_its_own_tenant() -> None:
    def places(name: str, tenant: str) -> Any:
        urls = {"JSONRPC": f"http://{name}:9999/rpc", "HTTP+JSON": f"http://{name}:9999/rest"}
        said = {"protocolVersion": "1.0", **({"tenant": tenant} if tenant else {})}
        return [{"url": url, "protocolBinding": each, **said} for each, url in urls.items()]

    peers = instances(
        blue=telling("blue", supportedInterfaces=places("blue", "b")),
        green=telling("green", supportedInterfaces=places("green", "g")),
    )
    gateway = desk(peers=peers)
    for key, tenant in (("blue", "b"), ("green", "g")):
        asked = {**call("GetTask", id=f"t~{key}", tenant="b")}
        _, action = gateway.ask("/a2a/travel", asked, **V1)
        assert where(action) == f"travel~{key}"
        assert params(action) == {"id": "t", "tenant": tenant}
        event = Headers({}, True)
        _, action = gateway.ask(f"/a2a/travel/b/tasks/t~{key}", method="GET", **V1)
        assert isinstance(action, Direct)
        assert set_headers(event, action)[":path"] == f"/rest/{tenant}/tasks/t"


def test_the_least_busy_gets_what_is_new() -> None:
    gateway = desk()
    first, action = gateway.ask("/a2a/travel", send(), **V1)
    assert where(action) == "travel~blue"
    second, action = gateway.ask("/a2a/travel", send(), **V1)
    assert where(action) == "travel~green"
    first.on_close()
    _, action = gateway.ask("/a2a/travel", send(), **V1)
    assert where(action) == "travel~blue"
    second.on_close()


def test_who_is_down_gets_nothing_new_and_keeps_what_it_has() -> None:
    gateway = desk(peers=instances(blue=lambda asked: Answered(500, {}, b"")))
    for _ in range(3):
        exchange, action = gateway.ask("/a2a/travel", send(), **V1)
        assert where(action) == "travel~green"
        exchange.on_close()
    _, refused = gateway.ask("/a2a/travel", call("GetTask", id="t~blue"), **V1)
    assert isinstance(refused, Respond)
    assert refused.status == 503


@pytest.mark.parametrize("path", ["/a2a/travel", "/a2a/all"])
def test_who_drains_gets_nothing_new_and_keeps_what_it_has(path: str) -> None:
    yaml = INSTANCES.replace('blue:50051"', 'blue:50051", drain: true')
    gateway = desk(f"{yaml}  groups: {{all: {{agents: {{travel: {{}}}}}}}}\n", instances())
    for message in (send(), send(), send(contextId="mine"), send(contextId="yours")):
        _, action = gateway.ask(path, message, **V1)
        assert where(action) == "travel~green"
    key = "blue" if path == "/a2a/travel" else "blue~travel"
    _, action = gateway.ask(path, send(taskId=f"t~{key}"), **V1)
    assert where(action) == "travel~blue"


def test_a_task_that_says_nobodys_name_is_for_the_first() -> None:
    _, action = desk().ask("/a2a/travel", call("GetTask", id="old"), **V1)
    assert isinstance(action, Direct)
    assert (where(action), action.body) == ("travel~blue", None)


def test_instances_cannot_be_asked_by_their_own_names() -> None:
    for path in ("/a2a/travel~blue", "/a2a/travel~blue/.well-known/agent-card.json"):
        _, refused = desk().ask(path, method="GET", **V1)
        assert isinstance(refused, Respond)
        assert refused.status == 404


def test_the_card_of_several_is_that_of_one_at_the_gateway() -> None:
    _, shown = desk().ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    assert isinstance(shown, Respond)
    document = json.loads(shown.body)
    assert document["name"] == "blue"
    urls = {each["url"] for each in document["supportedInterfaces"]}
    assert urls == {"http://gw/a2a/travel", "gw:80"}


# --- groups --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({}, "cars"),
        ({"metadata": {"skill": "book"}}, "hotels~one"),
        ({"metadata": {"skillId": "rent"}}, "cars"),
        ({"parts": [{"url": "http://x", "mediaType": "image/png"}]}, "cars"),
        ({"taskId": "t~two~hotels"}, "hotels~two"),
        ({"contextId": "c~cars"}, "cars"),
        ({"referenceTaskIds": ["t~two~hotels"]}, "hotels~two"),
    ],
)
def test_a_group_chooses_by_skill_by_mode_and_by_whose_it_is(
    message: dict[str, Any], wanted: str
) -> None:
    _, action = desk(GROUP).ask("/a2a/desk", send(**message), **V1)
    assert where(action) == wanted


def test_what_nobody_in_a_group_can_is_refused() -> None:
    gateway = desk(GROUP)
    for message, reason in (
        (send(metadata={"skill": "fly"}), "UNSUPPORTED_OPERATION"),
        (send(parts=[{"url": "x", "mediaType": "audio/x"}]), "CONTENT_TYPE_NOT_SUPPORTED"),
        (call("GetExtendedAgentCard"), "EXTENDED_AGENT_CARD_NOT_CONFIGURED"),
    ):
        _, refused = gateway.ask("/a2a/desk", message, **V1)
        assert isinstance(refused, Respond)
        assert json.loads(refused.body)["error"]["data"][0]["reason"] == reason


def test_the_next_is_chosen_where_the_first_is_down_or_not_for_the_caller() -> None:
    down = {**group().answers, "service/a2a/cars": lambda asked: Answered(500, {}, b"")}
    _, action = desk(GROUP, Servers(down)).ask("/a2a/desk", send(), **V1)
    assert where(action) == "hotels~one"
    rule = 'authorize: [{name: no-cars, for: {a2a: cars}, deny: "true"}]\n'
    gateway = desk(GROUP + rule, group())
    _, action = gateway.ask("/a2a/desk", send(), **V1)
    assert where(action) == "hotels~one"
    _, refused = gateway.ask("/a2a/desk", call("GetTask", id="t~cars"), **V1)
    assert isinstance(refused, Respond)
    assert refused.status == 403


def test_an_agent_may_be_asked_in_its_group_alone() -> None:
    rule = "authorize: [{name: x, for: {a2a: cars}, deny: \"a2a.group != 'desk'\"}]\n"
    gateway = desk(GROUP + rule, group())
    _, action = gateway.ask("/a2a/desk", send(), **V1)
    assert where(action) == "cars"
    _, refused = gateway.ask("/a2a/cars", send(), **V1)
    assert isinstance(refused, Respond)
    assert refused.status == 403


def test_rules_are_asked_of_a_group_too() -> None:
    rule = 'authorize: [{name: closed, for: {a2a: desk}, deny: "true"}]\n'
    _, refused = desk(GROUP + rule, group()).ask("/a2a/desk", send(), **V1)
    assert isinstance(refused, Respond)
    assert b"closed" in refused.body


def test_an_agent_of_the_chain_is_not_chosen_again() -> None:
    asked = {**V1, "baggage": "dragoman-agents=cars"}
    _, action = desk(GROUP).ask("/a2a/desk", send(), **asked)
    assert isinstance(action, Direct)
    assert where(action) == "hotels~one"
    assert set_headers(BODY, action)["baggage"] == "dragoman-agents=cars/hotels"


def test_the_card_of_a_group_has_the_skills_of_all() -> None:
    _, shown = desk(GROUP).ask("/a2a/desk/.well-known/agent-card.json", method="GET")
    assert isinstance(shown, Respond)
    document = json.loads(shown.body)
    assert document["name"] == "desk"
    skills = {each["id"]: each["inputModes"] for each in document["skills"]}
    assert skills == {"rent": ["text/plain", "image/png"], "book": ["text/plain"]}
    assert {each["url"] for each in document["supportedInterfaces"]} == {
        "http://gw/a2a/desk",
        "gw:80",
    }


def test_groups_are_listed() -> None:
    _, listed = desk(GROUP).ask("/a2a?skill=book", method="GET")
    assert isinstance(listed, Respond)
    agents = json.loads(listed.body)["agents"]
    assert [each["name"] for each in agents] == ["hotels", "desk"]
    assert {name: each["status"] for name, each in agents[0]["instances"].items()} == {
        "one": "healthy",
        "two": "healthy",
    }
    assert "instances" not in agents[1]


@pytest.mark.parametrize(
    ("denied", "seen"), [("desk", ["cars", "hotels"]), ("cars", ["hotels", "desk"]), ("*", [])]
)
def test_a_group_is_seen_by_those_who_may_ask_somebody_in_it(denied: str, seen: list[str]) -> None:
    rule = f'authorize: [{{name: x, for: {{a2a: "{denied}"}}, deny: "true"}}]\n'
    _, listed = desk(GROUP + rule, group()).ask("/a2a", method="GET")
    assert isinstance(listed, Respond)
    assert [each["name"] for each in json.loads(listed.body)["agents"]] == seen
