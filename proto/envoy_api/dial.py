"""How to reach a management server: plain, over TLS with or without a certificate, by token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

import envoy_api
from envoy_api.api import Message
from envoy_api.discovery import Variant
from envoy_api.subscriber import Subscriber

OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel connects at once: the waiting is ours
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class BadCredential(ValueError):
    """A certificate, key or token cannot be read; names the file, not what is in it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is shown to the server, and how it is checked. Files are read at each connection."""

    ca: Path | None = None
    """The authorities that may have signed the server's certificate. None: no TLS."""
    certificate: Path | None = None
    key: Path | None = None
    token: Path | None = None
    """Holds the bearer token."""
    server_name: str | None = None
    """The name in the server's certificate, when it is not the host's."""

    def mistake(self) -> str | None:
        """What does not fit together."""
        if (self.certificate is None) != (self.key is None):
            return "a certificate needs its key, and a key its certificate"
        if self.certificate is not None and self.ca is None:
            return "a certificate needs TLS: say which authority signed the server's"
        return None


@dataclass(frozen=True, slots=True)
class Server:
    """A management server."""

    address: str
    """`HOST:PORT` or `unix:PATH`."""
    credentials: Credentials = Credentials()


def channel_target(address: str) -> str:
    """`unix:PATH` or `HOST:PORT`, for gRPC: else a host of the name `xds` would be a scheme."""
    return address if address.startswith("unix:") else f"dns:///{address}"


@asynccontextmanager
async def stream(server: Server, variant: Variant) -> AsyncIterator[Any]:
    """A call of the aggregated service, cancelled at the end. Raises `BadCredential`."""
    async with _channel(server) as channel:
        method = channel.stream_stream(
            variant.method,
            request_serializer=envoy_api.message(variant.request).SerializeToString,
            response_deserializer=envoy_api.message(variant.response).FromString,
        )
        call = method(metadata=_metadata(server.credentials))
        try:
            yield call
        finally:
            call.cancel()


async def follow(
    server: Server, subscriber: Subscriber, answer: Callable[[Message], Awaitable[Message]]
) -> None:
    """Answer every response of one stream, until the server ends it.

    Raises `grpc.aio.AioRpcError` when the server ends it with an error, `BadCredential`, and
    `asyncio.InvalidStateError` when it breaks while something is written.
    """
    async with stream(server, subscriber.variant) as call:
        await call.write(subscriber.hello())
        while (response := await call.read()) is not grpc.aio.EOF:
            await call.write(await answer(response))


def _channel(server: Server) -> Any:
    credentials = server.credentials
    target = channel_target(server.address)
    if credentials.ca is None:
        return grpc.aio.insecure_channel(target, options=OPTIONS)
    tls = grpc.ssl_channel_credentials(
        root_certificates=_read(credentials.ca),
        private_key=_read(credentials.key),
        certificate_chain=_read(credentials.certificate),
    )
    options: tuple[tuple[str, object], ...] = OPTIONS
    if credentials.server_name is not None:
        options += (("grpc.ssl_target_name_override", credentials.server_name),)
    return grpc.aio.secure_channel(target, tls, options=options)


def _metadata(credentials: Credentials) -> tuple[tuple[str, str], ...]:
    token = _read(credentials.token)
    if token is None:
        return ()
    try:
        return (("authorization", f"Bearer {token.decode('ascii').strip()}"),)
    except UnicodeDecodeError as error:
        raise BadCredential(f"{credentials.token}: not ASCII") from error


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadCredential(f"{path}: cannot be read: {reason}") from error
