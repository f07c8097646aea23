"""Messages are the same however their bytes are cut and their frames are made."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from extproc.protocols.websocket import BadFrame, Message, MessageDecoder, close, text
from tests.kit.cuts import cut

TEXTS = (b"", b"a", b"x" * 125, b"y" * 126, "ü🦉".encode() * 50, b"z" * 70_000)


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    """By another's hand."""
    return Frame(opcode, data, fin=fin).serialize(mask=mask)


def read(pieces: Iterable[bytes], most: int = 1 << 20) -> list[bytes]:
    decoder = MessageDecoder(most)
    return [message.data for piece in pieces for message in decoder.feed(piece)]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[bytes], list[int]]:
    """Bytes, the texts in them, and where something may be put in between."""
    said, texts, gaps = b"", list[bytes](), [0]
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
        parts = draw(st.lists(st.binary(max_size=200), min_size=1, max_size=3))
        for index, part in enumerate(parts):
            if draw(st.booleans()):
                ping = draw(st.sampled_from([Opcode.PING, Opcode.PONG]))
                said += frame(ping, draw(st.binary(max_size=125)), mask=draw(st.booleans()))
                if not index:
                    gaps.append(len(said))
            is_last = index == len(parts) - 1
            opcode = Opcode.CONT if index else kind
            said += frame(opcode, part, fin=is_last, mask=draw(st.booleans()))
        gaps.append(len(said))
        if kind is Opcode.TEXT:
            texts.append(b"".join(parts))
    return said, texts, gaps


@given(conversations(), st.lists(st.integers(0, 5000), max_size=20))
def test_neither_cuts_nor_fragments_nor_what_is_between_matter(
    said: tuple[bytes, list[bytes], list[int]], places: list[int]
) -> None:
    data, texts, _ = said
    assert read(cut(data, places)) == texts


@given(conversations(), st.lists(st.integers(0, 5000), max_size=20))
def test_gaps_are_where_no_message_is_under_way(
    said: tuple[bytes, list[bytes], list[int]], places: list[int]
) -> None:
    data, _, gaps = said
    decoder, before = MessageDecoder(1 << 20), 0
    for piece in cut(data, places):
        messages = decoder.feed(piece)
        within = [gap - before for gap in gaps if before <= gap <= before + len(piece)]
        assert decoder.gap == (max(within) if within else None)
        assert all(message.end + before in gaps for message in messages)
        before += len(piece)


@pytest.mark.parametrize("is_masked", [False, True])
def test_cuts_at_every_byte_do_not_matter(is_masked: bool) -> None:
    data = b"".join(frame(Opcode.TEXT, each, mask=is_masked) for each in TEXTS[:5])
    for place in range(len(data) + 1):
        assert read([data[:place], data[place:]]) == list(TEXTS[:5])
    assert read([data[place : place + 1] for place in range(len(data))]) == list(TEXTS[:5])


def test_long_messages_are_kept_up_to_a_bound() -> None:
    decoder = MessageDecoder(100)
    data = frame(Opcode.TEXT, b"a" * 60, fin=False) + frame(Opcode.CONT, b"b" * 60)
    assert decoder.feed(data) == [Message(b"a" * 60 + b"b" * 40, len(data), is_whole=False)]
    data = frame(Opcode.TEXT, b"c" * 100, mask=True)
    assert decoder.feed(data) == [Message(b"c" * 100, len(data))]
    data = frame(Opcode.TEXT, b"d" * 70_000)
    assert decoder.feed(data[:50_000]) == []
    assert decoder.feed(data[50_000:]) == [Message(b"d" * 100, len(data) - 50_000, is_whole=False)]


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1\x01a",  # compressed
        b"\x91\x01a",
        b"\x83\x00",  # of no known kind
        b"\x8b\x00",
        b"\x80\x00",  # continues nothing
        b"\x01\x01a\x81\x01b",  # a message within another
        b"\x01\x01a\x82\x01b",
        b"\x09\x00",  # a ping in fragments
        b"\x89\x7e\x00\x7e",  # a long one
        b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
    ],
)
def test_what_is_no_frame_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(BadFrame):
        read(bytes((byte,)) for byte in data)
    decoder = MessageDecoder(100)
    with pytest.raises(BadFrame):
        decoder.feed(text(b"before") + data)


@pytest.mark.parametrize("said", TEXTS)
def test_texts_are_said_as_others_say_them(said: bytes) -> None:
    assert text(said) == frame(Opcode.TEXT, said)


@pytest.mark.parametrize("reason", ["", "it is late", "ü" * 100])
def test_closing_is_said_so_that_others_understand_it(reason: str) -> None:
    reader = StreamReader()
    reader.feed_data(close(1008, reason))
    parser = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as found:
        next(parser)
    said = Close.parse(found.value.value.data)
    assert said.code == 1008
    assert reason.startswith(said.reason)
    assert len(said.reason) == min(len(reason), len(reason) if len(reason) < 62 else 61)


def test_messages_that_are_no_text_are_passed_over() -> None:
    decoder = MessageDecoder(1 << 20)
    data = frame(Opcode.BINARY, bytes(50_000))
    assert decoder.feed(data[:30_000]) == []
    assert decoder.gap == 0  # before it
    assert decoder.feed(data[30_000:40_000]) == []
    assert decoder.gap is None
    assert decoder.feed(data[40_000:]) == []
    assert decoder.gap == len(data) - 40_000
