"""Several servers as one agent, and several agents as one, through a real Envoy: tasks are where
they were begun, also for another gateway, in each binding. Clients are the official SDK's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
import httpx
import pytest
from a2a.client import Client, ClientConfig, create_client
from a2a.types import a2a_pb2

from tests.e2e.test_a2a import saying
from tests.kit import web
from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.in_a_loop import in_a_loop
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

BINDINGS = ("JSONRPC", "HTTP+JSON", "GRPC")
each_binding = pytest.mark.parametrize("binding", BINDINGS)


@dataclass(frozen=True, slots=True)
class Fleet:
    """A gateway, another one, and the agents behind both."""

    stack: Stack
    other: Stack
    agents: dict[str, Agent]
    webhook: Recorder
    frail: ExitStack
    """Ends the first instance of the agent `spare`."""

    def asked(self) -> dict[str, int]:
        """How often each was asked something, but for its card."""
        return {
            name: len([each for each in agent.seen if not each.path.startswith("/.well-known")])
            for name, agent in self.agents.items()
        }


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("a2a-instances")
    with ExitStack() as stack:
        agents = {
            name: stack.enter_context(running_agent(name, ("1.0", "0.3")))
            for name in ("blue", "green", "hotels")
        }
        webhook = stack.enter_context(Recorder())
        frail = stack.enter_context(ExitStack())
        agents["frail"] = frail.enter_context(running_agent("frail"))
        places = {
            name: f'{{url: "{each.url}", grpc: "{each.grpc_url}"}}' for name, each in agents.items()
        }
        config = folder / "gateway.yaml"
        config.write_text(
            f"""
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
a2a:
  push:
    url: "http://127.0.0.1:${{DRAGOMAN_PORT}}"
    networks: [127.0.0.1/32]
    http: true
  agents:
    travel: {{instances: {{blue: {places["blue"]}, green: {places["green"]}}}}}
    hotels: {places["hotels"]}
    spare: {{instances: {{one: {places["frail"]}, two: {places["hotels"]}}}, choose: failover}}
  groups:
    desk: {{agents: {{hotels: {{}}, travel: {{}}}}, choose: failover}}
