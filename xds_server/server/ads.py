"""The gRPC edge of the control plane: `AggregatedDiscoveryService/DeltaAggregatedResources`.

A loop per stream with no decisions: requests go to a `Client`, its responses go out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import envoy_api
import grpc

from xds_server.audience import Kind, Node
from xds_server.clients import Client, Clients, kind_of
from xds_server.snapshot import Resource
from xds_server.subscription import BadRequest, DeltaRequest, DeltaResponse

logger = logging.getLogger(__name__)

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
DELTA_METHOD = "DeltaAggregatedResources"
MAX_STREAMS = 2000
OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second control plane on the same port is a mistake to be seen
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.keepalive_time_ms", 20_000),  # a client whose machine is gone must not be waited for
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class AddressInUse(OSError):
    """The server cannot listen where it was told to."""


class AdsServer:
    """Serves the snapshots that `clients` are offered."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._encoders = {kind: _Encoder() for kind in Kind}
        self._server: Any = None

    async def start(self, addresses: Sequence[str]) -> tuple[int, ...]:
        """Listen on `host:port` or `unix:/path`; the bound ports (1 for a Unix socket)."""
        request_type = envoy_api.message("envoy.service.discovery.v3.DeltaDiscoveryRequest")
        delta = grpc.stream_stream_rpc_method_handler(
            self._delta, request_deserializer=request_type.FromString
        )
        self._server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=MAX_STREAMS)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {DELTA_METHOD: delta}),)
        )
        ports = tuple(self._bind(address) for address in addresses)
        await self._server.start()
        return ports

    async def stop(self, grace_seconds: float = 0.2) -> None:
        """End every stream; clients keep what they have."""
        await self._server.stop(grace_seconds)

    def _bind(self, address: str) -> int:
        try:
            return int(self._server.add_insecure_port(address))
        except RuntimeError as error:
            raise AddressInUse(f"cannot listen on {address}") from error

    async def _delta(self, _: object, context: Any) -> None:
        first = await context.read()
        if first is grpc.aio.EOF:
            return
        client = self._clients.join(kind_of(first.type_url), _node(first.node))
        logger.info("%s %s connected", client.kind, client.node.id)
        try:
            mistake = await self._converse(first, client, context)
        finally:
            self._clients.leave(client)
            logger.info("%s %s disconnected", client.kind, client.node.id)
        if mistake is not None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(mistake))

    async def _converse(self, first: Any, client: Client, context: Any) -> BadRequest | None:
        """Until the client ends the stream, or breaks the protocol."""
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._write(client, context))
            mistake = await _read(first, client, context)
            writing.cancel()
        return mistake

    async def _write(self, client: Client, context: Any) -> None:
        encoder = self._encoders[client.kind]
        while True:
            for response in await client.next_responses():
                await context.write(encoder.encode(response))


async def _read(first: Any, client: Client, context: Any) -> BadRequest | None:
    message = first
    while message is not grpc.aio.EOF:
        request = _request(message)
        if request.error is not None:
            logger.info(
                "%s %s rejected %s: %s",
                client.kind,
                client.node.id,
                request.type_url,
                request.error,
            )
        try:
            client.receive(request)
        except BadRequest as mistake:
            return mistake
        message = await context.read()
    return None


class _Encoder:
    """Responses as bytes. Each resource is serialized once, however many streams it goes to.

    A protobuf message is the concatenation of its fields, so a response is its own few fields
    before the resources, which are kept as bytes for as long as snapshots have them.
    """

    def __init__(self) -> None:
        self._response = envoy_api.message("envoy.service.discovery.v3.DeltaDiscoveryResponse")
        self._any = envoy_api.message("google.protobuf.Any")
        self._version = ""
        self._current: dict[tuple[str, str, str], bytes] = {}
        self._earlier: dict[tuple[str, str, str], bytes] = {}

    def encode(self, response: DeltaResponse) -> bytes:
        if response.version != self._version:
            self._version = response.version
            self._current, self._earlier = {}, self._current
        head = self._response(
            system_version_info=response.version,
            type_url=response.type_url,
            nonce=response.nonce,
            removed_resources=response.removed,
        )
        resources = (self._resource(resource) for resource in response.resources)
        return b"".join((head.SerializeToString(), *resources))

    def _resource(self, resource: Resource) -> bytes:
        key = (resource.type_url, resource.name, resource.version)
        encoded = self._current.get(key) or self._earlier.get(key)
        if encoded is None:
            message = self._response()
            message.resources.add(
                name=resource.name,
                version=resource.version,
                resource=self._any(type_url=resource.type_url, value=resource.body),
            )
            encoded = message.SerializeToString()
        self._current[key] = encoded
        return encoded


def _request(message: Any) -> DeltaRequest:
    return DeltaRequest(
        type_url=message.type_url,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
    )


def _node(node: Any) -> Node:
    version = None
    version_text = node.user_agent_version
    if node.HasField("user_agent_build_version"):
        build = node.user_agent_build_version.version
        version = (build.major_number, build.minor_number, build.patch)
        version_text = ".".join(map(str, version))
    return Node(node.id, node.cluster, node.user_agent_name, version, version_text)
