"""Guards of agents through a real Envoy: the official SDK speaks to an agent of its own, in each
binding, and what both say is masked and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import httpx
import pytest
from a2a.client import Client, ClientConfig, create_client
from a2a.client.errors import A2AClientError
from a2a.helpers import new_text_message
from a2a.types import a2a_pb2
from a2a.utils.errors import A2AError

from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.in_a_loop import in_a_loop
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
a2a: {agents: {travel: {url: "%s", grpc: "%s"}}}
guardrails:
  - {name: mails, type: pii, kinds: [email], action: mask, for: {a2a: travel}}
  - name: greetings
    type: regex
    patterns: ["Hello, w"]
    action: mask
    phase: response
    for: {a2a: "*"}
  - {name: words, type: keywords, words: [apollo], phase: response, for: {a2a: "*"}}
authorize:
  - name: no-failures
    for: {a2a: "*"}
    phase: response
    deny: 'a2a.task_state == "TASK_STATE_FAILED"'
limits: [{name: open, for: {a2a: "*"}, concurrent: 9}]
"""
each_binding = pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON", "GRPC"])
REFUSED = (A2AError, A2AClientError, grpc.aio.AioRpcError)


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running_agent(revisions=("1.0", "0.3")) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(agent: Agent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("a2a-guards")
    config = folder / "gateway.yaml"
    config.write_text(YAML % (agent.url, agent.grpc_url))
    with running(config, folder / "state", workers=1) as stack:
        yield stack


@asynccontextmanager
async def client(gateway: Stack, binding: str, **config: Any) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(timeout=30) as http:
        made = await create_client(
            f"{gateway.url}/a2a/travel",
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


def saying(text: str) -> a2a_pb2.SendMessageRequest:
    return a2a_pb2.SendMessageRequest(message=new_text_message(text, role=a2a_pb2.ROLE_USER))


def texts(event: a2a_pb2.StreamResponse) -> str:
    match event.WhichOneof("payload"):
        case "artifact_update":
            parts = event.artifact_update.artifact.parts
        case "message":
            parts = event.message.parts
        case _:
            return ""
    return "".join(part.text for part in parts)


@each_binding
@in_a_loop
async def test_streams_are_masked_over_the_borders_of_chunks(gateway: Stack, binding: str) -> None:
    async with client(gateway, binding) as made:
        events = [each async for each in made.send_message(saying("to jane@example.com"))]
        task = await made.get_task(a2a_pb2.GetTaskRequest(id=events[-1].status_update.task_id))
    (artifact,) = task.artifacts
    assert [part.text for part in artifact.parts][-1] == ": to [EMAIL]"
    assert "".join(map(texts, events)) == "[redacted]orld: to [EMAIL]"
    assert events[-1].status_update.status.state == a2a_pb2.TASK_STATE_COMPLETED


@each_binding
@in_a_loop
async def test_a_stream_ends_where_it_says_what_it_may_not(gateway: Stack, binding: str) -> None:
    found: list[a2a_pb2.StreamResponse] = []

    async def listen(made: Client) -> None:
        async for each in made.send_message(saying("of apollo")):
            found.append(each)  # noqa: PERF401 -- what came before the error counts

    async with client(gateway, binding) as made:
        with pytest.raises(REFUSED) as error:
            await listen(made)
    assert "apollo" not in "".join(map(texts, found))
    assert "(guard 'words')" in str(error.value)


@each_binding
@in_a_loop
async def test_whole_answers_are_masked_and_refused(gateway: Stack, binding: str) -> None:
    async with client(gateway, binding, streaming=False) as made:
        (answer,) = [each async for each in made.send_message(saying("say bob@example.org"))]
        assert texts(answer) == "say [EMAIL]"
        for text, status, name in (("say apollo", 400, "words"), ("fail", 403, "no-failures")):
            with pytest.raises(REFUSED) as error:
                [each async for each in made.send_message(saying(text))]
            said = str(error.value)  # over JSON-RPC, the SDK tells of the status alone
            assert name in said or f"HTTP Error {status}" in said
