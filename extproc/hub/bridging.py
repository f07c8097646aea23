"""Calls between a client and a server of different eras, where the server may ask the client back.

A client with a session and a server without: what the server wants to know (a result that asks for
input) becomes requests in the stream of the call, and the call is sent again with the answers. A
client without a session and a server with one: the server's request becomes such a result; its
stream waits here until the client sends its call again. `extproc.mcp.rounds`
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import msgspec

from extproc.hub import far_call, replies, web
from extproc.hub.far_call import FarCall, NoAnswer
from extproc.hub.session import Refused
from extproc.hub.web import Reply, Request
from extproc.mcp import headers, ids, jsonrpc, messages, rounds
from extproc.mcp.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND
from extproc.mcp.messages import Kind, Message
from extproc.mcp.rounds import Envelope, Question, Wanted
from extproc.mcp.upward import Origin, upward
from extproc.mcp.views import Served
from extproc.protocols import json_spans, sse
from gateway import names

logger = logging.getLogger(__name__)

MOST_ROUNDS: Final = 32
"""Of one call."""
MOST_WAITING: Final = 4096
"""Calls that wait for a client, of all clients."""
PATIENCE_SECONDS: Final = 600.0
"""How long a client may take to answer."""
KEEP_ALIVE_SECONDS: Final = 25.0
_PAUSE_SECONDS: Final = 0.05
_COMMENT: Final = b": keep-alive\n\n"
_PASSED: Final = frozenset({"accept", "content-type", "traceparent", "tracestate", "baggage"})
_CANCELLED: Final = b'{"action":"cancel"}'
_KEY: Final = "input"
"""Of the one question that a server with a session asks at a time."""
_DEEPEST: Final = 200
"""What a server says may be nested deeper than what a client asks."""
_UNREADABLE: Final = Refused(400, jsonrpc.INVALID_REQUEST, "nothing says which server it is for")


class _Ask:
    """A request of a client, on its way to a server."""

    __slots__ = ("body", "envelope", "head", "message", "origin", "served")

    def __init__(
        self, envelope: Envelope, served: Served, request: Request, message: Message
    ) -> None:
        self.envelope, self.served, self.message = envelope, served, message
        self.body = request.body
        passed = (
            (name, value)
            for name, value in request.headers.items()
            if name in _PASSED or name.startswith("mcp-")
        )
        self.head = (*passed, *served.headers)
        self.origin = Origin(
            envelope.server,
            message.method,
            key=envelope.key.encode(),
            completes=not headers.is_modern(envelope.revision),
        )

    def failed(self, why: str, code: int = INTERNAL_ERROR) -> bytes:
        """The event that ends the call."""
        text = f"the server '{self.envelope.server}' gives no answer: {why}"
        return sse.encode(jsonrpc.error(self.message.raw_id, code, text))


class _Call:
    """A call of a client with a session, and what that has said to its questions."""

    def __init__(self, ask: _Ask, far: FarCall) -> None:
        self.ask = ask
        self.far = far
        """The latest round."""
        self.said: dict[str, Message] = {}
        self.more = asyncio.Event()
        self.is_off = False
        """The client wants no answer any more."""

    def call_off(self) -> None:
        self.is_off = True
        self.far.close()  # which a server without sessions takes for it
        self.more.set()


class _Parked(msgspec.Struct):
    """A server's stream, and the request in it that waits for the client."""

    ask: _Ask
    """The call, as it was first sent."""
    far: FarCall
    question: Question
    asked: Message
    timer: asyncio.TimerHandle


