"""The messages of agents' streams in gRPC as documents.

What nobody changes goes on as it came: with fields of protobuf that the protocol does not have.
"""

from __future__ import annotations

from collections.abc import Sequence

from extproc.a2a import grpc_frames
from extproc.a2a.forms import replies
from extproc.a2a.forms.losses import Malformed
from extproc.a2a.forms.protobuf import BrokenMessage
from extproc.a2a.grpc_frames import BrokenFrame, FrameDecoder
from extproc.a2a.operations import Operation
from extproc.event_frames import Kept
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frame
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from gateway.a2a import Revision


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
