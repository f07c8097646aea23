"""Tests that are conversations with a running discovery server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import envoy_api

from gateway import names
from tests.kit.ads import SECONDS
from tests.kit.offers import offer_of
from xds_server.audience import Kind
from xds_server.clients import Clients
from xds_server.server import AdsServer, Bounds, Security
from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    FILTER,
    LISTENER,
    ROUTES,
    RUNTIME,
    SCOPED_ROUTES,
    SECRET,
    VIRTUAL_HOST,
    Resource,
    Snapshot,
    resource_of,
    snapshot_of,
)

NAME_FIELDS = {ENDPOINTS: "cluster_name"}
"""Where a type's own name stands, if it is not `name`."""
CONTENT_FIELDS = {
    CLUSTER: "alt_stat_name",
    LISTENER: "stat_prefix",
    SCOPED_ROUTES: "route_configuration_name",
}
"""A text that a version can be told by."""
ALL_TYPES = (
    CLUSTER,
    ENDPOINTS,
    SECRET,
    LISTENER,
    FILTER,
    SCOPED_ROUTES,
    ROUTES,
    VIRTUAL_HOST,
    RUNTIME,
    names.CONFIGURATION_TYPE,
)


def thing(
    type_url: str,
    name: str,
    content: str = "v1",
    needs: tuple[tuple[str, str], ...] = (),
    ttl_seconds: float | None = None,
) -> Resource:
    """A resource of any type whose content can be seen."""
    message = envoy_api.message(type_url.rpartition("/")[2])()
    fields = message.DESCRIPTOR.fields_by_name
    name_field = NAME_FIELDS.get(type_url, "name")
    if name_field in fields:
        setattr(message, name_field, name)
    _write(type_url, message, content)
    made = resource_of(name, type_url, message.SerializeToString(deterministic=True), needs)
    return replace(made, ttl_seconds=ttl_seconds)


def content(type_url: str, body: Any) -> str:
    """What `thing` was given."""
    if type_url == ENDPOINTS:
        return str(body.endpoints[0].locality.region)
    if type_url == ROUTES:
        return str(body.request_headers_to_remove[0])
    return str(getattr(body, CONTENT_FIELDS[type_url]))


def _write(type_url: str, message: Any, text: str) -> None:
    if type_url == ENDPOINTS:
        message.endpoints.add(locality={"region": text})
    elif type_url == ROUTES:
        message.request_headers_to_remove.append(text)
    elif type_url in CONTENT_FIELDS:
        setattr(message, CONTENT_FIELDS[type_url], text)


@dataclass(frozen=True, slots=True)
class Stage:
    """A server and where it is."""

    clients: Clients
    server: AdsServer
    target: str

    def publish(self, *resources: Resource) -> Snapshot:
        """To everybody."""
        snapshot = snapshot_of(resources)
        for kind in Kind:
            self.clients.offer(kind, offer_of(snapshot))
        return snapshot

    async def until(self, claim: Callable[[], bool]) -> None:
        """`SECONDS` at most."""
        assert await self.clients.wait_until(claim, SECONDS), self.clients.states()[:5]

    async def reached(self, claim: Callable[[], bool]) -> None:
        """The same for what no client's move announces."""
        for _ in range(SECONDS * 100):
            if claim():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(self.clients.states()[:5])


def played(
    play: Callable[[Stage], Awaitable[None]],
    *,
    security: Security | None = None,
    bounds: Bounds | None = None,
    address: str = "127.0.0.1:0",
) -> None:
    """Run a conversation with a server."""

    async def run() -> None:
        clients = Clients()
        server = AdsServer(clients, security or Security(), bounds or Bounds())
        (port,) = await server.start([address])
        target = address if address.startswith("unix:") else f"127.0.0.1:{port}"
        try:
            async with asyncio.timeout(8 * SECONDS):
                await play(Stage(clients, server, target))
        finally:
            await server.stop(0)

    asyncio.run(run())