class Bridges:
    """All such calls."""

    def __init__(
        self, services: str, name: Callable[[], str] = lambda: secrets.token_hex(16)
    ) -> None:
        """`services`: the address of Envoy's inner listener; `name` gives what nobody guesses."""
        self._services = services
        self._name = name
        self._servers: Mapping[str, Served] = {}
        self._calls: dict[str, _Call] = {}
        self._parked: dict[str, _Parked] = {}
        self._telling: set[asyncio.Future[None]] = set()

    def take(self, servers: Mapping[str, Served]) -> None:
        """From now on these, by name."""
        self._servers = servers

    async def answer(self, request: Request) -> Reply:
        """A request of a client, or its answer to a question."""
        envelope = rounds.decode(request.headers.get(names.MCP_ROUNDS_HEADER, ""))
        message = messages.read(request.body)
        if envelope is None or not isinstance(message, Message):
            return replies.refusal(_UNREADABLE)
        if message.is_answer:
            return self._answered(message)
        if message.kind is Kind.NOTIFICATION:
            return self._told(envelope, message)
        served = self._servers.get(envelope.server)
        if served is None:
            gone = Refused(502, INTERNAL_ERROR, f"there is no server '{envelope.server}' any more")
            return replies.refusal(gone, message.raw_id)
        ask = _Ask(envelope, served, request, message)
        try:
            if headers.is_modern(envelope.revision):
                return await self._to_one_without_session(ask)
            return await self._to_one_with_session(ask)
        except NoAnswer as error:
            text = f"the server '{envelope.server}' gives no answer: {error}"
            return replies.refusal(Refused(502, INTERNAL_ERROR, text), message.raw_id)

    async def close(self) -> None:
        """Nobody is waited for any more."""
        for state in tuple(self._parked):
            self._give_up(state)
        await asyncio.gather(*self._telling)

    async def _post(self, ask: _Ask, body: bytes) -> FarCall:
        served = ask.served
        return await far_call.post(self._services, served.cluster, served.path, ask.head, body)

    # a client with a session, a server without

    def _answered(self, message: Message) -> Reply:
        """An answer to a question; one that nobody asked, or asks no more, goes nowhere."""
        found = rounds.read_own_id(message.id)
        call = None if found is None else self._calls.get(found[0])
        if found is not None and call is not None:
            call.said[found[1]] = message
            call.more.set()
        return Reply(202)

    def _told(self, envelope: Envelope, message: Message) -> Reply:
        """A call is cancelled: one of the same session, that has this id."""
        cancelled = message.params.get("requestId")
        if message.method == "notifications/cancelled" and messages.is_id(cancelled):
            for call in self._calls.values():
                own = call.ask.message.id
                is_same = type(own) is type(cancelled) and own == cancelled
                if is_same and call.ask.envelope.key == envelope.key:
                    call.call_off()
        return Reply(202)

    async def _to_one_without_session(self, ask: _Ask) -> Reply:
        far = await self._post(ask, ask.body)
        if not far.is_stream:
            try:
                body = await far.next() or b""
            except NoAnswer:
                far.close()
                raise
            if rounds.wanted(body) is None:
                far.close()
                return _plain(ask, far, body)
            far.unread(body)
        return web.events(self._in_rounds(ask, far))

    async def _in_rounds(self, ask: _Ask, far: FarCall) -> AsyncIterator[bytes]:
        name, call = self._name(), _Call(ask, far)
        self._calls[name] = call
        try:
            for number in range(MOST_ROUNDS):
                while not _is_answer(said := await _more(far)):
                    if (told := upward(ask.origin, said)) is not None:
                        yield sse.encode(told)
                far.close()
                wanted = rounds.wanted(said)
                if wanted is None:
                    yield _last(ask, said)
                    return
                if not wanted.questions:  # it wants to be left alone for a while
                    await asyncio.sleep(min(_PAUSE_SECONDS * 2**number, 1.0))
                call.said.clear()
                async for piece in self._asked(name, call, wanted):
                    yield piece
                results = _results(wanted, call.said)
                if isinstance(results, Message):
                    yield sse.encode(rounds.with_id(results.body, ask.message.raw_id))
                    return
                own = messages.text(f"{name}:{number}")
                again = rounds.again(ask.body, own, results, wanted.state)
                call.far = far = await self._post(ask, again)
            yield ask.failed(f"it asked more than {MOST_ROUNDS} times")
        except NoAnswer as error:
            if not call.is_off:
                yield ask.failed(str(error))
        finally:
            del self._calls[name]
            far.close()

    async def _asked(self, name: str, call: _Call, wanted: Wanted) -> AsyncIterator[bytes]:
        """The questions, and comments until all are answered. Raises `NoAnswer`."""
        origin = call.ask.origin
        for each in wanted.questions:
            outward = ids.outward(origin.server, rounds.own_id(name, each.key), origin.key)
            yield sse.encode(jsonrpc.request(messages.text(outward), each.method, each.params))
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while any(each.key not in call.said for each in wanted.questions):
            if call.is_off:
                raise NoAnswer("the client has called it off")
            call.more.clear()
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await call.more.wait()
            except TimeoutError:
                if asyncio.get_running_loop().time() > until:
                    raise NoAnswer("the client does not answer") from None
                yield _COMMENT

    # a client without a session, a server with one

    async def _to_one_with_session(self, ask: _Ask) -> Reply:
        state = ask.message.text("requestState")
        if state.startswith(rounds.STATE_PREFIX):
            return await self._resumed(ask, state)
        far = await self._post(ask, ask.body)
        if far.is_stream:
            return web.events(self._until_asked(ask, far, ask.message.raw_id))
        try:
            return _plain(ask, far, await far.next() or b"")
        finally:
            far.close()

    async def _resumed(self, ask: _Ask, state: str) -> Reply:
        """The call comes again, with answers."""
        parked = self._parked.get(state)
        if parked is None or not _is_same(parked.ask, ask):
            unknown = Refused(
                400, INVALID_PARAMS, "the requestState is unknown, or no longer known"
            )
            return replies.refusal(unknown, ask.message.raw_id)
        raw_id, question = ask.message.raw_id, parked.question
        said = rounds.answers(ask.body).get(question.key)
        if said is None:
            return web.json(rounds.input_required(raw_id, (question,), state))
        del self._parked[state]
        parked.timer.cancel()
        try:
            await self._tell(parked.ask, jsonrpc.result(parked.asked.raw_id, said))
        except NoAnswer:
            parked.far.close()
            raise
        return web.events(self._until_asked(parked.ask, parked.far, raw_id))

    async def _until_asked(self, ask: _Ask, far: FarCall, raw_id: bytes) -> AsyncIterator[bytes]:
        """What the server says, until it has answered, or asks."""
        is_left = True
        try:
            while not _is_answer(said := await _more(far)):
                message = messages.read(said, _DEEPEST)
                if not isinstance(message, Message):
                    continue
                if message.kind is Kind.NOTIFICATION:
                    if (told := upward(ask.origin, said)) is not None:
                        yield sse.encode(told)
                elif message.method in rounds.QUESTIONS and len(self._parked) < MOST_WAITING:
                    is_left = False
                    yield sse.encode(self._park(ask, far, message, raw_id))
                    return
                else:
                    await self._tell(ask, _declined(message))
            is_left = False
            far.close()
            yield _last(ask, said, raw_id)
        except NoAnswer as error:
            is_left = False
            far.close()
            yield sse.encode(jsonrpc.error(raw_id, INTERNAL_ERROR, str(error)))
        finally:
            if is_left:  # the client has gone: it calls the request off
                self._call_off(ask, far)

    def _park(self, ask: _Ask, far: FarCall, asked: Message, raw_id: bytes) -> bytes:
        """The answer that asks the client."""
        state = f"{rounds.STATE_PREFIX}{self._name()}"
        params = json_spans.value_at(asked.body, ("params",)) or b""
        question = Question(_KEY, asked.method, params if params.startswith(b"{") else b"")
        timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._give_up, state)
        self._parked[state] = _Parked(ask, far, question, asked, timer)
        return rounds.input_required(raw_id, (question,), state)

    def _give_up(self, state: str) -> None:
        parked = self._parked.pop(state)
        parked.timer.cancel()
        self._call_off(parked.ask, parked.far)

    def _call_off(self, ask: _Ask, far: FarCall) -> None:
        far.close()
        params = b'{"requestId":%s}' % ask.message.raw_id
        note = jsonrpc.notification("notifications/cancelled", params)
        telling = asyncio.ensure_future(self._tell_late(ask, note))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell_late(self, ask: _Ask, note: bytes) -> None:
        try:
            await self._tell(ask, note)
        except NoAnswer as error:
            logger.info("the MCP server %s was not told: %s", ask.envelope.server, error)

    async def _tell(self, ask: _Ask, said: bytes) -> None:
        """A message that has no answer. Raises `NoAnswer`."""
        try:
            async with asyncio.timeout(ask.served.timeout_seconds):
                (await self._post(ask, said)).close()
        except TimeoutError:
            raise NoAnswer("it does not take what it is told") from None


