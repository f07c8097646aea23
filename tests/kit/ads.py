"""xDS clients that say exactly what a test tells them to: fake Envoys, or fake workers.

In both variants of the protocol, over the aggregated service or one for each type.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import envoy_api
import grpc
from envoy_api.discovery import Variant

from gateway import names
from xds_server.clients import Clients
from xds_server.server import AdsServer, Bounds, Security
from xds_server.server.services import AGGREGATED, Service

SECONDS = 5
"""How long anything that must happen is waited for."""
DISCOVERY = "envoy.service.discovery.v3."
ENVOY_1_40 = {"version": {"major_number": 1, "minor_number": 40, "patch": 0}}
UNLIMITED = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


@dataclass(frozen=True, slots=True)
class Received:
    """One response."""

    type_url: str
    nonce: str
    version: str
    resources: Mapping[str, str]
    """Name → version; of state of the world, only resources with a TTL have one of their own."""
    bodies: Mapping[str, Any]
    """Name → message, for the types that Envoy or we know; heartbeats have none."""
    removed: tuple[str, ...] = ()
    ttls: Mapping[str, float] = field(default_factory=dict)
    """Name → seconds, where there is one."""
    control_plane: str = ""

    @property
    def heartbeats(self) -> set[str]:
        return self.resources.keys() - self.bodies.keys()


class Client:
    """One stream; subclasses speak a variant."""

    def __init__(self, call: Any, node: Mapping[str, Any]) -> None:
        self._call = call
        self._node: Mapping[str, Any] | None = node

    async def read(self) -> Received:
        async with asyncio.timeout(SECONDS):
            response = await self._call.read()
        assert response is not grpc.aio.EOF, "the server ended the stream"
        return self.understood(response)

    async def take(self) -> Received:
        """Read and accept."""
        received = await self.read()
        await self.ack(received)
        return received

    async def ack(self, received: Received) -> None:
        raise NotImplementedError

    async def begun(self) -> None:
        """The server has seen the stream, though it has heard nothing yet."""
        async with asyncio.timeout(SECONDS):
            await self._call.initial_metadata()

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """How the server ended the stream."""
        async with asyncio.timeout(SECONDS):
            return await self._call.code(), await self._call.details()

    def understood(self, response: Any) -> Received:
        raise NotImplementedError

    async def send(self, message_name: str, **fields: Any) -> None:
        """The node is said once, unless the fields say one."""
        node, self._node = self._node, None
        request = envoy_api.message(DISCOVERY + message_name)
        await self._call.write(request(**{"node": node, **fields}))


class DeltaClient(Client):
    """Incremental."""

    async def ask(
        self, type_url: str, names: Sequence[str] = (), held: Mapping[str, str] | None = None
    ) -> None:
        await self._send(
            type_url=type_url,
            resource_names_subscribe=names,
            initial_resource_versions=held or {},
        )

    async def drop(self, type_url: str, names: Sequence[str]) -> None:
        await self._send(type_url=type_url, resource_names_unsubscribe=names)

    async def ack(self, received: Received, drop: Sequence[str] = ()) -> None:
        await self._send(
            type_url=received.type_url,
            response_nonce=received.nonce,
            resource_names_unsubscribe=drop,
        )

    async def nack(self, received: Received, reason: str) -> None:
        await self._send(
            type_url=received.type_url,
            response_nonce=received.nonce,
            error_detail={"code": 3, "message": reason},
        )

    def understood(self, response: Any) -> Received:
        listed = response.resources
        return Received(
            response.type_url,
            response.nonce,
            response.system_version_info,
            {each.name: each.version for each in listed},
            {each.name: _unpacked(each.resource) for each in listed if each.HasField("resource")},
            tuple(response.removed_resources),
            {each.name: _seconds(each.ttl) for each in listed if each.HasField("ttl")},
            response.control_plane.identifier,
        )

    async def _send(self, **fields: Any) -> None:
        await self.send("DeltaDiscoveryRequest", **fields)


class StateClient(Client):
    """State of the world. What it asked for last, and what it has accepted, it says again."""

    def __init__(self, call: Any, node: Mapping[str, Any]) -> None:
        super().__init__(call, node)
        self._names: dict[str, tuple[str, ...]] = {}
        self._accepted: dict[str, str] = {}
        self._nonces: dict[str, str] = {}

    async def ask(self, type_url: str, names: Sequence[str] = ()) -> None:
        """From now on these names, instead of others."""
        self._names[type_url] = tuple(names)
        await self._send(type_url)

    async def drop(self, type_url: str, names: Sequence[str]) -> None:
        await self.ask(type_url, [one for one in self._names[type_url] if one not in names])

    def accept(self, received: Received) -> None:
        """From the next request on."""
        self._accepted[received.type_url] = received.version

    async def ack(self, received: Received) -> None:
        self.accept(received)
        await self._send(received.type_url)

    async def nack(self, received: Received, reason: str) -> None:
        await self._send(received.type_url, error_detail={"code": 3, "message": reason})

    def understood(self, response: Any) -> Received:
        self._nonces[response.type_url] = response.nonce
        resources: dict[str, str] = {}
        bodies: dict[str, Any] = {}
        ttls: dict[str, float] = {}
        for packed in response.resources:
            body = _unpacked(packed)
            if body.DESCRIPTOR.name == "Resource":
                name, resources[body.name] = body.name, body.version
                ttls[name] = _seconds(body.ttl)
                if body.HasField("resource"):
                    bodies[name] = _unpacked(body.resource)
            else:
                name = name_of(body)
                resources[name], bodies[name] = "", body
        return Received(
            response.type_url,
            response.nonce,
            response.version_info,
            resources,
            bodies,
            ttls=ttls,
            control_plane=response.control_plane.identifier,
        )

    async def _send(self, type_url: str, **fields: Any) -> None:
        await self.send(
            "DiscoveryRequest",
            type_url=type_url,
            resource_names=self._names.get(type_url, ()),
            version_info=self._accepted.get(type_url, ""),
            response_nonce=self._nonces.get(type_url, ""),
            **fields,
        )


def name_of(body: Any) -> str:
    """A resource's own name; our own type has one resource, and no name in it."""
    if body.DESCRIPTOR.name == "ClusterLoadAssignment":
        return str(body.cluster_name)
    return str(getattr(body, "name", names.CONFIGURATION_NAME))


