"""Event streams: every cut, every type of header, every broken byte; and what botocore reads."""

from __future__ import annotations

import struct
from itertools import pairwise
from uuid import UUID
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols.event_stream import (
    LARGEST_HEADERS_BYTES,
    LARGEST_PAYLOAD_BYTES,
    BrokenMessage,
    Header,
    Kind,
    Message,
    MessageDecoder,
    encode,
    encode_headers,
    encode_with,
    texts,
)

DELTA = Message(
    texts({":event-type": "contentBlockDelta", ":message-type": "event"}),
    '{"delta":{"text":"é"}}'.encode(),
)
ALL_KINDS = {
    "yes": Header(Kind.TRUE, True),
    "no": Header(Kind.FALSE, False),
    "byte": Header(Kind.BYTE, -128),
    "short": Header(Kind.SHORT, -2),
    "integer": Header(Kind.INTEGER, 2**31 - 1),
    "long": Header(Kind.LONG, -(2**63)),
    "bytes": Header(Kind.BYTES, b"\x00\xff"),
    "string": Header(Kind.STRING, "wörter"),
    "time": Header(Kind.TIMESTAMP, 1_700_000_000_123),
    "id": Header(Kind.UUID, UUID(int=7)),
}


def bounded(kind: Kind, bits: int) -> st.SearchStrategy[Header]:
    numbers = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.builds(Header, st.just(kind), numbers)


headers = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    st.one_of(
        st.just(ALL_KINDS["yes"]),
        st.just(ALL_KINDS["no"]),
        bounded(Kind.BYTE, 8),
        bounded(Kind.SHORT, 16),
        bounded(Kind.INTEGER, 32),
        bounded(Kind.LONG, 64),
        bounded(Kind.TIMESTAMP, 64),
        st.builds(Header, st.just(Kind.BYTES), st.binary(max_size=40)),
        st.builds(Header, st.just(Kind.STRING), st.text(st.characters(codec="utf-8"), max_size=9)),
        st.builds(Header, st.just(Kind.UUID), st.uuids()),
    ),
    max_size=5,
)
messages = st.lists(st.builds(Message, headers, st.binary(max_size=60)), max_size=4)


def decode_in_pieces(data: bytes, cuts: list[int]) -> list[Message]:
    decoder = MessageDecoder()
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    found = [
        message for start, end in pairwise(places) for message in decoder.feed(data[start:end])
    ]
    assert decoder.is_between_messages
    return found


@given(messages, st.lists(st.integers(0, 2000), max_size=6))
def test_what_is_written_is_read_wherever_it_is_cut(sent: list[Message], cuts: list[int]) -> None:
    assert decode_in_pieces(b"".join(map(encode, sent)), cuts) == sent


def test_every_byte_may_come_alone() -> None:
    sent = [DELTA, Message(ALL_KINDS, b""), DELTA]
    data = b"".join(map(encode, sent))
    assert decode_in_pieces(data, list(range(len(data)))) == sent


@given(messages)
def test_botocore_reads_what_is_written(sent: list[Message]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(map(encode, sent)))
    read = [(message.headers, message.payload) for message in buffer]
    assert read == [
        (
            {
                name: header.value.bytes if isinstance(header.value, UUID) else header.value
                for name, header in message.headers.items()
            },
            message.payload,
        )
        for message in sent
    ]


def test_headers_that_come_again_are_read_once_and_are_the_same() -> None:
    first, second = MessageDecoder().feed(encode(DELTA) * 2)
    assert first.headers is second.headers
    assert first.text(":event-type") == "contentBlockDelta"


def test_a_header_that_is_no_string_has_no_text() -> None:
    message = Message(ALL_KINDS, b"")
    assert message.text("long") == message.text("absent") == ""


@pytest.mark.parametrize("place", range(len(encode(DELTA))))
def test_any_changed_byte_is_noticed(place: int) -> None:
    data = bytearray(encode(DELTA))
    data[place] ^= 0x20
    with pytest.raises(BrokenMessage):
        MessageDecoder().feed(bytes(data))


def framed(block: bytes, headers_size: int | None = None, total: int | None = None) -> bytes:
    """A message with these headers and right checksums, whatever its lengths say."""
    size = len(block) if headers_size is None else headers_size
    lengths = struct.pack("!II", 16 + len(block) if total is None else total, size)
    body = lengths + struct.pack("!I", crc32(lengths)) + block
    return body + struct.pack("!I", crc32(body))


@pytest.mark.parametrize(
    "data",
    [
        framed(b"", total=15),
        framed(b"", headers_size=1),
        framed(b"", total=16 + LARGEST_PAYLOAD_BYTES + 1),
        framed(b"", headers_size=LARGEST_HEADERS_BYTES + 1, total=17 + LARGEST_HEADERS_BYTES),
        framed(b"\x05ab"),
        framed(b"\x01a"),
        framed(b"\x01a\x0a"),
        framed(b"\x01a\x07\x00"),
        framed(b"\x01a\x07\x00\x05abc"),
        framed(b"\x01a\x05\x00"),
        framed(b"\x01a\x09\x00"),
        framed(b"\x01a\x07\x00\x01\xff"),
        framed(b"\x01\xff\x00"),
        framed(b"\x00\x00"),
        framed(b"\x01a\x00\x01a\x00"),
    ],
)
def test_what_cannot_be_a_message_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenMessage):
        MessageDecoder().feed(data)


def test_a_message_too_large_is_refused_before_it_has_come() -> None:
    prelude = framed(b"", total=16 + LARGEST_PAYLOAD_BYTES + 1)[:12]
    with pytest.raises(BrokenMessage):
        MessageDecoder().feed(prelude)


def test_a_message_that_has_not_ended_is_seen() -> None:
    decoder = MessageDecoder()
    assert decoder.feed(encode(DELTA)[:-1]) == []
    assert not decoder.is_between_messages


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("", Header(Kind.TRUE, True)),
        ("n" * 256, Header(Kind.TRUE, True)),
        ("n", Header(Kind.TRUE, False)),
        ("n", Header(Kind.BYTE, 128)),
        ("n", Header(Kind.STRING, b"")),
        ("n", Header(Kind.STRING, "x" * 65536)),
        ("n", Header(Kind.UUID, "x")),
        ("n", Header(Kind.LONG, "x")),
    ],
)
def test_headers_that_cannot_be_written_are_refused(name: str, header: Header) -> None:
    with pytest.raises(ValueError, match=r"header|fit"):
        encode_headers({name: header})


def test_a_payload_that_is_too_large_is_not_written() -> None:
    with pytest.raises(ValueError, match="beyond"):
        encode_with(b"", bytes(LARGEST_PAYLOAD_BYTES + 1))
