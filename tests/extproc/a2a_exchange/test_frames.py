from __future__ import annotations

import pytest
from msgspec.structs import replace

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a.operations import Operation
from extproc.a2a_exchange.frames import GrpcFrames
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frame
from gateway.a2a import Revision


@pytest.mark.parametrize("revision", Revision)
def test_messages_are_documents(revision: Revision) -> None:
    package = protobuf.V1_0 if revision is Revision.V1_0 else protobuf.V0_3
    task = {"task": {"id": "t", "contextId": "c"}}
    message = protobuf.encode(f"{package}StreamResponse", task, []) + b"\xfa\x3f\x01x"
    frames = GrpcFrames(Operation.STREAM, revision, "")
    data = grpc_frames.frame(message)
    assert not frames.feed(data[:3], is_end=False)
    (found,) = frames.feed(data[3:], is_end=True)
    assert found.data == b'{"task":{"id":"t","contextId":"c"}}'
    assert frames.said(found) == data
    changed = frames.said(replace(found, data=b'{"task":{"id":"u"}}'))
    (said,) = grpc_frames.FrameDecoder().feed(changed)
    assert protobuf.decode(f"{package}StreamResponse", said) == {"task": {"id": "u"}}


@pytest.mark.parametrize("data", [b"\0\0\0\0\2\xff\xff", b"\0\0\0", b"\1\0\0\0\1x"])
def test_what_is_no_message_cannot_be_read(data: bytes) -> None:
    frames = GrpcFrames(Operation.STREAM, Revision.V1_0, "")
    with pytest.raises(UnreadableAnswer):
        frames.feed(data, is_end=True)
    with pytest.raises(UnreadableAnswer):
        frames.said(Frame(b"x"))
