"""What several servers say unasked, as one stream: the GET of a client of a federation.

Who asks, which servers, and their sessions come from extproc, by a header. Each server's stream is
read through Envoy, made to name its server (`extproc.mcp.streams`), and begun anew when it ends.
Servers that were left out are looked for, and lists are said to have changed when they are back.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import logging
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw, Struct

from extproc.hub import replies, web
from extproc.hub.far_stream import EVENT_STREAM, NoStream, pieces, status_of
from extproc.hub.session import Refused
from extproc.hub.silent import STATUS, Silent
from extproc.hub.subscriptions import LISTEN, Subscription, Told
from extproc.hub.web import Reply, Request
from extproc.mcp import headers, ids, jsonrpc, renamed
from extproc.mcp.listings import KINDS, NOTHING, Listing, changed
from extproc.mcp.messages import Message
from extproc.mcp.renamed import RenamedUris
from extproc.mcp.streams import Upward
from extproc.mcp.tickets import read_connected
from extproc.mcp.upward import Origin
from extproc.mcp.views import Served
from extproc.ports import SessionBoard
from extproc.protocols.sse import EventTooLarge
from gateway import names

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS: Final = 25.0
AGAIN_SECONDS: Final = 1.0
"""Until a stream that has ended is begun anew, unless its server says how long."""
LONGEST_AGAIN_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 5.0
"""How often servers are looked for that were left out."""
LOOK_TIMEOUT_SECONDS: Final = 2.0
TOLD_SECONDS: Final = 2.0
"""After a configuration has come, until clients are told what it changes: workers have it then,
too, and what was changed at once is told at once."""
_MOST_WAITING: Final = 256
"""Pieces that a client has not read; servers then wait."""
_COMMENT: Final = b": keep-alive\n\n"
_BEGUN: Final = b": open\n\n"
_COMPLETE: Final = "notifications/elicitation/complete"
_UNREADABLE: Final = Refused(400, jsonrpc.INVALID_REQUEST, "the streams cannot be told apart")
_RETRY: Final = re.compile(rb"^retry: ?([0-9]{1,9})\r?$", re.MULTILINE)
_EVENT_ID: Final = re.compile(rb"^id: ?([^\r\n]+)\r?$", re.MULTILINE)


class Wanted(Struct, frozen=True):
    """What extproc says of a client's stream."""

    view: str
    servers: dict[str, tuple[str, str]]
    """By name: the session's id, empty where it has none, and the revision."""
    number: str
    """Of the client's session, by which ids are made; empty: it has none."""
    tokens: dict[str, str] = {}
    """What servers are shown of the caller: `Bearer …`."""
    owner: str = ""
    """Whose tokens those are that were agreed to."""
    listen: Raw = Raw(b"")
    """The id of its request, where it asked by one (`subscriptions/listen`)."""
    notifications: dict[str, bool] = {}
    uris: dict[str, dict[str, str]] = {}

    @property
    def subscription(self) -> Subscription | None:
        """None: it asked by GET."""
        if not bytes(self.listen):
            return None
        return Subscription(bytes(self.listen), self.notifications, self.uris)


class _Audience:
    """One client that listens."""

    __slots__ = ("_subscription", "missing", "number", "owner", "queue", "view")

    def __init__(self, wanted: Wanted, missing: frozenset[str]) -> None:
        self._subscription = wanted.subscription
        self.number, self.owner, self.view = wanted.number, wanted.owner, wanted.view
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        self.missing = missing
        """Servers of its view that do not take part."""

    def tell(self, kinds: Sequence[str]) -> None:
        """That these lists have changed; at once, or not at all: who does not read cannot be
        told."""
        if self._subscription is None:
            said = b"".join(
                b"data: %s\n\n" % jsonrpc.notification(f"notifications/{each}/list_changed")
                for each in kinds
            )
        else:
            said = self._subscription.changed(kinds)
        self.put(said)

    def put(self, said: bytes) -> None:
        """Events; as that."""
        if said and not self.queue.full():
            self.queue.put_nowait(said)


