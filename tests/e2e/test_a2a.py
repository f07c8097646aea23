"""`examples/a2a.yaml` through a real Envoy: the official SDK speaks to an agent of its own, in each
binding, under policy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
from a2a.client import Client, ClientConfig, create_client
from a2a.client.errors import A2AClientError
from a2a.helpers import new_text_message
from a2a.types import a2a_pb2
from a2a.utils.errors import A2AError, InvalidParamsError, TaskNotFoundError

from tests.kit import web
from tests.kit.a2a_agent import PIECES, Agent, running_agent
from tests.kit.in_a_loop import in_a_loop
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

EXAMPLE = Path(__file__).parents[2] / "examples" / "a2a.yaml"
KEY = {"authorization": "Bearer sk-ada"}
each_binding = pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON", "GRPC"])


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running_agent(revisions=("1.0", "0.3")) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(agent: Agent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("a2a")
    config = folder / "gateway.yaml"
    places = {
        "8080": '"${DRAGOMAN_PORT}"',
        "${TRAVEL_AGENT:-http://127.0.0.1:9999}": agent.url,
        "${TRAVEL_AGENT_GRPC:-http://127.0.0.1:50051}": agent.grpc_url,
        "${HOTELS_AGENT:-https://hotels.example}": "http://127.0.0.1:9",
    }
    text = EXAMPLE.read_text()
    for written, real in places.items():
        text = text.replace(written, real)
    config.write_text(text)
    with running(config, folder / "state", workers=1) as stack:
        yield stack


class _KeyedCalls(grpc.aio.UnaryUnaryClientInterceptor):
    """Shows the key."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(_keyed(details), request)


class _KeyedStreams(grpc.aio.UnaryStreamClientInterceptor):
    """The same."""

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(_keyed(details), request)


def _keyed(details: Any) -> Any:
    metadata = grpc.aio.Metadata(*(details.metadata or ()), *KEY.items())
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


@asynccontextmanager
async def client(gateway: Stack, binding: str, **config: Any) -> AsyncIterator[Client]:
    def channel(place: str) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(place, interceptors=[_KeyedCalls(), _KeyedStreams()])

    async with httpx.AsyncClient(headers=KEY, verify=False, timeout=30) as http:
        made = await create_client(
            f"{gateway.url}/a2a/travel",
            ClientConfig(
                httpx_client=http,
                grpc_channel_factory=channel,
                supported_protocol_bindings=[binding],
                **config,
            ),
        )
        try:
            yield made
        finally:
            await made.close()


def saying(text: str, **more: Any) -> a2a_pb2.SendMessageRequest:
    message = new_text_message(text, role=a2a_pb2.ROLE_USER, **more)
    return a2a_pb2.SendMessageRequest(message=message)


@each_binding
@in_a_loop
async def test_a_stream_comes_event_by_event(gateway: Stack, binding: str) -> None:
    async with client(gateway, binding) as made:
        events = [each async for each in made.send_message(saying("hello"))]
    assert events[0].WhichOneof("payload") == "task"
    texts = [
        part.text
        for each in events
        if each.WhichOneof("payload") == "artifact_update"
        for part in each.artifact_update.artifact.parts
    ]
    assert texts == [*PIECES, ": hello"]
    assert events[-1].status_update.status.state == a2a_pb2.TASK_STATE_COMPLETED


@each_binding
@in_a_loop
async def test_a_task_goes_on_and_is_found_again(gateway: Stack, binding: str) -> None:
    async with client(gateway, binding, streaming=False) as made:
        (asked,) = [each async for each in made.send_message(saying("ask me"))]
        task = asked.task
        assert task.status.state == a2a_pb2.TASK_STATE_INPUT_REQUIRED
        more = saying("this one", task_id=task.id, context_id=task.context_id)
        (done,) = [each async for each in made.send_message(more)]
        assert done.task.status.state == a2a_pb2.TASK_STATE_COMPLETED
        found = await made.get_task(a2a_pb2.GetTaskRequest(id=task.id))
        assert found.status.state == a2a_pb2.TASK_STATE_COMPLETED
        with pytest.raises(TaskNotFoundError):
            await made.get_task(a2a_pb2.GetTaskRequest(id="none"))


@each_binding
@in_a_loop
async def test_what_rules_deny_is_an_error_of_the_binding(gateway: Stack, binding: str) -> None:
    async with client(gateway, binding) as made:
        with pytest.raises((A2AClientError, A2AError), match=r"(?i)denied|permission|403"):
            await made.cancel_task(a2a_pb2.CancelTaskRequest(id="t"))


@each_binding
@in_a_loop
async def test_no_agent_is_told_whom_it_must_not_call_back(
    gateway: Stack, agent: Agent, binding: str
) -> None:
    async with client(gateway, binding) as made:
        where = a2a_pb2.TaskPushNotificationConfig(task_id="t", url="http://169.254.169.254/")
        before = len(agent.seen)
        with pytest.raises(InvalidParamsError):
            await made.create_task_push_notification_config(where)
    assert [each for each in agent.seen[before:] if each.method == "POST"] == []


