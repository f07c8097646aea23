"""The same is asked of an agent, the official SDK's server, directly and through a real Envoy: what
the specification asks of servers must be true of both.

What the agent answers passes as it is, but for ids and times, which are new each time. What the
gateway refuses itself has the agent's status, code and reason. The cases are those that the
specification's own conformance suite (TCK) asks about: operations, errors, versions, bindings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
from a2a.types import a2a_pb2, a2a_pb2_grpc
from google.protobuf.json_format import MessageToDict, ParseDict

from extproc.a2a import agent_errors
from tests.kit import web
from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

V1 = {"a2a-version": "1.0"}
JSON = {"content-type": "application/json"}
EXTENSIONS = {"a2a-extensions": "https://example.com/ext/v1,https://example.com/ext/v2"}
_NEW = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z")
"""Ids and times."""


@dataclass(slots=True)
class Place:
    """One agent, twice."""

    agent: Agent
    gateway: Stack
    task: str
    """A task that is done."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("a2a-alike")
    with ExitStack() as stack:
        agent = stack.enter_context(running_agent("travel", ("1.0", "0.3")))
        config = folder / "gateway.yaml"
        row = f'{{url: "{agent.url}", grpc: "{agent.grpc_url}"}}'
        config.write_text(
            'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\n'
            f"a2a: {{agents: {{travel: {row}}}}}\n"
        )
        gateway = stack.enter_context(running(config, folder / "state", workers=1))
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": saying("hello")}
        done = web.post(f"{agent.url}/rpc", json=body, headers=V1).json()
        yield Place(agent, gateway, done["result"]["task"]["id"])


def saying(text: str = "say hi", **more: object) -> dict[str, Any]:
    """What a message of 1.0 says; `@DONE` is the task that is done."""
    parts = [{"text": text}]
    return {"message": {"role": "ROLE_USER", "messageId": "m", "parts": parts, **more}}


def call(method: object, params: object = None, **more: object) -> dict[str, object]:
    said = {} if params is None else {"params": params}
    return {"jsonrpc": "2.0", "id": 1, "method": method, **said, **more}


