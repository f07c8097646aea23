"""A client without a session, and a server with one: the server's request becomes a result that
asks for input, and its stream waits here until the client sends its call again."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import msgspec

from extproc.hub import asks, far_call, replies, web
from extproc.hub.asking import NoAnswer
from extproc.hub.asks import COMMENT, Ask
from extproc.hub.driver import WayOut
from extproc.hub.far_call import FarCall
from extproc.hub.session import Refused
from extproc.hub.silent import Silent
from extproc.hub.unasked import Unasked
from extproc.hub.web import Reply
from extproc.mcp import jsonrpc, messages, requests, rounds
from extproc.mcp.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND
from extproc.mcp.messages import Kind, Message
from extproc.mcp.rounds import Question
from extproc.mcp.upward import upward
from extproc.protocols import json_spans

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 4096
"""Calls that wait for a client, of all clients."""
_MOST_TAKEN_UP: Final = 100
"""How often a stream may end and be taken up again, without a message in between."""
_KEY: Final = "input"
"""Of the one question that a server with a session asks at a time."""
_UNKNOWN: Final = "the requestState is unknown, or no longer known: ask anew"
_LATE: Final = "the call waited for an answer, which came too late: the server was not told of it"
_LOST: Final = (
    "the gateway was restarted while the call waited for an answer, or it waits at another machine:"
    " the server was not told of the answer"
)
_AGAIN: Final = (
    "What the call may have done until then is done. Where that does no harm, call again."
)


class _Call:
    """One that is under way, or waits."""

    __slots__ = (
        "ask",
        "asked",
        "far",
        "inbox",
        "is_elsewhere",
        "is_waiting",
        "own",
        "question",
        "reading",
        "timer",
    )

    def __init__(self, ask: Ask, own: bytes) -> None:
        self.ask = ask
        """As it was first sent."""
        self.own = own
        """What the server calls it: in one session, several clients may have the same ids."""
        self.far: FarCall | None = None
        self.question: Question | None = None
        self.asked = b""
        """The id of the server's request that waits."""
        self.is_elsewhere = False
        """It came in the stream of the session, and may be about another call."""
        self.is_waiting = False
        """Its client is to be asked something, or is."""
        self.timer: asyncio.TimerHandle | None = None
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        """What the server asks elsewhere."""
        self.reading: asyncio.Future[bytes] | None = None
        """The next message of its stream."""

    def hear(self, said: bytes) -> None:
        """A request of the server's, in the stream of its session."""
        self.inbox.put_nowait(said)
        self.is_waiting = True

    def unheard(self) -> list[bytes]:
        """What the server has asked elsewhere, and nobody was asked."""
        return [self.inbox.get_nowait() for _ in range(self.inbox.qsize())]

    def close(self) -> None:
        if self.far is not None:
            self.far.close()
        if self.reading is not None:
            self.reading.cancel()
            self.reading.add_done_callback(_passed_over)
            self.reading = None


