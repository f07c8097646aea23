"""Calls between clients and servers of different eras, as the hub has them: a server behind a
listener as Envoy's, and clients who read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from extproc.hub import edge, web
from extproc.hub.bridging import Bridges
from extproc.hub.driver import WayOut
from extproc.hub.web import Reply, Request
from extproc.mcp import rounds
from extproc.mcp.rounds import Envelope
from extproc.mcp.views import Served
from gateway import names
from tests.kit.in_a_loop import until

KEY = "a number that no server knows"
OLD, NEW = "2025-11-25", "2026-07-28"
ASK = {"method": "elicitation/create", "params": {"message": "?"}}


class Far:
    """A server: a function says what it answers to each message."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answers: Callable[[Any], Reply] = lambda _: Reply(202)
        self.taken_up: Callable[[str], Reply] = lambda _: Reply(405)
        """What it answers to who goes on with a stream, behind that event."""
        self.gone = 0
        """How often a stream of its was left."""
        self.more: asyncio.Queue[Any] = asyncio.Queue()
        """What it says further on its stream; None ends it."""

    async def answer(self, request: Request) -> Reply:
        assert request.headers["x-one"] == "1"
        if request.method == "GET":
            return self.taken_up(request.headers.get("last-event-id", ""))
        message = json.loads(request.body)
        assert request.headers["mcp-protocol-version"] in (OLD, NEW)
        assert "authorization" not in request.headers
        self.asked.append(message)
        return self.answers(message)

    def stream(self) -> Reply:
        return web.events(self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            while (said := await self.more.get()) is not None:
                yield event(said)
        except (asyncio.CancelledError, GeneratorExit):
            self.gone += 1
            raise


def event(message: Any) -> bytes:
    return b"data: %s\n\n" % json.dumps({"jsonrpc": "2.0", **message}).encode()


def result(identity: Any, **said: Any) -> Reply:
    return web.json(json.dumps({"jsonrpc": "2.0", "id": identity, "result": said}).encode())


def request(revision: str, message: Any, binding: str = "ann", session: str = "") -> Request:
    """As Envoy sends it on; `revision`: of the server."""
    envelope = Envelope("a", revision, KEY if revision == NEW else "", binding)
    headers = {
        names.MCP_ROUNDS_HEADER: rounds.encode(envelope),
        "mcp-protocol-version": revision,
        "accept": "application/json, text/event-stream",
        "authorization": "Bearer secret",
    }
    if session:
        headers["mcp-session-id"] = session
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return Request("POST", names.HUB_ROUNDS, "", headers, body)


def call(identity: Any = 1, **params: Any) -> dict[str, Any]:
    meta = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "sampling": {}}}
    said = {"name": "x", "_meta": meta, **params}
    return {"id": identity, "method": "tools/call", "params": said}


Scene = Callable[[Far, Bridges], Awaitable[Any]]


def play(folder: Path, scene: Scene) -> Any:
    async def whole() -> Any:
        far, address = Far(), f"unix:{folder / 's'}"
        numbers = iter(range(100))
        bridges = Bridges(WayOut(address), lambda: f"call{next(numbers)}")
        headers = (("x-one", "1"),)
        bridges.take({"a": Served("a", "service/mcp/a", "/mcp", headers, True, 1.0)})
        listener = edge.listening(address)
        async with edge.serving(far, 1 << 20, listener), asyncio.timeout(20):
            try:
                return await scene(far, bridges)
            finally:
                await bridges.close()
                far.more.put_nowait(None)

    return asyncio.run(whole())


class Reading:
    """What comes back, message by message."""

    def __init__(self, reply: Reply) -> None:
        assert not isinstance(reply.body, bytes), reply.body
        self.body = reply.body

    async def next(self) -> Any:
        piece = await anext(self.body)
        assert piece.startswith(b"data: "), piece
        return json.loads(piece.removeprefix(b"data: "))

    async def leave(self) -> None:
        await self.body.aclose()  # type: ignore[attr-defined]  # it is a generator


async def until_so(is_so: Callable[[], bool]) -> None:
    async def question() -> bool:
        return is_so()

    await until(question)


async def replied(bridges: Bridges, message: Any, revision: str = NEW) -> Any:
    reply = await bridges.answer(request(revision, message))
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body) if reply.body else None
