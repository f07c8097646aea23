"""The one way to a server that many clients use: opened when somebody needs it, and again when it
was lost, without their noticing where the protocol allows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from extproc.hub import envelope
from extproc.hub.envelope import Message
from extproc.hub.links import CannotConnect, Connect, Link
from extproc.hub.restarts import Restarts
from extproc.hub.session import Refused, Session
from extproc.hub.sharing import SUBSCRIBE, Sharing
from extproc.mcp import jsonrpc

logger = logging.getLogger(__name__)

LATEST_WITH_SESSIONS = "2025-11-25"
_GREETING = b'"dragoman/greeting"'
_OWN_PREFIX = b'"dragoman/'
_CLIENT = b'{"name":"dragoman","version":"1"}'


class Line:
    """A server that is spoken to in one era, `initialize` first or `server/discover`."""

    def __init__(
        self,
        name: str,
        connect: Connect,
        clock: Callable[[], float],
        start_seconds: float,
        greeting: Message,
    ) -> None:
        self.sharing = Sharing(self._send)
        self.restarts = Restarts()
        self.greeted: Message | None = None
        """What it answered to the greeting, last."""
        self._name = name
        self._connect = connect
        self._clock = clock
        self._start_seconds = start_seconds
        self._greeting = greeting
        self._link: Link | None = None
        self._answer: asyncio.Future[Message] | None = None
        self._turn = asyncio.Lock()
        self._members: set[Session] = set()

    def join(self, member: Session, *, hears_all: bool) -> None:
        """It may ask, and hears what is for it."""
        self._members.add(member)
        self.sharing.join(member, hears_all=hears_all)

    def leave(self, member: Session) -> None:
        """What it asked is called off."""
        self._members.discard(member)
        self.sharing.leave(member)

    async def ready(self, headers: Mapping[str, str]) -> Message:
        """Opened and greeted; the answer to the greeting, an error also. Raises `Refused`."""
        async with self._turn:
            if self._link is None:
                await self._open(headers)
            assert self.greeted is not None
            return self.greeted

    async def _open(self, headers: Mapping[str, str]) -> None:
        refusal = self.restarts.refusal(self._clock())
        if refusal is not None:
            raise Refused(503, jsonrpc.INTERNAL_ERROR, refusal)
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._link = await self._connect(headers, self)
            self._link.send(envelope.written(self._greeting))
            self.greeted = await asyncio.wait_for(self._answer, self._start_seconds)
        except CannotConnect as error:
            await self._drop_link()
            self._failed(str(error))
        except TimeoutError:
            await self._drop_link()
            self._failed(f"server {self._name}: no answer within {self._start_seconds:g} s")
        finally:
            self._answer = None
        self.restarts.started()
        if self._greeting.method == "initialize":
            self._catch_up()

    def _failed(self, reason: str) -> None:
        self.restarts.failed(reason, self._clock())
        logger.error("%s (%d times in a row)", reason, self.restarts.failures)
        raise Refused(503, jsonrpc.INTERNAL_ERROR, reason)

    def _catch_up(self) -> None:
        """What the one before knew, and clients count on."""
        self._send(jsonrpc.notification("notifications/initialized"))
        for number, uri in enumerate(sorted(self.sharing.subscriptions)):
            params = b'{"uri":%b}' % envelope.text(uri)
            self._send(jsonrpc.request(b'"dragoman/%d"' % number, SUBSCRIBE, params))

    def _send(self, text: bytes) -> None:
        if self._link is not None:
            self._link.send(text)

    def heard(self, message: Message, text: bytes) -> None:
        """From the server."""
        if message.is_answer and message.id is not None and message.id.startswith(_OWN_PREFIX):
            if message.id == _GREETING and self._answer is not None and not self._answer.done():
                self._answer.set_result(message)
            return
        self.sharing.hear(message, text)

    def ended(self, reason: str) -> None:
        """The server is gone; the next who needs it has it started again."""
        self._link = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(CannotConnect(reason))
        self.sharing.restarted()
        for member in tuple(self._members):
            member.fail_requests(reason)

    async def room(self) -> None:
        """Who is slow among many keeps nobody waiting: what it misses is lost to it."""

    async def _drop_link(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def close(self) -> None:
        """The server is stopped, and what it was asked answered."""
        await self._drop_link()
        for member in tuple(self._members):
            member.end(f"server {self._name} was stopped")


def initializing() -> Message:
    """How a server with sessions is greeted: without capabilities, since nobody in particular
    could answer what it asks."""
    params = b'{"protocolVersion":"%b","capabilities":{},"clientInfo":%b}' % (
        LATEST_WITH_SESSIONS.encode(),
        _CLIENT,
    )
    return Message(_GREETING, "initialize", params, None, None)


def discovering(revision: str) -> Message:
    """How one without is: whether it is one, its answer tells."""
    meta = b'{"%b":%b,"io.modelcontextprotocol/clientInfo":%b,"%b":{}}' % (
        envelope.PROTOCOL_VERSION.encode(),
        envelope.text(revision),
        _CLIENT,
        b"io.modelcontextprotocol/clientCapabilities",
    )
    return Message(_GREETING, "server/discover", b'{"_meta":%b}' % meta, None, None)
