"""A delta ADS client that says exactly what a test tells it to: a fake Envoy, or a fake worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import envoy_api
import grpc

from xds_server.clients import Clients
from xds_server.server.ads import DELTA_METHOD, SERVICE, AdsServer

SECONDS = 5
"""How long anything that must happen is waited for."""


@dataclass(frozen=True, slots=True)
class Received:
    """One response."""

    type_url: str
    nonce: str
    version: str
    resources: Mapping[str, str]
    """Name → version."""
    bodies: Mapping[str, Any]
    """Name → message, for the types that Envoy or we know."""
    removed: tuple[str, ...]


class DeltaClient:
    """One stream."""

    def __init__(self, call: Any, node_id: str) -> None:
        self._call = call
        self._node = {
            "id": node_id,
            "user_agent_name": "envoy",
            "user_agent_build_version": {
                "version": {"major_number": 1, "minor_number": 40, "patch": 0}
            },
        }

    async def ask(
        self, type_url: str, names: Sequence[str] = (), held: Mapping[str, str] | None = None
    ) -> None:
        await self._send(
            type_url=type_url,
            resource_names_subscribe=names,
            initial_resource_versions=held or {},
        )

    async def ack(self, received: Received) -> None:
        await self._send(type_url=received.type_url, response_nonce=received.nonce)

    async def nack(self, received: Received, reason: str) -> None:
        await self._send(
            type_url=received.type_url,
            response_nonce=received.nonce,
            error_detail={"code": 3, "message": reason},
        )

    async def read(self) -> Received:
        async with asyncio.timeout(SECONDS):
            response = await self._call.read()
        assert response is not grpc.aio.EOF, "the server ended the stream"
        return Received(
            response.type_url,
            response.nonce,
            response.system_version_info,
            {each.name: each.version for each in response.resources},
            {each.name: _unpacked(each.resource) for each in response.resources},
            tuple(response.removed_resources),
        )

    async def take(self) -> Received:
        """Read and accept."""
        received = await self.read()
        await self.ack(received)
        return received

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """How the server ended the stream."""
        async with asyncio.timeout(SECONDS):
            return await self._call.code(), await self._call.details()

    async def _send(self, **fields: Any) -> None:
        request = envoy_api.message("envoy.service.discovery.v3.DeltaDiscoveryRequest")
        await self._call.write(request(node=self._node, **fields))


def _unpacked(packed: Any) -> Any:
    try:
        return envoy_api.unpack(packed)
    except envoy_api.UnknownMessage:
        return None


@asynccontextmanager
async def serving(clients: Clients, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """An ADS server; the address to connect to."""
    server = AdsServer(clients)
    (port,) = await server.start([address])
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def connected(target: str, node_id: str = "envoy-1") -> AsyncIterator[DeltaClient]:
    """A stream to a server, cancelled at the end."""
    request = envoy_api.message("envoy.service.discovery.v3.DeltaDiscoveryRequest")
    response = envoy_api.message("envoy.service.discovery.v3.DeltaDiscoveryResponse")
    async with grpc.aio.insecure_channel(
        target, options=(("grpc.use_local_subchannel_pool", 1),)
    ) as channel:
        call = channel.stream_stream(
            f"/{SERVICE}/{DELTA_METHOD}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )()
        yield DeltaClient(call, node_id)
        call.cancel()
