"""The HTTP server of the hub, for one peer, Envoy: HTTP/2, so that thousands of streams need few
connections. A stream that says nothing needs no task."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from extproc.edges.stream import Fields, Stream
from extproc.hub.driver import Server
from extproc.hub.web import Reply, Request, Site, Source

logger = logging.getLogger(__name__)

_OWNER_ALONE = 0o177
_BACKLOG = 1024
SHUTDOWN_SECONDS: Final = 1.0


class _Incoming:
    """One request, and what it is answered. It hears its stream."""

    __slots__ = ("_body", "_head", "_limit", "_relieved", "_site", "_source", "_stream", "_work")

    def __init__(self, site: Site, limit: int, stream: Stream) -> None:
        self._site = site
        self._limit = limit
        self._stream = stream
        self._head: Fields = ()
        self._body: bytearray | None = bytearray()
        """None: it was too large."""
        self._work: asyncio.Future[None] | None = None
        self._source: Source | None = None
        self._relieved: asyncio.Event | None = None

    def headed(self, fields: Fields) -> None:
        self._head = fields

    def received(self, data: bytes) -> None:
        self._stream.consumed(len(data))
        if self._body is None:
            return
        self._body += data
        if len(self._body) > self._limit:
            self._body = None
            self._whole(Reply(413))

    def ended(self) -> None:
        if self._body is None:
            return
        request = _request(self._head, bytes(self._body))
        self._head, self._body = (), bytearray()
        self._work = asyncio.ensure_future(self._answer(request))
        self._work.add_done_callback(self._is_done)

    def broke(self, why: str, *, is_unseen: bool) -> None:
        """Its client has gone."""
        if self._work is not None:
            self._work.cancel()
        if self._source is not None:
            self._source.closed()

    def relieved(self) -> None:
        if self._source is not None:
            self._source.relieved()
        if self._relieved is not None:
            self._relieved.set()

    def _is_done(self, work: asyncio.Future[None]) -> None:
        self._work = None
        if not work.cancelled() and (error := work.exception()) is not None:
            logger.error("an answer of the hub broke off", exc_info=error)
            self._stream.reset()

    async def _answer(self, request: Request) -> None:
        try:
            reply = await self._site.answer(request)
        except Exception:
            logger.exception("%s %s", request.method, request.path)
            reply = Reply(500)
        if isinstance(reply.body, bytes):
            self._whole(reply)
            return
        self._stream.head(_fields(reply))
        if isinstance(reply.body, AsyncIterator):
            await self._pour(reply.body)
        elif self._stream.is_open:
            self._source = reply.body
            self._source.opened(self._stream)

    async def _pour(self, pieces: AsyncIterator[bytes]) -> None:
        self._relieved = asyncio.Event()
        try:
            async for piece in pieces:
                self._stream.write(piece)
                while self._stream.is_congested:
                    self._relieved.clear()
                    await self._relieved.wait()
            self._stream.end()
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    def _whole(self, reply: Reply) -> None:
        assert isinstance(reply.body, bytes)
        length = {} if reply.status in (202, 204) else {"content-length": str(len(reply.body))}
        said = Reply(reply.status, b"", {**reply.headers, **length})
        self._stream.head(_fields(said), is_end=not reply.body)
        self._stream.write(reply.body)
        self._stream.end()


def _request(fields: Fields, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for name, value in fields:
        if name == "cookie" and name in headers:  # RFC 9113 section 8.2.3
            value = f"{headers[name]}; {value}"
        headers[name] = value
    target = headers.pop(":path", "/")
    path, _, query = target.partition("?")
    method = headers.pop(":method", "")
    headers.pop(":scheme", None)
    headers.setdefault("host", headers.pop(":authority", ""))
    return Request(method, unquote(path), query, headers, body)


def _fields(reply: Reply) -> list[tuple[str, str]]:
    return [(":status", str(reply.status)), *reply.headers.items()]


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
async def serving(site: Site, body_bytes: int, listener: socket.socket) -> AsyncIterator[None]:
    """Serve inside the block; the socket is closed at its end. Bodies may have so many bytes."""

    def accept(stream: Stream) -> _Incoming:
        return _Incoming(site, body_bytes, stream)

    server = Server(accept, listener)
    await server.start()
    try:
        yield
    finally:
        await server.close(SHUTDOWN_SECONDS)