LONG = saying("hello")
NOWHERE = {"contextId": "nowhere"}
OLD = {
    "role": "user",
    "kind": "message",
    "messageId": "m",
    "parts": [{"kind": "text", "text": "a"}],
}
PASSED_BY_JSONRPC: Mapping[str, tuple[object, Mapping[str, str]]] = {
    "a message": (call("SendMessage", saying()), V1),
    "a task": (call("SendMessage", LONG), V1),
    "a task that fails": (call("SendMessage", saying("fail now")), V1),
    "with extensions": (call("SendMessage", saying()), {**V1, **EXTENSIONS}),
    "a patch version": (call("SendMessage", saying()), {"a2a-version": "1.0.1"}),
    "another content type": (call("SendMessage", saying()), {**V1, "content-type": "text/plain"}),
    "in a context": (call("SendMessage", saying(contextId="own")), V1),
    "to a task that is done": (call("SendMessage", saying(taskId="@DONE")), V1),
    "to no task": (call("SendMessage", saying(taskId="none")), V1),
    "to a task of another context": (
        call("SendMessage", saying(taskId="@DONE", contextId="other")),
        V1,
    ),
    "no message id": (
        call("SendMessage", {"message": {"role": "ROLE_USER", "parts": [{"text": "a"}]}}),
        V1,
    ),
    "no parts": (call("SendMessage", {"message": {"role": "ROLE_USER", "parts": []}}), V1),
    "a stream": (call("SendStreamingMessage", LONG), V1),
    "a stream of a message": (call("SendStreamingMessage", saying()), V1),
    "a task by its id": (call("GetTask", {"id": "@DONE"}), V1),
    "a task without history": (call("GetTask", {"id": "@DONE", "historyLength": 0}), V1),
    "another kind of id": (call("GetTask", {"id": "@DONE"}, id="text"), V1),
    "less than no history": (call("GetTask", {"id": "@DONE", "historyLength": -1}), V1),
    "no task": (call("GetTask", {"id": "none"}), V1),
    "tasks": (call("ListTasks", {**NOWHERE, "pageSize": 2}), V1),
    "too many tasks": (call("ListTasks", {"pageSize": 1000}), V1),
    "a page that is none": (call("ListTasks", {"pageToken": "x"}), V1),
    "a cancelled task that is done": (call("CancelTask", {"id": "@DONE"}), V1),
    "a cancelled task that is none": (call("CancelTask", {"id": "none"}), V1),
    "a stream of no task": (call("SubscribeToTask", {"id": "none"}), V1),
    "a stream of a task that is done": (call("SubscribeToTask", {"id": "@DONE"}), V1),
    "a message of 0.3": (call("message/send", {"message": OLD}), {}),
    "a task of 0.3": (call("tasks/get", {"id": "@DONE"}), {}),
    "no task of 0.3": (call("tasks/get", {"id": "none"}), {}),
}
REFUSED_BY_JSONRPC: Mapping[str, tuple[object, Mapping[str, str]]] = {
    "no message": (call("SendMessage", {}), V1),
    "params that are no object": (call("SendMessage", [1]), V1),
    "no id of a task": (call("GetTask", {}), V1),
    "no method": ({"jsonrpc": "2.0", "id": 1}, V1),
    "a method that is none": (call("NoSuchMethod", {}), V1),
    "a method that is no text": (call(5, {}), V1),
    "another JSON-RPC": ({**call("GetTask", {"id": "x"}), "jsonrpc": "1.0"}, V1),
    "a batch": ([call("GetTask", {"id": "x"})], V1),
    "no JSON": (b'{"jsonrpc":', V1),
    "nothing": (b"", V1),
    "a version that is none": (call("SendMessage", saying()), {"a2a-version": "99.0"}),
}
PASSED_BY_HTTP: Mapping[str, tuple[str, str, object, Mapping[str, str]]] = {
    "a message": ("POST", "/message:send", saying(), V1),
    "a message in A2A's own type": (
        *("POST", "/message:send", saying()),
        {**V1, "content-type": "application/a2a+json"},
    ),
    "with extensions": ("POST", "/message:send", saying(), {**V1, **EXTENSIONS}),
    "to a task that is done": ("POST", "/message:send", saying(taskId="@DONE"), V1),
    "a stream": ("POST", "/message:stream", LONG, V1),
    "a task by its id": ("GET", "/tasks/@DONE", None, V1),
    "a task without history": ("GET", "/tasks/@DONE?historyLength=0", None, V1),
    "no task": ("GET", "/tasks/none", None, V1),
    "tasks": ("GET", "/tasks?contextId=nowhere&pageSize=2&includeArtifacts=false", None, V1),
    "tasks of a state": ("GET", "/tasks?contextId=nowhere&status=TASK_STATE_WORKING", None, V1),
    "tasks of a time": (
        *("GET", "/tasks?contextId=nowhere&statusTimestampAfter=yesterday", None),
        V1,
    ),
    "a page that is none": ("GET", "/tasks?pageToken=x", None, V1),
    "a cancelled task that is done": ("POST", "/tasks/@DONE:cancel", {}, V1),
    "a cancelled task that is none": ("POST", "/tasks/none:cancel", None, V1),
    "a stream of no task": ("POST", "/tasks/none:subscribe", None, V1),
    "a stream of no task, by GET": ("GET", "/tasks/none:subscribe", None, V1),
    "a stream of a task that is done": ("POST", "/tasks/@DONE:subscribe", None, V1),
    "a task of 0.3": ("GET", "/v1/tasks/@DONE", None, {}),
    "no task of 0.3": ("GET", "/v1/tasks/none", None, {}),
}
REFUSED_BY_HTTP: Mapping[str, tuple[str, str, object, Mapping[str, str]]] = {
    "no message": ("POST", "/message:send", {}, V1),
    "a version that is none": ("POST", "/message:send", saying(), {"a2a-version": "99.0"}),
}
PASSED_BY_GRPC: Mapping[str, tuple[str, dict[str, Any], Mapping[str, str]]] = {
    "a message": ("SendMessage", saying(), V1),
    "a message of no version": ("SendMessage", saying(), {}),
    "with extensions": ("SendMessage", saying(), {**V1, **EXTENSIONS}),
    "a task": ("SendMessage", LONG, V1),
    "to a task that is done": ("SendMessage", saying(taskId="@DONE"), V1),
    "a stream": ("SendStreamingMessage", LONG, V1),
    "a task by its id": ("GetTask", {"id": "@DONE"}, V1),
    "less than no history": ("GetTask", {"id": "@DONE", "historyLength": -1}, V1),
    "no task": ("GetTask", {"id": "none"}, V1),
    "tasks": ("ListTasks", NOWHERE, V1),
    "a page that is none": ("ListTasks", {"pageToken": "x"}, V1),
    "a cancelled task that is done": ("CancelTask", {"id": "@DONE"}, V1),
    "a cancelled task that is none": ("CancelTask", {"id": "none"}, V1),
    "a stream of no task": ("SubscribeToTask", {"id": "none"}, V1),
    "a stream of a task that is done": ("SubscribeToTask", {"id": "@DONE"}, V1),
}
REFUSED_BY_GRPC: Mapping[str, tuple[str, dict[str, Any], Mapping[str, str]]] = {
    "no message": ("SendMessage", {}, V1),
    "no parts": ("SendMessage", {"message": {"role": "ROLE_USER", "messageId": "m"}}, V1),
    "no id of a task": ("GetTask", {}, V1),
}


