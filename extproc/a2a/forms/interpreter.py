"""One request and its answer, between a client and an agent who have no form in common.

Decides, and does no I/O: `call`, then `begin` with the head of the agent's answer, `feed` with its
pieces, and `end`. What is streamed passes as it comes; else the whole answer is read first, and
may be said otherwise: `end` is `result` and `ended`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from extproc.a2a import errors
from extproc.a2a.errors import ErrorKind, Fault, Said
from extproc.a2a.forms import calls, replies
from extproc.a2a.forms.asked import request_up
from extproc.a2a.forms.calls import Call, Target
from extproc.a2a.forms.losses import Losses, Malformed
from extproc.a2a.forms.streams import Change, StreamReader, StreamWriter, Translation
from extproc.a2a.grpc_frames import ENCODING
from extproc.a2a.operations import OPERATIONS
from extproc.a2a.requests import EXTENSIONS, A2aRequest
from gateway.a2a import Binding, Revision

MOST_BYTES: Final = 32 << 20
"""Of an answer that is read whole."""

_STREAMS: Final = {
    Binding.JSONRPC: "text/event-stream",
    Binding.HTTP_JSON: "text/event-stream",
    Binding.GRPC: "application/grpc",
}
_Headers = tuple[tuple[str, str], ...]


class Begun(NamedTuple):
    """The head of an answer that is a stream."""

    status: int
    headers: _Headers


class Ended(NamedTuple):
    """What ends an answer."""

    begun: Begun | None
    """The head; None: it was said."""
    body: bytes
    trailers: _Headers
    """Of gRPC; empty: there are none, or they are in the head."""


class Interpreter:
    """Between one client and one agent."""

    __slots__ = (
        "_agent",
        "_answer",
        "_change",
        "_client",
        "_extensions",
        "_most_bytes",
        "_pieces",
        "_request",
        "_size",
        "_stream",
        "losses",
    )

    def __init__(
        self,
        request: A2aRequest,
        agent: Target,
        most_bytes: int = MOST_BYTES,
        change: Change | None = None,
    ) -> None:
        """`most_bytes`: of an answer that is read whole. `change`: of what is told, in 1.0."""
        self._change = change
        self._request = request
        self._client = Target(request.binding, request.revision)
        self._agent = agent
        self._answer = Begun(502, ())
        self._pieces: list[bytes] = []
        self._size = 0
        self._most_bytes = most_bytes
        self._stream: Translation | None = None
        self._extensions: _Headers = ()
        self.losses: Losses = []
        """What the agent is not told, and of a whole answer what the client is not."""

    @property
    def stream(self) -> Translation | None:
        """What passes as it comes; None: the answer is read whole."""
        return self._stream

    def call(self, tenant: str | None = None) -> Call | Fault:
        """What the agent is asked; or why it cannot be. `tenant`: in the place of the client's."""
        request = self._request
        try:
            asked = request_up(request.operation, request.document, request.form, self.losses)
        except Malformed as error:
            return request.fault(ErrorKind.INVALID_PARAMS, str(error))
        if tenant is not None:
            asked = {name: said for name, said in asked.items() if name != "tenant"}
            if tenant:
                asked["tenant"] = tenant
        if self._agent.revision not in OPERATIONS[request.operation].names:
            why = f"the agent speaks A2A {self._agent.revision}, which has no {request.operation}"
            return request.fault(ErrorKind.UNSUPPORTED_OPERATION, why)
        try:
            return calls.call(
                request.operation,
                asked,
                self._agent,
                self.losses,
                extensions=request.extensions,
            )
        except Malformed as error:
            return request.fault(ErrorKind.INVALID_PARAMS, str(error))

    def begin(self, status: int, headers: Mapping[str, str]) -> Begun | None:
        """What the client is told now; None: nothing before the end. Names are in lower case."""
        self._answer = Begun(status, tuple(headers.items()))
        self._extensions = self._activated(headers)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        is_stream = kind.startswith(_STREAMS[self._agent.binding])
        is_over = "grpc-status" in headers  # there are no messages
        if not self._request.is_stream or not is_stream or status != 200 or is_over:
            return None
        operation = self._request.operation
        reader = StreamReader(operation, self._agent, headers.get(ENCODING, ""))
        writer = StreamWriter(operation, self._client, self._request.raw_id)
        self._stream = Translation(reader, writer, self._change)
        return self._streaming()

    def feed(self, data: bytes) -> bytes:
        """What a piece of the agent's answer adds to the client's."""
        if self._stream is not None:
            return self._stream.feed(data)
        self._size += len(data)
        if self._size <= self._most_bytes:
            self._pieces.append(data)
        return b""

    def end(self, trailers: Mapping[str, str], *, has_begun: bool = True) -> Ended:
        """The agent has answered; trailers are gRPC's. `has_begun`: what `begin` said has gone on;
        else an error that is all of a stream can be said as any other is."""
        stream = self._stream
        if stream is not None:
            events = stream.rest(trailers)
            if not has_begun and len(events) == 1 and isinstance(events[0], Fault):
                return self._failed(events[0])
            last = stream.written(events)
            is_grpc = self._client.binding is Binding.GRPC
            return Ended(None, last, stream.trailers if is_grpc else ())
        return self.ended(self.result(trailers))

    def result(self, trailers: Mapping[str, str]) -> object | Fault:
        """What the agent has answered that does not stream, in 1.0; or what went wrong."""
        if self._size > self._most_bytes:
            why = f"the agent's answer has more than {self._most_bytes} bytes"
            return Fault(ErrorKind.INVALID_AGENT_RESPONSE, why)
        answer = Said(*self._answer, b"".join(self._pieces))
        operation = self._request.operation
        found = replies.read(operation, self._agent, answer, trailers, self.losses)
        if self._change is None or isinstance(found, Fault):
            return found
        return self._change(found)

    def ended(self, result: object | Fault) -> Ended:
        """The client's answer that says so, whole."""
        if isinstance(result, Fault):
            return self._failed(result)
        try:
            return self._whole(result)
        except Malformed as error:
            return self._failed(replies.broken(error))

    def _whole(self, result: object) -> Ended:
        """An agent may answer what should stream with one event."""
        request = self._request
        well = replies.WENT_WELL if self._client.binding is Binding.GRPC else ()
        if request.is_stream:
            writer = StreamWriter(request.operation, self._client, request.raw_id)
            return Ended(self._streaming(), writer.event(result), well)
        said = replies.written(request.operation, result, self._client, self.losses, request.raw_id)
        return Ended(Begun(said.status, (*said.headers, *self._extensions)), said.body, well)

    def _failed(self, fault: Fault) -> Ended:
        client = self._client
        said = errors.said(fault, client.binding, client.revision, self._request.raw_id)
        return Ended(Begun(said.status, said.headers), said.body, ())

    def _streaming(self) -> Begun:
        kind = ("content-type", _STREAMS[self._client.binding])
        return Begun(200, (kind, *self._extensions))

    def _activated(self, headers: Mapping[str, str]) -> _Headers:
        """Extensions that the agent has used, by the client's header."""
        said = next((headers[name] for name in EXTENSIONS if headers.get(name)), "")
        name = EXTENSIONS[0] if self._client.revision is Revision.V1_0 else EXTENSIONS[1]
        return ((name, said),) if said else ()
