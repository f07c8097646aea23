from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a.operations import Operation
from extproc.a2a_exchange.frames import LARGEST_BYTES, EventFrames, GrpcFrames
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frame
from gateway.a2a import Revision

STREAM = (
    b"\xef\xbb\xbf: hello\n\nid: 1\ndata: {}\n\nevent: error\r\ndata: a\r\ndata: b\r\n\r\n"
    b"retry: 5\r\rdata:x\n\n"
)


def in_pieces(size: int) -> list[Frame]:
    frames = EventFrames()
    found: list[Frame] = []
    for start in range(0, len(STREAM), size):
        found += frames.feed(STREAM[start : start + size], is_end=False)
    return [*found, *frames.feed(b"", is_end=True)]


@given(st.integers(1, len(STREAM)))
def test_events_are_read_and_written_as_they_came(size: int) -> None:
    found = in_pieces(size)
    assert [(each.name, each.data) for each in found if each.data] == [
        ("", b"{}"),
        ("error", b"a\nb"),
        ("", b"x"),
    ]
    assert b"".join(map(EventFrames().said, found)) == STREAM.partition(b"\n\n")[2]


def test_comments_stand_aside() -> None:
    frames = EventFrames()
    (event,) = frames.feed(b": a\n\ndata: {}\n\n:b\n\n: c", is_end=False)
    assert event.data == b"{}"
    assert (frames.aside(), frames.aside()) == (b": a\n\n:b\n\n", b"")


def test_what_has_changed_keeps_its_other_lines() -> None:
    (event,) = EventFrames().feed(b"id: 1\nevent: x\ndata: {}\n\n", is_end=False)
    assert EventFrames().said(replace(event, data=b"[]")) == b"id: 1\nevent: x\ndata: []\n\n"


def test_an_event_that_nothing_ends_counts_at_the_end() -> None:
    frames = EventFrames()
    assert not frames.feed(b"data: {}", is_end=False)
    (event,) = frames.feed(b"", is_end=True)
    assert event.data == b"{}"


def test_an_event_is_bounded() -> None:
    frames = EventFrames()
    with pytest.raises(UnreadableAnswer):
        frames.feed(b"x" * (LARGEST_BYTES + 1), is_end=False)


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
