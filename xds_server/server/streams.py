"""One stream of a discovery service: requests go to a `Client`, its responses go out.

Two loops without decisions, and the bounds of `bounds.py`. Whoever breaks the protocol or a bound
is told so, and only its own stream ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any

import grpc

from xds_server.access import shown
from xds_server.audience import Node, Principal, Refused
from xds_server.clients import Client, Clients, kind_of
from xds_server.metrics import Traffic
from xds_server.refusals import short
from xds_server.server.bounds import NAME_LENGTH, NODE_BYTES, Bounds, Hush, Pace, Seats
from xds_server.server.encoding import Encoder, node_of, parsed, request_of
from xds_server.server.services import Service
from xds_server.subscription.words import BadRequest, Request, Response, Variant

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why we end a stream."""

    code: grpc.StatusCode
    reason: str


@dataclass(slots=True)
class Talk:
    """What is said on one stream, read: its type and its node stay what they were."""

    service: Service
    variant: Variant
    node: Node | None = None
    _refusals: dict[str, str] = field(default_factory=dict)

    def request(self, data: bytes) -> Request:
        """Raises `BadRequest`."""
        message = parsed(self.variant, data)
        self._meet(message)
        return request_of(self.variant, message, self._type_of(message))

    def is_new(self, request: Request) -> bool:
        """Whether it refuses something, and not as it did before."""
        if request.error is None:
            self._refusals.pop(request.type_url, None)
            return False
        before = self._refusals.get(request.type_url)
        self._refusals[request.type_url] = request.error
        return before != request.error

    def _meet(self, message: Any) -> None:
        if self.node is None:
            if len(message.node.id) > NAME_LENGTH:
                raise BadRequest(f"a node id of more than {NAME_LENGTH} characters")
            if message.node.ByteSize() > NODE_BYTES:
                raise BadRequest(f"a node of more than {NODE_BYTES} bytes")
            self.node = node_of(message.node)
        elif message.node.id not in ("", self.node.id):
            raise BadRequest(
                f"this stream is node {shown(self.node.id)}'s, not {shown(message.node.id)}'s"
            )

    def _type_of(self, message: Any) -> str:
        said, own = str(message.type_url), self.service.type_url
        if own is None:
            if not said:
                raise BadRequest("a request on an aggregated stream needs a type_url")
            return said
        if said not in ("", own):
            raise BadRequest(f"{self.service.name} serves {own}, not {shown(said)}")
        return own


