"""The events of agents' streams as documents: server-sent events, and messages of gRPC.

What nobody changes goes on as it came: with its id, its comments, which keep connections open, and
with fields of protobuf that the protocol does not have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from extproc.a2a import grpc_frames
from extproc.a2a.forms import replies
from extproc.a2a.forms.losses import Malformed
from extproc.a2a.forms.protobuf import BrokenMessage
from extproc.a2a.grpc_frames import BrokenFrame, FrameDecoder
from extproc.a2a.operations import Operation
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frame
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from gateway.a2a import Revision

LARGEST_BYTES: Final = 32 << 20
"""Of one event."""
_BLANK: Final = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
"""What ends an event (WHATWG HTML, "Server-sent events")."""
_LINE: Final = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Kept(Frame, frozen=True):
    """An event, with what it was on the wire."""

    written: bytes = b""
    read: bytes = b""
    """Its data, as it came."""
    others: tuple[bytes, ...] = ()
    """The lines that are no data."""


class EventFrames:
    """Server-sent events. Comments stand aside: they need not wait for what is held back."""

    __slots__ = ("_comments", "_is_begun", "_pending", "_size")

    def __init__(self) -> None:
        self._comments: list[bytes] = []
        self._is_begun = False
        self._pending: list[bytes] = []
        """Of what has not ended."""
        self._size = 0

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        """The events that these bytes complete. Raises `UnreadableAnswer`."""
        self._pending.append(data)
        self._size += len(data)
        if self._size > LARGEST_BYTES:
            raise UnreadableAnswer(f"an event of more than {LARGEST_BYTES} bytes")
        if b"\n" not in data and b"\r" not in data and not is_end:
            return ()
        text = b"".join(self._pending)
        found: list[Frame] = []
        start = 0
        for each in _BLANK.finditer(text):
            self._add(found, text[start : each.end()])
            start = each.end()
        rest = text[start:]
        if is_end and rest:
            self._add(found, rest)
            rest = b""
        self._pending = [rest]
        self._size = len(rest)
        return found

    def aside(self) -> bytes:
        """The comments that have come, to be said between events."""
        comments = b"".join(self._comments)
        self._comments.clear()
        return comments

    def said(self, frame: Frame) -> bytes:
        """The event on the wire."""
        if not isinstance(frame, Kept):
            raise TypeError("an event that was not read here")
        if frame.data == frame.read:
            return frame.written
        lines = [*frame.others, *(b"data: " + each for each in frame.data.split(b"\n"))]
        return b"\n".join(lines) + b"\n\n"

    def _add(self, found: list[Frame], block: bytes) -> None:
        event = self._event(block)
        if event.data or any(not line.startswith(b":") for line in event.others):
            found.append(event)
        else:
            self._comments.append(block)

    def _event(self, block: bytes) -> Kept:
        text = block if self._is_begun else block.removeprefix(_BYTE_ORDER_MARK)
        self._is_begun = True
        data: list[bytes] = []
        others: list[bytes] = []
        name = b""
        for line in _LINE.split(text):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                data.append(value)
                continue
            if field == b"event":
                name = value
            if line:
                others.append(line)
        said = b"\n".join(data)
        return Kept(said, name.decode("utf-8", "replace"), (), block, said, tuple(others))


class GrpcFrames:
    """Messages of gRPC, each as the document of JSON that says the same."""

    __slots__ = ("_decoder", "_operation", "_revision")

    def __init__(self, operation: Operation, revision: Revision, coding: str) -> None:
        """`coding`: the value of `grpc-encoding`."""
        self._decoder = FrameDecoder(coding)
        self._operation = operation
        self._revision = revision

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        """The messages that these bytes complete. Raises `UnreadableAnswer`."""
        try:
            found = [self._read(message) for message in self._decoder.feed(data)]
            if is_end:
                self._decoder.end()
        except (BrokenFrame, BrokenMessage) as error:
            raise UnreadableAnswer(str(error)) from None
        return found

    def said(self, frame: Frame) -> bytes:
        """The message with its prefix."""
        if isinstance(frame, Kept) and frame.data == frame.read:
            return grpc_frames.frame(frame.written)
        try:
            document = json_spans.decode(frame.data)
            message = replies.encode(self._operation, self._revision, document, [])
        except (InvalidJson, Malformed) as error:
            raise UnreadableAnswer(str(error)) from None
        return grpc_frames.frame(message)

    def _read(self, message: bytes) -> Frame:
        document = replies.decode(self._operation, self._revision, message)
        said = json_spans.encode(document)
        return Kept(said, "", (), message, said)
