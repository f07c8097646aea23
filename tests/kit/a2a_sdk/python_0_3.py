"""The official SDK for Python 0.3, as an agent and as a client:

python_0_3.py agent PORT GRPC_PORT BINDING…
python_0_3.py client URL BINDING        # tells what came of one conversation, as JSON
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import httpx
import uvicorn
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.grpc import a2a_pb2_grpc
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.apps import A2ARESTFastAPIApplication, A2AStarletteApplication
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    Message,
    Part,
    Role,
    TaskIdParams,
    TaskQueryParams,
    TextPart,
    TransportProtocol,
)
from a2a.utils import new_agent_text_message, new_task

PIECES = ("Hello", ", ", "world")


class Work(AgentExecutor):
    """As the agent of `tests.kit.a2a_agent` works."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        text = context.get_user_input()
        word = text.partition(" ")[0]
        if word == "say":
            await event_queue.enqueue_event(new_agent_text_message(text, context.context_id))
            return
        task = context.current_task or new_task(context.message)
        if context.current_task is None:
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        if word == "ask":
            await updater.requires_input(updater.new_agent_message([part("which one?")]))
            return
        for place, piece in enumerate((*PIECES, f": {text}")):
            await updater.add_artifact(
                [part(piece)],
                artifact_id="answer",
                append=place > 0,
                last_chunk=place == len(PIECES),
            )
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def part(text: str) -> Part:
    return Part(root=TextPart(text=text))


async def serve(port: int, grpc_port: int, bindings: list[str]) -> None:
    urls = {
        "JSONRPC": f"http://127.0.0.1:{port}/rpc",
        "HTTP+JSON": f"http://127.0.0.1:{port}/rest",
        "GRPC": f"127.0.0.1:{grpc_port}",
    }
    card = AgentCard(
        name="old",
        description="An agent of 0.3",
        version="1",
        url=urls[bindings[0]],
        preferred_transport=bindings[0],
        additional_interfaces=[AgentInterface(transport=each, url=urls[each]) for each in bindings],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text"],
        default_output_modes=["text"],
        skills=[AgentSkill(id="greet", name="Greeting", description="Greets", tags=["hello"])],
        supports_authenticated_extended_card=True,
    )
    told = card.model_copy(update={"description": "An agent of 0.3, for friends"})
    handler = DefaultRequestHandler(agent_executor=Work(), task_store=InMemoryTaskStore())
    app = A2AStarletteApplication(card, handler, extended_agent_card=told).build(rpc_url="/rpc")
    app.mount("/rest", A2ARESTFastAPIApplication(card, handler, extended_agent_card=told).build())
    calls = grpc.aio.server()
    a2a_pb2_grpc.add_A2AServiceServicer_to_server(GrpcHandler(card, handler), calls)
    calls.add_insecure_port(f"127.0.0.1:{grpc_port}")
    await calls.start()
    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="error")).serve()


class Conversation:
    """Of one client with one agent."""

    def __init__(self, streaming: Client, whole: Client) -> None:
        self.streaming, self.whole = streaming, whole
        self.task_id = ""

    async def stream(self) -> list[str]:
        texts = []
        async for task, event in self.streaming.send_message(saying("hello")):
            self.task_id = task.id
            if event is not None and event.kind == "artifact-update":
                texts += [each.root.text for each in event.artifact.parts]
        return texts

    async def message(self) -> list[str]:
        said = [each async for each in self.whole.send_message(saying("say yes"))]
        return [each.root.text for each in said[-1].parts]

    async def question(self) -> list[str]:
        asked = await self.last(saying("ask"))
        answered = await self.last(saying("go", task_id=asked.id, context_id=asked.context_id))
        return [asked.status.state.value, answered.status.state.value]

    async def last(self, message: Message) -> Any:
        return [each async for each in self.whole.send_message(message)][-1][0]

    async def task(self) -> list[object]:
        task = await self.whole.get_task(TaskQueryParams(id=self.task_id, history_length=1))
        return [task.status.state.value, len(task.artifacts), len(task.history)]

    async def missing(self) -> str:
        return await refused(lambda: self.whole.get_task(TaskQueryParams(id="none")))

    async def cancelled(self) -> str:
        return await refused(lambda: self.whole.cancel_task(TaskIdParams(id=self.task_id)))


async def refused(ask: Callable[[], Awaitable[object]]) -> str:
    """What is said; over HTTP+JSON the SDK tells the status alone."""
    try:
        await ask()
    except Exception as error:
        return str(error)
    return "nothing"


def saying(text: str, **more: str) -> Message:
    return Message(role=Role.user, message_id=uuid.uuid4().hex, parts=[part(text)], **more)


async def talk(url: str, binding: str) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, url).get_agent_card()

        def client(streaming: bool) -> Client:
            config = ClientConfig(
                streaming=streaming,
                httpx_client=http,
                grpc_channel_factory=grpc.aio.insecure_channel,
                supported_transports=[TransportProtocol(binding)],
            )
            return ClientFactory(config).create(card)

        said = Conversation(client(True), client(False))
        steps = (said.stream, said.message, said.question, said.task, said.missing, said.cancelled)
        print(json.dumps({each.__name__: await each() for each in steps}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["agent", port, grpc_port, *bindings]:
            asyncio.run(serve(int(port), int(grpc_port), bindings))
        case ["client", url, binding]:
            asyncio.run(talk(url, binding))
