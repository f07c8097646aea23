"""Claude's own stream as InvokeModel frames it, both ways: Anthropic's events in AWS events.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
"""

from __future__ import annotations

from collections.abc import Sequence

from extproc.llm.answer import Failed, Fault, ProviderError, StreamEvent
from extproc.llm.anthropic.elsewhere import chunk_of_event, event_of_chunk
from extproc.llm.anthropic.stream_reader import MessagesDecoding
from extproc.llm.anthropic.stream_writer import MessagesEncoding
from extproc.llm.bedrock.errors import decode_exception
from extproc.llm.bedrock.streams import exception
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.protocols import event_stream
from extproc.protocols.event_stream import BrokenMessage, Message, MessageDecoder
from extproc.protocols.sse import SseDecoder
from gateway.usage import Usage

_CHUNK = event_stream.encode_headers(
    event_stream.texts(
        {
            ":event-type": "chunk",
            ":content-type": "application/json",
            ":message-type": "event",
        }
    )
)


class ClaudeDecoding:
    """`Decoding` of what an InvokeModelWithResponseStream of Claude answers."""

    __slots__ = ("_events", "_frames", "_is_over")

    def __init__(self) -> None:
        self._frames = MessageDecoder()
        self._events = MessagesDecoding()
        self._is_over = False

    @property
    def usage(self) -> Usage | None:
        return self._events.usage

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        found: list[StreamEvent] = []
        try:
            messages = [] if self._is_over else self._frames.feed(data)
            for message in messages:
                found += self._told(message)
        except (BrokenMessage, UnreadableAnswer) as error:
            self._is_over = True
            found.append(Failed(ProviderError(502, Fault.SERVER, str(error)), self.usage))
        return found

    def end(self) -> Sequence[StreamEvent]:
        return () if self._is_over else self._events.end()

    def _told(self, message: Message) -> Sequence[StreamEvent]:
        kind = message.text(":message-type")
        if kind == "exception":
            self._is_over = True
            error = decode_exception(message.text(":exception-type"), message.payload)
            return (Failed(error, self.usage),)
        if kind == "error":
            self._is_over = True
            reason = message.text(":error-message") or message.text(":error-code")
            return (Failed(ProviderError(502, Fault.SERVER, reason), self.usage),)
        if message.text(":event-type") != "chunk":
            return ()
        return self._events.feed(event_of_chunk(message.payload))


class ClaudeEncoding:
    """`Encoding` for a client that invokes Claude with a response stream."""

    __slots__ = ("_events", "_inner")

    def __init__(self, asked: Asked) -> None:
        self._inner = MessagesEncoding(asked)
        self._events = SseDecoder()

    def feed(self, event: StreamEvent) -> bytes:
        if isinstance(event, Failed):
            return exception(event.error)
        told = self._events.feed(self._inner.feed(event))
        return b"".join(
            event_stream.encode_with(_CHUNK, chunk_of_event(each.data)) for each in told
        )
