"""One request through Envoy's inner listener, whose answer may be a stream.

HTTP/1.1 to one peer that we trust, so this client knows no redirects, cookies, proxies or codings.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h11

_READ_BYTES = 1 << 16
_BUFFER_BYTES = 1 << 14
"""Of a stream that is idle, there are thousands."""


class NoAnswer(Exception):
    """There is none, or not all of it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    """With `host`, and without the body's length."""
    body: bytes = b""


class Answer:
    """What came of it; to be closed."""

    def __init__(
        self, status: int, headers: Mapping[str, str], pieces: AsyncIterator[bytes]
    ) -> None:
        self.status = status
        self.headers = headers
        """Names in lower case; of those that come twice, the last."""
        self._pieces = pieces

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, as it comes. Raises `NoAnswer` when it breaks off."""
        async for piece in self._pieces:
            yield piece

    async def body(self, limit_bytes: int) -> bytes:
        """All of it. Raises `NoAnswer`."""
        whole = bytearray()
        async for piece in self._pieces:
            whole += piece
            if len(whole) > limit_bytes:
                raise NoAnswer(f"an answer of more than {limit_bytes} bytes")
        return bytes(whole)

    async def close(self) -> None:
        """It is not read any further."""
        await self._pieces.aclose()  # type: ignore[attr-defined]  # it is a generator


async def ask(address: str, question: Question) -> Answer:
    """The answer, once it has begun. Raises `NoAnswer`."""
    events = _events(address, question)
    try:
        head = await anext(events)
    except BaseException:
        await events.aclose()  # type: ignore[attr-defined]  # it is a generator
        raise
    assert isinstance(head, h11.Response)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Answer(head.status_code, headers, _data(events))


async def _data(events: AsyncIterator[h11.Event]) -> AsyncIterator[bytes]:
    try:
        async for event in events:
            if isinstance(event, h11.Data):
                yield bytes(event.data)
    finally:
        await events.aclose()  # type: ignore[attr-defined]  # it is a generator


async def _events(address: str, question: Question) -> AsyncIterator[h11.Event]:
    """The head, then the pieces of the body."""
    try:
        reader, writer = await _connected(address)
    except OSError as error:
        raise NoAnswer(f"the way out is not open: {error}") from None
    state = h11.Connection(h11.CLIENT)
    length = [("content-length", str(len(question.body)))] if question.body else []
    try:
        request = h11.Request(
            method=question.method, target=question.path, headers=[*question.headers, *length]
        )
        said = [request, h11.Data(question.body), h11.EndOfMessage()]
        writer.write(b"".join(state.send(each) or b"" for each in said))
        await writer.drain()
        while True:
            event = state.next_event()
            if event is h11.NEED_DATA:
                state.receive_data(await reader.read(_READ_BYTES))
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return
            elif isinstance(event, h11.Response | h11.Data):
                yield event
    except (OSError, EOFError, h11.ProtocolError) as error:
        raise NoAnswer(f"the answer broke off: {error}") from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _connected(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        return await asyncio.open_unix_connection(path, limit=_BUFFER_BYTES)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), limit=_BUFFER_BYTES)
