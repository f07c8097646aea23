"""The answer of one of those that an agent stands for, as it flows: its ids say whose they are.

Events of a stream, and messages of gRPC, pass one by one; another answer waits until it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from extproc.a2a import errors, substitution
from extproc.a2a.errors import ErrorKind
from extproc.a2a.forms.interpreter import MOST_BYTES
from extproc.a2a.grpc_frames import ENCODING, BrokenFrame
from extproc.a2a.operations import Operation
from extproc.a2a.protobuf_fields import BrokenMessage
from extproc.a2a.requests import A2aRequest
from extproc.a2a.substitution import StreamSubstitution, Substitution
from extproc.a2a_exchange.interpreting import passed
from extproc.events import (
    Action,
    ChangeHeaders,
    Flow,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
)
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import EventTooLarge
from gateway import names

CODINGS: Final = ("accept-encoding", "grpc-accept-encoding")
"""Removed from requests whose answers are read."""
_BROKEN: Final = (InvalidJson, BrokenFrame, BrokenMessage, EventTooLarge)
_SAYING_NOTHING: Final = frozenset({Operation.DELETE_PUSH, Operation.EXTENDED_CARD})
_NOBODY: Final = frozenset({"502", "503", "504"})
_UNAVAILABLE: Final = str(errors.Status.UNAVAILABLE.value)
_LENGTH: Final = "content-length"
_DETAILS: Final = "dragoman_broken_answer"
_OF_ANOTHER_LENGTH: Final = ChangeHeaders((), (_LENGTH,))


def is_owned(request: A2aRequest) -> bool:
    """Whether its answer has ids."""
    return request.operation not in _SAYING_NOTHING


def is_nobody(event: ResponseHeaders) -> bool:
    """Whether it seems that nobody is there."""
    headers = event.headers
    status = headers.get(names.A2A_STATUS_HEADER, str(event.status))
    return status in _NOBODY or headers.get("grpc-status") == _UNAVAILABLE


class Owning:
    """Of one answer."""

    __slots__ = ("_changes", "_passes", "_pieces", "_request", "_size", "_stream", "is_over")

    def __init__(self, request: A2aRequest, changes: Callable[[], Substitution]) -> None:
        """`changes` knows whose the answer is once that has begun."""
        self._request, self._changes = request, changes
        self._passes = False
        """As it is: an error, which says no ids."""
        self._stream: StreamSubstitution | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self.is_over = False
        """Nothing of it follows that has to be read."""

    def begins(self, event: ResponseHeaders) -> Action:
        """What is done with its headers."""
        self.is_over = event.is_end
        self._passes = event.is_end or event.status != 200
        if self._passes:
            return passed(event)
        if not _is_stream(event):
            return Flow()
        request, coding = self._request, event.headers.get(ENCODING, "")
        self._stream = StreamSubstitution(
            request.operation, request.binding, request.revision, self._changes(), coding
        )
        return Flow(_OF_ANOTHER_LENGTH)

    def take(self, data: bytes, *, is_end: bool) -> Action:
        """What goes on for a piece."""
        self.is_over = is_end
        if self._passes:
            return passed(ResponseBody(data, is_end))
        try:
            return self._changed(data, is_end=is_end)
        except _BROKEN as error:
            return self._cut(error)

    def end(self, trailers: Mapping[str, str]) -> Action:
        """The same for the trailers, which are its end."""
        as_they_are = passed(ResponseEnd(None, trailers)).trailers
        self.is_over = True
        if self._passes:
            return Flow(trailers=as_they_are)
        try:
            if self._stream is not None:
                return Flow(body=self._stream.end(), trailers=as_they_are)
            return Flow(_OF_ANOTHER_LENGTH, self._whole(), trailers=as_they_are)
        except _BROKEN as error:
            return self._cut(error)

    def _changed(self, data: bytes, *, is_end: bool) -> Action:
        if self._stream is not None:
            changed = self._stream.feed(data)
            if is_end:
                changed += self._stream.end()
            return Flow(None, changed, is_end)
        self._size += len(data)
        if self._size > MOST_BYTES:
            raise InvalidJson(f"the answer has more than {MOST_BYTES} bytes")
        self._pieces.append(data)
        return Flow(_OF_ANOTHER_LENGTH, self._whole(), is_end=True) if is_end else Flow()

    def _whole(self) -> bytes:
        request, body = self._request, b"".join(self._pieces)
        return substitution.in_body(
            request.operation, request.binding, request.revision, body, self._changes()
        )

    def _cut(self, error: Exception) -> Respond:
        """Said in the client's form; of a stream, both connections are cut."""
        self.is_over = True
        request = self._request
        why = f"the agent's answer cannot be read: {error}"
        fault = request.fault(ErrorKind.INVALID_AGENT_RESPONSE, why)
        said = errors.said(fault, request.binding, request.revision, request.raw_id)
        return Respond(said.status, said.headers, said.body, _DETAILS)


def _is_stream(event: ResponseHeaders) -> bool:
    kind = event.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "text/event-stream" or kind.startswith("application/grpc")
