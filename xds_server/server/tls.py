"""TLS before the gRPC server: certificates asked for, renewed and read without a restart.

gRPC's own server can demand a certificate of its clients or not ask for one; it cannot leave them
the choice between a certificate and a token. So TLS ends here, and the bytes go to the gRPC server
over a Unix socket in a private folder. Each such connection has a name of its own, by which the
server finds out who is behind it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.model import ServerTls, Xds
from xds_server.audience import Principal
from xds_server.server.bounds import CONNECTIONS, HANDSHAKE_SECONDS, Hush

logger = logging.getLogger(__name__)

BACKLOG = 4_096
CHUNK_BYTES = 64 << 10
CLOSE_SECONDS = 5.0
RETRY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Security:
    """What a TCP port shows and asks for."""

    tls: ServerTls | None = None
    """None: no TLS."""
    has_tokens: bool = False
    """Some clients prove themselves by a token; then a certificate is not demanded."""


NO_SECURITY = Security()


def security_of(xds: Xds) -> Security:
    """What the configuration says."""
    return Security(xds.tls, any(each.token_digest is not None for each in xds.clients))


class UnusableTls(ValueError):
    """The certificate, the key or the authorities cannot be used."""


class TlsFront:
    """One TCP port."""

    def __init__(
        self, folder: Path, inner: Path, security: Security, limit: int = CONNECTIONS
    ) -> None:
        """`folder` is ours alone; `inner` is the Unix socket of the gRPC server; `limit` is of
        connections."""
        self._limit = limit
        self._folder = folder
        self._inner = inner
        self._security = security
        self._context = context_of(security, folder)
        self._principals: dict[str, Principal] = {}
        self._connections: set[_Outer] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._count = 0
        self._hush = Hush()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the bound port. `OSError` when that is not possible."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Outer(self), host, port, backlog=BACKLOG, reuse_port=False
        )
        return int(self._server.sockets[0].getsockname()[1])

    def renew(self, security: Security) -> None:
        """From now on connections are shown this. Who came in under other authorities, or when a
        certificate was not demanded, must come again."""
        if security == self._security:
            return
        self._context = context_of(security, self._folder)
        before, self._security = self._security, security
        if _demands(before) != _demands(security):
            for connection in tuple(self._connections):
                connection.abort()

    def principal(self, peer: str) -> Principal | None:
        """Who is behind a connection to the inner server, by the name gRPC has for it."""
        return self._principals.get(peer.rpartition("/")[2])

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._connections or self._principals:
            self._moved.clear()
            await self._moved.wait()

    def wrapped(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """The TLS of a new connection."""
        return self._context.wrap_bio(incoming, outgoing, server_side=True)

    def opened(self, connection: _Outer) -> None:
        self._connections.add(connection)
        if len(self._connections) > self._limit:
            connection.abort()

    def closed(self, connection: _Outer) -> None:
        self._connections.discard(connection)
        self._moved.set()

    def left(self, name: str) -> None:
        """The inner server's side is closed, too."""
        del self._principals[name]
        self._moved.set()

    def refused(self, peer: str, error: ssl.SSLError) -> None:
        if self._hush.may_say(peer, time.monotonic()):
            logger.warning("%s: no TLS connection: %s", peer, error.reason or "broken off")

    def connect(self, connection: _Outer, principal: Principal) -> None:
        """Connect a client whose handshake is over to the inner server."""
        task = asyncio.ensure_future(self._connect(connection, principal))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: _Outer, principal: Principal) -> None:
        self._count += 1
        name = str(self._count)
        try:
            own = await _socket_to(str(self._inner), str(self._folder / name))
        except OSError as error:
            logger.error("%s: cannot be handed on: %s", principal.peer, error)
            connection.abort()
            return
        self._principals[name] = principal
        inner = _Inner(connection, lambda: self.left(name))
        loop = asyncio.get_running_loop()
        await asyncio.shield(loop.create_unix_connection(lambda: inner, sock=own))


