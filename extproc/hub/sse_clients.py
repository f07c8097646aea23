"""Clients of revision 2024-11-05, HTTP with SSE: a stream that says where to post, on which all
answers come.

Each message becomes an ordinary request of Streamable HTTP to the gateway itself, through Envoy,
with what the client's request has brought: so all that is decided there is decided of it.
https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qs, quote

from extproc.hub import envelope, web
from extproc.hub.asking import Answer, NoAnswer, Question
from extproc.hub.envelope import Message
from extproc.hub.offered import LAST_EVENT_ID, REVISION, SESSION_ID
from extproc.hub.reading import KEEP_ALIVE_SECONDS
from extproc.hub.streams import KEEP_ALIVE, unnumbered
from extproc.hub.web import Reply, Request
from extproc.mcp import jsonrpc
from extproc.protocols.sse import EventTooLarge, SseDecoder
from gateway import names

logger = logging.getLogger(__name__)

Ask: TypeAlias = Callable[[Question], Awaitable[Answer]]
"""Through Envoy's inner listener. Raises `NoAnswer`."""

INITIALIZED = "notifications/initialized"
MOST_WAITING = 256
"""Messages that a client has not read; servers then wait."""
MOST_REQUESTS = 100
"""Of one client, that are not answered."""
REFUSAL_SECONDS = 0.5
"""A post is taken when it is not refused within this time: its answer comes on the stream."""
AGAIN_SECONDS = 1.0
ANSWER_BYTES = 64 << 20
_NOT_PASSED_ON = frozenset(
    (
        "accept",
        "connection",
        "content-length",
        "keep-alive",
        "te",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
        LAST_EVENT_ID,
        REVISION,
        SESSION_ID,
    )
)
_NOT_PASSED_ON_PREFIXES = ("x-envoy-", "x-forwarded-", names.OWN_HEADER_PREFIX)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where both transports are."""

    sse: str
    mcp: str

    def of(self, path: str) -> str | None:
        """Where the same is by Streamable HTTP; None: it is no path of clients."""
        if path != self.sse and not path.startswith(f"{self.sse}/"):
            return None
        return self.mcp + path.removeprefix(self.sse)


class SseClients:
    """All of them."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._clients: dict[str, _Client] = {}
        self._leaving: set[asyncio.Future[None]] = set()

    async def answer(self, request: Request, mcp_path: str) -> Reply:
        """A stream, or a message for one."""
        back = request.headers.get(names.MCP_SSE_HEADER, "")
        if request.method == "GET":
            return self._opened(request, mcp_path, back)
        if request.method != "POST":
            return Reply(405, headers={"allow": "GET, POST"})
        client = self._clients.get(parse_qs(request.query).get("session", [""])[0])
        if client is None or client.path != mcp_path or client.back != back:
            text = "there is no such stream"
            body = jsonrpc.error(jsonrpc.NO_ID, envelope.SESSION_NOT_FOUND, text)
            return web.json(body, 404)
        try:
            message = envelope.read(request.body)
        except envelope.NotAMessage as mistake:
            return web.json(jsonrpc.error(jsonrpc.NO_ID, jsonrpc.PARSE_ERROR, str(mistake)), 400)
        return await client.post(request, message)

    def _opened(self, request: Request, mcp_path: str, back: str) -> Reply:
        id = secrets.token_hex(16)
        client = _Client(self._ask, mcp_path, back)
        self._clients[id] = client
        place = f"{quote(request.path)}?session={id}"
        return web.events(self._said(id, client, place))

    async def _said(self, id: str, client: _Client, place: str) -> AsyncIterator[bytes]:
        try:
            yield b"event: endpoint\ndata: %b\n\n" % place.encode()
            async for piece in client.said():
                yield piece
        finally:
            del self._clients[id]
            leaving = asyncio.ensure_future(client.leave())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """End all streams."""
        for each in self._clients.values():
            each.end()
        await asyncio.gather(*self._leaving)


