"""The answer of one of those that an agent stands for, as it passes: its ids say whose they are.

Events of a stream pass one by one; another answer waits until it is whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import structs

from extproc.a2a import substitution
from extproc.a2a.forms.interpreter import MOST_BYTES
from extproc.a2a.grpc_frames import ENCODING, BrokenFrame
from extproc.a2a.operations import Operation
from extproc.a2a.protobuf_fields import BrokenMessage
from extproc.a2a.requests import A2aRequest
from extproc.a2a.substitution import StreamSubstitution, Substitution
from extproc.a2a_exchange.interpreting import Interpreted
from extproc.events import CONTINUE, Action, Finish, Replace, Respond, ResponseHeaders, Watch
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import EventTooLarge

CODINGS: Final = ("accept-encoding", "grpc-accept-encoding")
"""Removed from requests whose answers are read."""
_BROKEN: Final = (InvalidJson, BrokenFrame, BrokenMessage, EventTooLarge)
_SAYING_NOTHING: Final = frozenset({Operation.DELETE_PUSH, Operation.EXTENDED_CARD})
_NOBODY: Final = frozenset({502, 503, 504})
_LENGTH: Final = "content-length"
_DETAILS: Final = "dragoman_broken_answer"


def is_owned(request: A2aRequest) -> bool:
    """Whether its answer has ids."""
    return request.operation not in _SAYING_NOTHING


class Owning:
    """Of one answer. `inner` says it in the client's form before."""

    __slots__ = (
        "_changes",
        "_doubt",
        "_inner",
        "_pieces",
        "_request",
        "_size",
        "_stream",
        "is_over",
    )

    def __init__(
        self,
        request: A2aRequest,
        changes: Substitution,
        inner: Interpreted | None,
        doubt: Callable[[], None],
    ) -> None:
        """`doubt`: called where it seems that nobody is there."""
        self._request, self._changes, self._inner = request, changes, inner
        self._doubt = doubt
        self._stream: StreamSubstitution | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self.is_over = False
        """Nothing of it follows that has to be read."""

    def begins(self, event: ResponseHeaders) -> Action:
        """What is done with its headers."""
        if event.status in _NOBODY:
            self._doubt()
        inner = None if self._inner is None else self._inner.begins(event)
        if isinstance(inner, Respond):
            self.is_over = True
            return owned(self._request, inner, self._changes)
        is_stream = _is_stream(event) if self._inner is None else self._inner.is_stream
        if event.status == 200 and is_stream:
            request, coding = self._request, event.headers.get(ENCODING, "")
            self._stream = StreamSubstitution(
                request.operation, request.binding, request.revision, self._changes, coding
            )
        if inner is not None:
            return inner
        if event.status != 200 or event.headers.get(_LENGTH) == "0":
            self.is_over = True
            return CONTINUE
        return Watch((), (_LENGTH,))

    def take(self, data: bytes, *, is_end: bool) -> Action | Awaitable[Action]:
        """What goes on in the place of a piece."""
        if self._inner is not None:
            passed = self._inner.take(data, is_end=is_end)
            if isinstance(passed, Respond):
                self.is_over = True
                return owned(self._request, passed, self._changes)
            if not isinstance(passed, Replace):
                return passed
            data = passed.body
        self.is_over = is_end
        try:
            return Replace(self._changed(data, is_end=is_end))
        except _BROKEN:
            self.is_over = True
            return Finish(b"", _DETAILS)

    def _changed(self, data: bytes, *, is_end: bool) -> bytes:
        if self._stream is not None:
            changed = self._stream.feed(data)
            return changed + self._stream.end() if is_end else changed
        self._size += len(data)
        if self._size > MOST_BYTES:
            raise InvalidJson(f"the answer has more than {MOST_BYTES} bytes")
        self._pieces.append(data)
        if not is_end:
            return b""
        request, body = self._request, b"".join(self._pieces)
        return substitution.in_body(
            request.operation, request.binding, request.revision, body, self._changes
        )


def owned(request: A2aRequest, whole: Respond, changes: Substitution) -> Respond:
    """The same of an answer that the gateway tells, in the client's form."""
    if whole.status != 200 or not is_owned(request):
        return whole
    body = substitution.in_body(
        request.operation, request.binding, request.revision, whole.body, changes
    )
    return structs.replace(whole, body=body)


def _is_stream(event: ResponseHeaders) -> bool:
    kind = event.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "text/event-stream" or kind.startswith("application/grpc")
