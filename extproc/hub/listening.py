"""What one server says to one client that listens: a stream, read through Envoy, which is begun
anew when it ends. There are thousands, and most say nothing: they have neither tasks nor timers."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, Protocol, TypeAlias

from extproc.edges.stream import Fields, Stream
from extproc.hub import far_stream, web
from extproc.hub.driver import NoWay, WayOut
from extproc.hub.far_stream import NoStream
from extproc.hub.silent import STATUS, Silent
from extproc.hub.subscriptions import LISTEN, Subscription, Told
from extproc.mcp import headers
from extproc.mcp.messages import Message
from extproc.mcp.streams import Upward
from extproc.mcp.views import Served
from extproc.protocols.sse import EventTooLarge

logger = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 1.0
"""Until a stream that has ended is begun anew, unless its server says how long."""
LONGEST_AGAIN_SECONDS: Final = 60.0
_RETRY: Final = re.compile(rb"^retry: ?([0-9]{1,9})\r?$", re.MULTILINE)
_EVENT_ID: Final = re.compile(rb"^id: ?([^\r\n]+)\r?$", re.MULTILINE)


Asked: TypeAlias = Callable[[str, str, Message], Awaitable[None]]
"""The server, the session there, and the request."""


class Listener(Protocol):
    """The client."""

    @property
    def subscription(self) -> Subscription | None: ...
    def token(self, name: str) -> str:
        """What the server is shown of the client; empty: nothing."""

    def upward(self, name: str, *, has_begun: bool) -> Upward | Told:
        """Who reads the stream; `has_begun`: from its midst on."""

    def say(self, said: bytes) -> bool:
        """Whether it reads as fast as it is told."""

    def is_back(self, name: str) -> None:
        """A server that was away."""


class Surroundings(Protocol):
    """What all have in common."""

    way: WayOut
    silent: Silent

    def served(self, name: str) -> Served | None:
        """None: there is no such server any more."""

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Not to be waited for."""

    @property
    def asked(self) -> Asked:
        """Told what a server asks a client without a session."""


class Listening:
    """One server's stream. It hears it."""

    __slots__ = (
        "_again",
        "_around",
        "_has_begun",
        "_is_away",
        "_last_event",
        "_listener",
        "_owed",
        "_stream",
        "_upward",
        "_waiting",
        "is_over",
        "name",
        "session",
    )

    def __init__(
        self,
        around: Surroundings,
        listener: Listener,
        name: str,
        session: tuple[str, str],
        last_event: str = "",
    ) -> None:
        """`session`: the server's own id of it, empty where it has none, and the revision."""
        self._around = around
        self._listener = listener
        self.name = name
        self.session = session
        self.is_over = False
        """The server has no such session, or no streams."""
        self._is_away = False
        self._last_event = last_event
        self._again = AGAIN_SECONDS
        self._owed = 0
        """Bytes that were read while the client did not."""
        self._stream: Stream | None = None
        self._upward: Upward | Told | None = None
        """None: nothing was said, or all that was said has been told on."""
        self._has_begun = False
        self._waiting: Callable[[], object] | None = None
        """Calls off what is to begin it."""

    def begin(self) -> None:
        """As long as the client listens and the server has the session."""
        served = self._around.served(self.name)
        _, revision = self.session
        is_modern, subscription = headers.is_modern(revision), self._listener.subscription
        if served is None or (is_modern and subscription is None):
            return
        if not is_modern and self._around.silent.has(served):
            return
        head, body = self._head(served), b""
        if is_modern and subscription is not None:
            body = subscription.asked(self.name, revision)
            head += [("content-type", web.JSON), (headers.METHOD, LISTEN)]
        asked = far_stream.question(served.cluster, served.path, head, body)
        self._waiting = asyncio.ensure_future(self._open(asked.fields(), body)).cancel

    def close(self) -> None:
        """The client has gone."""
        if self._waiting is not None:
            self._waiting()
            self._waiting = None
        self._leave()

    def relieved(self) -> None:
        """The client reads, or the request was sent."""
        if self._stream is not None and self._owed:
            self._stream.consumed(self._owed)
        self._owed = 0

    # What the stream tells

    def headed(self, fields: Fields) -> None:
        said = dict(fields)
        status = said.get(":status", "0")
        refusal = far_stream.refusal(int(status), said.get("content-type", ""))
        if refusal is not None:
            self._leave()
            self._refused(refusal)
        else:
            self._is_there()

    def received(self, data: bytes) -> None:
        self._again = AGAIN_SECONDS
        if (asked := _RETRY.search(data)) is not None:
            self._again = min(int(asked[1]) / 1000, LONGEST_AGAIN_SECONDS)
        for found in _EVENT_ID.finditer(data):
            self._last_event = found[1].decode("latin-1")
        upward = self._upward
        if upward is None:
            upward = self._upward = self._listener.upward(self.name, has_begun=self._has_begun)
        self._has_begun = True
        try:
            said = upward.feed(data)
        except EventTooLarge as error:
            logger.warning("the stream of the MCP server %s is ended: %s", self.name, error)
            self._leave()
            return
        if isinstance(upward, Upward) and upward.is_at_rest:
            self._upward = None  # most say nothing more for a long time
        self._owed += len(data)
        if not said or self._listener.say(said):
            self.relieved()
        if isinstance(upward, Told) and upward.asked:
            asks, upward.asked = upward.asked, []
            self._around.start(self._ask(asks))

    def ended(self) -> None:
        self._leave()
        self._begin_later()

    def broke(self, why: str, *, is_unseen: bool) -> None:
        self._leave()
        self._refused(NoStream(0, f"the stream broke: {why}"))

    def _refused(self, error: NoStream) -> None:
        _, revision = self.session
        if error.status == STATUS and not headers.is_modern(revision):
            served = self._around.served(self.name)
            if served is not None:
                self._around.silent.note(served)
        is_taken = error.status == 409  # by a call that listens, too: `unasked`
        if 400 <= error.status < 500 and not is_taken:  # it has none, or no such session
            self.is_over = True
            self._is_there()
            return
        self._is_away = self._is_away or not is_taken
        logger.info("the stream of the MCP server %s: %s", self.name, error)
        self._again = min(self._again * 2, LONGEST_AGAIN_SECONDS)
        self._begin_later()

    def _is_there(self) -> None:
        if self._is_away:
            self._is_away = False
            self._listener.is_back(self.name)

    def _begin_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.call_later(self._again, self.begin).cancel

    def _leave(self) -> None:
        stream, self._stream, self._upward, self._owed = self._stream, None, None, 0
        self._has_begun = False
        if stream is not None:
            stream.reset()

    async def _open(self, fields: Fields, body: bytes) -> None:
        try:
            self._stream = await self._around.way.open(fields, body, self)
        except NoWay as error:
            self._refused(NoStream(0, str(error)))
            return
        self._waiting = None

    async def _ask(self, messages: list[Message]) -> None:
        session, _ = self.session
        for each in messages:
            await self._around.asked(self.name, session, each)

    def _head(self, served: Served) -> list[tuple[str, str]]:
        session, revision = self.session
        said: Mapping[str, str] = {
            headers.SESSION_ID: session,
            headers.PROTOCOL_VERSION: revision,
            "last-event-id": self._last_event,
            "authorization": self._listener.token(self.name),
        }
        head = [("accept", f"{web.JSON}, {web.EVENT_STREAM}"), *served.headers]
        return [*head, *((name, value) for name, value in said.items() if value)]
