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
from envoy_api.discovery import Variant

from xds_server.access import shown
from xds_server.audience import Kind, Node, Principal, Refused
from xds_server.clients import Client, Clients, kind_of
from xds_server.metrics import Traffic
from xds_server.refusals import client_name, short
from xds_server.server.bounds import NAME_LENGTH, NODE_BYTES, Bounds, Hush, Pace, Seats
from xds_server.server.encoding import Encoder, node_of, parsed, request_of, size_of
from xds_server.server.outgoing import Outgoing
from xds_server.server.services import Service
from xds_server.subscription.words import BadRequest, Request, Response

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
    _first: bytes = field(default=b"", repr=False)
    _refusals: dict[str, str] = field(default_factory=dict)

    def meet(self, data: bytes) -> tuple[Node, str]:
        """The first request: whose it is, and of which type. All of it is read when `first` is:
        what a client holds takes several times as much then. Raises `BadRequest`."""
        message = parsed(self.variant, data)
        self._first = data
        return self._meet(message), self._type_of(message)

    def first(self) -> bytes:
        """The first request, once."""
        data, self._first = self._first, b""
        return data

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

    def _meet(self, message: Any) -> Node:
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
        return self.node

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
        self._outgoing = Outgoing(bounds.outgoing_bytes, bounds.outgoing_seconds)
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
            met = await self._met(talk, principal, context)
            if not isinstance(met, tuple):
                return met
            node, type_url = met
            if not self._seats.sit(node.id):
                reason = f"too many streams of node {shown(node.id)}"
                return Ending(grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
            try:
                return await self._attended(kind_of(type_url, node), talk, principal, context)
            finally:
                self._seats.stand_up(node.id)
        except BadRequest as mistake:
            return _mistaken(mistake)
        except grpc.aio.BaseError:
            return None  # the connection is gone
        except Exception:  # ours: it is for the log, not for the client
            logger.exception("%s: stream broken by a fault of ours", principal.peer)
            return Ending(grpc.StatusCode.INTERNAL, "internal error")

    async def _met(
        self, talk: Talk, principal: Principal, context: Any
    ) -> tuple[Node, str] | Ending | None:
        """What the first request says, or the end of a stream that has none in time."""
        seconds = self._bounds.first_request_seconds
        try:
            async with asyncio.timeout(seconds):
                # gRPC cannot end a stream whose first write, which brings these, was given up
                await context.send_initial_metadata(())
                data = await context.read()
        except TimeoutError:
            return Ending(grpc.StatusCode.DEADLINE_EXCEEDED, f"no request within {seconds:g} s")
        finally:
            self._seats.spoke(principal.peer)
        return None if data is grpc.aio.EOF else talk.meet(data)

    async def _attended(
        self, kind: Kind, talk: Talk, principal: Principal, context: Any
    ) -> Ending | None:
        """From the first request on."""
        assert talk.node is not None
        is_aggregated = talk.service.type_url is None
        client = self._clients.join(
            kind, talk.node, principal, talk.variant, is_aggregated=is_aggregated
        )
        self.traffic.opened += 1
        name = client_name(kind, client.node)
        logger.info("%s %s connected", name, shown(client.node.id))
        try:
            return await self._converse(talk, client, context)
        finally:
            self._clients.leave(client)
            logger.info("%s %s disconnected", name, shown(client.node.id))

    async def _converse(self, talk: Talk, client: Client, context: Any) -> Ending | None:
        """Until one of the two has said enough."""
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(talk, client, context))
            writing = tasks.create_task(self._write(client, context))
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            writing.cancel()
        endings = [task.result() for task in (writing, reading) if not task.cancelled()]
        return next((ending for ending in endings if ending is not None), None)

    async def _read(self, talk: Talk, client: Client, context: Any) -> Ending | None:
        """While nothing is offered, nothing is read that would have to be kept until then."""
        pace = Pace(self._bounds.requests_at_once, self._bounds.requests_per_second)
        await self._clients.wait_for_offer(client.kind)
        try:
            self._take_in(talk.first(), talk, client)
            while await self._read_next(talk, client, context):
                if wait_seconds := pace.wait_seconds(time.monotonic()):
                    await asyncio.sleep(wait_seconds)
        except BadRequest as mistake:
            return _mistaken(mistake)
        except grpc.aio.BaseError:
            pass  # the connection is gone
        return None

    async def _read_next(self, talk: Talk, client: Client, context: Any) -> bool:
        """Whether there was something. While there is nothing, nothing old is held here."""
        data = await context.read()
        if data is grpc.aio.EOF:
            return False
        self._take_in(data, talk, client)
        return True

    def _take_in(self, data: bytes, talk: Talk, client: Client) -> None:
        """Raises `BadRequest`."""
        request = talk.request(data)
        is_refusal = talk.is_new(request)
        client.receive(request)
        if is_refusal:
            self._clients.refused(client, request)

    async def _write(self, client: Client, context: Any) -> Ending | None:
        try:
            while await self._write_next(client, context):
                pass
        except TimeoutError:
            reason = f"a response was not taken within {self._bounds.write_seconds:g} s"
            return Ending(grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
        except grpc.aio.BaseError:
            return None  # the connection is gone
        return None if client.ended is None else _refused(client.ended)

    async def _write_next(self, client: Client, context: Any) -> bool:
        """Whether there was something. While there is nothing, nothing old is held here."""
        responses = await client.next_responses()
        for response in responses:
            async with self._outgoing.room(size_of(response)):
                await self._send(response, context)
        return bool(responses)

    async def _send(self, response: Response, context: Any) -> None:
        """The bytes are of this client alone, and megabytes: here nobody holds them afterwards,
        nor before there is room for them."""
        data = self._encoder.encode(response)
        self.traffic.sent(short(response.type_url), len(response.resources), len(data))
        async with asyncio.timeout(self._bounds.write_seconds):
            await context.write(data)


def _mistaken(mistake: BadRequest) -> Ending:
    return Ending(grpc.StatusCode.INVALID_ARGUMENT, str(mistake))


def _refused(refused: Refused) -> Ending:
    unknown, forbidden = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
    return Ending(unknown if refused.is_unknown else forbidden, refused.reason)
