"""A request to a server by Envoy's inner listener, and its answer, message by message as they come.

HTTP/1.1 to one peer that we trust, on a connection of its own: an answer can take as long as people
take to say something.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import h11

from extproc.protocols.sse import EventTooLarge, SseDecoder
from gateway import names

_READ_BYTES = 1 << 16
_LARGEST_BYTES = 32 << 20
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_LINE = 1024
"""Of those that are noted."""
_AGAIN_SECONDS = 0.1
_LONGEST_AGAIN_SECONDS = 60.0
_EVENT_STREAM = "text/event-stream"


class NoAnswer(Exception):
    """There is none, or no more of it; `status` is what was answered instead, 0: nothing."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class FarCall:
    """A request that was sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._state = h11.Connection(h11.CLIENT)
        self._events: SseDecoder | None = None
        self._waiting: deque[bytes] = deque()
        self._is_ended = False
        self._rest = b""
        """Of a line that is cut."""
        self.last_event = b""
        """The id of the last event that had one: where the stream can be taken up again."""
        self.again_seconds = _AGAIN_SECONDS
        """How long its server wants to be left alone before that."""
        self.status = 0
        self.kind = ""
        """The content type."""

    @property
    def is_stream(self) -> bool:
        return self._events is not None

    async def send(self, request: h11.Request, body: bytes) -> None:
        """And wait for the beginning of the answer. Raises `NoAnswer`."""
        try:
            spoken = (request, h11.Data(body), h11.EndOfMessage())
            self._writer.write(b"".join(self._state.send(each) or b"" for each in spoken))
            await self._writer.drain()
            while not isinstance(event := await self._event(), h11.Response):
                if isinstance(event, h11.ConnectionClosed):
                    raise NoAnswer("the connection was closed")
        except (OSError, h11.ProtocolError) as error:
            raise NoAnswer(f"the way out is not open: {error}") from None
        self.status = event.status_code
        found = (value for name, value in event.headers if name == b"content-type")
        self.kind = next(found, b"").decode("latin-1")
        if self.kind.startswith(_EVENT_STREAM):
            self._events = SseDecoder(_LARGEST_BYTES)

    async def _whole(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while (piece := await self._piece()) is not None:
            size += len(piece)
            if size > _LARGEST_BYTES:
                raise NoAnswer(f"an answer of more than {_LARGEST_BYTES} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def unread(self, message: bytes) -> None:
        """It comes next, once more."""
        self._waiting.appendleft(message)

    async def next(self) -> bytes | None:
        """The next message of a stream, or the only one where there is none; None: that was all.
        Raises `NoAnswer`."""
        events = self._events
        if events is None and not self._is_ended:
            self._is_ended = True
            return await self._whole()
        while not self._waiting and events is not None and not self._is_ended:
            piece = await self._piece()
            self._is_ended = piece is None
            self._note(piece or b"")
            try:
                found = events.end() if piece is None else events.feed(piece)
            except EventTooLarge as error:
                raise NoAnswer(str(error)) from None
            self._waiting.extend(
                each.data for each in found if each.name in ("", "message") and each.data.strip()
            )
        return self._waiting.popleft() if self._waiting else None

    def _note(self, piece: bytes) -> None:
        """What lines say of the stream itself."""
        lines = _LINE_END.split(self._rest + piece)
        self._rest = lines.pop()[-_LONGEST_LINE:]
        for line in lines:
            if line.startswith(b"id:"):
                self.last_event = line[3:].removeprefix(b" ")
            elif line.startswith(b"retry:") and (said := line[6:].strip()).isdigit():
                self.again_seconds = min(int(said[:9]) / 1000, _LONGEST_AGAIN_SECONDS)

    def close(self) -> None:
        """Nothing more is read; a server without sessions takes it as the end of the call."""
        self._writer.close()

    async def _piece(self) -> bytes | None:
        """Of the body; None: it has ended."""
        try:
            event = await self._event()
        except (OSError, h11.ProtocolError) as error:
            raise NoAnswer(f"the answer broke off: {error}") from None
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def _event(self) -> object:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            self._state.receive_data(await self._reader.read(_READ_BYTES))
        return event


async def post(
    services: str, cluster: str, path: str, headers: Sequence[tuple[str, str]], body: bytes
) -> FarCall:
    """Ask a server; `services` is the address of the inner listener. Raises `NoAnswer`."""
    said = [("content-length", str(len(body))), *headers]
    return await _ask("POST", services, cluster, path, said, body)


async def take_up(
    services: str, cluster: str, path: str, headers: Sequence[tuple[str, str]], last_event: bytes
) -> FarCall:
    """Go on with a stream behind that event, or with the session's own where none is named.
    Raises `NoAnswer`."""
    said = [(name, value) for name, value in headers if name not in ("accept", "content-type")]
    said.append(("accept", _EVENT_STREAM))
    if last_event:
        said.append(("last-event-id", last_event.decode("latin-1")))
    call = await _ask("GET", services, cluster, path, said, b"")
    if not call.is_stream:
        call.close()
        raise NoAnswer(f"it goes on with no stream: status {call.status}", call.status)
    return call


async def _ask(
    method: str,
    services: str,
    cluster: str,
    path: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
) -> FarCall:
    try:
        reader, writer = await _connected(services)
    except OSError as error:
        raise NoAnswer(f"the way out is not open: {error}") from None
    call = FarCall(reader, writer)
    said = [("host", "services"), (names.SERVICE_HEADER, cluster), *headers]
    try:
        await call.send(h11.Request(method=method, target=path, headers=said), body)
    except BaseException:
        call.close()
        raise
    return call


async def _connected(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("unix:"):
        return await asyncio.open_unix_connection(Path(address.removeprefix("unix:")))
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))
