"""The ext_proc service: each call is an Exchange, or, from a provider's cluster, an Attempt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import unquote

from msgspec import Struct

from extproc import attempt, direct_wire, wire
from extproc.a2a_exchange.exchange import A2aExchange
from extproc.audits import Audits, uncounted
from extproc.edges.service import Call, Stream
from extproc.events import (
    CONTINUE,
    Action,
    Event,
    Finish,
    Flow,
    RequestBody,
    RequestHeaders,
)
from extproc.exchange import Exchange
from extproc.llm.dialects import refusal
from extproc.login_exchange import LoginExchange
from extproc.mcp_exchange.exchange import McpExchange
from extproc.passing import NO_LIMIT
from extproc.plan import Steering
from extproc.ports import Clock
from extproc.program import NOT_READY, Program
from extproc.verdict import Deny
from gateway import names
from gateway.betas import Betas, named
from gateway.model import Lossiness

logger = logging.getLogger(__name__)

_Exchange: TypeAlias = Exchange | McpExchange | A2aExchange | LoginExchange
_INTERNAL = 13  # grpc-status INTERNAL
METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
_UNAVAILABLE = refusal(None, NOT_READY)


class Process:
    """Makes the stream of each call; holds the program that new calls take."""

    def __init__(self, clock: Clock, audits: Audits | None = None) -> None:
        """`audits` is told whom it refuses while there is no program."""
        self.program: Program | None = None
        self.audits = audits or uncounted()
        self._clock = clock
        self._running: set[asyncio.Future[None]] = set()
        self._open: set[_ExchangeStream] = set()

    def __call__(self, call: Call) -> Stream:
        metadata = call.metadata
        role = metadata.get(names.ROLE_METADATA)
        if role == names.ATTEMPT_ROLE:
            return _AttemptStream(call, self, wire.decode_attempt)
        if role == names.MIRROR_ROLE:
            return _AttemptStream(call, self, wire.decode_mirror)
        if self.program is None:
            self.audits.count(NOT_READY)
            return _UnavailableStream(call)
        now = datetime.fromtimestamp(self._clock(), UTC)
        limit = metadata.get(names.LIMIT_METADATA)
        bytes_at_most = int(limit) if limit else NO_LIMIT
        if role == names.MCP_ROLE:
            return self._opened(call, McpExchange(self.program, now, bytes_at_most))
        if role == names.A2A_ROLE:
            return self._opened(call, A2aExchange(self.program, now, bytes_at_most))
        if role == names.LOGIN_ROLE:
            return self._opened(call, LoginExchange(self.program, now))
        route = metadata.get(names.ROUTE_METADATA)
        steered = metadata.get(names.STEERING_METADATA)
        exchange = Exchange(
            self.program,
            now,
            unquote(route) if route else "",
            bytes_at_most,
            Steering(steered) if steered else Steering.METADATA,
        )
        return self._opened(call, exchange)

    def _opened(self, call: Call, exchange: _Exchange) -> Stream:
        stream = _ExchangeStream(call, exchange, self)
        self._open.add(stream)
        return stream

    def forget(self, stream: _ExchangeStream) -> None:
        """The call is over."""
        self._open.discard(stream)

    def let_go(self) -> None:
        """End the calls whose answers are on their way: Envoy goes on without us."""
        for stream in tuple(self._open):
            stream.let_go()

    def run(self, work: Awaitable[None]) -> None:
        """Own the answer to a call until it is given."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self) -> None:
        """Wait for the answers that are still awaited."""
        if self._running:
            await asyncio.wait(self._running, timeout=5)


class _ExchangeStream:
    __slots__ = ("_call", "_exchange", "_process")

    def __init__(self, call: Call, exchange: _Exchange, process: Process) -> None:
        self._call = call
        self._exchange = exchange
        self._process = process

    def on_message(self, message: bytes) -> None:
        event = wire.decode(message)
        exchange = self._exchange
        action = exchange.on_event(event)
        if type(action) is Flow:
            self._flow(action)
        elif action is CONTINUE:
            self._call.send(wire.CONTINUE_AFTER.get(type(event)) or wire.encode(event, CONTINUE))
        elif isinstance(action, Struct):  # as all actions are; asking for Awaitable takes longer
            self._call.send(wire.encode(event, action))
        else:
            if exchange.patience:
                self._call.send(exchange.patience)
            self._process.run(self._answer_later(event, action))
            return
        if exchange.is_over:
            self._end(action)

    def _flow(self, action: Flow) -> None:
        for message in direct_wire.encode_flow(action):
            self._call.send(message)

    def _answer(self, event: Event, action: Action) -> None:
        if isinstance(action, Flow):
            self._flow(action)
        else:
            self._call.send(wire.encode(event, action))
        if self._exchange.is_over:
            self._end(action)

    def _end(self, action: Action) -> None:
        """Envoy goes on alone, also when this worker dies; or it is told to cut."""
        if isinstance(action, Finish):
            self._call.send(wire.encode_cut(action))
        self._call.end()

    async def _answer_later(self, event: Event, action: Awaitable[Action]) -> None:
        try:
            self._answer(event, await action)
        except Exception:
            logger.exception("an answer failed; the request is refused")
            self._call.end(_INTERNAL, "internal error")

    def on_half_close(self) -> None:
        self._call.end()

    def let_go(self) -> None:
        if self._exchange.let_go():
            self._call.end()

    def on_close(self) -> None:
        self._process.forget(self)
        self._exchange.on_close()


_Decode: TypeAlias = Callable[[bytes, str], tuple[Event, wire.Order | None]]


class _AttemptStream:
    __slots__ = ("_betas", "_call", "_cluster", "_decode", "_order", "_process")

    def __init__(self, call: Call, process: Process, decode: _Decode) -> None:
        self._decode = decode
        self._call = call
        self._cluster = call.metadata.get(names.ATTEMPT_METADATA, "")
        self._process = process
        self._order: wire.Order | None = None
        self._betas: Betas = ()

    def on_message(self, message: bytes) -> None:
        event, order = self._decode(message, self._cluster)
        if isinstance(event, RequestHeaders):
            self._order = order
            self._betas = named(event.headers.get(names.BETAS_HEADER, ""))
        if isinstance(event, RequestBody) and self._order is not None:
            self._call.send(self._rewritten(event, self._order))
            self._call.end()
        else:
            self._call.send(wire.encode(event, CONTINUE))

    def _rewritten(self, event: RequestBody, order: wire.Order) -> bytes:
        program = self._process.program
        lossiness = Lossiness.HINTS if program is None else program.llm.lossiness
        body = attempt.rewritten(event.body, order, lossiness, self._betas)
        if isinstance(body, Deny):
            self._process.audits.count(body)
            return wire.encode(event, refusal(order.forwarded.dialect, body))
        return wire.encode_body(body)

    def on_half_close(self) -> None:
        self._call.end()

    def on_close(self) -> None:
        pass


class _UnavailableStream:
    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def on_message(self, message: bytes) -> None:
        self._call.send(wire.encode(wire.decode(message), _UNAVAILABLE))

    def on_half_close(self) -> None:
        self._call.end()

    def on_close(self) -> None:
        pass
