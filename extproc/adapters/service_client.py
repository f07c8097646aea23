"""The way to services: HTTP/1.1 to Envoy's listener, over connections that are kept.

Envoy does the rest: TLS, credentials, retries. So this client speaks to one peer that we trust, and
knows no redirects, cookies, proxies or codings. httpx takes seven times as much time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import h11

from extproc.ports import Posted, Returned, ServiceUnavailable
from gateway import names

LARGEST_ANSWER_BYTES = 4 << 20
_MOST_IDLE = 32
_READ_BYTES = 1 << 16
_CHUNK_LIMIT = 1 << 16


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    state: h11.Connection


class ServiceClient:
    """Asks services by Envoy's listener at an address, `unix:/path` or `host:port`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._idle: list[_Connection] = []
        self._is_closed = False

    async def post(self, service: str, posted: Posted, timeout_seconds: float) -> Returned:
        """Raises `ServiceUnavailable`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._post(service, posted)
        except TimeoutError:
            raise ServiceUnavailable(f"no answer within {timeout_seconds:g} s") from None
        except (OSError, EOFError, h11.ProtocolError) as error:
            raise ServiceUnavailable(f"the way out is not open: {error}") from None

    def close(self) -> None:
        """Nothing is asked any more."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().writer.close()

    async def _post(self, service: str, posted: Posted) -> Returned:
        while self._idle:
            kept = self._idle.pop()
            if kept.reader.at_eof() or kept.writer.is_closing():
                kept.writer.close()
                continue
            return await self._ask(kept, service, posted)
        return await self._ask(await self._connect(), service, posted)

    async def _connect(self) -> _Connection:
        if self._address.startswith("unix:"):
            path = Path(self._address.removeprefix("unix:"))
            reader, writer = await asyncio.open_unix_connection(path)
        else:
            host, _, port = self._address.rpartition(":")
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        return _Connection(reader, writer, h11.Connection(h11.CLIENT, _CHUNK_LIMIT))

    async def _ask(self, to: _Connection, service: str, posted: Posted) -> Returned:
        is_kept = False
        try:
            to.writer.write(_spoken(to.state, service, posted))
            await to.writer.drain()
            found = await _answer(to)
            is_kept = to.state.our_state is h11.DONE and to.state.their_state is h11.DONE
            return found
        finally:  # also when it is too late: what comes then is nobody's answer
            if is_kept and not self._is_closed and len(self._idle) < _MOST_IDLE:
                to.state.start_next_cycle()
                self._idle.append(to)
            else:
                to.writer.close()


def _spoken(state: h11.Connection, service: str, posted: Posted) -> bytes:
    request = h11.Request(
        method="POST",
        target=posted.path,
        headers=[
            ("host", "services"),
            (names.SERVICE_HEADER, names.service_cluster(service)),
            ("content-type", "application/json"),
            ("content-length", str(len(posted.body))),
            *posted.headers,
        ],
    )
    return b"".join(
        state.send(event) or b"" for event in (request, h11.Data(posted.body), h11.EndOfMessage())
    )


async def _answer(of: _Connection) -> Returned:
    status, pieces, size = 0, [], 0
    while True:
        event = of.state.next_event()
        if event is h11.NEED_DATA:
            data = await of.reader.read(_READ_BYTES)
            of.state.receive_data(data)
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            pieces.append(bytes(event.data))
            size += len(event.data)
            if size > LARGEST_ANSWER_BYTES:
                raise ServiceUnavailable(f"an answer of more than {LARGEST_ANSWER_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return Returned(status, b"".join(pieces))
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError("the connection was closed")