Asked: TypeAlias = Callable[[str, str, Message], Awaitable[None]]


class JoinedStreams:
    """All streams of all clients."""

    def __init__(
        self,
        services: str,
        board: SessionBoard | None,
        clock: Callable[[], float],
        asked: Asked,
        silent: Silent | None = None,
    ) -> None:
        """`services`: the address of Envoy's inner listener; `board` knows that sessions with an
        open stream are used; the clock gives seconds since 1970; `asked` is told what servers ask
        clients without sessions: the server, its session, and the request."""
        self._services = services
        self._asked = asked
        self._silent = silent or Silent()
        self._board = board
        self._clock = clock
        self._servers: Mapping[str, Served] = {}
        self._views: Mapping[str, Listing] = {}
        self._told: Mapping[str, Listing] = {}
        """What clients know of."""
        self._telling: asyncio.TimerHandle | None = None
        self._audience: set[_Audience] = set()
        self._renamed = RenamedUris()

    def told(self, request: Request) -> Reply:
        """What a client calls a resource."""
        said = renamed.decode(request.body)
        if said is None:
            return Reply(400)
        self._renamed.keep(said)
        return Reply(204)

    def connected(self, request: Request) -> Reply:
        """Somebody has agreed that a server is used for them: whoever waits for it is told."""
        said = read_connected(request.body)
        if said is None:
            return Reply(400)
        for each in self._audience:
            if not said.owner or each.owner != said.owner:
                continue
            if said.session and each.number == said.session:
                params = msgspec.json.encode({"elicitationId": said.number})
                each.put(b"data: %s\n\n" % jsonrpc.notification(_COMPLETE, params))
            if said.server in each.missing:
                each.missing -= {said.server}
                each.tell(KINDS)
        return Reply(204)

    def take(self, servers: Mapping[str, Served], views: Mapping[str, Listing]) -> None:
        """From now on these, by name. Who listens is told soon which lists are others than
        before."""
        self._servers, self._views = servers, views
        self._silent.forget()
        if not self._audience:
            self._told = views
        elif self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TOLD_SECONDS, self._tell)

    def _tell(self) -> None:
        before, self._told, self._telling = self._told, self._views, None
        for each in self._audience:
            known, now = (views.get(each.view, NOTHING) for views in (before, self._told))
            each.tell(changed(known, now))

    def close(self) -> None:
        """Nobody is told anything any more."""
        if self._telling is not None:
            self._telling.cancel()

    async def answer(self, request: Request) -> Reply:
        """The stream of a client."""
        wanted = _read(request.headers.get(names.MCP_STREAMS_HEADER, ""))
        if wanted is None or (request.method == "GET") is not (wanted.subscription is None):
            return replies.refusal(_UNREADABLE)
        last = ids.inward_name(request.headers.get("last-event-id", ""))
        return web.events(self._said(wanted, last))

    def _upward(
        self, wanted: Wanted, name: str, subscription: Subscription | None
    ) -> Upward | Told:
        if subscription is not None:
            return Told(subscription, name)
        shown = functools.partial(self._renamed.shown, wanted.number, name)
        return Upward(Origin(name, key=wanted.number.encode(), shown_uri=shown))

    async def look(self) -> None:
        """Looks for servers that somebody misses, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            missing = frozenset[str]().union(*(each.missing for each in self._audience))
            found = [name for name in sorted(missing) if await self._is_there(name)]
            for name in found:
                self._is_back(name)

    async def _is_there(self, name: str) -> bool:
        served = self._servers.get(name)
        if served is None or served.is_personal:
            return False  # who misses it has to agree first
        status = await status_of(self._services, served.cluster, served.path, LOOK_TIMEOUT_SECONDS)
        return 0 < status < 500  # it refuses us, who have no session: it is there

    def _is_back(self, name: str) -> None:
        for each in self._audience:
            if name in each.missing:
                each.missing -= {name}
                each.tell(KINDS)

    async def _said(self, wanted: Wanted, last: tuple[str, str] | None) -> AsyncIterator[bytes]:
        known = self._views.get(wanted.view, NOTHING).speaking
        subscription = wanted.subscription
        audience = _Audience(wanted, frozenset(known) - wanted.servers.keys())
        self._audience.add(audience)
        listening = [
            asyncio.ensure_future(
                self._listen(audience, wanted, name, last[1] if last and last[0] == name else "")
            )
            for name in wanted.servers
        ]
        try:
            yield _BEGUN if subscription is None else subscription.acknowledged()
            used = self._clock()
            while True:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                        said = await audience.queue.get()
                except TimeoutError:
                    said = _COMMENT
                now = self._clock()
                if said is _COMMENT or now >= used + KEEP_ALIVE_SECONDS:
                    used = now
                    self._use(wanted.number)
                yield said
        finally:
            self._audience.discard(audience)
            for each in listening:
                each.cancel()

    def _use(self, number: str) -> None:
        """The session of a client is not idle while a stream of it is open."""
        if self._board is not None and number:
            self._board.use(number, int(self._clock()), math.inf)

    async def _listen(
        self, audience: _Audience, wanted: Wanted, name: str, last_event: str
    ) -> None:
        """To one server, as long as the client listens and the server has the session."""
        session, revision = wanted.servers[name]
        subscription, is_modern = wanted.subscription, headers.is_modern(revision)
        if is_modern and subscription is None:
            return
        if not is_modern and (known := self._servers.get(name)) and self._silent.has(known):
            return
        again = AGAIN_SECONDS
        while (served := self._servers.get(name)) is not None:
            head = _head(served, session, revision, last_event)
            if token := wanted.tokens.get(name):
                head.append(("authorization", token))
            body = b""
            if is_modern and subscription is not None:
                body = subscription.asked(name, revision)
                head += [("content-type", web.JSON), (headers.METHOD, LISTEN)]
            upward = self._upward(wanted, name, subscription)
            got = pieces(self._services, served.cluster, served.path, head, body)
            try:
                async for piece in got:
                    again = AGAIN_SECONDS if piece else again
                    if (asked := _RETRY.search(piece)) is not None:
                        again = min(int(asked[1]) / 1000, LONGEST_AGAIN_SECONDS)
                    for found in _EVENT_ID.finditer(piece):
                        last_event = found[1].decode("latin-1")
                    if said := upward.feed(piece):
                        await audience.queue.put(said)
                    while isinstance(upward, Told) and upward.asked:
                        await self._asked(name, session, upward.asked.pop(0))
            except NoStream as error:
                is_taken = error.status == 409  # by a call that listens, too: `unasked`
                if error.status == STATUS and not is_modern:
                    self._silent.note(served)
                if 400 <= error.status < 500 and not is_taken:  # it has none, or no such session
                    return
                logger.info("the stream of the MCP server %s: %s", name, error)
                again = min(again * 2, LONGEST_AGAIN_SECONDS)
            except EventTooLarge as error:
                logger.warning("the stream of the MCP server %s is ended: %s", name, error)
                return
            finally:
                await got.aclose()  # type: ignore[attr-defined]  # it is a generator
            await asyncio.sleep(again)


def _head(served: Served, session: str, revision: str, last_event: str) -> list[tuple[str, str]]:
    head = [("accept", f"{web.JSON}, {EVENT_STREAM}"), *served.headers]
    said: Mapping[str, str] = {
        headers.SESSION_ID: session,
        headers.PROTOCOL_VERSION: revision,
        "last-event-id": last_event,
    }
    return [*head, *((name, value) for name, value in said.items() if value)]


_wanted = msgspec.json.Decoder(Wanted)


def _read(coded: str) -> Wanted | None:
    try:
        return _wanted.decode(base64.b64decode(coded, validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return None
