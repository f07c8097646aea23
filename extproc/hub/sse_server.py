"""A server of revision 2024-11-05, HTTP with SSE: a stream that says where to post, on which all
answers come. It is reached through Envoy's inner listener.

https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from extproc.hub import envelope
from extproc.hub.envelope import Message
from extproc.hub.far_stream import NoStream
from extproc.hub.links import CannotConnect, Congested, Ears, Link
from extproc.mcp import jsonrpc
from extproc.ports import Answered, Asked, ServiceUnavailable
from extproc.protocols.sse import Event, EventTooLarge, SseDecoder

logger = logging.getLogger(__name__)

ENDPOINT_SECONDS = 15.0
"""Until the stream has said where to post."""
POST_SECONDS = 60.0
IN_TURN_SECONDS = 1.0
"""How long a message waits for the one before it to be taken, so that they come in order."""
MOST_POSTS = 1000
"""Messages that are not taken yet."""
_PORTS = {"http": 80, "https": 443}


class Ways(Protocol):
    """How the server is reached."""

    def stream(self, path: str, headers: tuple[tuple[str, str], ...]) -> AsyncIterator[bytes]:
        """What a GET is answered; the first piece is empty. Raises `NoStream`."""

    async def post(self, asked: Asked, timeout_seconds: float) -> Answered:
        """Raises `ServiceUnavailable`."""


@dataclass(frozen=True, slots=True)
class SseServer:
    """Where it is."""

    name: str
    origin: str
    """Scheme and authority."""
    path: str
    """Of the stream."""
    headers: tuple[tuple[str, str], ...]
    """Sent with every request."""


def endpoint_of(server: SseServer, said: str) -> str:
    """The path to post to, of what a server has said. Raises `CannotConnect`: it is elsewhere."""
    base = f"{server.origin}{server.path}"
    try:
        found = urlsplit(urljoin(base, said.strip()))
        is_same = _origin(found.geturl()) == _origin(base)
    except ValueError:
        is_same = False
    if not is_same:
        raise CannotConnect(f"server {server.name} wants messages to be posted to another origin")
    return f"{found.path or '/'}?{found.query}" if found.query else found.path or "/"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


class SseLink:
    """An open stream, and posts: a `Link`."""

    def __init__(self, server: SseServer, ways: Ways, ears: Ears) -> None:
        self._server = server
        self._ways = ways
        self._ears = ears
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._posts: set[asyncio.Future[None]] = set()
        self._last: asyncio.Future[None] | None = None
        self._is_closed = False
        self._work = asyncio.ensure_future(self._follow())

    async def opened(self) -> None:
        """Until the server has said where to post. Raises `CannotConnect`."""
        try:
            async with asyncio.timeout(ENDPOINT_SECONDS):
                await asyncio.shield(self._endpoint)
        except TimeoutError:
            name = self._server.name
            raise CannotConnect(f"server {name} does not say where to post") from None

    def send(self, text: bytes) -> None:
        """Raises `Congested`."""
        if len(self._posts) >= MOST_POSTS:
            raise Congested(f"server {self._server.name} does not take what it is sent")
        post = asyncio.ensure_future(self._post(text, self._last))
        self._last = post
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)

    async def close(self) -> None:
        self._is_closed = True
        for each in (self._work, *self._posts):
            each.cancel()
        await asyncio.gather(self._work, *self._posts, return_exceptions=True)

    async def _post(self, text: bytes, before: asyncio.Future[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before}, timeout=IN_TURN_SECONDS)
        headers = (("content-type", "application/json"), *self._server.headers)
        asked = Asked("POST", self._endpoint.result(), headers, text)
        try:
            answered = await self._ways.post(asked, POST_SECONDS)
            mistake = None if 200 <= answered.status < 300 else f"status {answered.status}"
        except ServiceUnavailable as error:
            mistake = str(error)
        if mistake is not None:
            self._refused(envelope.read(text), mistake)

    def _refused(self, message: Message, mistake: str) -> None:
        reason = f"server {self._server.name} does not take a message: {mistake}"
        logger.warning("MCP %s", reason)
        if message.is_request and message.id is not None:
            told = jsonrpc.error(message.id, jsonrpc.INTERNAL_ERROR, reason)
            self._ears.heard(envelope.read(told), told)

    async def _follow(self) -> None:
        reason = "its stream has ended"
        headers = (("accept", "text/event-stream"), *self._server.headers)
        pieces = self._ways.stream(self._server.path, headers)
        try:
            decoder = SseDecoder()
            async for piece in pieces:
                for event in decoder.feed(piece):
                    self._hear(event)
                    await self._ears.room()
        except (NoStream, EventTooLarge) as error:
            reason = str(error)
        except CannotConnect as error:
            self._endpoint.set_exception(error)
            return
        finally:
            with contextlib.suppress(RuntimeError):  # it is not begun, or at work
                await pieces.aclose()  # type: ignore[attr-defined]  # it is a generator
        self._gone(f"server {self._server.name}: {reason}")

    def _hear(self, event: Event) -> None:
        if event.name == "endpoint":
            if not self._endpoint.done():
                self._endpoint.set_result(endpoint_of(self._server, event.data.decode()))
        elif event.name in ("", "message") and event.data:
            try:
                message = envelope.read(event.data)
            except envelope.NotAMessage as mistake:
                name = self._server.name
                logger.warning("MCP server %s: an event is left out: %s", name, mistake)
                return
            self._ears.heard(message, envelope.one_line(event.data))

    def _gone(self, reason: str) -> None:
        if not self._endpoint.done():
            self._endpoint.set_exception(CannotConnect(reason))
        elif not self._is_closed:
            logger.warning("MCP %s", reason)
            self._ears.ended(reason)


async def connect(server: SseServer, ways: Ways, ears: Ears) -> Link:
    """Raises `CannotConnect`."""
    link = SseLink(server, ways, ears)
    try:
        await link.opened()
    except BaseException:
        await link.close()
        raise
    return link
