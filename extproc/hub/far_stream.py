"""An event stream of a server, by Envoy's inner listener: its bytes as they come, and how it ended.

HTTP/1.1 to one peer that we trust, so this client knows no redirects, cookies, proxies or codings.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import h11

from gateway import names

EVENT_STREAM = "text/event-stream"
_READ_BYTES = 1 << 16
_BUFFER_BYTES = 1 << 14
"""Of a stream that is idle, there are thousands."""


class NoStream(Exception):
    """There is no stream; `status` is what was answered, 0: nothing."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def pieces(
    services: str,
    cluster: str,
    path: str,
    headers: Sequence[tuple[str, str]],
    body: bytes = b"",
) -> AsyncIterator[bytes]:
    """What a GET, or with a body a POST, is answered, piece by piece; the first is empty, and says
    that it has begun.

    `services` is the address of the inner listener. Raises `NoStream`.
    """
    try:
        reader, writer = await _connected(services)
    except OSError as error:
        raise NoStream(0, f"the way out is not open: {error}") from None
    state = h11.Connection(h11.CLIENT)
    request = h11.Request(
        method="POST" if body else "GET",
        target=path,
        headers=[
            ("host", "services"),
            (names.SERVICE_HEADER, cluster),
            *((("content-length", str(len(body))),) if body else ()),
            *headers,
        ],
    )
    try:
        writer.write(state.send(request) or b"")
        if body:
            writer.write(state.send(h11.Data(body)) or b"")
        writer.write(state.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        while True:
            event = state.next_event()
            if event is h11.NEED_DATA:
                state.receive_data(await reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                _check(event)
                yield b""
            elif isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return
    except (OSError, EOFError, h11.ProtocolError) as error:
        raise NoStream(0, f"the stream broke: {error}") from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def status_of(services: str, cluster: str, path: str, seconds: float) -> int:
    """What a GET without a session is answered with; 0: nothing, or too late."""
    got = pieces(services, cluster, path, (("accept", EVENT_STREAM),))
    try:
        async with asyncio.timeout(seconds):
            async for _ in got:
                return 200
    except NoStream as error:
        return error.status
    except TimeoutError:
        return 0
    finally:
        await got.aclose()  # type: ignore[attr-defined]  # it is a generator
    return 200


def _check(response: h11.Response) -> None:
    kind = next((value for name, value in response.headers if name == b"content-type"), b"")
    if response.status_code != 200 or not kind.startswith(EVENT_STREAM.encode()):
        raise NoStream(response.status_code, f"status {response.status_code}")


async def _connected(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        return await asyncio.open_unix_connection(path, limit=_BUFFER_BYTES)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), limit=_BUFFER_BYTES)
