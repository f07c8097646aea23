"""A client with a session, and a server without: what the server wants to know becomes requests in
the stream of the call, and the call is sent again with the answers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final

import msgspec

from extproc.hub import asks, replies, web
from extproc.hub.asking import NoAnswer
from extproc.hub.asks import COMMENT, Ask
from extproc.hub.driver import WayOut
from extproc.hub.far_call import FarCall
from extproc.hub.session import Refused
from extproc.hub.web import Reply
from extproc.mcp import ids, jsonrpc, messages, rounds
from extproc.mcp.jsonrpc import INTERNAL_ERROR
from extproc.mcp.messages import Message
from extproc.mcp.rounds import Wanted
from extproc.mcp.upward import upward
from extproc.protocols import json_spans

MOST_ROUNDS: Final = 32
"""Of one call."""
MOST_QUESTIONS: Final = 32
"""Of one round."""
MOST_CALLS: Final = 10_000
MOST_BYTES: Final = 256 << 20
"""Of the bodies of all calls, which are kept to be sent again."""
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0
_CANCELLED: Final = b'{"action":"cancel"}'
_FULL: Final = Refused(503, INTERNAL_ERROR, "too many calls wait for what servers may ask")


class _CalledOff(Exception):
    """Nobody wants an answer."""


class _Call:
    """One that is under way."""

    __slots__ = ("ask", "body", "far", "is_off", "more", "name", "said", "wanted")

    def __init__(self, ask: Ask, body: bytes, name: str) -> None:
        self.ask, self.body, self.name = ask, body, name
        self.far: FarCall | None = None
        self.wanted: frozenset[str] = frozenset()
        """The keys of what the client is asked."""
        self.said: dict[str, Message] = {}
        """What it has answered."""
        self.more = asyncio.Event()
        self.is_off = False

    def close(self) -> None:
        if self.far is not None:
            self.far.close()

    def call_off(self) -> None:
        self.is_off = True
        self.close()
        self.more.set()


class InRounds:
    """All such calls."""

    def __init__(self, way: WayOut, name: Callable[[], str] = lambda: secrets.token_hex(16)):
        """`way`: to the servers; `name` gives what nobody guesses."""
        self._way = way
        self._name = name
        self._calls: dict[str, _Call] = {}
        self._bytes = 0

    async def call(self, ask: Ask, body: bytes) -> Reply:
        """Raises `NoAnswer`."""
        if len(self._calls) >= MOST_CALLS or self._bytes + len(body) > MOST_BYTES:
            return replies.refusal(_FULL, ask.raw_id)
        call = _Call(ask, body, self._name())
        self._calls[call.name] = call
        self._bytes += len(body)
        try:
            far = await self._send(call, body)
            if not far.is_stream:
                said = await far.next() or b""
                if rounds.wanted(said) is None:
                    self._end(call)
                    return ask.plain(far, said)
                far.unread(said)
        except BaseException as error:
            self._end(call)
            if call.is_off and isinstance(error, NoAnswer):
                return Reply(202)
            raise
        return web.events(self._said(call))

    def answered(self, message: Message) -> None:
        """An answer to a question; one that nobody asked, or asks no more, goes nowhere."""
        found = rounds.read_own_id(message.id)
        call = None if found is None else self._calls.get(found[0])
        if found is not None and call is not None and found[1] in call.wanted:
            call.said.setdefault(found[1], message)
            call.more.set()

    def call_off(self, key: str, identity: object) -> None:
        """The call with that id of the session with that key; None: all that it has."""
        raw_id = None if identity is None else msgspec.json.encode(identity)
        for call in tuple(self._calls.values()):
            if call.ask.envelope.key == key and raw_id in (None, call.ask.raw_id):
                call.call_off()

    async def _send(self, call: _Call, body: bytes) -> FarCall:
        call.close()
        call.far = far = await call.ask.post(self._way, body)
        if call.is_off:  # meanwhile
            far.close()
        return far

    def _end(self, call: _Call) -> None:
        call.close()
        if self._calls.pop(call.name, None) is not None:
            self._bytes -= len(call.body)

    async def _said(self, call: _Call) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._in_rounds(call)) as pieces:
                async for piece in pieces:
                    if call.is_off:
                        return
                    yield piece
        except NoAnswer as error:
            if not call.is_off:
                yield call.ask.failed(str(error))
        except _CalledOff:
            return
        finally:
            self._end(call)

    async def _in_rounds(self, call: _Call) -> AsyncGenerator[bytes, None]:
        ask, pauses = call.ask, 0
        for number in range(MOST_ROUNDS + 1):
            said = b""
            async with aclosing(self._until_answered(call)) as pieces:
                async for piece in pieces:
                    if asks.is_answer(piece):
                        said = piece
                    else:
                        yield piece
            call.close()
            wanted = rounds.wanted(said)
            if wanted is None:
                yield ask.last(said)
                return
            if (wrong := self._wrong(ask, wanted)) or number == MOST_ROUNDS:
                yield ask.failed(wrong or f"it asked more than {MOST_ROUNDS} times")
                return
            pauses = 0 if wanted.questions else pauses + 1
            if pauses:  # it wants to be left alone for a while
                pause = _FIRST_PAUSE_SECONDS * 2.0 ** (pauses - 1)
                await asyncio.sleep(min(pause, _LONGEST_PAUSE_SECONDS))
            async with aclosing(self._asked(call, wanted)) as pieces:
                async for piece in pieces:
                    yield piece
            results = _results(wanted, call.said)
            if isinstance(results, Message):
                yield asks.event(rounds.with_id(results.body, ask.raw_id))
                return
            own = messages.text(f"{call.name}:{number}")
            again = rounds.again(call.body, own, results, wanted.state)
            async with aclosing(asks.kept(self._send(call, again))) as sent:
                async for far in sent:
                    if far is None:
                        yield COMMENT

    async def _until_answered(self, call: _Call) -> AsyncGenerator[bytes, None]:
        """What is told before the answer, as events, and then the answer, as it is."""
        assert call.far is not None
        while True:
            async with aclosing(asks.kept(asks.more(call.far))) as waits:
                async for said in waits:
                    if said is None:
                        yield COMMENT
                    elif asks.is_answer(said):
                        yield said
                        return
                    elif (told := _notification(call.ask, said)) is not None:
                        yield told

    @staticmethod
    def _wrong(ask: Ask, wanted: Wanted) -> str:
        """Why the client is not asked that; empty: it is."""
        if len(wanted.questions) > MOST_QUESTIONS:
            return f"it asks more than {MOST_QUESTIONS} things at once"
        if not wanted.questions and not wanted.state:
            return "it asks for more, and does not say what"
        for each in wanted.questions:
            if not ask.offers(each):
                return f"it asks for {each.method}, which the client does not offer"
        return ""

    async def _asked(self, call: _Call, wanted: Wanted) -> AsyncGenerator[bytes, None]:
        """The questions, and comments until all are answered. Raises `NoAnswer`."""
        origin = call.ask.origin
        call.said.clear()
        call.wanted = frozenset(each.key for each in wanted.questions)
        for each in wanted.questions:
            own = rounds.own_id(call.name, each.key)
            outward = ids.outward(origin.server, own, origin.key)
            params = rounds.legacy_params(each, own)
            request = jsonrpc.request(messages.text(outward), each.method, params)
            yield asks.event(request)
        async with aclosing(asks.kept(self._answers(call))) as waits:
            async for is_answered in waits:
                if is_answered is None:
                    yield COMMENT
        call.wanted = frozenset()

    async def _answers(self, call: _Call) -> bool:
        try:
            async with asyncio.timeout(asks.PATIENCE_SECONDS):
                while not call.is_off and call.said.keys() < call.wanted:
                    call.more.clear()
                    await call.more.wait()
        except TimeoutError:
            raise NoAnswer("the client does not answer what it asks") from None
        if call.is_off:
            raise _CalledOff
        return True


def _notification(ask: Ask, said: bytes) -> bytes | None:
    """As an event; servers of this era ask nothing in streams, so what asks all the same is left
    out."""
    message = messages.read(said, asks.DEEPEST)
    if not isinstance(message, Message) or message.kind is not messages.Kind.NOTIFICATION:
        return None
    told = upward(ask.origin, said)
    return None if told is None else asks.event(told)


def _results(wanted: Wanted, said: Mapping[str, Message]) -> dict[str, bytes] | Message:
    """By key; an error of the client's, where the server cannot be told of it."""
    results: dict[str, bytes] = {}
    for question in wanted.questions:
        message = said[question.key]
        result = json_spans.value_at(message.body, ("result",))
        if result is None and question.method == "elicitation/create":
            result = _CANCELLED
        if result is None:
            return message
        results[question.key] = result
    return results