class Parked:
    """All such calls."""

    def __init__(self, way: WayOut, name: Callable[[], str], silent: Silent) -> None:
        """`way`: to the servers; `name` gives what nobody guesses."""
        self._way = way
        self._name = name
        self.unasked = Unasked(way, silent)
        self._run = secrets.token_hex(4)
        """Of this hub, from its start to its end."""
        self._waiting: dict[str, _Call] = {}
        """By the state that the client was given."""
        self._late: dict[str, object] = {}
        """The same of calls that were given up: whose they were."""
        self._telling: set[asyncio.Future[None]] = set()

    async def call(self, ask: Ask, message: Message) -> Reply:
        """Sent for the first time, or again with answers. Raises `NoAnswer`."""
        state = message.text("requestState")
        if state.startswith(rounds.STATE_PREFIX):
            return await self._resumed(ask, message, state)
        call = _Call(ask, messages.text(f"dragoman-{self._name()}"))
        try:
            await self.unasked.join(ask, call)
            body = rounds.with_id(requests.without_meta(message.body), call.own)
            call.far = far = await ask.post(self._way, body)
            if not far.is_stream:
                return ask.plain(far, await far.next() or b"")
        except asyncio.CancelledError:  # the client has gone
            self._call_off(call)
            raise
        finally:
            if call.far is None or not call.far.is_stream:
                self._close(call)
        return web.events(self._until_asked(call, ask))

    async def close(self) -> None:
        """Nobody is waited for any more."""
        for state in tuple(self._waiting):
            self._give_up(state)
        await asyncio.gather(*self._telling)

    async def _resumed(self, ask: Ask, message: Message, state: str) -> Reply:
        """The call comes again, with answers."""
        call = self._waiting.get(state)
        if call is None or call.ask.same != ask.same:
            return self._gone(ask, message, state)
        assert call.question is not None
        said = rounds.answers(message.body).get(call.question.key)
        if said is None:
            return web.json(rounds.input_required(ask.raw_id, (call.question,), state))
        self._taken(state)
        call.ask.renew(ask)
        try:
            await call.ask.tell(self._way, jsonrpc.result(call.asked, said))
        except BaseException:
            self._call_off(call)
            raise
        return web.events(self._until_asked(call, ask))

    def _gone(self, ask: Ask, message: Message, state: str) -> Reply:
        """Nothing is known of the call. It is not made anew: the server may have done half of it.
        Of tools, models are told, who can call again; an error of the protocol reaches none."""
        run, dot, _ = state.removeprefix(rounds.STATE_PREFIX).partition(".")
        if self._late.get(state) == ask.same:
            why = _LATE
        elif dot and run != self._run:
            why = _LOST
        else:
            return replies.refusal(Refused(400, INVALID_PARAMS, _UNKNOWN), ask.raw_id)
        if message.method == "tools/call":
            return web.json(jsonrpc.result(ask.raw_id, rounds.failed_tool(f"{why}. {_AGAIN}")))
        return replies.refusal(Refused(400, INVALID_PARAMS, f"{why}: ask anew"), ask.raw_id)

    async def _until_asked(self, call: _Call, now: Ask) -> AsyncGenerator[bytes, None]:
        """What the server says, until it has answered, or asks; `now`: the client's request of
        this round."""
        is_left = True
        try:
            async with aclosing(self._said(call)) as messages_:
                async for said in messages_:
                    if said is None:
                        yield COMMENT
                    elif asks.is_answer(said):
                        is_left = False
                        self._close(call)
                        yield call.ask.last(said, now.raw_id)
                        return
                    elif (asked := _read(said)) is None:
                        continue
                    elif asked.kind is Kind.NOTIFICATION:
                        if (told := _told(call.ask, now, asked)) is not None:
                            yield told
                    elif (question := self._question(call, asked)) is not None:
                        is_left = False
                        yield asks.event(self._park(call, asked, question, now))
                        return
                    else:
                        call.is_waiting = not call.inbox.empty()
                        await call.ask.tell(self._way, self._declined(asked))
        except NoAnswer as error:
            is_left = False
            self._close(call)
            yield now.failed(str(error))
        finally:
            if is_left:  # the client has gone: it calls the request off
                self._call_off(call)

    async def _said(self, call: _Call) -> AsyncGenerator[bytes | None, None]:
        """Messages, and None while there is none; a stream that ends before the answer is taken up
        again. Raises `NoAnswer`."""
        taken_up = 0
        while True:
            async with aclosing(asks.kept(self._next(call))) as waits:
                async for said in waits:
                    yield said or None
            taken_up = taken_up + 1 if said == b"" else 0
            if taken_up > _MOST_TAKEN_UP:
                raise NoAnswer("its stream ends again and again")

    async def _next(self, call: _Call) -> bytes:
        """The next message, in whichever stream; empty: that of the call was taken up again."""
        if call.reading is None:
            call.reading = asyncio.ensure_future(self._read_on(call))
        asked = asyncio.ensure_future(call.inbox.get())
        try:
            await asyncio.wait({call.reading, asked}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                call.is_elsewhere = True
                return asked.result()
        finally:
            asked.cancel()
        reading, call.reading = call.reading, None
        call.is_elsewhere = False
        return await reading

    async def _read_on(self, call: _Call) -> bytes:
        far = call.far
        assert far is not None
        try:
            said = await far.next()
            why = "its stream ended before it"
        except NoAnswer as error:
            said, why = None, str(error)
        if said is not None:
            return said
        if not far.last_event:
            raise NoAnswer(why)
        far.close()
        await asyncio.sleep(far.again_seconds)
        served, head = call.ask.served, call.ask.head
        call.far = await far_call.take_up(
            self._way, served.cluster, served.path, head, far.last_event
        )
        call.far.last_event = far.last_event
        return b""

    def _question(self, call: _Call, asked: Message) -> Question | None:
        """What the client is asked; None: it is not, and the server is told so."""
        params = json_spans.value_at(asked.body, ("params",)) or b""
        found = Question(_KEY, asked.method, params if params.startswith(b"{") else b"")
        if len(self._waiting) >= MOST_WAITING or not call.ask.offers(found):
            return None
        return found

    def _declined(self, asked: Message) -> bytes:
        """The answer to a request that nobody is asked."""
        if asked.method == "ping":
            return jsonrpc.result(asked.raw_id, b"{}")
        if asked.method in rounds.QUESTIONS and len(self._waiting) >= MOST_WAITING:
            return jsonrpc.error(asked.raw_id, INTERNAL_ERROR, "too many calls wait for clients")
        text = f"Method not found: {asked.method}"
        return jsonrpc.error(asked.raw_id, METHOD_NOT_FOUND, text)

    def _park(self, call: _Call, asked: Message, question: Question, now: Ask) -> bytes:
        """The answer that asks the client."""
        state = f"{rounds.STATE_PREFIX}{self._run}.{self._name()}"
        call.question, call.asked = question, asked.raw_id
        loop = asyncio.get_running_loop()
        call.timer = loop.call_later(asks.PATIENCE_SECONDS, self._give_up, state)
        self._waiting[state] = call
        call.is_waiting = True
        return rounds.input_required(now.raw_id, (question,), state)

    def _taken(self, state: str) -> _Call:
        call = self._waiting.pop(state)
        call.is_waiting = not call.inbox.empty()
        if call.timer is not None:
            call.timer.cancel()
        return call

    def _give_up(self, state: str) -> None:
        call = self._taken(state)
        while len(self._late) >= MOST_WAITING:
            del self._late[next(iter(self._late))]
        self._late[state] = call.ask.same
        if call.is_elsewhere:  # the call that it is about may go on
            said = jsonrpc.error(call.asked, INTERNAL_ERROR, "the client gave no answer")
            self._tell_later(call.ask, said)
        self._call_off(call)

    def _close(self, call: _Call) -> None:
        call.close()
        self.unasked.leave(call.ask, call, call.unheard())

    def _call_off(self, call: _Call) -> None:
        self._close(call)
        params = b'{"requestId":%s}' % call.own
        self._tell_later(call.ask, jsonrpc.notification("notifications/cancelled", params))

    def _tell_later(self, ask: Ask, said: bytes) -> None:
        telling = asyncio.ensure_future(self._tell_late(ask, said))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell_late(self, ask: Ask, note: bytes) -> None:
        try:
            await ask.tell(self._way, note)
        except NoAnswer as error:
            logger.info("the MCP server %s was not told: %s", ask.envelope.server, error)


def _passed_over(reading: asyncio.Future[bytes]) -> None:
    """Nobody wants to know how it ended."""
    if not reading.cancelled():
        reading.exception()


def _read(said: bytes) -> Message | None:
    found = messages.read(said, asks.DEEPEST)
    return found if isinstance(found, Message) else None


def _told(first: Ask, now: Ask, note: Message) -> bytes | None:
    """A notification, as an event: progress has the token of the request of this round."""
    said = note.body
    if note.method == "notifications/progress" and first.token != now.token:
        if note.params.get("progressToken") != first.token or not messages.is_id(now.token):
            return None
        changes = {messages.PROGRESS_TOKEN: msgspec.json.encode(now.token)}
        said = messages.rewritten(said, changes)
    told = upward(first.origin, said)
    return asks.event(told) if told else None
