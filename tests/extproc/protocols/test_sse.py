"""Events are the same however their bytes are cut and their lines end."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols.sse import Event, EventTooLarge, SseDecoder, encode

LINES = (
    ": a comment",
    "event: first",
    "data: é\u2028\u0085 🦉",
    "id: 7",
    "",
    "data:without a space",
    "data:  with two",
    "data",
    "",
    "retry: 10",
    "",
    "event: named without data",
    "",
    'data: {"a":1}',
    "",
    "event:last",
    "data: b",
    "",
)
EVENTS = [
    Event("first", "é\u2028\u0085 🦉".encode()),
    Event("", b"without a space\n with two\n"),
    Event("", b'{"a":1}'),
    Event("last", b"b"),
]
LINE_ENDS = ("\n", "\r\n", "\r")
line_ends = st.sampled_from(LINE_ENDS)


def whole(line_end: str, start: bytes = b"") -> bytes:
    return start + line_end.join([*LINES, ""]).encode()


def read(pieces: Iterable[bytes]) -> list[Event]:
    decoder = SseDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.end()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


@pytest.mark.parametrize("line_end", LINE_ENDS)
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_every_cut_gives_the_same(line_end: str, start: bytes) -> None:
    data = whole(line_end, start)
    for place in range(len(data) + 1):
        assert read([data[:place], data[place:]]) == EVENTS
    assert read(data[place : place + 1] for place in range(len(data))) == EVENTS


@given(st.lists(line_ends, min_size=len(LINES), max_size=len(LINES)), st.lists(st.integers(0)))
def test_line_ends_may_differ_within_a_stream(ends: list[str], places: list[int]) -> None:
    data = ""
    for line, end in zip(LINES, ends, strict=True):
        if data.endswith("\r") and (line + end).startswith("\n"):
            end = "\r"  # CR LF would be one line end
        data += line + end
    assert read(cut(data.encode(), places)) == EVENTS


@given(st.lists(st.binary().filter(lambda data: not {10, 13} & {*data})), st.lists(st.integers(0)))
def test_what_is_encoded_is_read_again(datas: list[bytes], places: list[int]) -> None:
    data = b"".join(map(encode, datas))
    assert read(cut(data, places)) == [Event("", each) for each in datas]


def test_a_name_is_encoded_before_the_data() -> None:
    assert encode(b"{}", "ping") == b"event: ping\ndata: {}\n\n"
    assert read([encode(b"{}", "ping")]) == [Event("ping", b"{}")]


def test_an_event_is_told_with_its_last_byte_and_no_later() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event("", b"a")]
    assert decoder.feed(b"data: b\r") == []
    assert decoder.feed(b"\r") == [Event("", b"b")]
    assert decoder.feed(b"\ndata: c\r\n\r") == [Event("", b"c")]
    assert decoder.feed(b"\ndata: d\n\n") == [Event("", b"d")]


def test_an_event_that_no_empty_line_ends_counts_at_the_end() -> None:
    assert read([b"data: a\n\ndata: b"]) == [Event("", b"a"), Event("", b"b")]
    assert read([b"data: a\n"]) == [Event("", b"a")]
    assert read([]) == []


def test_a_mark_that_is_none_is_kept() -> None:
    assert read([b"\xef", b"\xbb", b"data: a\n\n"]) == []  # a field of another name
    assert read([b"\xef\xbb\xbf", b"data: a\n\n"]) == [Event("", b"a")]


def test_names_that_are_no_utf_8_are_read_all_the_same() -> None:
    assert read([b"event: \xff\ndata: a\n\n"]) == [Event("\ufffd", b"a")]


def test_an_event_that_does_not_end_is_too_large() -> None:
    decoder = SseDecoder(largest_event_bytes=100)
    assert decoder.feed(b"data: " + b"x" * 94 + b"\n\n" + b"data: ") == [Event("", b"x" * 94)]
    decoder.feed(b"x" * 94)
    with pytest.raises(EventTooLarge, match="more than 100 bytes"):
        decoder.feed(b"x")


def test_a_large_event_in_many_pieces_costs_its_bytes_once() -> None:
    decoder = SseDecoder()
    pieces = 20_000  # joined with each piece, these would be 10 GB
    assert decoder.feed(b"data: ") == []
    for _ in range(pieces):
        assert decoder.feed(b"x" * 50) == []
    assert decoder.feed(b"\n\n") == [Event("", b"x" * 50 * pieces)]
