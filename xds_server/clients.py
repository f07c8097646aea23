"""Everybody who is connected: what they are offered, and what they have made of it.

Envoys and extproc workers are offered different things; the first request of a stream says which of
the two its client is, and the offer says who is told the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from envoy_api.discovery import Variant

from gateway import names
from xds_server.audience import Audience, Kind, Node, Offer, Principal, Refused
from xds_server.resources.secrets import with_tokens
from xds_server.snapshot import Snapshot
from xds_server.subscription.delta import DeltaStream
from xds_server.subscription.state import StateStream
from xds_server.subscription.stream import Stream
from xds_server.subscription.words import Rejection, Request, Response, TypeState

logger = logging.getLogger(__name__)

NOBODY = Principal("")

STREAMS = {Variant.DELTA: DeltaStream, Variant.SOTW: StateStream}

NoteRefusal: TypeAlias = Callable[[Kind, Node, str, Sequence[str], str], object]
"""Who, its node, the type, the names that it refuses of it now, and why."""


def kind_of(first_type_url: str, node: Node) -> Kind:
    """Who asks for this type before any other."""
    if first_type_url != names.CONFIGURATION_TYPE:
        return Kind.ENVOY
    return Kind.HUB if node.user_agent == names.HUB_AGENT else Kind.WORKER


@dataclass(frozen=True, slots=True)
class ClientState:
    """One connected client; for people to read."""

    kind: Kind
    node: Node
    is_current: bool
    """It has acknowledged all of what it is offered."""
    types: tuple[TypeState, ...]
    principal: Principal
    variant: Variant
    audience: Audience | None
    """None before anything is offered."""


@dataclass(slots=True)
class Company:
    """The streams of one client, or of several that share a name and a connection."""

    clients: list[Client] = field(default_factory=list)
    """Those of one type each; they wait for one another."""
    streams: list[Stream] = field(default_factory=list)
    """Theirs."""
    aggregated: list[Client] = field(default_factory=list)
    """Those of all types; what others ask for is not expected of them."""

    @property
    def is_empty(self) -> bool:
        return not self.clients and not self.aggregated


class Client:
    """One stream; a reader gives it requests, a writer takes responses."""

    def __init__(
        self,
        kind: Kind,
        node: Node,
        principal: Principal,
        variant: Variant,
        clients: Clients,
        *,
        company: Company,
        is_aggregated: bool,
    ) -> None:
        self.kind = kind
        self.node = node
        self.principal = principal
        self.variant = variant
        self.ended: Refused | None = None
        """Why the stream must end: it may have nothing of what is offered now."""
        self.audience: Audience | None = None
        self.has_been_current = False
        """It has had everything that it was offered, at least once."""
        self._clients = clients
        self.company = company
        self._is_aggregated = is_aggregated
        self._stream = STREAMS[variant](None, is_aggregated=is_aggregated, fellows=company.streams)
        self._has_news = asyncio.Event()
        if is_aggregated:
            company.aggregated.append(self)
        else:
            company.clients.append(self)
            company.streams.append(self._stream)

    def receive(self, request: Request) -> None:
        """Raises `BadRequest` when the stream must end."""
        number = self._stream.number_of_types
        self._stream.receive(request)
        self._moved()
        if not self._is_aggregated and self._stream.number_of_types != number:
            self._is_seen_beside()

    def offer(self, offer: Offer | None) -> None:
        """From now on it is to have what its audience is to have of this."""
        self.audience = None
        snapshot = None
        if offer is not None and self.ended is None:
            snapshot = self._snapshot_of(offer)
        self._stream.publish(snapshot)
        self._moved()

    def _snapshot_of(self, offer: Offer) -> Snapshot | None:
        audience = offer.audience(self.node, self.principal)
        if isinstance(audience, Refused):
            self.ended = audience
            return None
        try:
            snapshot = self._clients.filled(offer.snapshot(audience))
        except Exception:  # made for this audience alone: the others are served
            logger.exception("%s %s: what it is to have cannot be made", self.kind, self.node.id)
            self.ended = Refused("what this client is to have cannot be made; see the log")
            return None
        self.audience = audience
        return snapshot

    async def next_responses(self) -> tuple[Response, ...]:
        """What is to be sent, as soon as there is something; nothing when it has `ended`."""
        while self.ended is None:
            responses = self._stream.responses(self._clients.now())
            if responses:
                self._clients.note(self)
                return responses
            self._has_news.clear()
            await self._rest()
        return ()

    def is_current(self) -> bool:
        """It has acknowledged everything that it can have asked for."""
        return self._stream.is_current()

    def is_settled(self) -> bool:
        """It has answered all that there is to say on what it has asked for, or must end."""
        return self.ended is not None or self._stream.is_settled()

    def is_silent(self) -> bool:
        """It has not answered for so long that nobody should wait for it."""
        return self._stream.is_silent(self._clients.now())

    def rejections(self, snapshot: Snapshot) -> tuple[Rejection, ...]:
        """What it refuses of this snapshot."""
        return self._stream.rejections(snapshot)

    def state(self) -> ClientState:
        """For people to read."""
        return ClientState(
            self.kind,
            self.node,
            self.is_current(),
            self._stream.states(),
            self.principal,
            self.variant,
            self.audience,
        )

    def left(self) -> bool:
        """The stream is over; whether it was the last of its company."""
        if self._is_aggregated:
            self.company.aggregated.remove(self)
        else:
            self.company.clients.remove(self)
            self.company.streams.remove(self._stream)
            self._wake()
            self._is_seen_beside()
        return self.company.is_empty

    def _moved(self) -> None:
        self._wake()
        self._clients.note(self)

    def _wake(self) -> None:
        """What one stream has been told may be what another waits for."""
        for each in (self,) if self._is_aggregated else self.company.clients:
            each._has_news.set()

    def _is_seen_beside(self) -> None:
        """What this stream asks for, or does not any more, may be what another lacks."""
        for each in self.company.aggregated:
            self._clients.note(each)

    async def _rest(self) -> None:
        wakeup = self._stream.next_wakeup()
        seconds = None if wakeup is None else max(wakeup - self._clients.now(), 0.0)
        try:
            async with asyncio.timeout(seconds):
                await self._has_news.wait()
        except TimeoutError:
            return  # the stream itself has something to do now


class Clients:
    """All streams, and what each kind of client is to have."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        note_refusal: NoteRefusal = lambda *_: None,
    ) -> None:
        self.now = now
        self._note_refusal = note_refusal
        self._offered: dict[Kind, Offer | None] = dict.fromkeys(Kind)
        self._tokens: Mapping[str, str] = {}
        self._filled: dict[str, Snapshot] = {}
        """Of what is offered now, by the version of the snapshot without tokens."""
        self._have_offer = {kind: asyncio.Event() for kind in Kind}
        self._connected: dict[Kind, dict[Client, None]] = {kind: {} for kind in Kind}
        self._unsettled: dict[Kind, dict[Client, None]] = {kind: {} for kind in Kind}
        self._current: dict[Kind, set[Client]] = {kind: set() for kind in Kind}
        self._companies: dict[tuple[Kind, str, str], Company] = {}
        """By node and connection, for several processes may take the same name."""
        self._changed = asyncio.Event()

    def join(
        self,
        kind: Kind,
        node: Node,
        principal: Principal = NOBODY,
        variant: Variant = Variant.DELTA,
        *,
        is_aggregated: bool = True,
    ) -> Client:
        """A new stream, of all types or of one; it is offered at once what its kind is to have, and
        may have `ended` by that."""
        key = _company_key(kind, node, principal)
        company = self._companies.setdefault(key, Company())
        client = Client(
            kind, node, principal, variant, self, company=company, is_aggregated=is_aggregated
        )
        self._connected[kind][client] = None
        try:
            client.offer(self._offered[kind])
        except BaseException:
            self.leave(client)
            raise
        return client

    def leave(self, client: Client) -> None:
        """The stream is over."""
        if client not in self._connected[client.kind]:
            return
        del self._connected[client.kind][client]
        is_last = client.left()
        key = _company_key(client.kind, client.node, client.principal)
        if is_last and self._companies.get(key) is client.company:
            del self._companies[key]
        self._unsettled[client.kind].pop(client, None)
        self._current[client.kind].discard(client)
        self.announce()

    def offer(self, kind: Kind, offer: Offer | None) -> None:
        """From now on every client of the kind is to have this; `None`: nothing more is said."""
        self._offered[kind] = offer
        self._filled.clear()
        (self._have_offer[kind].clear if offer is None else self._have_offer[kind].set)()
        for client in self.of(kind):
            client.offer(offer)
        self.announce()

    def renew(self, tokens: Mapping[str, str]) -> None:
        """From now on Envoys have these tokens in the secrets that wait for them, by version; the
        rest of what they are offered stays, whatever becomes of these."""
        self._tokens = dict(tokens)
        self.offer(Kind.ENVOY, self._offered[Kind.ENVOY])

    def filled(self, snapshot: Snapshot) -> Snapshot:
        """With the tokens of today; one for all who have the same."""
        if not self._tokens:
            return snapshot
        found = self._filled.get(snapshot.version)
        if found is None:
            found = self._filled[snapshot.version] = with_tokens(snapshot, self._tokens)
        return found

    def offered(self, kind: Kind) -> Offer | None:
        """What clients of the kind are to have."""
        return self._offered[kind]

    async def wait_for_offer(self, kind: Kind) -> None:
        """Until there is something to compare with what a client holds."""
        await self._have_offer[kind].wait()

    def of(self, kind: Kind) -> tuple[Client, ...]:
        """Everybody of a kind, in the order in which they came."""
        return tuple(self._connected[kind])

    def are_settled(self, kind: Kind, but: Callable[[Client], bool]) -> bool:
        """Whether all have answered all that there is to say, apart from those of whom it holds,
        and from those who are silent: a client that does not read holds up one change, not all."""
        return all(client.is_silent() or but(client) for client in self._unsettled[kind])

    def audiences(self, kind: Kind, offer: Offer) -> frozenset[Audience]:
        """Whom this would be for, if it were offered now. May be asked in another thread."""
        asked = (offer.audience(client.node, client.principal) for client in self.of(kind))
        return frozenset(each for each in asked if isinstance(each, Audience))

    def number_connected(self, kind: Kind) -> int:
        """How many there are."""
        return len(self._connected[kind])

    def number_current(self, kind: Kind) -> int:
        """How many of them have acknowledged all that they are offered."""
        return len(self._current[kind])

    def states(self) -> tuple[ClientState, ...]:
        """Every connected client."""
        return tuple(client.state() for each in self._connected.values() for client in each)

    def refused(self, client: Client, request: Request) -> None:
        """A client has refused something, and this was received from it."""
        offer = self._offered[client.kind]
        refused: tuple[Rejection, ...] = ()
        if offer is not None and client.audience is not None:
            refused = client.rejections(self.filled(offer.snapshot(client.audience)))
        named = [each.name for each in refused if each.type_url == request.type_url]
        reason = request.error or ""
        self._note_refusal(client.kind, client.node, request.type_url, named, reason)

    def note(self, client: Client) -> None:
        """A client has moved: it is counted anew."""
        if client not in self._connected[client.kind]:
            return
        if client.is_settled():
            self._unsettled[client.kind].pop(client, None)
        else:
            self._unsettled[client.kind][client] = None
        counted = self._current[client.kind]
        is_current = client.is_current()
        client.has_been_current |= is_current
        (counted.add if is_current else counted.discard)(client)
        self.announce()

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


def _company_key(kind: Kind, node: Node, principal: Principal) -> tuple[Kind, str, str]:
    return (kind, node.id, principal.peer)
