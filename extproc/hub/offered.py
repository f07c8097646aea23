"""One server offered as one of Streamable HTTP, of all revisions, at a path of the hub.

Which era a client is of, its request tells: since 2026-07-28 each says its revision in `_meta`.
https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from extproc.hub import envelope, reading, replies, web
from extproc.hub.envelope import Message
from extproc.hub.lines import LATEST_WITH_SESSIONS, Line, initializing
from extproc.hub.links import CannotConnect, Congested, Connect, Link
from extproc.hub.reading import Form, Reader
from extproc.hub.replies import Telling
from extproc.hub.restarts import Restarts
from extproc.hub.session import Limits, Refused, Session
from extproc.hub.sessionless import Sessionless
from extproc.hub.streams import Stream
from extproc.hub.terms import Terms
from extproc.hub.web import Reply, Request
from extproc.mcp import jsonrpc

logger = logging.getLogger(__name__)

SESSION_ID = "mcp-session-id"
REVISION = "mcp-protocol-version"
LAST_EVENT_ID = "last-event-id"
REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", LATEST_WITH_SESSIONS)
"""Those with sessions."""
INITIALIZED = "notifications/initialized"


@dataclass(slots=True, eq=False)
class Held:
    """A session, and what keeps it."""

    id: str
    used: float
    """When, by the steady clock."""
    session: Session = field(init=False)
    link: Link | None = None
    """Of its own; None: it uses the line of all, or is not connected yet."""
    has_room: asyncio.Event = field(default_factory=asyncio.Event)
    lost: Callable[[str], None] = lambda reason: None

    def heard(self, message: Message, text: bytes) -> None:
        """From a server of its own."""
        self.session.deliver(message, text)

    def ended(self, reason: str) -> None:
        """The server of its own is gone, and the session with it."""
        self.link = None
        self.session.end(reason)
        self.lost(reason)

    async def room(self) -> None:
        """The server waits while its client reads more slowly than it speaks."""
        while self.session.congested is not None:
            self.has_room.clear()
            await self.has_room.wait()


class Offered:
    """One server."""

    def __init__(
        self,
        name: str,
        connect: Connect,
        terms: Terms,
        clock: Callable[[], float],
        *,
        is_shared: bool = False,
    ) -> None:
        """`clock`: a steady one, in seconds."""
        self._name = name
        self._connect = connect
        self._terms = terms
        self._clock = clock
        self._limits = Limits(terms.requests, terms.buffer_bytes)
        self._restarts = Restarts()
        self._sessions: dict[str, Held] = {}
        self._line: Line | None = None
        if is_shared:
            self._line = Line(name, connect, clock, terms.start_seconds, initializing())
        self._sessionless = Sessionless(name, connect, terms, clock)
        self._closing: set[asyncio.Future[None]] = set()

    @property
    def sessions(self) -> int:
        return len(self._sessions)

    async def answer(self, request: Request) -> Reply:
        """One request of a client."""
        try:
            match request.method:
                case "POST":
                    return await self._post(request)
                case "GET":
                    return await self._get(request)
                case "DELETE":
                    self._put_away(self._held(request), "its client ended it")
                    return Reply(200)
        except Refused as refusal:
            return replies.refusal(refusal, _id(request))
        except Congested as error:
            congested = Refused(503, jsonrpc.INTERNAL_ERROR, str(error))
            return replies.refusal(congested, _id(request))
        return Reply(405, headers={"allow": "GET, POST, DELETE"})

    async def close(self) -> None:
        """Stop the server, and end all sessions."""
        for held in tuple(self._sessions.values()):
            self._put_away(held, f"server {self._name} was stopped")
        parts = [] if self._line is None else [self._line.close()]
        await asyncio.gather(*parts, self._sessionless.close(), *self._closing)

    def sweep(self) -> None:
        """End the sessions that nobody has used for long."""
        now = self._clock()
        for held in tuple(self._sessions.values()):
            if held.session.is_busy:
                held.used = now
            elif now - held.used >= self._terms.idle_seconds:
                self._put_away(held, "nobody has used it for long")

    async def _post(self, request: Request) -> Reply:
        if request.body.lstrip()[:1] == b"[":
            text = "a server behind the hub takes no batches"
            raise Refused(400, jsonrpc.INVALID_REQUEST, text)
        try:
            message = envelope.read(request.body)
        except envelope.NotAMessage as mistake:
            raise Refused(400, jsonrpc.PARSE_ERROR, str(mistake)) from None
        if envelope.is_modern(message):
            return await self._sessionless.answer(request, message)
        _check_revision(request)
        if message.method == "initialize" and message.is_request:
            if SESSION_ID in request.headers:
                raise Refused(400, jsonrpc.INVALID_REQUEST, "this session is initialized")
            return await self._initialize(request, message)
        held = self._held(request)
        if self._line is not None:
            await self._line.ready(request.headers)
        alone = not replies.takes_events(request)
        stream = held.session.post(message, request.body, is_answer_alone=alone)
        return Reply(202) if stream is None else await self._told(held, stream, request)

    async def _initialize(self, request: Request, message: Message) -> Reply:
        if len(self._sessions) >= self._terms.sessions:
            text = f"server {self._name} has {self._terms.sessions} sessions, the most it may have"
            raise Refused(503, jsonrpc.INTERNAL_ERROR, text)
        if self._line is not None:
            return await self._initialize_shared(self._line, request, message)
        waiting = self._restarts.refusal(self._clock())
        if waiting is not None:
            raise Refused(503, jsonrpc.INTERNAL_ERROR, waiting)
        held = self._new()
        held.session = Session(lambda _, text: _send(held.link, text), self._limits)
        held.lost = lambda reason: self._lost(held, reason)
        self._sessions[held.id] = held
        try:
            async with asyncio.timeout(self._terms.start_seconds):
                held.link = await self._connect(request.headers, held)
                stream = held.session.post(message, request.body, is_answer_alone=True)
                assert stream is not None
                reply = await self._told(held, stream, request, is_first=True)
        except CannotConnect as error:
            self._sessions.pop(held.id, None)
            raise self._failed(str(error)) from None
        except Refused as refusal:  # it was gone as soon as it was there
            self._put_away(held, refusal.text)
            raise self._failed(refusal.text) from None
        except TimeoutError:
            text = f"server {self._name}: no answer within {self._terms.start_seconds:g} s"
            self._put_away(held, text)
            raise self._failed(text) from None
        except BaseException:  # its client has gone, before it knew of a session
            self._put_away(held, "its client has gone")
            raise
        return self._initialized(held, reply)

    def _initialized(self, held: Held, reply: Reply) -> Reply:
        session = held.session
        if session.ended is not None:
            raise self._failed(session.ended)
        self._restarts.started()
        if session.revision is None:  # it refused
            self._put_away(held, "it was not initialized")
            return reply
        return Reply(reply.status, reply.body, {**reply.headers, SESSION_ID: held.id})

    def _failed(self, reason: str) -> Refused:
        self._restarts.failed(reason, self._clock())
        logger.error("%s (%d times in a row)", reason, self._restarts.failures)
        return Refused(503, jsonrpc.INTERNAL_ERROR, reason)

    async def _initialize_shared(self, line: Line, request: Request, message: Message) -> Reply:
        greeted = await line.ready(request.headers)
        assert message.id is not None
        told = {"id": msgspec.Raw(message.id)}
        if greeted.result is None:
            return web.json(envelope.written(greeted, **told))
        held = self._new()

        def send(said: Message, text: bytes) -> None:
            if said.method != INITIALIZED:  # it is, since long
                line.sharing.say(held.session, said, text)

        held.session = Session(send, self._limits)
        held.lost = lambda _: line.leave(held.session)
        self._sessions[held.id] = held
        line.join(held.session, hears_all=True)
        offered = envelope.result_text(greeted, "protocolVersion") or LATEST_WITH_SESSIONS
        wanted = envelope.param_text(message, "protocolVersion") or ""
        agreed = min(wanted, offered) if wanted in REVISIONS else offered
        held.session.revision = agreed
        told["result"] = envelope.with_member(
            greeted.result, "protocolVersion", envelope.text(agreed)
        )
        return web.json(envelope.written(greeted, **told), headers={SESSION_ID: held.id})

    def _new(self) -> Held:
        return Held(secrets.token_hex(16), self._clock())

    def _held(self, request: Request) -> Held:
        id = request.headers.get(SESSION_ID)
        if id is None:
            raise Refused(400, jsonrpc.INVALID_REQUEST, "the header Mcp-Session-Id is missing")
        held = self._sessions.get(id)
        if held is None:
            raise Refused(404, envelope.SESSION_NOT_FOUND, "there is no such session")
        held.used = self._clock()
        return held

    async def _get(self, request: Request) -> Reply:
        _check_revision(request)
        if not replies.takes_events(request):
            raise Refused(406, jsonrpc.INVALID_REQUEST, f"a stream is {web.EVENT_STREAM}")
        held = self._held(request)
        stream = held.session.reading(request.headers.get(LAST_EVENT_ID))
        is_resumed = LAST_EVENT_ID in request.headers
        form = Form(is_numbered=True, is_primed=held.session.is_primed and not is_resumed)
        reader = Reader(stream, held.has_room.set)
        return web.events(reading.events(reader, form, lambda: self._used(held), []))

    async def _told(
        self, held: Held, stream: Stream, request: Request, *, is_first: bool = False
    ) -> Reply:
        telling = Telling(
            held.session,
            Form(is_numbered=True, is_primed=held.session.is_primed),
            takes_events=replies.takes_events(request) and not is_first,
            takes_json=replies.takes_json(request) or is_first,
            closed=lambda: self._used(held),
            relieved=held.has_room.set,
        )
        return await replies.told(stream, telling)

    def _used(self, held: Held) -> None:
        held.used = self._clock()

    def _lost(self, held: Held, reason: str) -> None:
        """Its server has ended by itself."""
        self._sessions.pop(held.id, None)
        held.has_room.set()

    def _put_away(self, held: Held, reason: str) -> None:
        """End a session; its server is stopped meanwhile."""
        self._sessions.pop(held.id, None)
        held.session.end(reason)
        held.lost(reason)
        link, held.link = held.link, None
        held.has_room.set()
        if link is not None:
            closing = asyncio.ensure_future(link.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _send(link: Link | None, text: bytes) -> None:
    if link is not None:
        link.send(text)


def _check_revision(request: Request) -> None:
    """A client that names a revision names one that there is."""
    named = request.headers.get(REVISION)
    if named is not None and named not in REVISIONS:
        known = ", ".join(REVISIONS)
        text = f"unknown {REVISION}: {named}; with sessions there are {known}"
        raise Refused(400, jsonrpc.INVALID_REQUEST, text)


def _id(request: Request) -> bytes | None:
    """Of the request that is refused, if it can be read."""
    try:
        message = envelope.read(request.body)
    except envelope.NotAMessage:
        return None
    return message.id if message.is_request else None
