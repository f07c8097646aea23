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
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Raw, Struct

from extproc.hub import replies, web
from extproc.hub.driver import WayOut
from extproc.hub.far_stream import status_of
from extproc.hub.listening import Asked, Listening
from extproc.hub.session import Refused
from extproc.hub.silent import Silent
from extproc.hub.subscriptions import Subscription, Told
from extproc.hub.web import Reply, Request, Sink
from extproc.mcp import ids, jsonrpc, renamed, renewed
from extproc.mcp.listings import KINDS, NOTHING, Listing, changed
from extproc.mcp.renamed import RenamedUris
from extproc.mcp.renewed import Renewed, RenewedSessions
from extproc.mcp.streams import Upward
from extproc.mcp.tickets import read_connected
from extproc.mcp.upward import Origin
from extproc.mcp.views import Served
from extproc.ports import SessionBoard
from gateway import names

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS: Final = 25.0
TICK_SECONDS: Final = 1.0
"""How often it is looked whose turn it is."""
LOOK_SECONDS: Final = 5.0
"""How often servers are looked for that were left out."""
LOOK_TIMEOUT_SECONDS: Final = 2.0
TOLD_SECONDS: Final = 2.0
"""After a configuration has come, until clients are told what it changes: workers have it then,
too, and what was changed at once is told at once."""
_NOBODY: Final = frozenset[str]()
_COMMENT: Final = b": keep-alive\n\n"
_BEGUN: Final = b": open\n\n"
_COMPLETE: Final = "notifications/elicitation/complete"
_UNREADABLE: Final = Refused(400, jsonrpc.INVALID_REQUEST, "the streams cannot be told apart")


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
    """One client that listens: the source of its stream."""

    __slots__ = (
        "_around",
        "_listening",
        "_sink",
        "_tokens",
        "due",
        "missing",
        "number",
        "owner",
        "subscription",
        "view",
    )

    def __init__(
        self, around: JoinedStreams, wanted: Wanted, missing: frozenset[str], last: _Last
    ) -> None:
        self._around = around
        # Of `wanted`, what is needed later, and words that all say once for all.
        self.view = sys.intern(wanted.view)
        self.number = wanted.number
        self.owner = wanted.owner
        self._tokens = wanted.tokens or None
        self.missing = missing
        """Servers of its view that do not take part."""
        self.subscription = wanted.subscription
        self.due = 0.0
        """When it is told that its stream is there."""
        self._sink: Sink | None = None
        self._listening = tuple(
            Listening(
                around,
                self,
                sys.intern(name),
                (session, sys.intern(revision)),
                last[1] if last and last[0] == name else "",
            )
            for name, (session, revision) in wanted.servers.items()
        )

    def opened(self, sink: Sink) -> None:
        self._sink = sink
        subscription = self.subscription
        sink.write(_BEGUN if subscription is None else subscription.acknowledged())
        self._around.join(self)
        for each in self._listening:
            each.begin()

    def relieved(self) -> None:
        for each in self._listening:
            each.relieved()

    def closed(self) -> None:
        self._around.leave(self)
        for each in self._listening:
            each.close()

    def renew(self, renewed: Renewed) -> None:
        """It has a session with that server that began after its stream did. Others go on that are
        not over: other workers may use them."""
        name, session = renewed.server, (renewed.session, renewed.revision)
        self.missing -= {name}
        kept = [each for each in self._listening if each.name != name or not each.is_over]
        if all((each.name, each.session) != (name, session) for each in kept):
            kept.append(Listening(self._around, self, name, session))
            kept[-1].begin()
        self._listening = tuple(kept)

    def is_back(self, name: str) -> None:
        """Its lists may be others, or were told without it."""
        self.tell(KINDS)

    def tell(self, kinds: Sequence[str]) -> None:
        """That these lists have changed; at once, or not at all: who does not read cannot be
        told."""
        if self._sink is None or self._sink.is_congested:
            return
        if self.subscription is not None:
            self._sink.write(self.subscription.changed(kinds))
            return
        for each in kinds:
            self.notify(f"notifications/{each}/list_changed")

    def notify(self, method: str, params: bytes = b"") -> None:
        """The same of anything else."""
        if self._sink is not None and not self._sink.is_congested:
            self._sink.write(b"data: %s\n\n" % jsonrpc.notification(method, params))

    def connect(self, name: str, token: str) -> None:
        """The caller has agreed: that server is shown this from then on."""
        if token:
            self._tokens = {**(self._tokens or {}), name: token}
        if name in self.missing:
            self.missing -= {name}
            self.tell(KINDS)

    def token(self, name: str) -> str:
        return "" if self._tokens is None else self._tokens.get(name, "")

    def upward(self, name: str, *, has_begun: bool) -> Upward | Told:
        if self.subscription is not None:
            return Told(self.subscription, name)
        return self._around.upward(self.number, name, has_begun=has_begun)

    def say(self, said: bytes) -> bool:
        assert self._sink is not None
        self._sink.write(said)
        return not self._sink.is_congested


