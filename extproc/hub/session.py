"""One client's session with a server that speaks in messages: which of them goes where.

It is the server's side of Streamable HTTP without HTTP: each request has a stream of its own, and
what belongs to none goes to stream 0, which a client opens by GET.
https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from extproc.hub import envelope
from extproc.hub.envelope import Message
from extproc.hub.streams import Stream, event_id
from extproc.mcp import jsonrpc

STANDALONE = 0
"""The stream of what belongs to no request."""
PRIMED_FROM = "2025-11-25"
"""Clients of earlier revisions read data in every event."""
CANCELLED = "notifications/cancelled"
PROGRESS = "notifications/progress"


class Refused(Exception):
    """A message, or a request for a stream, that is not taken."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        """HTTP's."""
        self.code = code
        """JSON-RPC's."""
        self.text = text


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one session may want at once."""

    requests: int
    """That are not answered."""
    buffer_bytes: int
    """Of what was said on a stream, kept to be said again."""
    kept_streams: int = 16
    """That are at their end, with their answers."""


class Session:
    """Messages of one client to its server, and back."""

    def __init__(self, send: Callable[[Message, bytes], None], limits: Limits) -> None:
        """`send` gives a message, as it is to be sent, to the server."""
        self.revision: str | None = None
        """What the server agreed to speak, once it has."""
        self.ended: str | None = None
        """Why there is no server any more."""
        self._send = send
        self._limits = limits
        self._streams = {STANDALONE: Stream(STANDALONE, limits.buffer_bytes)}
        self._open: dict[bytes, Stream] = {}
        """Request id → its stream, in the order in which they were asked."""
        self._tokens: dict[bytes, Stream] = {}
        self._token_of: dict[bytes, bytes] = {}
        self._initializing: bytes | None = None
        self._number = STANDALONE

    @property
    def is_busy(self) -> bool:
        """A request is not answered, or somebody reads."""
        return bool(self._open) or any(each.is_read for each in self._streams.values())

    @property
    def open_requests(self) -> int:
        return len(self._open)

    @property
    def congested(self) -> Stream | None:
        """A stream whose reader is far behind."""
        return next((each for each in self._streams.values() if each.is_congested), None)

    @property
    def is_primed(self) -> bool:
        return self.revision is not None and self.revision >= PRIMED_FROM

    def post(
        self, message: Message, text: bytes, *, is_answer_alone: bool = False
    ) -> Stream | None:
        """Sends it on; the stream of its answer, if it asks for one. Raises `Refused`."""
        if self.ended is not None:
            raise Refused(404, envelope.SESSION_NOT_FOUND, f"session ended: {self.ended}")
        if not message.is_request:
            self._send(message, envelope.one_line(text))
            if (id := self._cancelled(message)) is not None:
                self._drop(id)  # and a server does not answer it
            return None
        assert message.id is not None
        if message.id in self._open:
            raise Refused(400, jsonrpc.INVALID_REQUEST, "a request with this id is not answered")
        if len(self._open) >= self._limits.requests:
            most = self._limits.requests
            raise Refused(429, jsonrpc.INTERNAL_ERROR, f"{most} requests are not answered")
        stream = self._opened(message.id, message, is_answer_alone=is_answer_alone)
        try:
            self._send(message, envelope.one_line(text))
        except BaseException:  # nobody will answer it
            self._drop(message.id)
            self.forget(stream)
            raise
        return stream

    def _opened(self, id: bytes, message: Message, *, is_answer_alone: bool) -> Stream:
        self._number += 1
        stream = Stream(self._number, self._limits.buffer_bytes, is_answer_alone=is_answer_alone)
        self._streams[stream.number] = self._open[id] = stream
        token = envelope.key(envelope.meta(message).get(envelope.PROGRESS_TOKEN))
        if token is not None:
            self._tokens[token] = stream
            self._token_of[id] = token
        if message.method == "initialize":
            self._initializing = id
        self._forget_old()
        return stream

    def deliver(self, message: Message, text: bytes) -> None:
        """What the server said, on one line."""
        if message.is_answer:
            self._answered(message, text)
        elif (id := self._cancelled(message)) is not None:
            self._drop(id)  # the server ends a stream that it was asked for
        else:
            self._place(message).add(text)

    def _answered(self, message: Message, text: bytes) -> None:
        if message.id is None or message.id not in self._open:
            return  # cancelled, or to nobody's question
        if message.id == self._initializing:
            self._initializing = None
            self.revision = envelope.result_text(message, "protocolVersion") or self.revision
        self._open[message.id].add(text)
        self._drop(message.id)

    def _cancelled(self, message: Message) -> bytes | None:
        """The open request that it calls off, if it does."""
        if message.method != CANCELLED:
            return None
        id = envelope.key(envelope.param(message, "requestId"))
        return id if id in self._open else None

    def _drop(self, id: bytes) -> None:
        self._tokens.pop(self._token_of.pop(id, b""), None)
        self._open.pop(id).finish()

    def _place(self, message: Message) -> Stream:
        """Where a notification or a request of the server goes.

        On one channel, little says to which request it belongs. Else to the last that is open: its
        client reads for sure, while nobody may read the stream of its own.
        """
        if message.method == PROGRESS:
            token = envelope.key(envelope.param(message, envelope.PROGRESS_TOKEN))
            if token in self._tokens:
                return self._tokens[token]
        subscription = envelope.key(envelope.meta(message).get(envelope.SUBSCRIPTION_ID))
        if subscription in self._open:
            return self._open[subscription]
        open_streams = (each for each in reversed(self._open.values()) if not each.is_answer_alone)
        return next(open_streams, self._streams[STANDALONE])

    def forget(self, stream: Stream) -> None:
        """It was answered in one piece: nobody will come back for it."""
        self._streams.pop(stream.number, None)

    def reading(self, last_event_id: str | None) -> Stream:
        """The stream to be read by GET, set to what comes next. Raises `Refused`."""
        if self.ended is not None:
            raise Refused(404, envelope.SESSION_NOT_FOUND, f"session ended: {self.ended}")
        if last_event_id is None:
            return self._streams[STANDALONE]
        try:
            number, following = event_id(last_event_id)
        except ValueError as mistake:
            raise Refused(400, jsonrpc.INVALID_REQUEST, str(mistake)) from None
        found = self._streams.get(number)
        if found is None or following > found.end:
            text = f"event {last_event_id} is kept no more"
            raise Refused(400, jsonrpc.INVALID_REQUEST, text)
        found.reads_from = following
        return found

    def end(self, reason: str) -> None:
        """The server is gone: what is not answered is answered with an error."""
        self.fail_requests(reason)
        self.ended = reason
        self._streams[STANDALONE].finish()

    def fail_requests(self, reason: str) -> None:
        """Answers all that is open with an error."""
        for id, stream in tuple(self._open.items()):
            stream.add(jsonrpc.error(id, jsonrpc.INTERNAL_ERROR, reason))
            self._drop(id)

    def _forget_old(self) -> None:
        ended = [each for each in self._streams.values() if each.is_ended and not each.is_read]
        size = sum(each.size for each in ended)
        for place, each in enumerate(ended):
            is_one_too_many = len(ended) - place > self._limits.kept_streams
            if not is_one_too_many and size <= 2 * self._limits.buffer_bytes:
                return
            size -= each.size
            del self._streams[each.number]