def told(answer: httpx.Response) -> tuple[int, str, object]:
    """All of it."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "text/event-stream":
        return (
            answer.status_code,
            kind,
            [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")],
        )
    return answer.status_code, kind, answer.json() if answer.content else None


def alike(said: object) -> str:
    """Without what is new each time: what is the same is called the same."""
    found: dict[str, str] = {}
    text = json.dumps(said, sort_keys=True)
    return _NEW.sub(lambda new: found.setdefault(new[0], f"new-{len(found)}"), text)


def asked(url: str, case: tuple[str, str, object, Mapping[str, str]], place: Place) -> Any:
    method, path, body, headers = case
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = None if body is None else content.replace(b"@DONE", place.task.encode(), 1)
    head = {**({} if body is None else JSON), **headers}
    path = path.replace("@DONE", place.task)
    with httpx.Client(timeout=30) as client:
        return told(client.request(method, url + path, content=sent, headers=head))


def twice(place: Place, under: str, *case: Any) -> tuple[Any, Any]:
    """Directly, and through the gateway."""
    through = f"{place.gateway.url}/a2a/travel"
    return asked(f"{place.agent.url}{under}", case, place), asked(through, case, place)


@pytest.mark.parametrize("case", PASSED_BY_JSONRPC)
def test_what_an_agent_answers_over_jsonrpc_passes(place: Place, case: str) -> None:
    direct, through = twice(place, "/rpc", "POST", "", *PASSED_BY_JSONRPC[case])
    assert alike(through) == alike(direct)


@pytest.mark.parametrize("case", REFUSED_BY_JSONRPC)
def test_what_is_refused_over_jsonrpc_is_as_the_agent_would(place: Place, case: str) -> None:
    direct, through = twice(place, "/rpc", "POST", "", *REFUSED_BY_JSONRPC[case])
    assert through[:2] == direct[:2]
    error, theirs = through[2]["error"], direct[2]["error"]
    assert (through[2]["id"], error["code"]) == (direct[2]["id"], theirs["code"])
    assert agent_errors.read_jsonrpc(error).kind is agent_errors.read_jsonrpc(theirs).kind


@pytest.mark.parametrize("case", PASSED_BY_HTTP)
def test_what_an_agent_answers_over_http_passes(place: Place, case: str) -> None:
    direct, through = twice(place, "/rest", *PASSED_BY_HTTP[case])
    assert alike(through) == alike(direct)


@pytest.mark.parametrize("case", REFUSED_BY_HTTP)
def test_what_is_refused_over_http_is_as_the_agent_would(place: Place, case: str) -> None:
    direct, through = twice(place, "/rest", *REFUSED_BY_HTTP[case])
    assert through[:2] == direct[:2]
    error, theirs = through[2]["error"], direct[2]["error"]
    assert (error["code"], error["status"]) == (theirs["code"], theirs["status"])
    assert error["details"][0]["reason"] == theirs["details"][0]["reason"]


def called(port: int, case: tuple[str, dict[str, Any], Mapping[str, str]], place: Place) -> Any:
    method, document, headers = case
    kind = {"SendStreamingMessage": "SendMessage"}.get(method, method)
    sent = json.loads(json.dumps(document).replace("@DONE", place.task))
    request = ParseDict(sent, getattr(a2a_pb2, f"{kind}Request")())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = getattr(a2a_pb2_grpc.A2AServiceStub(channel), method)
        try:
            found = call(request, metadata=tuple(headers.items()), timeout=30)
            is_stream = method in ("SendStreamingMessage", "SubscribeToTask")
            return list(map(MessageToDict, found)) if is_stream else MessageToDict(found)
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            return error.code().name, error.details(), repr(details)


@pytest.mark.parametrize("case", PASSED_BY_GRPC)
def test_what_an_agent_answers_over_grpc_passes(place: Place, case: str) -> None:
    direct = called(place.agent.grpc_port, PASSED_BY_GRPC[case], place)
    assert alike(called(place.gateway.port, PASSED_BY_GRPC[case], place)) == alike(direct)


@pytest.mark.parametrize("case", REFUSED_BY_GRPC)
def test_what_is_refused_over_grpc_is_as_the_agent_would(place: Place, case: str) -> None:
    code, _, details = called(place.agent.grpc_port, REFUSED_BY_GRPC[case], place)
    found, _, ours = called(place.gateway.port, REFUSED_BY_GRPC[case], place)
    assert found == code
    assert "INVALID_PARAMS" in ours
    assert "INVALID_PARAMS" in details
