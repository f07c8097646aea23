"""Frames as RFC 9113 draws them, byte for byte, and what is refused when they are read."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.edges.frames import (
    DATA,
    DATA_AND_PREFIX,
    DEFAULT_FRAME_BYTES,
    END_STREAM,
    HEADER,
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    PADDED,
    RST_STREAM,
    ConnectionFailed,
    ErrorCode,
    Setting,
    StreamFailed,
    frame,
    frame_size,
    goaway,
    require_size,
    rst_stream,
    run,
    settings,
    unpadded,
    window_update,
)


def test_a_frame_is_its_length_type_flags_stream_and_payload() -> None:
    assert frame(DATA, END_STREAM, 5, b"abc") == bytes.fromhex("000003 00 01 00000005") + b"abc"


@given(
    st.integers(0, MAX_FRAME_BYTES), st.integers(0, 9), st.integers(0, 255), st.integers(0, 2**31)
)
def test_a_header_is_read_as_it_was_written(
    length: int, kind: int, flags: int, stream_id: int
) -> None:
    written = HEADER.pack(length >> 16, length & 0xFFFF, kind, flags, stream_id)
    assert len(written) == HEADER_BYTES
    assert int.from_bytes(written[:3], "big") == length
    assert HEADER.unpack(written) == (length >> 16, length & 0xFFFF, kind, flags, stream_id)


def test_a_data_frame_and_the_prefix_of_its_message_are_written_in_one() -> None:
    message = b"x" * 300
    size = len(message) + 5
    head = DATA_AND_PREFIX.pack(size >> 16, size & 0xFFFF, DATA, 0, 7, 0, len(message))
    prefix = b"\0" + len(message).to_bytes(4, "big")
    assert head + message == frame(DATA, 0, 7, prefix + message)


def test_settings_are_pairs_of_two_and_four_bytes() -> None:
    values = ((Setting.MAX_FRAME_SIZE, 16_384), (Setting.INITIAL_WINDOW_SIZE, 65_535))
    pairs = bytes.fromhex("0005 00004000  0004 0000ffff")
    assert settings(values) == bytes.fromhex("00000c 04 00 00000000") + pairs
    assert settings(()) == bytes.fromhex("000000 04 00 00000000")


def test_a_window_grows_by_an_increment() -> None:
    assert window_update(3, 65_536) == bytes.fromhex("000004 08 00 00000003 00010000")


def test_a_reset_names_the_stream_and_the_reason() -> None:
    assert rst_stream(9, ErrorCode.CANCEL) == bytes.fromhex("000004 03 00 00000009 00000008")


def test_a_goodbye_is_the_connections_and_tells_the_last_stream() -> None:
    written = goaway(11, ErrorCode.PROTOCOL_ERROR, "why")
    assert written == bytes.fromhex("00000b 07 00 00000000 0000000b 00000001") + b"why"


@pytest.mark.parametrize(
    ("payload", "content"),
    [(b"\0abc", b"abc"), (b"\2abc\0\0", b"abc"), (b"\3\0\0\0", b""), (b"\0", b"")],
)
def test_padding_is_cut_off(payload: bytes, content: bytes) -> None:
    start, end = unpadded(payload, 0, len(payload))
    assert payload[start:end] == content


def test_padding_is_counted_from_where_the_frame_begins() -> None:
    start, end = unpadded(b"before\1abc\0after", 6, 11)
    assert (start, end) == (7, 10)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", ErrorCode.FRAME_SIZE_ERROR),
        (b"\1", ErrorCode.PROTOCOL_ERROR),
        (b"\4abc", ErrorCode.PROTOCOL_ERROR),
        (b"\xff" + b"x" * 254, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_padding_that_does_not_fit_breaks_the_connection(payload: bytes, code: ErrorCode) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        unpadded(payload, 0, len(payload))
    assert caught.value.code is code


@pytest.mark.parametrize("size", [0, 3, 5])
def test_a_payload_of_the_wrong_size_breaks_the_connection(size: int) -> None:
    with pytest.raises(ConnectionFailed, match=f"PING of {size} bytes") as caught:
        require_size(b"x" * size, 4, "PING")
    assert caught.value.code is ErrorCode.FRAME_SIZE_ERROR
    require_size(b"xxxx", 4, "PING")


@pytest.mark.parametrize("kind", [ConnectionFailed, StreamFailed])
def test_a_failure_carries_the_code_for_the_peer_and_words_for_us(
    kind: type[ConnectionFailed] | type[StreamFailed],
) -> None:
    failure = kind(ErrorCode.ENHANCE_YOUR_CALM, "too many resets")
    assert (failure.code, failure.reason) == (11, "too many resets")
    assert str(failure) == "too many resets"


def test_codes_and_settings_have_the_numbers_of_the_registry() -> None:
    assert [code.value for code in ErrorCode] == list(range(14))
    assert [setting.value for setting in Setting] == list(range(1, 7))


FULL = bytes(DEFAULT_FRAME_BYTES)
EMPTY_RUN = DEFAULT_FRAME_BYTES, HEADER_BYTES + DEFAULT_FRAME_BYTES


def run_of(data: bytes) -> tuple[list[int], int, int]:
    """The lengths of its payloads, their sum, and where it ends, of the run at the beginning."""
    pieces, length, behind = run(data, HEADER_BYTES, HEADER_BYTES + DEFAULT_FRAME_BYTES, 3)
    assert b"".join(pieces) == b"".join(
        data[place : place + len(piece)]
        for place, piece in zip(
            itertools.count(HEADER_BYTES, HEADER_BYTES + DEFAULT_FRAME_BYTES), pieces, strict=False
        )
    )
    return [len(piece) for piece in pieces], length, behind


def test_a_run_ends_with_the_first_frame_that_is_not_full() -> None:
    full, last = frame(DATA, 0, 3, FULL), frame(DATA, 0, 3, b"rest")
    sizes, length, behind = run_of(full + full + last + last)
    assert sizes == [DEFAULT_FRAME_BYTES, DEFAULT_FRAME_BYTES, 4]
    assert (length, behind) == (2 * DEFAULT_FRAME_BYTES + 4, len(full + full + last))


@pytest.mark.parametrize(
    "behind",
    [
        b"",
        frame(DATA, 0, 5, FULL),
        frame(DATA, END_STREAM, 3, FULL),
        frame(DATA, END_STREAM, 3, b"x"),
        frame(DATA, PADDED, 3, b"\0x"),
        frame(DATA, 0, 3, b""),
        frame(RST_STREAM, 0, 3, bytes(4)),
        frame(DATA, 0, 3, FULL + b"x"),
        frame(DATA, 0, 3, FULL)[:-1],
        frame(DATA, 0, 3, b"cut off")[:-1],
        frame(DATA, 0, 3, b"")[:-1],
        frame(DATA, 0, 3, b"x")[:4],
    ],
)
def test_what_is_not_of_a_run_is_left(behind: bytes) -> None:
    sizes, *ends = run_of(frame(DATA, 0, 3, FULL) + behind)
    assert sizes == [DEFAULT_FRAME_BYTES]
    assert tuple(ends) == EMPTY_RUN


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_a_frame_says_how_long_it_is(payload: bytes, behind: bytes) -> None:
    whole = frame(DATA, 0, 1, payload)
    assert frame_size(whole + behind) == len(whole)