async def _more(far: FarCall) -> bytes:
    """The next message. Raises `NoAnswer`, also at the end: what was asked for did not come."""
    said = await far.next()
    if said is None:
        raise NoAnswer("its stream ended before it")
    return said


def _is_answer(said: bytes) -> bool:
    """Whether a message is one, by its outermost members alone: an answer may be large."""
    try:
        members = json_spans.members(said)
    except (msgspec.DecodeError, RecursionError):
        return False
    return "method" not in members and ("result" in members or "error" in members)


def _is_same(one: _Ask, other: _Ask) -> bool:
    """Whether a call is that which was sent before, by the same client."""
    return (one.envelope.server, one.envelope.binding, one.message.method, one.message.name) == (
        other.envelope.server,
        other.envelope.binding,
        other.message.method,
        other.message.name,
    )


def _plain(ask: _Ask, far: FarCall, body: bytes) -> Reply:
    """An answer that is no stream, as it is."""
    said = (upward(ask.origin, body) or body) if body else body
    return Reply(far.status, said, {"content-type": far.kind} if far.kind else {})


def _last(ask: _Ask, said: bytes, raw_id: bytes = b"") -> bytes:
    """The event with the answer, as that to the client's request."""
    told = upward(ask.origin, said)
    if told is None or not isinstance(messages.read(told, _DEEPEST), Message):
        return ask.failed("it cannot be read")
    return sse.encode(_one_line(rounds.with_id(told, raw_id or ask.message.raw_id)))


def _one_line(text: bytes) -> bytes:
    """JSON has line ends between its values alone."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ")


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


def _declined(asked: Message) -> bytes:
    """The answer to a request that is no question to people or models."""
    if asked.method == "ping":
        return jsonrpc.result(asked.raw_id, b"{}")
    text = f"Method not found: {asked.method}"
    return jsonrpc.error(asked.raw_id, METHOD_NOT_FOUND, text)