class Streams:
    """All streams."""

    def __init__(self, clients: Clients, bounds: Bounds) -> None:
        self._clients = clients
        self._bounds = bounds
        self._seats = Seats(bounds)
        self._encoder = Encoder()
        self._hush = Hush()
        self.traffic = Traffic()

    async def serve(
        self, service: Service, variant: Variant, principal: Principal, context: Any
    ) -> None:
        """From the first request to the end."""
        if not self._seats.enter(principal.peer):
            full = Ending(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many streams")
            await self._end(full, principal, context)
            return
        try:
            ending = await self._ended(Talk(service, variant), principal, context)
            if ending is not None:  # who does not read keeps its seat until it hears of this
                await self._end(ending, principal, context)
        finally:
            self._seats.leave()

    async def _end(self, ending: Ending, principal: Principal, context: Any) -> None:
        if self._hush.may_say(principal.peer, time.monotonic()):
            logger.warning("%s: stream ended: %s", principal.peer, ending.reason)
        self.traffic.ended[ending.code.name] += 1
        try:
            await context.abort(ending.code, ending.reason)
        except grpc.aio.InternalError:  # it has gone without hearing of this
            raise asyncio.CancelledError from None

    async def _ended(self, talk: Talk, principal: Principal, context: Any) -> Ending | None:
        """Why the stream must be ended; None when the client has ended it."""
        try:
            data = await self._first(principal, context)
            if isinstance(data, Ending):
                return data
            if data is grpc.aio.EOF:
                return None
            return await self._attended(talk.request(data), talk, principal, context)
        except BadRequest as mistake:
            return _mistaken(mistake)
        except grpc.aio.BaseError:
            return None  # the connection is gone
        except Exception:  # ours: it is for the log, not for the client
            logger.exception("%s: stream broken by a fault of ours", principal.peer)
            return Ending(grpc.StatusCode.INTERNAL, "internal error")

    async def _first(self, principal: Principal, context: Any) -> Any:
        """The first request's bytes, or the end of a stream that has none in time."""
        seconds = self._bounds.first_request_seconds
        try:
            async with asyncio.timeout(seconds):
                # gRPC cannot end a stream whose first write, which brings these, was given up
                await context.send_initial_metadata(())
                return await context.read()
        except TimeoutError:
            return Ending(grpc.StatusCode.DEADLINE_EXCEEDED, f"no request within {seconds:g} s")
        finally:
            self._seats.spoke(principal.peer)

    async def _attended(
        self, first: Request, talk: Talk, principal: Principal, context: Any
    ) -> Ending | None:
        """From the first request on."""
        assert talk.node is not None
        if not self._seats.sit(talk.node.id):
            reason = f"too many streams of node {shown(talk.node.id)}"
            return Ending(grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
        client = self._clients.join(
            kind_of(first.type_url),
            talk.node,
            principal,
            talk.variant,
            is_aggregated=talk.service.type_url is None,
        )
        self.traffic.opened += 1
        logger.info("%s %s connected", client.kind, shown(client.node.id))
        try:
            return await self._converse(first, talk, client, context)
        finally:
            self._seats.stand_up(talk.node.id)
            self._clients.leave(client)
            logger.info("%s %s disconnected", client.kind, shown(client.node.id))

    async def _converse(
        self, first: Request, talk: Talk, client: Client, context: Any
    ) -> Ending | None:
        """Until one of the two has said enough."""
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(first, talk, client, context))
            writing = tasks.create_task(self._write(client, context))
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            writing.cancel()
        endings = [task.result() for task in (writing, reading) if not task.cancelled()]
        return next((ending for ending in endings if ending is not None), None)

    async def _read(
        self, first: Request, talk: Talk, client: Client, context: Any
    ) -> Ending | None:
        pace = Pace(self._bounds.requests_at_once, self._bounds.requests_per_second)
        request = first
        while True:
            is_refusal = talk.is_new(request)
            try:
                client.receive(request)
                if is_refusal:
                    self._clients.refused(client, request)
                data = await context.read()
                if data is grpc.aio.EOF:
                    return None
                request = talk.request(data)
            except BadRequest as mistake:
                return _mistaken(mistake)
            except grpc.aio.BaseError:
                return None  # the connection is gone
            if wait_seconds := pace.wait_seconds(time.monotonic()):
                await asyncio.sleep(wait_seconds)

    async def _write(self, client: Client, context: Any) -> Ending | None:
        seconds = self._bounds.write_seconds
        try:
            while responses := await client.next_responses():
                for response in responses:
                    await self._send(response, context)
        except TimeoutError:
            reason = f"a response was not taken within {seconds:g} s"
            return Ending(grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
        except grpc.aio.BaseError:
            return None  # the connection is gone
        return None if client.ended is None else _refused(client.ended)

    async def _send(self, response: Response, context: Any) -> None:
        """The bytes are of this client alone, and megabytes: here nobody holds them afterwards."""
        data = self._encoder.encode(response)
        self.traffic.sent(short(response.type_url), len(response.resources), len(data))
        async with asyncio.timeout(self._bounds.write_seconds):
            await context.write(data)


def _mistaken(mistake: BadRequest) -> Ending:
    return Ending(grpc.StatusCode.INVALID_ARGUMENT, str(mistake))


def _refused(refused: Refused) -> Ending:
    unknown, forbidden = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
    return Ending(unknown if refused.is_unknown else forbidden, refused.reason)
