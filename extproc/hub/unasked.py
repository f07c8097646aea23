"""What servers with sessions ask outside of the streams of calls: in the stream that a GET opens.

Many servers ask there in the midst of a call. While there is a call of a client without sessions,
the stream of its session is listened to. What is asked there says not for which call. With several
of one session under way, it is taken for one that does not wait for its client already: all are of
one caller, who can answer for any. Where nobody knows who calls, they may be of different people,
and it is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

from extproc.hub import far_call, silent
from extproc.hub.asking import NoAnswer
from extproc.hub.asks import DEEPEST, Ask
from extproc.hub.driver import WayOut
from extproc.hub.silent import Silent
from extproc.mcp import jsonrpc, messages
from extproc.mcp.jsonrpc import INTERNAL_ERROR
from extproc.mcp.messages import Kind, Message

logger = logging.getLogger(__name__)

BEGIN_SECONDS: Final = 2.0
"""How long a call waits for the stream to begin."""
_AGAIN_SECONDS: Final = 1.0
_AMBIGUOUS: Final = "several calls are under way, and it is not said which one this is for"
_NOBODY: Final = "the call is over, and nobody can be asked"


class Hearer(Protocol):
    """A call that is under way."""

    is_waiting: bool
    """Its client is asked something already."""

    def hear(self, said: bytes) -> None:
        """A request of the server's."""


_Key: TypeAlias = tuple[str, str]


class _Stream:
    """Of one session."""

    __slots__ = ("ask", "begun", "hearers", "work")
    hearers: dict[Hearer, None]
    """Calls, the latest last."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        """A call of it: how the server is reached."""
        self.hearers = {}
        self.begun = asyncio.Event()
        """It is there, or there is none."""
        self.work: asyncio.Future[None] | None = None


class Unasked:
    """All such streams."""

    def __init__(self, way: WayOut, known: Silent) -> None:
        """`way`: to the servers; `known`: who has no such stream."""
        self._way = way
        self._silent = known
        self._streams: dict[_Key, _Stream] = {}
        self._telling: set[asyncio.Future[None]] = set()

    async def join(self, ask: Ask, hearer: Hearer) -> None:
        """Before a call is sent; until it is left, it hears what is asked in its session."""
        key = _key(ask)
        if not key[1] or self._silent.has(ask.served):
            return
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(ask)
            stream.work = asyncio.ensure_future(self._listen(stream))
        stream.hearers[hearer] = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_SECONDS):
                await stream.begun.wait()

    def leave(self, ask: Ask, hearer: Hearer, unheard: Sequence[bytes] = ()) -> None:
        """The call is over; a second time, it is nothing. `unheard`: what it was told, and has not
        taken up, is another's."""
        stream = self._streams.get(_key(ask))
        if stream is None or hearer not in stream.hearers:
            return
        del stream.hearers[hearer]
        if unheard:
            telling = asyncio.ensure_future(self._hand_on(stream, unheard))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)
        if not stream.hearers:
            del self._streams[_key(ask)]
            assert stream.work is not None
            stream.work.cancel()

    async def heard(self, server: str, session: str, message: Message) -> None:
        """A request in the stream of a session, to which somebody else listens."""
        stream = self._streams.get((server, session))
        if stream is not None:
            try:
                await self._asked(stream, message)
            except NoAnswer as error:
                logger.info("the MCP server %s was not told: %s", server, error)

    async def _hand_on(self, stream: _Stream, unheard: Sequence[bytes]) -> None:
        for said in unheard:
            message = messages.read(said, DEEPEST)
            assert isinstance(message, Message)
            with contextlib.suppress(NoAnswer):
                await self._asked(stream, message)

    async def _listen(self, stream: _Stream) -> None:
        ask = stream.ask
        while True:
            try:
                await self._hear(stream)
            except NoAnswer as error:  # it has none, or somebody else has it
                logger.debug("the stream of the MCP server %s: %s", ask.envelope.server, error)
                if error.status == silent.STATUS:
                    self._silent.note(ask.served)
                return
            finally:
                stream.begun.set()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _hear(self, stream: _Stream) -> None:
        """Until it ends. Raises `NoAnswer`."""
        served = stream.ask.served
        far = await far_call.take_up(self._way, served.cluster, served.path, stream.ask.head, b"")
        stream.begun.set()
        try:
            while (said := await far.next()) is not None:
                message = messages.read(said, DEEPEST)
                if isinstance(message, Message) and message.kind is Kind.REQUEST:
                    await self._asked(stream, message)
        finally:
            far.close()

    async def _asked(self, stream: _Stream, message: Message) -> None:
        """Raises `NoAnswer`."""
        if message.method == "ping":
            said = jsonrpc.result(message.raw_id, b"{}")
        elif (hearer := _whose(stream)) is not None:
            hearer.hear(message.body)
            return
        else:
            why = _AMBIGUOUS if stream.hearers else _NOBODY
            said = jsonrpc.error(message.raw_id, INTERNAL_ERROR, why)
        await stream.ask.tell(self._way, said)


def _key(ask: Ask) -> _Key:
    return ask.envelope.server, ask.session


def _whose(stream: _Stream) -> Hearer | None:
    """Which call a question is taken for; None: nobody knows."""
    running = [each for each in stream.hearers if not each.is_waiting] or [*stream.hearers]
    if len(running) == 1 or (running and stream.ask.envelope.binding):
        return running[-1]
    return None
