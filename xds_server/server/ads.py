"""The control plane's ports: which services each of them has, with or without TLS.

A Unix socket is protected by its folder. A TCP port is plain, or has TLS in front (`tls.py`); what
it shows and asks for may change while it is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from envoy_api.discovery import Variant

from xds_server.audience import Principal
from xds_server.clients import Clients
from xds_server.metrics import Traffic
from xds_server.server.bounds import (
    BOUNDS,
    CONNECTIONS,
    HANDSHAKE_SECONDS,
    IDLE_CONNECTION_SECONDS,
    REQUEST_BYTES,
    STREAMS,
    STREAMS_PER_CONNECTION,
    Bounds,
)
from xds_server.server.services import SERVICES, Service
from xds_server.server.streams import Streams
from xds_server.server.tls import NO_SECURITY, Security, TlsFront, check

PrincipalOf: TypeAlias = Callable[[str], Principal | None]
"""Who is behind a peer, by gRPC's name for it."""
REOPENINGS = 50
REOPENING_SECONDS = 0.1
DESCRIPTORS = 65_536
"""Three for each connection with TLS."""
OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second control plane on the same port is a mistake to be seen
    ("grpc.max_receive_message_length", REQUEST_BYTES),
    ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION),
    ("grpc.server.max_pending_requests", STREAMS),  # else of 2,000 at once it drops some at random
    ("grpc.server.max_pending_requests_hard_limit", STREAMS),
    ("grpc.max_allowed_incoming_connections", CONNECTIONS),
    ("grpc.max_connection_idle_ms", int(IDLE_CONNECTION_SECONDS * 1000)),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_SECONDS * 1000)),
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
    """Serves what `clients` are offered."""

    def __init__(
        self, clients: Clients, security: Security = NO_SECURITY, bounds: Bounds = BOUNDS
    ) -> None:
        self._streams = Streams(clients, bounds)
        self._security = security
        self._ports: list[_Port] = []
        self._turn = asyncio.Lock()

    @property
    def traffic(self) -> Traffic:
        """What was sent since the start."""
        return self._streams.traffic

    async def start(self, addresses: Sequence[str]) -> tuple[int, ...]:
        """Listen on `host:port` or `unix:/path`; the bound ports (1 for a Unix socket)."""
        _allow_descriptors()
        for address in addresses:
            self._ports.append(await _opened(address, self._security, self._streams))
        return tuple(port.number for port in self._ports)

    async def secure(self, security: Security) -> None:
        """What TCP ports show and ask for from now on; to be said before what it is to protect is
        offered. With or without TLS is another port: clients of the old one must come again.
        Raises `UnusableTls`, and all stays as it was."""
        async with self._turn:
            if security == self._security:
                return
            for place, port in enumerate(self._ports):
                self._ports[place] = await port.secured(security, self._streams)
            self._security = security

    async def stop(self, grace_seconds: float = 0.2) -> None:
        """End every stream; clients keep what they have."""
        async with self._turn:
            await asyncio.gather(*(port.close(grace_seconds) for port in self._ports))
            self._ports.clear()


@dataclass(slots=True)
class _Port:
    """One address, open."""

    address: str
    number: int
    server: Any
    front: TlsFront | None = None
    folder: Path | None = None

    async def secured(self, security: Security, streams: Streams) -> _Port:
        """This port or another in its place."""
        if self.address.startswith("unix:"):
            return self
        if self.front is not None and security.tls is not None:
            self.front.renew(security)
            return self
        if (self.front is None) == (security.tls is None):
            return self
        check(security)
        await self.close(0)
        for _ in range(REOPENINGS):
            with contextlib.suppress(AddressInUse):  # the system may still be closing it
                return await _opened(self.address, security, streams)
            await asyncio.sleep(REOPENING_SECONDS)
        return await _opened(self.address, security, streams)

    async def close(self, grace_seconds: float) -> None:
        await self.server.stop(grace_seconds)
        if self.front is not None:
            await self.front.stop()
        if self.folder is not None:
            shutil.rmtree(self.folder)


async def _opened(address: str, security: Security, streams: Streams) -> _Port:
    if address.startswith("unix:"):
        return await _plain(address, streams, lambda peer: Principal(peer, is_private=True))
    if security.tls is None:
        return await _plain(address, streams, Principal)
    return await _with_tls(address, security, streams)


async def _plain(address: str, streams: Streams, principal_of: PrincipalOf) -> _Port:
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers(tuple(_handlers(streams, principal_of)))
    try:
        number = int(server.add_insecure_port(address))
    except RuntimeError as error:
        raise AddressInUse(f"cannot listen on {address}") from error
    await server.start()
    return _Port(_bound(address, number), number, server)


async def _with_tls(address: str, security: Security, streams: Streams) -> _Port:
    folder = Path(tempfile.mkdtemp(prefix="dragoman-xds-"))
    inner = folder / "grpc.sock"
    host, _, number = address.rpartition(":")
    try:
        front = TlsFront(folder, inner, security)
        behind = await _plain(f"unix:{inner}", streams, front.principal)
        try:
            bound = await front.start(host.strip("[]"), int(number))
        except OSError as error:
            await behind.close(0)
            raise AddressInUse(f"cannot listen on {address}") from error
    except BaseException:
        shutil.rmtree(folder)
        raise
    return _Port(_bound(address, bound), bound, behind.server, front, folder)


def _bound(address: str, number: int) -> str:
    """The address again, with the port that the system has chosen."""
    host, _, asked = address.rpartition(":")
    return f"{host}:{number}" if asked == "0" else address


def _handlers(streams: Streams, principal_of: PrincipalOf) -> Iterator[Any]:
    for service in SERVICES:
        methods = {
            service.method(variant): grpc.stream_stream_rpc_method_handler(
                functools.partial(_serve, streams, principal_of, service, variant)
            )
            for variant in service.variants
        }
        yield grpc.method_handlers_generic_handler(service.name, methods)


async def _serve(
    streams: Streams,
    principal_of: PrincipalOf,
    service: Service,
    variant: Variant,
    _: object,
    context: Any,
) -> None:
    principal = principal_of(context.peer())
    if principal is None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection is gone")
        return
    digest = token_digest(context.invocation_metadata())
    await streams.serve(service, variant, replace(principal, token_digest=digest), context)


def token_digest(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """Of the bearer token that a call brings; None when it brings none, or several."""
    tokens = [
        value.partition(" ")[2].strip()
        for key, value in metadata
        if key == "authorization" and isinstance(value, str) and value[:7].lower() == "bearer "
    ]
    if len(tokens) != 1:
        return None
    return hashlib.sha256(tokens[0].encode()).hexdigest()


def _allow_descriptors() -> None:
    """As many as this machine lets us have, up to what 20,000 connections take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
