"""HTTP edge of the demo: two providers under `/a` and `/b`, each with its switch.

`POST /a/switch {"mode": "503", "count": 2}` makes it fail; `GET /a/seen` tells what it received.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.model import Endpoint
from xds_server.demo.model import ChatRequest, Refusal, answer, read, read_embedding, tokens
from xds_server.demo.provider import Mode, Provider, Seen, refusal_of
from xds_server.demo.samples import embedding
from xds_server.demo.wire import (
    DONE,
    Answer,
    Envelope,
    chunks,
    completion,
    embeddings,
    error,
    event,
    models,
)
from xds_server.http_edge import listening_socket, serving
from xds_server.stopping import stop_event

CHUNKS_BEFORE_DROP = 3
CREATED = 1_700_000_000
"""Since when the models exist."""


def demo_providers() -> tuple[Provider, ...]:
    """The two of the quickstart."""
    return (
        Provider(name="a", key="demo-provider-key-a", models=("demo-a",)),
        Provider(name="b", key="demo-provider-key-b", models=("demo-b",)),
    )


@dataclass(slots=True)
class Connections:
    """The open TCP connections by their client's address, so that one can be cut."""

    transports: dict[tuple[str, int], asyncio.Transport] = field(default_factory=dict)

    def protocol(self) -> type[H11Protocol]:
        """uvicorn's HTTP/1.1, which also tells this object of its connections."""
        transports = self.transports

        class Remembered(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client is not None:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    transports.pop(self.client, None)
                super().connection_lost(exc)

        return Remembered

    def reset(self, request: Request) -> None:
        """Cut the request's connection with a TCP RST."""
        if request.client is None:
            return
        transport = self.transports.get((request.client.host, request.client.port))
        if transport is None:
            return
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


@dataclass(frozen=True, slots=True)
class Routes:
    """The endpoints of one provider."""

    provider: Provider
    connections: Connections

    def table(self) -> Sequence[Route]:
        return (
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/switch", self.switch, methods=["POST"]),
            Route("/seen", self.seen, methods=["GET", "DELETE"]),
        )

    async def chat(self, request: Request) -> Response:
        body = await request.body()
        mode = self.provider.next_mode()
        self._remember(request, body, mode)
        refusal = self._refuse_key(request) or refusal_of(mode)
        if refusal is not None:
            return _refused(refusal)
        if mode is Mode.HANG:
            await _until_gone(request)
            return Response(status_code=499)
        if mode is Mode.RESET:
            self.connections.reset(request)
            await _until_gone(request)
            return Response(status_code=499)
        chat = read(body, self.provider.models)
        if isinstance(chat, Refusal):
            return _refused(chat)
        return await self._answered(request, chat, mode)

    async def embeddings(self, request: Request) -> Response:
        body = await request.body()
        mode = self.provider.next_mode()
        self._remember(request, body, mode)
        refusal = self._refuse_key(request) or refusal_of(mode)
        asked = refusal or read_embedding(body, self.provider.models)
        if isinstance(asked, Refusal):
            return _refused(asked)
        vectors = [embedding(text, asked.dimensions) for text in asked.texts]
        read_tokens = sum(map(tokens, asked.texts))
        return JSONResponse(embeddings(asked.model, vectors, read_tokens, asked.is_base64))

    async def _answered(self, request: Request, chat: ChatRequest, mode: Mode) -> Response:
        said = answer(chat, self.provider.name)
        number = self.provider.requests
        identifier = f"chatcmpl-{self.provider.name}{number:08d}"
        envelope = Envelope(identifier, int(time.time()), chat.model)
        headers = {"x-request-id": f"req_{self.provider.name}{number:08d}"}
        if chat.is_stream:
            stream = self._stream(request, chat, envelope, said, mode)
            media_type = "text/event-stream; charset=utf-8"
            return StreamingResponse(stream, media_type=media_type, headers=headers)
        if mode is Mode.DROP_MID_STREAM:
            self.connections.reset(request)
        if mode is Mode.SLOW:
            await asyncio.sleep(self.provider.delay_seconds)
        return JSONResponse(completion(envelope, said, chat.choices), headers=headers)

    async def _stream(
        self, request: Request, chat: ChatRequest, envelope: Envelope, said: Answer, mode: Mode
    ) -> AsyncIterator[bytes]:
        parts = chunks(envelope, said, chat.choices, chat.is_usage_included)
        for number, chunk in enumerate(parts):
            if mode is Mode.SLOW:
                await asyncio.sleep(self.provider.delay_seconds)
            if mode is Mode.DROP_MID_STREAM and number == CHUNKS_BEFORE_DROP:
                await asyncio.sleep(self.provider.delay_seconds)  # what was sent must arrive first
                self.connections.reset(request)
                return
            yield event(chunk)
        yield DONE

    async def models(self, request: Request) -> Response:
        self._remember(request, b"", self.provider.mode)
        refusal = self._refuse_key(request)
        if refusal is not None:
            return _refused(refusal)
        return JSONResponse(models(self.provider.models, CREATED, "dragoman-demo"))

    async def switch(self, request: Request) -> Response:
        try:
            document = await request.json()
        except ValueError:
            document = None
        problem = self.provider.switch(document)
        if problem is not None:
            return JSONResponse({"error": problem}, status_code=400)
        return JSONResponse({"mode": self.provider.mode, "count": self.provider.remaining})

    async def seen(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.provider.seen.clear()
        return JSONResponse([asdict(one) for one in self.provider.seen])

    def _remember(self, request: Request, body: bytes, mode: Mode) -> None:
        headers = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        seen = Seen(request.method, request.url.path, headers, document, mode)
        self.provider.seen.append(seen)

    def _refuse_key(self, request: Request) -> Refusal | None:
        return self.provider.refuse_key(request.headers.get("authorization", ""))


def _refused(refusal: Refusal) -> Response:
    headers = {"retry-after": "1"} if refusal.status == 429 else {}
    return JSONResponse(refusal.body, status_code=refusal.status, headers=headers)


async def _until_gone(request: Request) -> None:
    """Wait until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _nowhere(request: Request, failure: Exception) -> Response:
    message = f"Invalid URL ({request.method} {request.url.path})"
    return JSONResponse(error(message, "invalid_request_error"), status_code=404)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def demo_app(providers: Sequence[Provider], connections: Connections) -> Starlette:
    """The providers side by side, each under its name."""
    mounts = [
        Mount(f"/{provider.name}", routes=Routes(provider, connections).table())
        for provider in providers
    ]
    health = Route("/healthz", _health, methods=["GET"])
    return Starlette(routes=[health, *mounts], exception_handlers={404: _nowhere})


@contextlib.asynccontextmanager
async def demo_serving(listener: socket.socket) -> AsyncIterator[None]:
    """Both providers on `listener`, for as long as the block lasts."""
    connections = Connections()
    app = demo_app(demo_providers(), connections)
    async with serving(app, listener, connections.protocol()):
        yield


async def serve_demo(where: Endpoint) -> int:
    """Both providers until the process is asked to stop; the exit status."""
    with stop_event() as stop:
        async with demo_serving(listening_socket(where.host, where.port)):
            await stop.wait()
    return 0
