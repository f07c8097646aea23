"""A websocket of the realtime API that a budget counts: what the provider says of each response is
booked as it comes, and the session ends when nothing is left.

Docs: docs/llm.md, "Realtime"; docs/decisions/0013-sessions.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from extproc import calls
from extproc.calls import Answered
from extproc.events import CONTINUE, Action, Finish, ResponseBody, ResponseHeaders, Watch
from extproc.facts import Facts
from extproc.llm.others import realtime
from extproc.llm.others.realtime import Began, Ended, Transcribed, Transcriber
from extproc.plan import Plan, Try
from extproc.policies.budget import Budgets, Held
from extproc.protocols import websocket
from extproc.protocols.websocket import BadFrame, Message, MessageDecoder
from extproc.verdict import OUT_OF_BUDGET, By, Deny, PolicyKind
from gateway.price import Price
from gateway.usage import Usage

logger = logging.getLogger(__name__)

_SWITCHING_PROTOCOLS = 101
_LARGEST_EVENT_BYTES = 1 << 20
"""Of an event that is read; of the others, no more than that is ever kept."""
_AGAINST_POLICY, _INTERNAL_ERROR, _RESTARTING, _LATER = 1008, 1011, 1012, 1013
"""Why a websocket is closed (RFC 6455 section 7.4.1, and IANA's registry)."""
_UNREADABLE = Deny(
    502, "unreadable_answer", "the provider's answer cannot be read", by=By(PolicyKind.ANSWER)
)
_LEAVING = Deny(
    503, "restarting", "the gateway is restarting: connect again", by=By(PolicyKind.GATEWAY)
)


@dataclass(frozen=True, slots=True)
class Means:
    """What a session is paid with."""

    budgets: Budgets
    facts: Facts
    """Who asked, and what the next response may take."""
    price_of: Callable[[str, str], Price | None]
    """Of a provider's model."""
    clock: Callable[[], float]
    """Seconds that never go back."""

    def expect(self, last: Usage | None) -> None:
        """Take the next response for one like the last."""
        facts, next_one = self.facts, realtime.expected(last)
        facts.estimated_input_tokens = next_one.input_tokens
        facts.max_output_tokens = next_one.output_tokens
        facts.demands = next_one


class Session:
    """The answer to a request for a websocket, from its first byte to its last.

    It always holds a reservation for each response in flight, and one for the next.
    """

    __slots__ = (
        "_began",
        "_decoder",
        "_free",
        "_in_flight",
        "_is_closed",
        "_is_leaving",
        "_last",
        "_means",
        "_plan",
        "_since",
        "_spent",
        "_transcriber",
        "_tried",
        "is_over",
    )

    def __init__(self, plan: Plan, held: Held, means: Means) -> None:
        self._plan = plan
        self._means = means
        self._began: datetime = means.facts.now
        self._since = means.clock()
        self._tried: Try | None = None
        self._decoder = MessageDecoder(_LARGEST_EVENT_BYTES)
        self._free = [held]
        """Reservations of responses, in flight and next."""
        self._spent: Held | None = None
        """One that has been booked; kept until there is another in its place."""
        self._in_flight = 0
        self._transcriber = ""
        self._last: asyncio.Future[None] | None = None
        """Answered when the pieces before are; None: none of them waits."""
        self._is_leaving = self._is_closed = False
        self.is_over = False
        """Nothing that follows matters."""

    def on_headers(self, event: ResponseHeaders) -> Action:
        """The provider, or Envoy, has answered. Without an upgrade, no work is done for anybody."""
        if event.status != _SWITCHING_PROTOCOLS:
            self.on_close()
            self.is_over = True
            return CONTINUE
        self._tried = self._plan.tried(event.attempt, event.cluster)
        return Watch()

    def on_body(self, event: ResponseBody) -> Action | Awaitable[Action]:
        """A piece of what the provider says."""
        if self._last is not None:
            return self._in_turn(self._last, event.body)
        action = self._shown(event.body)
        if isinstance(action, Struct):
            return action
        return self._alone(action, self._take_turn())

    def leave(self) -> None:
        """This worker must go: the session ends at the next place where it can be told so."""
        self._is_leaving = True

    def cut(self) -> None:
        """The answer goes to nobody."""
        self.on_close()
        self.is_over = True

    def on_close(self) -> None:
        """Responses in flight cost the estimate; what is held for the next one is given back."""
        if self._is_closed:
            return
        self._is_closed = True
        free, spent = self._free, self._spent
        for _ in range(self._in_flight - len(free)):
            (spent or free[0]).book_estimate()
        for _ in range(min(self._in_flight, len(free))):
            free.pop().settle_estimate()
        for held in (*free, *([spent] if spent is not None else [])):
            held.release()

    # One piece after the other

    def _take_turn(self) -> asyncio.Future[None]:
        self._last = asyncio.get_running_loop().create_future()
        return self._last

    async def _alone(self, action: Awaitable[Action], mine: asyncio.Future[None]) -> Action:
        try:
            return await action
        finally:
            mine.set_result(None)
            if self._last is mine:
                self._last = None

    def _in_turn(self, before: asyncio.Future[None], piece: bytes) -> Awaitable[Action]:
        """Envoy takes answers for those to the pieces in their order."""

        async def later() -> Action:
            await before
            action = self._shown(piece)
            return action if isinstance(action, Struct) else await action

        return self._alone(later(), self._take_turn())

    # One piece

    def _shown(self, piece: bytes) -> Action | Awaitable[Action]:
        if self.is_over:
            return CONTINUE
        try:
            messages = self._decoder.feed(piece)
        except BadFrame as error:
            logger.warning("a session with %s cannot be read: %s", self._provider, error)
            return self._finish(piece, self._decoder.gap, _UNREADABLE)
        return self._read(piece, messages)

    def _read(self, piece: bytes, messages: Sequence[Message]) -> Action | Awaitable[Action]:
        for index, message in enumerate(messages):
            refused = self._learn(message)
            if isinstance(refused, Deny):
                return self._finish(piece, message.end, refused)
            if refused is not None:
                return self._read_on(refused, piece, messages[index:])
        gap = self._decoder.gap
        if self._is_leaving and gap is not None:
            return self._finish(piece, gap, _LEAVING)
        return CONTINUE

    async def _read_on(
        self, refused: Awaitable[Deny | None], piece: bytes, messages: Sequence[Message]
    ) -> Action:
        deny = await refused
        if deny is not None:
            return self._finish(piece, messages[0].end, deny)
        action = self._read(piece, messages[1:])
        return action if isinstance(action, Struct) else await action

    def _finish(self, piece: bytes, end: int | None, deny: Deny) -> Action:
        """Let the piece pass up to there, and say why nothing follows."""
        self.is_over = True
        if end is None:  # within a message nothing can be said
            return Finish(b"", f"dragoman_{deny.code}", deny)
        told = websocket.text(realtime.error_event(deny))
        closed = websocket.close(_code(deny), deny.reason)
        return Finish(piece[:end] + told + closed, f"dragoman_{deny.code}", deny)

    @property
    def _provider(self) -> str:
        return self._tried.provider if self._tried is not None else ""

    # What it costs

    def _learn(self, message: Message) -> Deny | Awaitable[Deny | None] | None:
        """What is refused: there is too little left for the next response."""
        told = realtime.read(message.data, is_whole=message.is_whole)
        match told:
            case Began():
                self._in_flight += 1
            case Ended():
                self._in_flight = max(0, self._in_flight - 1)
                self._book_response(told)
            case Transcribed():
                self._book_transcription(told.usage)
            case Transcriber():
                self._transcriber = told.model
                return None
            case None:
                return None
        return self._reserve()

    def _book_response(self, told: Ended) -> None:
        if told.usage is not None:
            self._booked().book(told.usage, self._price)
            self._record(told.usage, self._price)
            self._means.expect(told.usage)
        elif not told.is_failure:  # which costs nothing
            self._booked().book_estimate()

    def _book_transcription(self, usage: Usage) -> None:
        price = None
        if self._tried is not None and self._transcriber:
            price = self._means.price_of(self._tried.provider, self._transcriber)
        price = price or self._price
        if usage.milliseconds and price is not None and not price.second:
            usage = realtime.in_tokens(usage)
        self._booked().book(usage, price)
        self._record(usage, price)

    def _record(self, usage: Usage, price: Price | None) -> None:
        whose = calls.caller(self._means.facts)
        if whose is not None and self._tried is not None:
            by = Answered(self._tried.provider, self._tried.model, price)
            calls.record(whose, by, usage)

    @property
    def _price(self) -> Price | None:
        return self._tried.price if self._tried is not None else self._plan.dearest

    def _booked(self) -> Held:
        if self._spent is None:
            self._spent = self._free.pop()
        return self._spent

    def _reserve(self) -> Deny | Awaitable[Deny | None] | None:
        if len(self._free) >= max(1, self._in_flight):
            self._let_spent_go()
            return None
        means = self._means
        means.facts.now = self._began + timedelta(seconds=means.clock() - self._since)
        held = means.budgets.begin(means.facts, self._plan.dearest)
        return self._kept(held) if isinstance(held, (Held, Deny)) else self._kept_later(held)

    async def _kept_later(self, held: Awaitable[Held | Deny]) -> Deny | None:
        return self._kept(await held)

    def _kept(self, held: Held | Deny) -> Deny | None:
        if isinstance(held, Deny):
            return held
        if self._is_closed:
            held.release()
            return None
        self._free.append(held)
        self._let_spent_go()
        return None

    def _let_spent_go(self) -> None:
        if self._spent is not None:
            self._spent.release()
            self._spent = None


def _code(deny: Deny) -> int:
    if deny is _LEAVING:
        return _RESTARTING
    if deny is _UNREADABLE:
        return _INTERNAL_ERROR
    return _AGAINST_POLICY if deny.code == OUT_OF_BUDGET else _LATER
