"""A call of a client on its way to a server of the other era: how it is sent, and what comes back.

`extproc.mcp.rounds` says which; who may be asked what in its midst, `in_rounds` and `parked`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, Final, TypeVar

import msgspec

from extproc.hub import far_call
from extproc.hub.asking import NoAnswer
from extproc.hub.driver import WayOut
from extproc.hub.far_call import FarCall
from extproc.hub.web import Reply, Request
from extproc.mcp import headers, jsonrpc, messages, rounds
from extproc.mcp.jsonrpc import INTERNAL_ERROR
from extproc.mcp.messages import Message
from extproc.mcp.rounds import Envelope
from extproc.mcp.upward import Origin, upward
from extproc.mcp.views import Served
from extproc.protocols import json_spans, sse

PATIENCE_SECONDS: Final = 600.0
"""How long a client may take to answer."""
KEEP_ALIVE_SECONDS: Final = 25.0
COMMENT: Final = b": keep-alive\n\n"
DEEPEST: Final = 200
"""What a server says may be nested deeper than what a client asks."""
_PASSED: Final = frozenset({"accept", "content-type", "traceparent", "tracestate", "baggage"})

_T = TypeVar("_T")


class Ask:
    """A request of a client, to a server."""

    __slots__ = ("capabilities", "envelope", "head", "origin", "raw_id", "same", "served", "token")

    def __init__(
        self, envelope: Envelope, served: Served, request: Request, message: Message
    ) -> None:
        self.envelope, self.served = envelope, served
        self.raw_id = message.raw_id
        """What the client calls it."""
        self.token = message.meta.get("progressToken")
        self.same = (envelope.server, envelope.binding, message.method, message.name or message.uri)
        """What another request has to have in common with it, to be the same once more."""
        said = message.meta.get(headers.META_CAPABILITIES)
        self.capabilities = said if isinstance(said, dict) else {}
        """What the client has declared."""
        passed = (
            (name, value)
            for name, value in request.headers.items()
            if name in _PASSED or name.startswith("mcp-")
        )
        shown = (("authorization", envelope.token),) if envelope.token else ()
        self.head: tuple[tuple[str, str], ...] = (*passed, *served.headers, *shown)
        is_older = not headers.is_modern(envelope.revision)
        self.origin = Origin(
            envelope.server,
            message.method,
            key=envelope.key.encode(),
            completes=is_older,
            log_level=headers.log_level(message) if is_older else None,
        )

    @property
    def session(self) -> str:
        """The server's own id of it; empty: there is none."""
        return dict(self.head).get(headers.SESSION_ID, "")

    def renew(self, now: Ask) -> None:
        """The same call comes again: tokens that it brings are newer."""
        if now.session == self.session:
            self.head = now.head

    def why(self, reason: str) -> str:
        """For people."""
        return f"the server '{self.envelope.server}' gives no answer: {reason}"

    def failed(self, reason: str, raw_id: bytes = b"") -> bytes:
        """The event that ends the call."""
        text = self.why(reason)
        return sse.encode(jsonrpc.error(raw_id or self.raw_id, INTERNAL_ERROR, text))

    def last(self, said: bytes, raw_id: bytes = b"") -> bytes:
        """The event with the answer, as that to the client's request."""
        told = upward(self.origin, said)
        if told is None or not isinstance(messages.read(told, DEEPEST), Message):
            return self.failed("it cannot be read", raw_id)
        return event(rounds.with_id(told, raw_id or self.raw_id))

    def plain(self, far: FarCall, body: bytes) -> Reply:
        """An answer that is no stream; what is none of JSON-RPC passes as it is."""
        if is_answer(body):
            told = upward(self.origin, body)
            if told is not None and isinstance(messages.read(told, DEEPEST), Message):
                body = rounds.with_id(told, self.raw_id)
        return Reply(far.status, body, {"content-type": far.kind} if far.kind else {})

    def offers(self, question: rounds.Question) -> bool:
        """Whether the client has said that it can be asked so."""
        return rounds.is_offered(question, self.capabilities)

    async def post(self, way: WayOut, body: bytes) -> FarCall:
        """Raises `NoAnswer`."""
        return await far_call.post(way, self.served.cluster, self.served.path, self.head, body)

    async def tell(self, way: WayOut, said: bytes) -> None:
        """A message that has no answer. Raises `NoAnswer`."""
        try:
            async with asyncio.timeout(self.served.timeout_seconds):
                far = await self.post(way, said)
        except TimeoutError:
            raise NoAnswer("it does not take what it is told") from None
        far.close()
        if far.status >= 400:
            raise NoAnswer(f"it refuses what it is told, with status {far.status}")


async def kept(work: Coroutine[Any, Any, _T]) -> AsyncGenerator[_T | None, None]:
    """What it comes to, last; before that None, each time that it is to be said that we are
    still here."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=KEEP_ALIVE_SECONDS))[0]:
            yield None
        yield task.result()
    finally:
        task.cancel()


async def more(far: FarCall) -> bytes:
    """The next message. Raises `NoAnswer`, also at the end: what was asked for did not come."""
    said = await far.next()
    if said is None:
        raise NoAnswer("its stream ended before it")
    return said


def is_answer(said: bytes) -> bool:
    """Whether a message is one, by its outermost members alone: an answer may be large."""
    try:
        members = json_spans.members(said)
    except (msgspec.DecodeError, RecursionError):
        return False
    return "method" not in members and ("result" in members or "error" in members)


def event(said: bytes) -> bytes:
    """A message as an event; JSON has line ends between its values alone."""
    return sse.encode(said.replace(b"\r", b" ").replace(b"\n", b" "))
