"""An A2A agent as others write it: the official SDK's server, over all three bindings.

What it does, the text of a message says: `say …` is answered with a message, `ask …` wants input
first, `wait …` works until it is cancelled, `fail …` fails; anything else becomes a task with one
artifact, told in pieces. What it was sent is in `seen`. Callers who ask for its extended card are
told of one more skill.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
import httpx
import uvicorn
from a2a.compat.v0_3 import a2a_v0_3_pb2_grpc
from a2a.compat.v0_3.grpc_handler import CompatGrpcHandler
from a2a.helpers import new_text_message, new_text_part
from a2a.helpers.proto_helpers import new_task_from_user_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
from a2a.server.routes import (
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.server.tasks import (
    BasePushNotificationSender,
    InMemoryPushNotificationConfigStore,
    InMemoryTaskStore,
    TaskUpdater,
)
from a2a.types import a2a_pb2, a2a_pb2_grpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.kit.stack import eventually, free_ports

SECRET_SKILL = a2a_pb2.AgentSkill(id="book", name="Booking", description="Books", tags=["money"])
PIECES = ("Hello", ", ", "world")


@dataclass(slots=True)
class Seen:
    """One HTTP request that the agent was sent."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class Agent:
    """One that runs."""

    port: int
    grpc_port: int
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def grpc_url(self) -> str:
        return f"http://127.0.0.1:{self.grpc_port}"


class _Work(AgentExecutor):
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        text = context.get_user_input()
        word = text.partition(" ")[0]
        if word == "say":
            await event_queue.enqueue_event(
                new_text_message(text, context_id=context.context_id, role=a2a_pb2.ROLE_AGENT)
            )
            return
        if context.current_task is None and context.message is not None:
            await event_queue.enqueue_event(new_task_from_user_message(context.message))
        task = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await task.start_work()
        match word:
            case "ask":
                await task.requires_input(task.new_agent_message([new_text_part("which one?")]))
            case "wait":
                await asyncio.sleep(60)
            case "fail":
                await task.failed(task.new_agent_message([new_text_part("cannot")]))
            case _:
                for place, piece in enumerate((*PIECES, f": {text}")):
                    await task.add_artifact(
                        [new_text_part(piece)],
                        artifact_id="answer",
                        append=place > 0,
                        last_chunk=place == len(PIECES),
                    )
                await task.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        task = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await task.cancel()


BINDINGS = ("JSONRPC", "HTTP+JSON", "GRPC")


def card_of(
    agent: Agent, name: str, *revisions: str, bindings: tuple[str, ...] = BINDINGS
) -> a2a_pb2.AgentCard:
    """Its card, of these revisions."""
    interfaces = [
        a2a_pb2.AgentInterface(url=url, protocol_binding=binding, protocol_version=revision)
        for revision in revisions
        for binding, url in (
            ("JSONRPC", f"{agent.url}/rpc"),
            ("HTTP+JSON", f"{agent.url}/rest"),
            ("GRPC", f"127.0.0.1:{agent.grpc_port}"),
        )
        if binding in bindings
    ]
    return a2a_pb2.AgentCard(
        name=name,
        description=f"The agent {name}",
        version="1.2.3",
        supported_interfaces=interfaces,
        capabilities=a2a_pb2.AgentCapabilities(
            streaming=True, push_notifications=True, extended_agent_card=True
        ),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[
            a2a_pb2.AgentSkill(
                id="greet", name="Greeting", description="Greets people", tags=["hello", name]
            )
        ],
    )


class _Watched:
    """Notes what comes in."""

    def __init__(self, app: ASGIApp, seen: list[Seen]) -> None:
        self._app, self._seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            self._seen.append(Seen(request.method, request.url.path, dict(request.headers)))
        await self._app(scope, receive, send)


def _app(handler: DefaultRequestHandler, card: a2a_pb2.AgentCard, seen: list[Seen]) -> Any:
    routes = [
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, "/rpc", enable_v0_3_compat=True),
        *create_rest_routes(handler, enable_v0_3_compat=True, path_prefix="/rest"),
    ]
    return _Watched(Starlette(routes=routes), seen)


@contextmanager
def running_agent(
    name: str = "travel",
    revisions: tuple[str, ...] = ("1.0",),
    sign: Callable[[a2a_pb2.AgentCard], a2a_pb2.AgentCard] = lambda card: card,
    bindings: tuple[str, ...] = BINDINGS,
) -> Iterator[Agent]:
    """One that runs in a thread, with an event loop of its own; `sign` signs its cards, which name
    these `bindings` alone."""
    agent = Agent(*free_ports(2))
    card = sign(card_of(agent, name, *revisions, bindings=bindings))
    extended = card_of(agent, name, *revisions, bindings=bindings)
    extended.skills.append(SECRET_SKILL)
    caller = httpx.AsyncClient(timeout=30)
    webhooks = InMemoryPushNotificationConfigStore()
    handler = DefaultRequestHandler(
        agent_executor=_Work(),
        task_store=InMemoryTaskStore(),
        agent_card=card,
        push_config_store=webhooks,
        push_sender=BasePushNotificationSender(caller, webhooks),
        extended_agent_card=sign(extended),
    )
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        app = _app(handler, card, agent.seen)
        config = uvicorn.Config(app, port=agent.port, log_level="warning", lifespan="off")
        http = uvicorn.Server(config)
        server = grpc.aio.server()
        a2a_pb2_grpc.add_A2AServiceServicer_to_server(GrpcHandler(handler), server)
        a2a_v0_3_pb2_grpc.add_A2AServiceServicer_to_server(CompatGrpcHandler(handler), server)
        server.add_insecure_port(f"127.0.0.1:{agent.grpc_port}")
        await server.start()
        serving = asyncio.ensure_future(http.serve())
        await asyncio.to_thread(eventually, lambda: http.started, "the agent serves")
        ready.set()
        await stop.wait()
        http.should_exit = http.force_exit = True
        await server.stop(0)
        await serving
        await caller.aclose()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:  # which closes it, too
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(30), "the agent does not start"
    try:
        yield agent
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
