"""HTTP/2 connections of the hub on asyncio's transports, uvloop's in production."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Final, cast

from extproc.edges.peer import Accept, Peer
from extproc.edges.stream import Ear, Fields, Stream

_WRITE_BUFFER_BYTES: Final = 1 << 20
_BACKLOG: Final = 1_024
_ROOMY: Final = 256
"""Streams of a connection, above which another is opened: Envoy spreads them over its threads."""


class NoWay(Exception):
    """Nobody takes connections at the address."""


class Driver(asyncio.Protocol):
    """One connection's socket."""

    def __init__(self, drivers: set[Driver], accept: Accept | None = None) -> None:
        self.peer = Peer(self._woken, accept)
        self._drivers = drivers
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, base: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, base)  # uvloop's is not a subclass
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._drivers.add(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.peer.receive(data)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._drivers.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)
        self.peer.lost("the connection was closed" if error is None else str(error))

    def pause_writing(self) -> None:
        self.peer.is_paused = True

    def resume_writing(self) -> None:
        self.peer.resume()
        self.flush()

    def flush(self) -> None:
        """Write what there is."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        while data := self.peer.take():
            transport.write(data)
        if self.peer.is_finished:
            transport.close()

    def abort(self) -> None:
        self.peer.is_leaving = True
        if self._transport is not None:
            self._transport.abort()

    def _woken(self) -> None:
        self._loop.call_soon(self.flush)


class Server:
    """Takes connections, until it is closed."""

    def __init__(self, accept: Accept, listener: socket.socket) -> None:
        self._accept = accept
        self._listener = listener
        self._drivers: set[Driver] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        make = loop.create_server
        if self._listener.family == socket.AF_UNIX:
            make = loop.create_unix_server  # type: ignore[assignment]
        self._server = await make(self._driver, sock=self._listener, backlog=_BACKLOG)

    async def close(self, seconds: float) -> None:
        """What is under way may end within this time."""
        if self._server is not None:
            self._server.close()
        for each in tuple(self._drivers):
            each.peer.leave()
            each.flush()
        if self._drivers:
            await asyncio.wait([each.gone for each in self._drivers], timeout=seconds)
        for each in tuple(self._drivers):
            each.abort()

    def _driver(self) -> Driver:
        return Driver(self._drivers, self._accept)


class WayOut:
    """To Envoy's inner listener, for all that the hub asks: few connections, many streams."""

    def __init__(self, address: str) -> None:
        """`HOST:PORT` or `unix:PATH`."""
        self._address = address
        self._drivers: set[Driver] = set()
        self._connecting = asyncio.Lock()

    @property
    def connections(self) -> int:
        return len(self._drivers)

    async def open(self, fields: Fields, body: bytes, ear: Ear) -> Stream:
        """A request. Raises `NoWay`."""
        driver = self._roomy()
        if driver is None:
            async with self._connecting:
                driver = self._roomy() or await self._connected()
        return driver.peer.open(fields, body, ear)

    def close(self) -> None:
        """All that is under way breaks off."""
        for each in tuple(self._drivers):
            each.abort()

    def _roomy(self) -> Driver | None:
        """The fullest of those with room, so that others can end."""
        found = [each for each in self._drivers if _has_room(each.peer)]
        return max(found, key=lambda each: len(each.peer.streams), default=None)

    async def _connected(self) -> Driver:
        loop = asyncio.get_running_loop()
        try:
            if self._address.startswith("unix:"):
                path = str(Path(self._address.removeprefix("unix:")))
                _, driver = await loop.create_unix_connection(self._driver, path)
            else:
                host, _, port = self._address.rpartition(":")
                _, driver = await loop.create_connection(self._driver, host.strip("[]"), int(port))
        except OSError as error:
            raise NoWay(f"the way out is not open: {error}") from None
        return driver

    def _driver(self) -> Driver:
        return Driver(self._drivers)


def _has_room(peer: Peer) -> bool:
    return peer.room > 0 and len(peer.streams) < _ROOMY
