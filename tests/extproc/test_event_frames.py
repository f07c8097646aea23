from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.event_frames import LARGEST_BYTES, EventFrames, LineFrames
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frame

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


def test_a_long_event_is_read_once_however_it_is_cut() -> None:
    frames, line = EventFrames(), b"data: %b\n" % (b"x" * 50)
    began = time.process_time()
    for _ in range(1 << 14):
        assert not frames.feed(line, is_end=False)
    (event,) = frames.feed(b"\n", is_end=False)
    assert len(event.data) == 51 * (1 << 14) - 1
    assert time.process_time() - began < 5  # where each piece has all read again, it is 50


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


LINES = b'{"a": 1}\r\n\n{"b":\r2}\n"c"'


@given(st.integers(1, len(LINES)))
def test_lines_are_read_and_written_as_they_came(size: int) -> None:
    frames = LineFrames()
    found: list[Frame] = []
    for start in range(0, len(LINES), size):
        found += frames.feed(LINES[start : start + size], is_end=False)
    found += frames.feed(b"", is_end=True)
    assert [each.data for each in found] == [b'{"a": 1}', b"", b'{"b":\r2}', b'"c"']
    assert b"".join(map(frames.said, found)) == LINES
    assert frames.said(replace(found[0], data=b"{}")) == b"{}\n"
    assert frames.aside() == b""


def test_a_line_is_bounded() -> None:
    frames = LineFrames()
    with pytest.raises(UnreadableAnswer):
        frames.feed(b"x" * (LARGEST_BYTES + 1), is_end=False)


@pytest.mark.parametrize("frames", [EventFrames(), LineFrames()])
def test_what_was_not_read_here_is_not_written(frames: EventFrames | LineFrames) -> None:
    with pytest.raises(TypeError):
        frames.said(Frame(b"x"))
