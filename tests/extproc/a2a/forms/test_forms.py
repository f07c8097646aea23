"""Clients of the official SDK speak to its agent in other words than it: every binding and
revision to every other, through a gateway of a few lines that has nothing but the forms."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import grpc
import grpc.aio
import httpx
import pytest
from a2a.client.client import ClientCallContext
from a2a.client.transports.base import ClientTransport
from a2a.client.transports.grpc import GrpcTransport
from a2a.client.transports.jsonrpc import JsonRpcTransport
from a2a.client.transports.rest import RestTransport
from a2a.compat.v0_3.grpc_transport import CompatGrpcTransport
from a2a.compat.v0_3.jsonrpc_transport import CompatJsonRpcTransport
from a2a.compat.v0_3.rest_transport import CompatRestTransport
from a2a.types import a2a_pb2
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError

from extproc.a2a import grpc_frames, requests
from extproc.a2a.errors import DETAILS, Fault
from extproc.a2a.forms.calls import Call, Target
from extproc.a2a.forms.grpc_requests import read_message
from extproc.a2a.forms.interpreter import Interpreter
from extproc.a2a.requests import A2aRequest
from gateway.a2a import Binding, Revision
from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.in_a_loop import play

TARGETS = [Target(binding, revision) for binding in Binding for revision in Revision]
HTTP: dict[Target, Callable[..., ClientTransport]] = {
    Target(Binding.JSONRPC, Revision.V0_3): CompatJsonRpcTransport,
    Target(Binding.JSONRPC, Revision.V1_0): JsonRpcTransport,
    Target(Binding.HTTP_JSON, Revision.V0_3): CompatRestTransport,
    Target(Binding.HTTP_JSON, Revision.V1_0): RestTransport,
}
PATHS = {Binding.JSONRPC: "/rpc", Binding.HTTP_JSON: "/rest", Binding.GRPC: ""}
Headers = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running_agent(revisions=("1.0", "0.3")) as running:
        yield running


@dataclass
class Answer:
    """Of an agent, or to a client; trailers are there when the pieces are."""

    status: int
    headers: Headers
    pieces: AsyncIterator[bytes]
    trailers: dict[str, str] = field(default_factory=dict)


class Gateway:
    """Reads requests of any form and asks an agent in its own."""

    def __init__(self, agent: Agent, target: Target, stack: AsyncExitStack) -> None:
        self._agent, self._target = agent, target
        self._http = httpx.AsyncClient()
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{agent.grpc_port}")
        stack.push_async_callback(self._http.aclose)
        stack.push_async_callback(self._channel.close)

    async def answer(self, found: A2aRequest | Fault, client: Target) -> Answer:
        assert isinstance(found, A2aRequest), found
        interpreter = Interpreter(found, self._target)
        call = interpreter.call()
        assert isinstance(call, Call), call
        asked = await self._ask(call)
        begun = interpreter.begin(asked.status, dict(asked.headers))
        if begun is None:
            async for each in asked.pieces:
                assert interpreter.feed(each) == b""
            ended = interpreter.end(asked.trailers)
            assert ended.begun is not None
            return Answer(*ended.begun, pieces_of(ended.body), dict(ended.trailers))
        trailers: dict[str, str] = {}

        async def pieces() -> AsyncIterator[bytes]:
            async for each in asked.pieces:
                yield interpreter.feed(each)
            ended = interpreter.end(asked.trailers)
            assert ended.begun is None
            yield ended.body
            trailers.update(ended.trailers)

        return Answer(*begun, pieces(), trailers)

    async def _ask(self, call: Call) -> Answer:
        if self._target.binding is Binding.GRPC:
            return self._ask_grpc(call)
        url = self._agent.url + PATHS[self._target.binding] + call.path
        request = self._http.build_request(
            call.method,
            f"{url}?{call.query}" if call.query else url,
            headers=list(call.headers),
            content=call.body,
        )
        response = await self._http.send(request, stream=True)
        headers = tuple((name.lower(), value) for name, value in response.headers.items())
        return Answer(response.status_code, headers, response.aiter_bytes())

    def _ask_grpc(self, call: Call) -> Answer:
        """As an HTTP client would see it: errors are trailers."""
        metadata = tuple(each for each in call.headers if each[0] not in ("content-type", "te"))
        (message,) = grpc_frames.FrameDecoder().feed(call.body)
        trailers: dict[str, str] = {}
        asked = self._channel.unary_stream(call.path)(message, metadata=metadata)

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for each in asked:
                    yield grpc_frames.frame(each)
                trailers["grpc-status"] = "0"
            except grpc.aio.AioRpcError as error:
                trailers["grpc-status"] = str(error.code().value[0])
                trailers["grpc-message"] = quote(error.details() or "")
                for name, value in error.trailing_metadata() or ():
                    if name == DETAILS and isinstance(value, bytes):
                        trailers[name] = base64.b64encode(value).decode()

        return Answer(200, (("content-type", "application/grpc"),), pieces(), trailers)


async def pieces_of(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def transport(gateway: Gateway, client: Target, stack: AsyncExitStack) -> ClientTransport:
    """The SDK's client of that form, in front of the gateway."""
    if client.binding is Binding.GRPC:
        return await grpc_transport(gateway, client, stack)

    async def handle(request: httpx.Request) -> httpx.Response:
        headers = dict(request.headers)
        body = await request.aread()
        found: A2aRequest | Fault
        if client.binding is Binding.JSONRPC:
            found = requests.read_jsonrpc(body, headers)
        else:
            path, _, query = request.url.raw_path.decode().partition("?")
            found = requests.read_http(request.method, path, query, body, headers)
        answer = await gateway.answer(found, client)
        return httpx.Response(answer.status, headers=list(answer.headers), content=answer.pieces)

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    stack.push_async_callback(http.aclose)
    return HTTP[client](http, None, "http://gateway")