"""
        )
        first = stack.enter_context(running(config, folder / "state", workers=1))
        second = stack.enter_context(running(config, folder / "other", workers=1))
        yield Fleet(first, second, agents, webhook, frail)


@asynccontextmanager
async def client(
    stack: Stack, binding: str, agent: str = "travel", **config: Any
) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(verify=False, timeout=30) as http:
        made = await create_client(
            f"{stack.url}/a2a/{agent}",
            ClientConfig(
                httpx_client=http,
                grpc_channel_factory=grpc.aio.insecure_channel,
                supported_protocol_bindings=[binding],
                **config,
            ),
        )
        try:
            yield made
        finally:
            await made.close()


async def begun(made: Client, text: str = "ask me", **more: Any) -> a2a_pb2.Task:
    (first,) = [each async for each in made.send_message(saying(text, **more))]
    return first.task


@each_binding
@in_a_loop
async def test_tasks_are_spread_and_found_again_by_another_gateway(
    fleet: Fleet, binding: str
) -> None:
    async with client(fleet.stack, binding, streaming=False) as made:
        tasks = [await begun(made, context_id=f"{binding}-{place}") for place in range(8)]
    owners = {task.id.rpartition("~")[2] for task in tasks}
    assert owners == {"blue", "green"}
    assert [task.context_id for task in tasks] == [f"{binding}-{place}" for place in range(8)]
    async with client(fleet.other, binding, streaming=False) as made:
        for task in tasks:
            found = await made.get_task(a2a_pb2.GetTaskRequest(id=task.id))
            assert (found.id, found.context_id) == (task.id, task.context_id)
            more = saying("this one", task_id=task.id, context_id=task.context_id)
            (done,) = [each async for each in made.send_message(more)]
            assert done.task.id == task.id
            assert done.task.status.state == a2a_pb2.TASK_STATE_COMPLETED


@each_binding
@in_a_loop
async def test_what_an_agent_names_itself_says_whose_it_is(fleet: Fleet, binding: str) -> None:
    async with client(fleet.stack, binding) as made:
        events = [each async for each in made.send_message(saying("hello"))]
        task = events[0].task
        owner = task.id.rpartition("~")[2]
        assert owner in ("blue", "green")
        assert task.context_id.endswith(f"~{owner}")
        for each in events[1:]:
            update = getattr(each, each.WhichOneof("payload") or "")
            assert (update.task_id, update.context_id) == (task.id, task.context_id)
        again = saying("say hi", context_id=task.context_id)
        before = fleet.asked()
        (answer,) = [each async for each in made.send_message(again)]
        assert answer.message.context_id == task.context_id
        if binding != "GRPC":
            after = fleet.asked()
            assert [name for name in after if after[name] > before[name]] == [owner]


@each_binding
@in_a_loop
async def test_a_stream_is_joined_and_a_task_is_cancelled(fleet: Fleet, binding: str) -> None:
    async with client(fleet.stack, binding) as made:
        stream = made.send_message(saying("wait a while"))
        task = (await anext(stream)).task
        async with client(fleet.other, binding) as others:
            joined = others.subscribe(a2a_pb2.SubscribeToTaskRequest(id=task.id))
            first = await anext(joined)
            assert task.id in (first.task.id, first.status_update.task_id)
            cancelled = await others.cancel_task(a2a_pb2.CancelTaskRequest(id=task.id))
            assert cancelled.id == task.id
            assert cancelled.status.state == a2a_pb2.TASK_STATE_CANCELED
            states = [each.status_update.status.state async for each in joined]
            assert states[-1] == a2a_pb2.TASK_STATE_CANCELED
        rest = [each.status_update.task_id async for each in stream]
        assert {*rest} <= {task.id, ""}


@each_binding
@in_a_loop
async def test_tasks_of_all_are_one_list(fleet: Fleet, binding: str) -> None:
    async with client(fleet.stack, binding, "desk", streaming=False) as made:
        begin = {task.id for task in [await begun(made), await begun(made)]}
        found: list[str] = []
        token = ""
        while True:
            page = await made.list_tasks(a2a_pb2.ListTasksRequest(page_size=3, page_token=token))
            assert len(page.tasks) <= 3
            found += [each.id for each in page.tasks]
            token = page.next_page_token
            if not token:
                break
        assert len({*found}) == len(found) == page.total_size
        assert begin <= {*found}
        stamps = [each.partition("~")[2] for each in found]
        assert {"hotels", "blue~travel", "green~travel"} >= {*stamps}


@each_binding
@in_a_loop
async def test_a_group_is_an_agent_of_its_own(fleet: Fleet, binding: str) -> None:
    async with client(fleet.stack, binding, "desk", streaming=False) as made:
        task = await begun(made)
        assert task.id.endswith("~hotels")
        found = await made.get_task(a2a_pb2.GetTaskRequest(id=task.id))
        assert found.id == task.id


@each_binding
@in_a_loop
async def test_who_is_called_back_is_told_the_same_task(fleet: Fleet, binding: str) -> None:
    webhook = a2a_pb2.TaskPushNotificationConfig(url=f"{fleet.webhook.url}/{binding}", id="mine")
    request = saying("ask me")
    request.configuration.task_push_notification_config.CopyFrom(webhook)
    async with client(fleet.stack, binding, streaming=False) as made:
        (asked,) = [each async for each in made.send_message(request)]
        asking = a2a_pb2.GetTaskPushNotificationConfigRequest(task_id=asked.task.id, id="mine")
        found = await made.get_task_push_notification_config(asking)
        assert (found.task_id, found.url) == (asked.task.id, webhook.url)

    def told() -> list[str]:
        called = [each for each in fleet.webhook.requests if each.path == f"/{binding}"]
        events = [json.loads(each.body) for each in called]
        return [each["task"]["id"] for each in events if "task" in each]

    eventually(lambda: bool(told()), "the client is called")
    assert {*told()} == {asked.task.id}


def test_clients_of_0_3_find_their_tasks_too(fleet: Fleet) -> None:
    url = f"{fleet.stack.url}/a2a/travel"
    message = {"messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "ask me"}]}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": message}}
    owners = set()
    for place in range(6):
        named = {**message, "contextId": f"old-{place}"}
        task = web.post(url, json={**asked, "params": {"message": named}}).json()["result"]
        owners.add(task["id"].rpartition("~")[2])
        assert task["contextId"] == f"old-{place}"
        other = f"{fleet.other.url}/a2a/travel"
        found = web.get(f"{other}/v1/tasks/{task['id']}").json()
        assert (found["id"], found["contextId"]) == (task["id"], task["contextId"])
        cancelled = web.post(f"{other}/v1/tasks/{task['id']}:cancel", json={}).json()
        assert cancelled["status"]["state"] == "TASK_STATE_CANCELLED"
        got = {**asked, "method": "tasks/get", "params": {"id": task["id"]}}
        assert web.post(url, json=got).json()["result"]["status"]["state"] == "canceled"
    assert owners == {"blue", "green"}


def test_the_group_is_in_the_list_and_has_a_card(fleet: Fleet) -> None:
    listed = web.get(f"{fleet.stack.url}/a2a").json()["agents"]
    assert [each["name"] for each in listed] == ["travel", "hotels", "spare", "desk"]
    card = web.get(f"{fleet.stack.url}/a2a/desk/.well-known/agent-card.json").json()
    assert card["name"] == "desk"
    assert [each["id"] for each in card["skills"]] == ["greet"]


def test_the_next_is_asked_when_the_first_is_gone(fleet: Fleet) -> None:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "ask me"}]}

    def owner() -> str:
        url = f"{fleet.stack.url}/a2a/spare/message:send"
        sent = web.post(url, json={"message": message}, headers={"a2a-version": "1.0"})
        if sent.status_code != 200:
            return str(sent.json()["error"]["code"])
        return str(sent.json()["task"]["id"]).rpartition("~")[2]

    assert owner() == "one"
    fleet.frail.close()
    eventually(lambda: owner() == "two", "the next is asked")