_Last: TypeAlias = tuple[str, str] | None
"""A server, and the last event of its that a client has had."""


class JoinedStreams:
    """All streams of all clients."""

    def __init__(
        self,
        way: WayOut,
        board: SessionBoard | None,
        clock: Callable[[], float],
        asked: Asked,
        silent: Silent | None = None,
    ) -> None:
        """`way`: to the servers; `board` knows that sessions with an
        open stream are used; the clock gives seconds since 1970; `asked` is told what servers ask
        clients without sessions: the server, its session, and the request."""
        self.way = way
        self.asked = asked
        self.silent = silent or Silent()
        self._board = board
        self._clock = clock
        self._servers: Mapping[str, Served] = {}
        self._views: Mapping[str, Listing] = {}
        self._told: Mapping[str, Listing] = {}
        """What clients know of."""
        self._telling: asyncio.TimerHandle | None = None
        self._audience: set[_Audience] = set()
        self._renamed = RenamedUris()
        self._renewed = RenewedSessions()
        self._work: set[asyncio.Future[None]] = set()

    def told(self, request: Request) -> Reply:
        """What a client calls a resource."""
        said = renamed.decode(request.body)
        if said is None:
            return Reply(400)
        self._renamed.keep(said)
        return Reply(204)

    def renewed(self, request: Request) -> Reply:
        """A session was begun for a client, whose stream may have begun before."""
        said = renewed.decode(request.body)
        if said is None:
            return Reply(400)
        self._renewed.keep(said)
        for each in self._audience:
            if each.number == said.number:
                each.renew(said)
        return Reply(204)

    def lost(self, request: Request) -> Reply:
        """What was begun in the place of a session that is over."""
        said = renewed.decode_lost(request.body)
        if said is None:
            return Reply(400)
        found = self._renewed.instead(said)
        return Reply(204) if found is None else web.json(renewed.encode(found))

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
                each.notify(_COMPLETE, params)
            each.connect(said.server, said.token)
        return Reply(204)

    def take(self, servers: Mapping[str, Served], views: Mapping[str, Listing]) -> None:
        """From now on these, by name. Who listens is told soon which lists are others than
        before."""
        self._servers, self._views = servers, views
        self.silent.forget()
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
        known = self._views.get(wanted.view, NOTHING).speaking
        missing = frozenset(each for each in known if each not in wanted.servers) or _NOBODY
        return web.events(_Audience(self, wanted, missing, last))

    def join(self, audience: _Audience) -> None:
        """Its client listens from now on."""
        audience.due = asyncio.get_running_loop().time() + KEEP_ALIVE_SECONDS
        self._audience.add(audience)

    def leave(self, audience: _Audience) -> None:
        """It has gone."""
        self._audience.discard(audience)

    def served(self, name: str) -> Served | None:
        return self._servers.get(name)

    def upward(self, number: str, name: str, *, has_begun: bool) -> Upward:
        """How a server's stream is told to a client with a session."""
        shown = functools.partial(self._renamed.shown, number, name)
        origin = Origin(name, key=number.encode(), shown_uri=shown)
        return Upward(origin, has_begun=has_begun)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        begun = asyncio.ensure_future(work)
        self._work.add(begun)
        begun.add_done_callback(self._work.discard)

    async def keep_alive(self) -> None:
        """Streams that say nothing, and their sessions, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = loop.time()
            for each in tuple(self._audience):
                if each.due <= now:
                    each.due = now + KEEP_ALIVE_SECONDS
                    each.say(_COMMENT)
                    if self._board is not None and each.number:
                        self._board.use(each.number, int(self._clock()), math.inf)

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
        status = await status_of(self.way, served.cluster, served.path, LOOK_TIMEOUT_SECONDS)
        return 0 < status < 500  # it refuses us, who have no session: it is there

    def _is_back(self, name: str) -> None:
        for each in self._audience:
            if name in each.missing:
                each.missing -= {name}
                each.tell(KINDS)


_wanted = msgspec.json.Decoder(Wanted)


def _read(coded: str) -> Wanted | None:
    try:
        return _wanted.decode(base64.b64decode(coded, validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return None