def test_the_agent_sees_no_key_of_the_client(gateway: Stack, agent: Agent) -> None:
    web.get(f"{gateway.url}/a2a/travel/tasks/x", headers={**KEY, "a2a-version": "1.0"})
    seen = agent.seen[-1]
    assert seen.path == "/rest/tasks/x"
    assert "authorization" not in seen.headers
    assert seen.headers["a2a-version"] == "1.0"


def test_who_is_unknown_sees_cards_alone(gateway: Stack) -> None:
    card = web.get(f"{gateway.url}/a2a/travel/.well-known/agent-card.json")
    assert card.json()["supportedInterfaces"][0]["url"] == f"{gateway.url}/a2a/travel"
    assert set(card.json()["securitySchemes"]) == {"bearer", "apiKey"}
    assert web.get(f"{gateway.url}/a2a").status_code == 401
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "t"}})
    head = {"content-type": "application/json", "a2a-version": "1.0"}
    refused = web.post(f"{gateway.url}/a2a/travel", content=body, headers=head)
    assert (refused.status_code, refused.json()["id"]) == (401, None)


def test_agents_are_listed_with_how_they_are(gateway: Stack) -> None:
    found = web.get(f"{gateway.url}/a2a?tag=hello", headers=KEY).json()["agents"]
    assert [each["name"] for each in found] == ["travel", "desk"]
    everyone = web.get(f"{gateway.url}/a2a", headers=KEY).json()["agents"]
    health = {each["name"]: each["health"]["status"] for each in everyone}
    assert health == {"travel": "healthy", "hotels": "unhealthy", "desk": "healthy"}


def test_who_watches_the_list_asks_for_what_is_new(gateway: Stack) -> None:
    listed = web.get(f"{gateway.url}/agents?tag=hello", headers=KEY)
    assert "travel" in {each["name"] for each in listed.json()["agents"]}
    same = {**KEY, "if-none-match": listed.headers["etag"]}
    assert web.get(f"{gateway.url}/agents?tag=hello", headers=same).status_code == 304
    assert web.get(f"{gateway.url}/agents/events").status_code == 401
    events = web.get(f"{gateway.url}/agents/events", headers=KEY).json()["events"]
    found = {(each["agent"], each["event"]) for each in events}
    assert {("travel", "card_changed"), ("hotels", "unhealthy")} <= found

    def is_counted() -> bool:
        row = 'dragoman_a2a_agent_events_total{agent="hotels",event="unhealthy"}'
        return row in web.get(f"{gateway.admin_url}/metrics").text

    eventually(is_counted, "what happened is counted")

    def healthy() -> dict[str, str]:
        rows = web.get(f"{gateway.admin_url}/metrics").text.splitlines()
        found = (each for each in rows if each.startswith("dragoman_a2a_agent_healthy{"))
        return {each.split('"')[1]: each.rpartition(" ")[2] for each in found}

    wanted = {"travel": "1.0", "hotels": "0.0"}
    eventually(lambda: healthy() == wanted, "how they are is a gauge")


def test_what_agents_do_not_take_is_refused_by_the_gateway(gateway: Stack, agent: Agent) -> None:
    parts = [{"url": "http://x/y.png", "mediaType": "image/png"}]
    message = {"messageId": "m", "role": "ROLE_USER", "parts": parts}
    before = len(agent.seen)
    head = {**KEY, "a2a-version": "1.0"}
    url = f"{gateway.url}/a2a/travel/message:send"
    refused = web.post(url, json={"message": message}, headers=head)
    assert refused.json()["error"]["details"][0]["reason"] == "CONTENT_TYPE_NOT_SUPPORTED"
    assert len(agent.seen) == before


def test_clients_of_0_3_speak_to_the_same_agent(gateway: Stack) -> None:
    message = {"messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "say hi"}]}
    body = {"jsonrpc": "2.0", "id": "a", "method": "message/send", "params": {"message": message}}
    found = web.post(f"{gateway.url}/a2a/travel", json={**body}, headers=KEY).json()
    assert found["id"] == "a"
    assert found["result"]["parts"][0]["text"] == "say hi"


def test_messages_are_paid_for(gateway: Stack) -> None:
    before = web.get(f"{gateway.admin_url}/api/budgets").json()
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "say hi"}]}
    head = {**KEY, "a2a-version": "1.0"}
    sent = web.post(
        f"{gateway.url}/a2a/travel/message:send", json={"message": message}, headers=head
    )
    assert sent.status_code == 200

    def is_paid() -> bool:
        return bool(web.get(f"{gateway.admin_url}/api/budgets").json() != before)

    eventually(is_paid, "the message is paid for")