def context_of(security: Security, folder: Path) -> ssl.SSLContext:
    """What `ssl` needs; the key is on the disk for a moment, in a folder that is ours alone."""
    tls = security.tls
    assert tls is not None, "there is no TLS without a certificate"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    try:
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".pem") as file:
            file.write(f"{tls.certificate}\n{tls.key}\n")
            file.flush()
            context.load_cert_chain(file.name, password=lambda: b"")  # never ask at the terminal
        if tls.client_ca is not None:
            context.load_verify_locations(cadata=tls.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL if security.has_tokens else ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:  # of `ssl`, and of a disk that is full
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
        raise UnusableTls(
            f"the control plane's TLS cannot be used: {reason or 'bad PEM'}"
        ) from None
    return context


def check(security: Security) -> None:
    """Raises `UnusableTls`."""
    if security.tls is not None:
        with tempfile.TemporaryDirectory() as folder:
            context_of(security, Path(folder))


def _demands(security: Security) -> tuple[str | None, bool]:
    tls = security.tls
    return (None if tls is None else tls.client_ca, security.has_tokens)


async def _socket_to(inner: str, own_name: str) -> socket.socket:
    """A connected Unix socket that the other side knows by a name."""
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own.setblocking(False)
    try:
        own.bind(own_name)
        os.unlink(own_name)
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            while True:
                try:
                    own.connect(inner)
                except BlockingIOError:  # its backlog is full
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    return own
    except BaseException:
        own.close()
        raise


class _Outer(asyncio.Protocol):
    """The client's side: bytes of TLS."""

    def __init__(self, front: TlsFront) -> None:
        self._front = front
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = front.wrapped(self._incoming, self._outgoing)
        self._is_shaken = False
        self._inner: _Inner | None = None
        self._transport: Any = None
        self._deadline: asyncio.TimerHandle | None = None
        self._peer = ""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._peer = _shown(transport.get_extra_info("peername"))
        self._deadline = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self.abort)
        self._front.opened(self)

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            if not self._is_shaken:
                self._tls.do_handshake()
                self._shaken()
            if self._inner is not None:
                self._decrypt(self._inner)
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()
            if not self._is_shaken:
                self._front.refused(self._peer, error)
            self.close()

    def eof_received(self) -> None:
        self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._cancel_deadline()
        self._front.closed(self)
        if self._inner is not None:
            self._inner.abort()

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_reading()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_reading()

    def joined(self, inner: _Inner) -> None:
        """The inner server has taken the connection."""
        if self._transport.is_closing():
            inner.abort()
            return
        self._inner = inner
        self._transport.resume_reading()
        self.data_received(b"")

    def send(self, data: bytes) -> None:
        """To the client, encrypted."""
        if self._transport.is_closing():
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:  # the client has ended TLS, but not the connection
            self.close()
        else:
            self._flush()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def close(self) -> None:
        """What was sent may still be taken, for a while."""
        if not self._transport.is_closing():
            self._transport.close()
            loop = asyncio.get_running_loop()
            self._cancel_deadline()
            self._deadline = loop.call_later(CLOSE_SECONDS, self._transport.abort)

    def abort(self) -> None:
        self._transport.abort()

    def _shaken(self) -> None:
        self._is_shaken = True
        self._flush()
        self._cancel_deadline()
        self._transport.pause_reading()
        names = tuple(names_of(self._tls.getpeercert()))
        self._front.connect(self, Principal(self._peer, sans=names))

    def _decrypt(self, inner: _Inner) -> None:
        while data := self._tls.read(CHUNK_BYTES):
            inner.send(data)
        self.close()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._transport.write(data)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Inner(asyncio.Protocol):
    """The server's side: plain bytes."""

    def __init__(self, outer: _Outer, on_end: Callable[[], None]) -> None:
        self._outer = outer
        self._on_end = on_end
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._outer.joined(self)

    def data_received(self, data: bytes) -> None:
        self._outer.send(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._on_end()
        self._outer.close()

    def pause_writing(self) -> None:
        self._outer.pause_reading()

    def resume_writing(self) -> None:
        self._outer.resume_reading()

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()


def names_of(certificate: Any) -> Iterator[str]:
    """The URI and DNS names of a certificate that was verified; others are `{}` or None.

    A name that looks like one of the other kind is left out: globs do not say which they are for.
    """
    for kind, name in (certificate or {}).get("subjectAltName", ()):
        is_like_uri = ":" in name or "/" in name
        if kind == ("URI" if is_like_uri else "DNS"):
            yield name


def _shown(address: Any) -> str:
    """As gRPC names peers: `ipv4:10.0.0.1:4711`."""
    host, port = address[:2]
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
