"""The HTTP/2 machine on asyncio's transports, uvloop's in production: bytes to and fro."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import cast

from extproc.edges.http2 import Connection
from extproc.edges.service import Limits, Methods

WRITE_BUFFER_BYTES = 1 << 20
SEND_BUFFER_BYTES = 1 << 20
"""Of a Unix socket, as far as the kernel lets us: by default an answer of 200 KB fills it, and the
next one has to wait until it is read. TCP's grows by itself, unless one is asked for."""
BACKLOG = 1_024


async def serve(
    methods: Methods,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    path: Path | None = None,
    limits: Limits | None = None,
) -> FastServer:
    """Listen on a Unix socket if a path is given, else on TCP."""
    server = FastServer(methods, limits or Limits())
    await server.listen(host, port, path)
    return server


class FastServer:
    """Listens, and knows its connections."""

    def __init__(self, methods: Methods, limits: Limits) -> None:
        self.address = ""
        self._methods = methods
        self._limits = limits
        self._drivers: set[Driver] = set()
        self._listener: asyncio.Server | None = None
        self._all_gone = asyncio.Event()
        self._all_gone.set()

    async def listen(self, host: str, port: int, path: Path | None) -> None:
        loop = asyncio.get_running_loop()
        if path is not None:
            self._listener = await loop.create_unix_server(self._driver, str(path), backlog=BACKLOG)
            self.address = f"unix:{path}"
        else:
            self._listener = await loop.create_server(self._driver, host, port, backlog=BACKLOG)
            bound_host, bound_port = self._listener.sockets[0].getsockname()[:2]
            self.address = f"{bound_host}:{bound_port}"

    async def drain(self, timeout_seconds: float) -> None:
        self._stop_listening()
        for driver in tuple(self._drivers):
            driver.drain()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._all_gone.wait()
        except TimeoutError:
            await self.close()

    async def close(self) -> None:
        self._stop_listening()
        for driver in tuple(self._drivers):
            driver.abort()
        await self._all_gone.wait()

    def admit(self, driver: Driver) -> bool:
        """False: too many connections."""
        if self._listener is None or len(self._drivers) >= self._limits.connections:
            return False
        self._drivers.add(driver)
        self._all_gone.clear()
        return True

    def forget(self, driver: Driver) -> None:
        self._drivers.discard(driver)
        if not self._drivers:
            self._all_gone.set()

    def _driver(self) -> Driver:
        return Driver(self, self._methods, self._limits)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


class Driver(asyncio.Protocol):
    """One connection's socket."""

    def __init__(self, server: FastServer, methods: Methods, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = server
        self._limits = limits
        self._connection = Connection(methods, limits, self._loop.time, self._wake)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, base: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, base)  # uvloop's is not a subclass
        if not self._server.admit(self):
            transport.abort()
            return
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        _widen(transport.get_extra_info("socket"))
        self._start_timer(self._limits.handshake_seconds, self._check_handshake)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._connection.receive(data)
        self._flush()

    def eof_received(self) -> None:
        """A client that closes its half is gone: asyncio closes ours, too."""

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._stop_timer()
        self._connection.lost()
        self._server.forget(self)

    def pause_writing(self) -> None:
        """The peer does not read what we write: neither do we read what it writes."""
        self._connection.outbox.is_paused = True
        if self._transport is not None:
            self._transport.pause_reading()
            self._start_timer(self._limits.stalled_seconds, self.abort)

    def resume_writing(self) -> None:
        self._connection.outbox.is_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._stop_timer()
            self._transport.resume_reading()
            self._flush()

    def drain(self) -> None:
        self._connection.drain()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _wake(self) -> None:
        """Something was sent outside of `data_received`: one write for all of this iteration."""
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        transport = self._transport
        connection = self._connection
        if transport is None:
            return
        while data := connection.take():
            transport.write(data)
        if connection.is_finished and not transport.is_closing():
            self._finish(transport)

    def _finish(self, transport: asyncio.Transport) -> None:
        """Give the last bytes some time to leave; a peer that reads nothing gets none."""
        if self._connection.outbox.is_paused:
            transport.abort()
            return
        transport.close()
        self._start_timer(self._limits.closing_seconds, self.abort)

    def _start_timer(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check_handshake(self) -> None:
        if not self._connection.is_ready:
            self.abort()


def _widen(connected: socket.socket) -> None:
    if connected.family == socket.AF_UNIX:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