def _unpacked(packed: Any) -> Any:
    try:
        return envoy_api.unpack(packed)
    except envoy_api.UnknownMessage:
        return None


def _seconds(duration: Any) -> float:
    return float(duration.seconds + duration.nanos / 1e9)


@asynccontextmanager
async def serving(
    clients: Clients,
    address: str = "127.0.0.1:0",
    security: Security | None = None,
    bounds: Bounds | None = None,
) -> AsyncIterator[str]:
    """An ADS server; the address to connect to."""
    server = AdsServer(clients, security or Security(), bounds or Bounds())
    (port,) = await server.start([address])
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows; certificates are PEM texts."""

    authority: str | None = None
    """Who signed the server's certificate; None: no TLS."""
    certificate: tuple[str, str] | None = None
    """And its key."""
    token: str | None = None


ANONYMOUS = Credentials()


@asynccontextmanager
async def channel_to(
    target: str, credentials: Credentials = ANONYMOUS
) -> AsyncIterator[grpc.aio.Channel]:
    """A connection of its own."""
    if credentials.authority is None:
        channel = grpc.aio.insecure_channel(target, options=UNLIMITED)
    else:
        certificate, key = credentials.certificate or (None, None)
        tls = grpc.ssl_channel_credentials(
            credentials.authority.encode(),
            None if key is None else key.encode(),
            None if certificate is None else certificate.encode(),
        )
        channel = grpc.aio.secure_channel(target, tls, options=UNLIMITED)
    async with channel:
        yield channel


def stream_on(
    channel: grpc.aio.Channel, service: Service, variant: Variant, token: str | None = None
) -> Any:
    """A call of a discovery service."""
    prefix = DISCOVERY + ("Delta" if variant is Variant.DELTA else "")
    return channel.stream_stream(
        service.path(variant),
        request_serializer=envoy_api.message(f"{prefix}DiscoveryRequest").SerializeToString,
        response_deserializer=envoy_api.message(f"{prefix}DiscoveryResponse").FromString,
    )(metadata=() if token is None else (("authorization", f"Bearer {token}"),))


def node_named(node_id: str) -> Mapping[str, Any]:
    """A node as Envoy 1.40 describes itself."""
    return {
        "id": node_id,
        "user_agent_name": "envoy",
        "user_agent_build_version": ENVOY_1_40,
    }


@asynccontextmanager
async def connected(
    target: str,
    node_id: str = "envoy-1",
    service: Service = AGGREGATED,
    credentials: Credentials = ANONYMOUS,
) -> AsyncIterator[DeltaClient]:
    """An incremental stream to a server, cancelled at the end."""
    async with channel_to(target, credentials) as channel:
        call = stream_on(channel, service, Variant.DELTA, credentials.token)
        yield DeltaClient(call, node_named(node_id))
        call.cancel()


@asynccontextmanager
async def connected_by_state(
    target: str,
    node_id: str = "envoy-1",
    service: Service = AGGREGATED,
    credentials: Credentials = ANONYMOUS,
) -> AsyncIterator[StateClient]:
    """A stream of the state of the world to a server, cancelled at the end."""
    async with channel_to(target, credentials) as channel:
        call = stream_on(channel, service, Variant.SOTW, credentials.token)
        yield StateClient(call, node_named(node_id))
        call.cancel()
