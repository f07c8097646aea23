"""The way to services: HTTP/1.1 to Envoy's listener, over connections that are kept.

Envoy does the rest: TLS, credentials, retries. So this client speaks to one peer that we trust, and
knows no redirects, cookies, proxies or codings. httpx takes seven times as much time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import h11
import msgspec

from extproc.ports import Answered, Asked, AskedBack, Posted, Returned, ServiceUnavailable
from extproc.protocols.sse import EventTooLarge, SseDecoder
from gateway import names

LARGEST_ANSWER_BYTES = 4 << 20
_MOST_IDLE = 32
_READ_BYTES = 1 << 16
_EVENTS = "text/event-stream"
_CHUNK_LIMIT = 1 << 16
ROOTS_SECONDS = 1.0
"""How long an answer may take after the server has asked for the client's roots: some ask when it
suits them, whatever they are asked."""
_OF_ROOTS = b'"roots/list"'
_OF_USERS = (b'"elicitation/create"', b'"sampling/createMessage"')
"""Questions without which there is no answer."""
_ASKS = "it asks something before it answers"


_Spoken: TypeAlias = tuple[h11.Request, h11.Data, h11.EndOfMessage]


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
        headers = (("content-type", "application/json"), *posted.headers)
        asked = Asked("POST", posted.path, headers, posted.body)
        found = await self.ask(names.service_cluster(service), asked, timeout_seconds)
        return Returned(found.status, found.body)

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        """Of an event stream, the message that answers. Raises `ServiceUnavailable`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._ask_one(_spoken(cluster, asked), asked.is_clients)
        except TimeoutError:
            raise ServiceUnavailable(f"no answer within {timeout_seconds:g} s") from None
        except (OSError, EOFError, h11.ProtocolError, EventTooLarge) as error:
            raise ServiceUnavailable(f"the way out is not open: {error}") from None

    def close(self) -> None:
        """Nothing is asked any more."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().writer.close()

    async def _ask_one(self, spoken: _Spoken, is_clients: bool) -> Answered:
        while self._idle:
            kept = self._idle.pop()
            if kept.reader.at_eof() or kept.writer.is_closing():
                kept.writer.close()
                continue
            return await self._ask(kept, spoken, is_clients)
        return await self._ask(await self._connect(), spoken, is_clients)

    async def _connect(self) -> _Connection:
        if self._address.startswith("unix:"):
            path = Path(self._address.removeprefix("unix:"))
            reader, writer = await asyncio.open_unix_connection(path)
        else:
            host, _, port = self._address.rpartition(":")
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        return _Connection(reader, writer, h11.Connection(h11.CLIENT, _CHUNK_LIMIT))

    async def _ask(self, to: _Connection, spoken: _Spoken, is_clients: bool) -> Answered:
        is_kept = False
        try:
            to.writer.write(b"".join(to.state.send(event) or b"" for event in spoken))
            await to.writer.drain()
            found = await _answer(to, is_clients)
            is_kept = to.state.our_state is h11.DONE and to.state.their_state is h11.DONE
            return found
        finally:  # also when it is too late: what comes then is nobody's answer
            if is_kept and not self._is_closed and len(self._idle) < _MOST_IDLE:
                to.state.start_next_cycle()
                self._idle.append(to)
            else:
                to.writer.close()


def _spoken(cluster: str, asked: Asked) -> _Spoken:
    request = h11.Request(
        method=asked.method,
        target=asked.path,
        headers=[
            ("host", "services"),
            (names.SERVICE_HEADER, cluster),
            ("content-length", str(len(asked.body))),
            *asked.headers,
        ],
    )
    return request, h11.Data(asked.body), h11.EndOfMessage()


async def _answer(of: _Connection, is_clients: bool) -> Answered:
    status, headers, size = 0, dict[str, str](), 0
    pieces: list[bytes] = []
    stream: SseDecoder | None = None
    until: float | None = None
    while True:
        event = of.state.next_event()
        if event is h11.NEED_DATA:
            of.state.receive_data(await _read(of.reader, until))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            if headers.get("content-type", "").startswith(_EVENTS):
                stream = SseDecoder(LARGEST_ANSWER_BYTES)
        elif isinstance(event, h11.Data) and stream is not None:
            for each in stream.feed(bytes(event.data)):
                form = _form_of(each.data)
                if form.is_answer:
                    return Answered(status, headers, each.data)
                if is_clients and form.question in _OF_USERS:
                    raise AskedBack(_ASKS)
                if is_clients and form.question == _OF_ROOTS and until is None:
                    until = asyncio.get_running_loop().time() + ROOTS_SECONDS
        elif isinstance(event, h11.Data):
            pieces.append(bytes(event.data))
            size += len(event.data)
            if size > LARGEST_ANSWER_BYTES:
                raise ServiceUnavailable(f"an answer of more than {LARGEST_ANSWER_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return Answered(status, headers, b"".join(pieces))
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError("the connection was closed")


class _Form(msgspec.Struct):
    """What tells an answer from what else a server says in a stream."""

    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    method: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_answer(self) -> bool:
        return self.id is not msgspec.UNSET and self.method is msgspec.UNSET

    @property
    def question(self) -> bytes:
        """The method of a request, as it is written; empty: it is none."""
        if self.id is msgspec.UNSET or isinstance(self.method, msgspec.UnsetType):
            return b""
        return bytes(self.method)


async def _read(reader: asyncio.StreamReader, until: float | None) -> bytes:
    if until is None:
        return await reader.read(_READ_BYTES)
    try:
        async with asyncio.timeout_at(until):
            return await reader.read(_READ_BYTES)
    except TimeoutError:
        raise AskedBack(_ASKS) from None


_form = msgspec.json.Decoder(_Form)


def _form_of(data: bytes) -> _Form:
    try:
        return _form.decode(data)
    except msgspec.DecodeError:
        return _Form()