class _Client:
    """One stream, and the session behind it."""

    def __init__(self, ask: Ask, path: str, back: str) -> None:
        self.path = path
        self.back = back
        """The cluster that leads to the listener that the client came by."""
        self._ask_envoy = ask
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)
        self._session: str | None = None
        self._revision: str | None = None
        self._brought: tuple[tuple[str, str], ...] = ()
        """What its last post has brought: credentials, for what is asked without one."""
        self._work: set[asyncio.Future[Any]] = set()

    async def said(self) -> AsyncIterator[bytes]:
        """What is for the client, until the session is over."""
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    piece = await self._queue.get()
            except TimeoutError:
                yield KEEP_ALIVE
                continue
            if piece is None:
                return
            yield unnumbered(piece)

    async def post(self, request: Request, message: Message) -> Reply:
        """A message: it is taken, or what it was refused with at once."""
        if len(self._work) >= MOST_REQUESTS:
            text = f"{MOST_REQUESTS} requests are not answered"
            body = jsonrpc.error(message.id or jsonrpc.NO_ID, jsonrpc.INTERNAL_ERROR, text)
            return web.json(body, 429)
        self._brought = _passed_on(request)
        asking = self._start(self._asked("POST", request.body))
        done, _ = await asyncio.wait({asking}, timeout=REFUSAL_SECONDS)
        if done:
            try:
                answer = asking.result()
            except NoAnswer as error:
                logger.warning("a client of HTTP with SSE: %s", error)
                text = "the gateway does not answer"
                body = jsonrpc.error(message.id or jsonrpc.NO_ID, jsonrpc.INTERNAL_ERROR, text)
                return web.json(body, 503)
            if answer.status >= 400:
                return await self._refused(answer)
        self._start(self._tell(asking, message))
        return Reply(202)

    async def _refused(self, answer: Answer) -> Reply:
        """As it was: clients read the status, and who asks for a token says so in a header."""
        try:
            body = await answer.body(ANSWER_BYTES)
        except NoAnswer:
            body = b""
        finally:
            answer.close()
        if answer.status == 404 and self._session is not None:
            self.end()  # there is no way to begin another on this stream
        kept = ("content-type", "www-authenticate", "retry-after")
        headers = {name: answer.headers[name] for name in kept if name in answer.headers}
        return Reply(answer.status, body, headers)

    async def _tell(self, asking: asyncio.Future[Answer], message: Message) -> None:
        try:
            answer = await asking
            try:
                await self._pour(answer, message)
            finally:
                answer.close()
        except (NoAnswer, EventTooLarge) as error:
            logger.warning("a client of HTTP with SSE: %s", error)
            await self._tell_mistake(message, "the answer broke off")
        if message.method == INITIALIZED:
            self._start(self._listen())

    async def _pour(self, answer: Answer, message: Message) -> None:
        """All that an answer has, on the stream."""
        if message.method == "initialize":
            self._session = answer.headers.get(SESSION_ID)
        if answer.headers.get("content-type", "").startswith(web.EVENT_STREAM):
            await self._pour_events(answer, message)
            return
        body = await answer.body(ANSWER_BYTES)
        if not body and answer.status < 400:
            return
        try:
            told = envelope.read(body)
        except envelope.NotAMessage:
            await self._tell_mistake(message, f"status {answer.status}")
            return
        if told.id is None and message.id is not None:  # clients wait for their own id
            await self._tell_mistake(message, envelope.error_text(told))
            return
        await self._hear(told, body, message)

    async def _pour_events(self, answer: Answer, message: Message | None) -> str:
        """The id of the last event."""
        decoder, last = SseDecoder(), ""
        async for piece in answer.pieces():
            last = _last_id(piece) or last
            for event in decoder.feed(piece):
                if not event.data:
                    continue
                with contextlib.suppress(envelope.NotAMessage):
                    await self._hear(envelope.read(event.data), event.data, message)
        return last

    async def _hear(self, told: Message, text: bytes, message: Message | None) -> None:
        is_answer = message is not None and told.is_answer and told.id == message.id
        if is_answer and message is not None and message.method == "initialize":
            self._revision = envelope.result_text(told, "protocolVersion")
        await self._queue.put(envelope.one_line(text))

    async def _tell_mistake(self, message: Message, text: str) -> None:
        if message.id is not None and message.is_request:
            await self._queue.put(jsonrpc.error(message.id, jsonrpc.INTERNAL_ERROR, text))

    async def _listen(self) -> None:
        """What servers say unasked, as long as there is a stream for it."""
        last = ""
        while self._session is not None:
            with contextlib.suppress(NoAnswer, EventTooLarge):
                answer = await self._asked("GET", b"", last)
                try:
                    kind = answer.headers.get("content-type", "")
                    if answer.status == 404:
                        self.end()
                    if 400 <= answer.status < 500 or not kind.startswith(web.EVENT_STREAM):
                        return
                    last = await self._pour_events(answer, None) or last
                finally:
                    answer.close()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _asked(self, method: str, body: bytes, last_event: str = "") -> Answer:
        accept = f"{web.JSON}, {web.EVENT_STREAM}" if method == "POST" else web.EVENT_STREAM
        said = {
            "accept": accept,
            names.SERVICE_HEADER: self.back,
            SESSION_ID: self._session,
            REVISION: self._revision,
            LAST_EVENT_ID: last_event,
        }
        headers = (*self._brought, *((name, value) for name, value in said.items() if value))
        return await self._ask_envoy(Question(method, self.path, headers, body))

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        begun = asyncio.ensure_future(work)
        self._work.add(begun)
        begun.add_done_callback(self._work.discard)
        return begun

    def end(self) -> None:
        """The stream ends, so that the client begins anew."""
        self._session = None
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def leave(self) -> None:
        """The client has gone: so has what it waits for, and its session."""
        session = self._session
        for each in tuple(self._work):
            each.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if session is not None:
            with contextlib.suppress(NoAnswer):
                (await self._asked("DELETE", b"")).close()


def _passed_on(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, value)
        for name, value in request.headers.items()
        if name not in _NOT_PASSED_ON and not name.startswith(_NOT_PASSED_ON_PREFIXES)
    )


def _last_id(piece: bytes) -> str:
    """Of an event that begins in this piece."""
    ids = [line for line in piece.split(b"\n") if line.startswith(b"id:")]
    return ids[-1].removeprefix(b"id:").strip().decode("latin-1") if ids else ""
