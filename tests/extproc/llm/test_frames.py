from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import ArrayFrames, ChunkFrames, Frame, MessageFrames, SseFrames
from extproc.protocols import event_stream

json_objects = st.dictionaries(
    st.text(max_size=3), st.text('a"\\]}[{é', max_size=8) | st.lists(st.integers()), max_size=3
)


@given(st.lists(json_objects, max_size=4), st.integers(1, 30), st.sampled_from([None, 1]))
def test_arrays_are_read_however_they_are_cut(
    items: list[object], size: int, indent: int | None
) -> None:
    written = json.dumps(items, indent=indent).encode()
    pieces = [written[at : at + size] for at in range(0, len(written), size)]
    frames = ArrayFrames()
    found = [frame for piece in pieces for frame in frames.feed(piece, is_end=False)]
    found += frames.feed(b"", is_end=True)
    assert [json.loads(frame.data) for frame in found[:-1]] == items
    assert json.loads(b"".join(map(frames.said, found))) == items


@pytest.mark.parametrize("said", [b"[1]", b'["x"]', b"nothing", b'[{"a": 1}, null]'])
def test_arrays_of_other_things_cannot_be_read(said: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        ArrayFrames().feed(said, is_end=False)


def test_an_array_that_ends_within_an_item_cannot_be_read() -> None:
    with pytest.raises(UnreadableAnswer):
        ArrayFrames().feed(b'[{"a": ', is_end=True)


def test_events_are_said_as_they_were() -> None:
    frames = SseFrames()
    written = b'event: x\ndata: {"a":1}\n\ndata: [DONE]\n\n'
    assert b"".join(map(frames.said, frames.feed(written, is_end=True))) == written
    two = SseFrames().feed(b"data: {\ndata: }\n\n", is_end=False)
    assert frames.said(two[0]) == b"data: {\ndata: }\n\n"


def message(payload: object) -> bytes:
    headers = event_stream.texts({":event-type": "chunk", ":message-type": "event"})
    return event_stream.encode(event_stream.Message(headers, json.dumps(payload).encode()))


def test_messages_are_said_as_they_were() -> None:
    written = message({"a": 1})
    frames = MessageFrames()
    assert b"".join(map(frames.said, frames.feed(written, is_end=True))) == written
    with pytest.raises(UnreadableAnswer):
        MessageFrames().feed(written[:-1] + b"x", is_end=False)


def test_what_chunks_hold_is_read_and_said() -> None:
    written = message({"bytes": base64.b64encode(b'{"a":1}').decode()})
    frames = ChunkFrames()
    (frame,) = frames.feed(written, is_end=False)
    assert frame.data == b'{"a":1}'
    (again,) = ChunkFrames().feed(frames.said(replace(frame, data=b"{}")), is_end=False)
    assert again.data == b"{}"
    with pytest.raises(UnreadableAnswer):
        ChunkFrames().feed(message({"bytes": "!"}), is_end=False)
    other = Frame(b"{}", "other", frame.headers)
    assert isinstance(frames.said(other), bytes)