async def grpc_transport(
    gateway: Gateway, client: Target, stack: AsyncExitStack
) -> ClientTransport:
    class Handler(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            async def handle(message: bytes, context: Any) -> AsyncIterator[bytes]:
                headers = dict(details.invocation_metadata or ())
                found = read_message(details.method, message, headers)  # type: ignore[arg-type]
                answer = await gateway.answer(found, client)
                frames = grpc_frames.FrameDecoder()
                async for each in answer.pieces:
                    for one in frames.feed(each):
                        yield one
                await finish(context, {**dict(answer.headers), **answer.trailers})

            return grpc.unary_stream_rpc_method_handler(handle)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stack.push_async_callback(server.stop, 0)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    stack.push_async_callback(channel.close)
    if client.revision is Revision.V1_0:
        return GrpcTransport(channel, None)
    return CompatGrpcTransport(channel, None)


async def finish(context: Any, trailers: dict[str, str]) -> None:
    number = int(trailers["grpc-status"])
    if number == 0:
        return
    details = trailers.get(DETAILS)
    if details is not None:
        packed = base64.b64decode(details + "=" * (-len(details) % 4))
        context.set_trailing_metadata(((DETAILS, packed),))
    (code,) = [each for each in grpc.StatusCode if each.value[0] == number]
    await context.abort(code, unquote(trailers["grpc-message"]))


def said(text: str, task_id: str = "", context_id: str = "") -> a2a_pb2.SendMessageRequest:
    message = a2a_pb2.Message(
        message_id="m",
        role=a2a_pb2.ROLE_USER,
        parts=[a2a_pb2.Part(text=text), a2a_pb2.Part(raw=b"\x00\xff", media_type="x/y")],
        task_id=task_id,
        context_id=context_id,
    )
    message.metadata["n"] = 1
    return a2a_pb2.SendMessageRequest(
        message=message, configuration=a2a_pb2.SendMessageConfiguration(history_length=5)
    )


async def conversation(client: ClientTransport, context: ClientCallContext) -> None:
    """Everything that both revisions can do."""
    answer = await client.send_message(said("say hello"), context=context)
    assert answer.message.parts[0].text == "say hello"

    done = (await client.send_message(said("hello"), context=context)).task
    assert done.status.state == a2a_pb2.TASK_STATE_COMPLETED
    assert "".join(part.text for part in done.artifacts[0].parts) == "Hello, world: hello"

    task = await client.get_task(a2a_pb2.GetTaskRequest(id=done.id), context=context)
    assert (task.id, task.context_id) == (done.id, done.context_id)
    (first, *_) = task.history
    assert [part.WhichOneof("content") for part in first.parts] == ["text", "raw"]
    assert (first.parts[1].raw, first.metadata["n"]) == (b"\x00\xff", 1)

    with pytest.raises(TaskNotCancelableError):
        await client.cancel_task(a2a_pb2.CancelTaskRequest(id=done.id), context=context)
    with pytest.raises(TaskNotFoundError):
        await client.get_task(a2a_pb2.GetTaskRequest(id="nobody"), context=context)

    events = [
        event async for event in client.send_message_streaming(said("stream"), context=context)
    ]
    kinds = [event.WhichOneof("payload") for event in events]
    assert kinds[0] == "task"
    assert kinds.count("artifact_update") == 4
    assert events[-1].status_update.status.state == a2a_pb2.TASK_STATE_COMPLETED

    await webhooks(client, context, done.id)
    await subscription(client, context)


async def subscription(client: ClientTransport, context: ClientCallContext) -> None:
    """A task that goes on is watched, and cancelled."""
    request = said("wait")
    request.configuration.return_immediately = True
    waiting = (await client.send_message(request, context=context)).task
    assert waiting.status.state != a2a_pb2.TASK_STATE_COMPLETED
    watched = client.subscribe(a2a_pb2.SubscribeToTaskRequest(id=waiting.id), context=context)
    states = []
    async for event in watched:
        status = event.task.status if event.HasField("task") else event.status_update.status
        states.append(status.state)
        if len(states) == 1:
            asked = a2a_pb2.CancelTaskRequest(id=waiting.id)
            cancelled = await client.cancel_task(asked, context=context)
            assert cancelled.status.state == a2a_pb2.TASK_STATE_CANCELED
    assert states[-1] == a2a_pb2.TASK_STATE_CANCELED


async def webhooks(client: ClientTransport, context: ClientCallContext, task_id: str) -> None:
    asked = a2a_pb2.TaskPushNotificationConfig(
        task_id=task_id, id="hook", url="https://client.example/", token="s"
    )
    made = await client.create_task_push_notification_config(asked, context=context)
    assert (made.task_id, made.id, made.url, made.token) == (
        task_id,
        "hook",
        "https://client.example/",
        "s",
    )
    got = await client.get_task_push_notification_config(
        a2a_pb2.GetTaskPushNotificationConfigRequest(task_id=task_id, id="hook"), context=context
    )
    assert got.url == made.url


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("client", TARGETS, ids=str)
def test_clients_of_any_form_speak_to_agents_of_any_other(
    agent: Agent, client: Target, target: Target
) -> None:
    async def scene() -> None:
        async with AsyncExitStack() as stack:
            gateway = Gateway(agent, target, stack)
            speaking = await transport(gateway, client, stack)
            context = ClientCallContext(service_parameters={"A2A-Version": client.revision})
            await asyncio.wait_for(conversation(speaking, context), 30)

    play(scene())
