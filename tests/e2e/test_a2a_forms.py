"""Clients and agents that have no form in common, through a real Envoy: each understands the other.
Clients of 1.0 are the official SDK's; those of 0.3 say by hand what its documents say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc.aio
import httpx
import pytest
from a2a.client import ClientConfig, create_client
from a2a.helpers import new_text_message
from a2a.types import a2a_pb2
from a2a.utils.errors import TaskNotFoundError
from google.protobuf.json_format import ParseDict

from tests.kit import web
from tests.kit.a2a_agent import PIECES, Agent, running_agent
from tests.kit.in_a_loop import in_a_loop
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

AGENTS = {
    "old": ("0.3", "JSONRPC"),
    "older": ("0.3", "HTTP+JSON"),
    "calls": ("1.0", "JSONRPC"),
    "rest": ("1.0", "HTTP+JSON"),
    "rpc": ("1.0", "GRPC"),
    "oldrpc": ("0.3", "GRPC"),
}
"""What each speaks, and nothing else."""
each_agent = pytest.mark.parametrize("agent", AGENTS)


@pytest.fixture(scope="module")
def agents() -> Iterator[dict[str, Agent]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(running_agent(name, (revision,), bindings=(binding,)))
            for name, (revision, binding) in AGENTS.items()
        }


@pytest.fixture(scope="module")
def gateway(agents: dict[str, Agent], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("a2a-forms")
    config = folder / "gateway.yaml"
    rows = [
        f'    {name}: {{url: "{each.url}", grpc: "{each.grpc_url}"}}\n'
        for name, each in agents.items()
    ]
    head = 'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\na2a:\n  agents:\n'
    config.write_text(head + "".join(rows))
    with running(config, folder / "state", workers=1) as stack:
        yield stack


def saying(text: str, **more: Any) -> a2a_pb2.SendMessageRequest:
    return a2a_pb2.SendMessageRequest(
        message=new_text_message(text, role=a2a_pb2.ROLE_USER, **more)
    )


@each_agent
@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON", "GRPC"])
@in_a_loop
async def test_clients_of_1_0_speak_to_every_agent(
    gateway: Stack, agents: dict[str, Agent], agent: str, binding: str
) -> None:
    card = web.get(f"{gateway.url}/a2a/{agent}/.well-known/agent-card.json").json()
    newest = [each for each in card["supportedInterfaces"] if each["protocolVersion"] == "1.0"]
    card["supportedInterfaces"] = [each for each in newest if each["protocolBinding"] == binding]
    card = {name: card[name] for name in card if name not in ("url", "additionalInterfaces")}
    async with httpx.AsyncClient(verify=False, timeout=30) as http:
        read = ParseDict(card, a2a_pb2.AgentCard(), ignore_unknown_fields=True)
        config = ClientConfig(
            httpx_client=http,
            grpc_channel_factory=grpc.aio.insecure_channel,
            supported_protocol_bindings=[binding],
        )
        client = await create_client(read, config)
        events = [each async for each in client.send_message(saying("hello"))]
        texts = [
            part.text
            for each in events
            if each.WhichOneof("payload") == "artifact_update"
            for part in each.artifact_update.artifact.parts
        ]
        assert texts == [*PIECES, ": hello"]
        asked = agents[agent].seen[-1]
        assert not [name for name in asked.headers if name.startswith("x-dragoman")]
        if AGENTS[agent][1] != "GRPC":
            assert asked.headers["content-type"] == "application/json"
            assert asked.headers["accept"] == "text/event-stream"
        task = events[0].task
        found = await client.get_task(a2a_pb2.GetTaskRequest(id=task.id))
        assert found.status.state == a2a_pb2.TASK_STATE_COMPLETED
        with pytest.raises(TaskNotFoundError):
            await client.get_task(a2a_pb2.GetTaskRequest(id="none"))


@each_agent
def test_clients_of_0_3_speak_to_every_agent(gateway: Stack, agent: str) -> None:
    url = f"{gateway.url}/a2a/{agent}"
    message = {"messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hello"}]}
    body = {"jsonrpc": "2.0", "id": "a", "method": "message/send", "params": {"message": message}}
    task = web.post(url, json=body).json()["result"]
    assert (task["kind"], task["status"]["state"]) == ("task", "completed")
    body = {**body, "method": "message/stream"}
    with web.stream("POST", url, json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        data = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
    events = [json.loads(each)["result"] for each in data]
    assert (events[0]["kind"], events[-1]["kind"]) == ("task", "status-update")
    assert events[-1]["final"] is True
    wanted = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": "none"}}
    assert web.post(url, json=wanted).json()["error"]["code"] == -32001
    found = web.get(f"{url}/v1/tasks/{task['id']}")
    assert found.json()["status"]["state"] == "TASK_STATE_COMPLETED"
    assert web.get(f"{url}/v1/tasks/none").status_code == 404


@each_agent
def test_what_is_wrong_is_told_before_the_agent_is_asked(gateway: Stack, agent: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {}}
    head = {"a2a-version": "1.0"}
    found = web.post(f"{gateway.url}/a2a/{agent}", json=body, headers=head).json()
    assert found["error"]["code"] == -32602
