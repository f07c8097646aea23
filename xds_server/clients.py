"""Everybody who is connected: what they are offered, and what they have made of it.

Envoys and extproc workers are offered different snapshots; the first request of a stream says
which of the two its client is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway import names
from xds_server.audience import Kind, Node
from xds_server.snapshot import Snapshot
from xds_server.subscription import (
    DeltaRequest,
    DeltaResponse,
    DeltaStream,
    Rejection,
    TypeState,
)


def kind_of(first_type_url: str) -> Kind:
    """Who asks for this type before any other."""
    return Kind.WORKER if first_type_url == names.CONFIGURATION_TYPE else Kind.ENVOY


@dataclass(frozen=True, slots=True)
class ClientState:
    """One connected client; for people to read."""

    kind: Kind
    node: Node
    is_current: bool
    """It has acknowledged all of what its kind is offered."""
    types: tuple[TypeState, ...]


class Client:
    """One stream; a reader gives it requests, a writer takes responses."""

    def __init__(
        self, kind: Kind, node: Node, stream: DeltaStream, announce: Callable[[], None]
    ) -> None:
        self.kind = kind
        self.node = node
        self._stream = stream
        self._announce = announce
        self._has_news = asyncio.Event()

    def receive(self, request: DeltaRequest) -> None:
        self._stream.receive(request)
        self._has_news.set()
        self._announce()

    def offer(self, snapshot: Snapshot | None) -> None:
        self._stream.publish(snapshot)
        self._has_news.set()

    async def next_responses(self) -> tuple[DeltaResponse, ...]:
        """What is to be sent, as soon as there is something."""
        while not (responses := self._stream.responses()):
            self._has_news.clear()
            await self._has_news.wait()
        return responses

    def is_current(self) -> bool:
        return self._stream.is_current()

    def is_settled(self) -> bool:
        return self._stream.is_settled()

    def rejections(self, snapshot: Snapshot) -> tuple[Rejection, ...]:
        return self._stream.rejections(snapshot)

    def state(self) -> ClientState:
        return ClientState(self.kind, self.node, self.is_current(), self._stream.states())


class Clients:
    """All streams, and what each kind of client is to have."""

    def __init__(self) -> None:
        self._offered: dict[Kind, Snapshot | None] = dict.fromkeys(Kind)
        self._connected: dict[Client, None] = {}
        self._changed = asyncio.Event()

    def join(self, kind: Kind, node: Node) -> Client:
        """A new stream; it is offered at once what its kind is to have."""
        client = Client(kind, node, DeltaStream(self._offered[kind]), self.announce)
        self._connected[client] = None
        self.announce()
        return client

    def leave(self, client: Client) -> None:
        self._connected.pop(client, None)
        self.announce()

    def offer(self, kind: Kind, snapshot: Snapshot | None) -> None:
        """From now on every client of the kind is to have this; `None`: nothing more is said."""
        self._offered[kind] = snapshot
        for client in self.of(kind):
            client.offer(snapshot)
        self.announce()

    def offered(self, kind: Kind) -> Snapshot | None:
        return self._offered[kind]

    def of(self, kind: Kind) -> tuple[Client, ...]:
        return tuple(client for client in self._connected if client.kind is kind)

    def states(self) -> tuple[ClientState, ...]:
        """Every connected client, in the order in which they came."""
        return tuple(client.state() for client in self._connected)

    def announce(self) -> None:
        """Let everybody who waits look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait_until(self, claim: Callable[[], bool], timeout_seconds: float | None) -> bool:
        """Whether the claim came true in time; it is asked again whenever a client moves."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not claim():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
