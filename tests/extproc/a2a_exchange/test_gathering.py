"""The tasks of several agents in one list."""

from __future__ import annotations

import json
from typing import Any

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.events import (
    Direct,
    Flow,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
)
from extproc.ports import Answered, Asked
from gateway import names
from tests.kit.a2a_exchange import V1, card
from tests.kit.a2a_pools import (
    BODY,
    JSON,
    Answer,
    call,
    desk,
    instances,
    params,
    task,
    telling,
    where,
)
from tests.kit.mcp_exchange import set_headers


def listing(name: str, *stamps: int) -> Answer:
    """An agent whose tasks changed at these seconds, the latest first; two in a page at most."""
    tell = telling(name)
    tasks = [
        task(f"{name}{at}", status={"timestamp": f"2026-01-01T00:00:{at:02}Z"}) for at in stamps
    ]

    def answer(asked: Asked) -> Answered:
        if asked.method == "GET":
            return tell(asked)
        said = json.loads(asked.body)["params"]
        start, size = int(said.get("pageToken", 0)), min(2, said["pageSize"])
        page, ahead = tasks[start : start + size], start + size
        found = {
            "tasks": page,
            "totalSize": len(tasks),
            "pageSize": size,
            "nextPageToken": str(ahead) if ahead < len(tasks) else "",
        }
        body = {"jsonrpc": "2.0", "id": 1, "result": found}
        return Answered(200, JSON, json.dumps(body).encode())

    return answer


def test_tasks_of_all_are_one_list_in_pages() -> None:
    peers = instances(blue=listing("b", 9, 7, 5, 3, 1), green=listing("g", 8, 2))
    gateway, token, pages = desk(peers=peers), "", []
    while True:
        more = {"pageToken": token} if token else {}
        _, told = gateway.ask("/a2a/travel", call("ListTasks", pageSize=3, **more), **V1)
        assert isinstance(told, Respond)
        result = json.loads(told.body)["result"]
        assert result["totalSize"] == 7
        pages.append([each["id"] for each in result["tasks"]])
        token = result["nextPageToken"]
        if not token:
            break
    assert pages == [
        ["b9~blue", "g8~green", "b7~blue"],
        ["b5~blue", "b3~blue", "g2~green"],
        ["b1~blue"],
    ]


def test_a_list_of_one_context_is_its_owners() -> None:
    _, action = desk().ask("/a2a/travel", call("ListTasks", contextId="c~green"), **V1)
    assert (where(action), params(action)) == ("travel~green", {"contextId": "c"})


def test_a_list_of_a_context_that_the_client_has_named_is_asked_of_all() -> None:
    peers = instances(blue=listing("b", 1), green=listing("g", 2))
    before = len(peers.asked)
    _, told = desk(peers=peers).ask("/a2a/travel", call("ListTasks", contextId="mine"), **V1)
    assert isinstance(told, Respond)
    asked = [json.loads(each.body) for _, each in peers.asked[before:] if each.body]
    assert [each["params"]["contextId"] for each in asked] == ["mine~", "mine~"]


def test_a_token_of_nobodys_is_refused_and_a_list_without_one_of_them_too() -> None:
    peers = instances(blue=listing("b", 1), green=listing("g", 2))
    gateway = desk(peers=peers)
    _, refused = gateway.ask("/a2a/travel", call("ListTasks", pageToken="?"), **V1)
    assert isinstance(refused, Respond)
    assert json.loads(refused.body)["error"]["code"] == -32602
    peers.answers = {"service/a2a/travel~green": listing("g", 2)}
    _, refused = gateway.ask("/a2a/travel", call("ListTasks"), **V1)
    assert isinstance(refused, Respond)
    assert (refused.status, b"agent_unreachable" in refused.body) == (503, True)


def test_who_is_known_to_be_down_is_left_out() -> None:
    peers = instances(blue=lambda asked: Answered(500, {}, b""), green=listing("g", 2))
    _, told = desk(peers=peers).ask("/a2a/travel", call("ListTasks"), **V1)
    assert isinstance(told, Respond)
    assert [each["id"] for each in json.loads(told.body)["result"]["tasks"]] == ["g2~green"]


def over_grpc(**asked: object) -> bytes:
    message = {"tenant": "travel", "pageSize": 3, **asked}
    return grpc_frames.frame(protobuf.encode("lf.a2a.v1.ListTasksRequest", message, []))


def test_for_a_client_of_grpc_the_answer_of_one_becomes_that_of_all() -> None:
    peers = instances(blue=listing("b", 9, 7), green=listing("g", 8, 2))
    gateway = desk(peers=peers)
    path = "/lf.a2a.v1.A2AService/ListTasks"
    exchange, action = gateway.ask(path, over_grpc(), **V1)
    assert isinstance(action, Direct)
    assert set_headers(BODY, action)["x-dragoman-a2a"] == names.A2A_BRIDGE_CLUSTER
    sent = json.loads(action.body or b"")["params"]
    assert sent == {"pageSize": 3}
    head = {names.A2A_STATUS_HEADER: "200", names.A2A_TYPE_HEADER: "application/json"}
    head["content-type"] = "application/grpc"
    assert exchange.on_event(ResponseHeaders(200, "", headers=head)) == Flow()
    asked = Asked("POST", "/rpc", (), json.dumps({"params": sent}).encode())
    told = peers.answers["service/a2a/travel~blue"](asked)
    before = len(peers.asked)
    assert exchange.on_event(ResponseBody(told.body, is_end=False)) == Flow()
    last: Any = gateway.said(exchange.on_event(ResponseEnd(None, {"grpc-status": "0"})))
    page = protobuf.decode("lf.a2a.v1.ListTasksResponse", grpc_frames.read_one(last.body, {}))
    assert isinstance(page, dict)
    assert [each["id"] for each in page["tasks"]] == ["b9~blue", "g8~green", "b7~blue"]
    assert page["totalSize"] == 4
    assert [cluster for cluster, _ in peers.asked[before:]] == ["service/a2a/travel~green"]
    assert exchange.is_over


def test_who_speaks_grpc_alone_is_asked_so() -> None:
    only = card("green", "green:9999")["supportedInterfaces"][2:3]  # type: ignore[index]
    peers = instances(blue=listing("b", 1), green=telling("green", supportedInterfaces=only))
    answer = {"tasks": [{"id": "g2", "status": {"timestamp": "2026-01-01T00:00:02Z"}}]}
    body = grpc_frames.frame(protobuf.encode("lf.a2a.v1.ListTasksResponse", answer, []))
    peers.answers = {
        **peers.answers,
        "service/a2a-grpc/travel~green": lambda asked: Answered(200, {}, body),
    }
    _, told = desk(peers=peers).ask("/a2a/travel", call("ListTasks"), **V1)
    assert isinstance(told, Respond)
    tasks = json.loads(told.body)["result"]["tasks"]
    assert [each["id"] for each in tasks] == ["g2~green", "b1~blue"]
    cluster, asked = peers.asked[-1]
    assert (cluster, asked.path) == (
        "service/a2a-grpc/travel~green",
        "/lf.a2a.v1.A2AService/ListTasks",
    )
