"""A stream of events of one binding and revision as one of another, as its bytes come.

Server-sent events over JSON-RPC and HTTP+JSON, messages over gRPC. An error ends a stream: in JSON
it is the last event, in gRPC it is in the trailers. What is kept is one event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from extproc.a2a import agent_errors, errors, grpc_frames
from extproc.a2a.errors import NO_ID, ErrorKind, Fault
from extproc.a2a.forms import replies
from extproc.a2a.forms.answered import result_down, result_up
from extproc.a2a.forms.calls import Target
from extproc.a2a.forms.losses import Losses, Malformed
from extproc.a2a.forms.protobuf import BrokenMessage
from extproc.a2a.grpc_frames import BrokenFrame, FrameDecoder
from extproc.a2a.operations import Operation
from extproc.a2a.places import form
from extproc.protocols import json_spans, sse
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import Event, EventTooLarge, SseDecoder
from gateway.a2a import Binding

_BROKEN = (Malformed, InvalidJson, BrokenMessage, BrokenFrame, EventTooLarge)
_MOST_LOSSES = 100
Change: TypeAlias = Callable[[object], object]


class StreamReader:
    """Bytes of an agent in, events of 1.0 out; a fault is the last."""

    __slots__ = ("_form", "_frames", "_is_over", "_operation", "_sse", "_target", "losses")

    def __init__(self, operation: Operation, agent: Target, grpc_encoding: str = "") -> None:
        self._operation = operation
        self._target = agent
        self._form = form(agent.binding, agent.revision)
        self._sse = SseDecoder()
        self._frames = FrameDecoder(grpc_encoding)
        self._is_over = False
        self.losses: Losses = []
        """What was lost, of the first events."""

    def feed(self, data: bytes) -> list[object]:
        """What these bytes complete. After a fault, nothing."""
        return self._read(self._events(data))

    def end(self, trailers: Mapping[str, str]) -> list[object]:
        """No more bytes follow; trailers are gRPC's."""
        return self._read(self._last(trailers))

    def _read(self, documents: Iterator[object]) -> list[object]:
        """What is before something broken counts."""
        if self._is_over:
            return []
        found: list[object] = []
        try:
            for each in documents:
                if not isinstance(each, Fault):
                    each = result_up(self._operation, each, self._form, self.losses)
                found.append(each)
                if isinstance(each, Fault):
                    self._is_over = True
                    break
        except _BROKEN as error:
            self._is_over = True
            found.append(_unreadable(error))
        del self.losses[_MOST_LOSSES:]
        return found

    def _events(self, data: bytes) -> Iterator[object]:
        if self._target.binding is Binding.GRPC:
            for message in self._frames.feed(data):
                yield replies.decode(self._operation, self._target.revision, message)
        else:
            yield from map(self._document, self._sse.feed(data))

    def _last(self, trailers: Mapping[str, str]) -> Iterator[object]:
        if self._target.binding is not Binding.GRPC:
            yield from map(self._document, self._sse.end())
            return
        fault = agent_errors.read_grpc(trailers)
        if fault is not None:
            yield fault
        self._frames.end()

    def _document(self, event: Event) -> object:
        document = json_spans.decode_any(event.data)
        if self._target.binding is Binding.JSONRPC:
            return replies.result_of(document)
        if event.name == "error" or (isinstance(document, dict) and "error" in document):
            return agent_errors.read_http(500, event.data)
        return document


class StreamWriter:
    """Events of 1.0 in, bytes for a client out."""

    __slots__ = ("_client", "_form", "_operation", "_raw_id", "losses", "trailers")

    def __init__(self, operation: Operation, client: Target, raw_id: bytes = NO_ID) -> None:
        self._operation = operation
        self._client = client
        self._form = form(client.binding, client.revision)
        self._raw_id = raw_id
        self.losses: Losses = []
        self.trailers: tuple[tuple[str, str], ...] = replies.WENT_WELL
        """Of gRPC, after the last byte."""

    def event(self, event: object) -> bytes:
        """An event, or the fault that is the last. Raises `Malformed`."""
        if isinstance(event, Fault):
            self.trailers = errors.trailers(event, self._client.revision)
            return errors.event(event, self._client.binding, self._client.revision, self._raw_id)
        said = result_down(self._operation, event, self._form, self.losses)
        match self._client.binding:
            case Binding.JSONRPC:
                written = sse.encode(replies.envelope(said, self._raw_id))
            case Binding.HTTP_JSON:
                written = sse.encode(json_spans.encode(said))
            case Binding.GRPC:
                written = grpc_frames.frame(
                    replies.encode(self._operation, self._client.revision, said, self.losses)
                )
        del self.losses[_MOST_LOSSES:]
        return written


class Translation:
    """Bytes of an agent in, bytes for a client out."""

    __slots__ = ("_change", "_is_over", "_reader", "_writer")

    def __init__(
        self, reader: StreamReader, writer: StreamWriter, change: Change | None = None
    ) -> None:
        """`change`: of events, in 1.0."""
        self._change = change
        self._reader = reader
        self._writer = writer
        self._is_over = False

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        """Of gRPC, after the last byte."""
        return self._writer.trailers

    @property
    def is_over(self) -> bool:
        """It has ended with an error: what the agent says now is not read."""
        return self._is_over

    @property
    def losses(self) -> Losses:
        """What was lost, of the first events."""
        return [*self._reader.losses, *self._writer.losses]

    def feed(self, data: bytes) -> bytes:
        """What these bytes add."""
        return self.written(self._reader.feed(data))

    def end(self, trailers: Mapping[str, str]) -> bytes:
        """What the end adds; trailers are gRPC's."""
        return self.written(self.rest(trailers))

    def rest(self, trailers: Mapping[str, str]) -> list[object]:
        """The events that the end adds, in 1.0; a fault is the last."""
        return [] if self._is_over else self._reader.end(trailers)

    def written(self, events: list[object]) -> bytes:
        """The same for the client."""
        pieces: list[bytes] = []
        for each in events:
            if self._is_over:
                break
            try:
                if self._change is not None and not isinstance(each, Fault):
                    each = self._change(each)
                pieces.append(self._writer.event(each))
            except Malformed as error:
                each = _unreadable(error)
                pieces.append(self._writer.event(each))
            self._is_over = isinstance(each, Fault)
        return b"".join(pieces)


def _unreadable(error: Exception) -> Fault:
    return Fault(ErrorKind.INVALID_AGENT_RESPONSE, f"the agent's event cannot be read: {error}")
