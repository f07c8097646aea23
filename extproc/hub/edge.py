"""The HTTP server of the hub, for one peer, Envoy: an ASGI application, and uvicorn under it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from extproc.hub.web import Reply, Request, Site

logger = logging.getLogger(__name__)

_OWNER_ALONE = 0o177
_BACKLOG = 1024
SHUTDOWN_SECONDS = 1


class TooLarge(Exception):
    """A body of more bytes than are taken."""


def application(site: Site, body_bytes: int) -> ASGIApp:
    """The ASGI application of a site; bodies may have so many bytes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = await _read(scope, receive, body_bytes)
        except TooLarge:
            await _send_whole(send, Reply(413))
            return
        if request is None:  # gone before it was said
            return
        reply = await _answered(site, request, receive)
        if isinstance(reply, Reply):
            await _say(reply, receive, send)

    return app


async def _answered(site: Site, request: Request, receive: Receive) -> Reply | None:
    """None: the client has gone before."""
    work = asyncio.ensure_future(site.answer(request))
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    except Exception:
        logger.exception("%s %s", request.method, request.path)
        return Reply(500)
    finally:
        gone.cancel()
        await _put_away(work)


async def _put_away(work: asyncio.Future[Reply]) -> None:
    """What is not done when its client has gone is called off."""
    if not work.done():
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def _read(scope: Scope, receive: Receive, body_bytes: int) -> Request | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > body_bytes:
            raise TooLarge
        if not message.get("more_body"):
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        },
        body=bytes(body),
    )


async def _gone(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def _say(reply: Reply, receive: Receive, send: Send) -> None:
    if isinstance(reply.body, bytes):
        await _send_whole(send, reply)
        return
    await _begin(send, reply)
    pieces = aiter(reply.body)
    work: asyncio.Future[Any] = asyncio.ensure_future(_send_pieces(pieces, send))
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        gone.cancel()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


async def _send_pieces(pieces: AsyncIterator[bytes], send: Send) -> None:
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _send_whole(send: Send, reply: Reply) -> None:
    assert isinstance(reply.body, bytes)
    length = {} if reply.status in (202, 204) else {"content-length": str(len(reply.body))}
    await _begin(send, Reply(reply.status, b"", {**reply.headers, **length}))
    await send({"type": "http.response.body", "body": reply.body})


async def _begin(send: Send, reply: Reply) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})


class _Server(uvicorn.Server):
    """Leaves the signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listening(address: str) -> socket.socket:
    """A listening socket at `HOST:PORT` or `unix:PATH`, of which the owner alone has the file.

    Raises `OSError`.
    """
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(_OWNER_ALONE)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(_BACKLOG)
    else:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve inside the block; the socket is closed at its end."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=600,  # longer than Envoy keeps a connection that nobody uses
    )
    server = _Server(config)
    work = asyncio.ensure_future(server.serve(sockets=[listener]))  # what the block raises, stays
    try:
        yield
    finally:
        server.should_exit = True
        await work
