"""The usage of an answer is found however the answer is cut, and in bounded memory."""

from __future__ import annotations

import gzip
import itertools
import json
import sys
from collections.abc import Iterable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.dialects import SPEAKERS
from extproc.llm.openai_chat.stream_reader import Decoding
from extproc.llm.openai_chat.usage import usage_of
from extproc.llm.usage_reader import (
    LARGEST_EVENT_BYTES,
    LARGEST_UNPACKED_BYTES,
    LARGEST_USAGE_BYTES,
    OPENAI_CHAT,
    Told,
    UsageReader,
)
from gateway.model import Dialect
from gateway.usage import Drawing, Usage

FOUND = Usage(
    9,
    4,
    3,
    reported=(
        ("prompt_tokens", 9),
        ("completion_tokens", 4),
        ("total_tokens", 13),
        ("prompt_tokens_details.cached_tokens", 3),
        ("prompt_tokens_details.audio_tokens", 0),
    ),
)
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
}
TRAPS = r'}],"usage":{"prompt_tokens":1} \" \\'
DOCUMENT = json.dumps(
    {
        "id": "x",
        "choices": [
            {"message": {"content": TRAPS, "usage": {"prompt_tokens": 7}}, "usage": "none"},
            [["usage", {"usage": 5}]],
        ],
        TRAPS: "usage",
        "use": "usage",
        "usage": USAGE,
        "after": ["é", None, {"usage": {"prompt_tokens": 2}}],
    },
    ensure_ascii=False,
    indent=1,
).encode()
EVENTS = (
    {"choices": [{"delta": {"content": TRAPS}}], "usage": None},
    {"choices": [{"delta": {"content": "é\u2028\n"}}]},
    {"choices": [], "usage": USAGE},
)
line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


def stream(line_end: bytes, *, done: bool = True) -> bytes:
    lines: list[bytes] = [b": comment", b"event: x"]
    for event in EVENTS:
        lines += [b"data: " + json.dumps(event, ensure_ascii=False).encode(), b""]
    if done:
        lines += [b"data: [DONE]", b"", b'data: {"usage":{"prompt_tokens":1}}', b""]
    return line_end.join([*lines, b""])


def read(pieces: Iterable[bytes]) -> UsageReader:
    reader = UsageReader()
    for piece in pieces:
        reader.feed(piece)
    reader.end()
    return reader


def counted(reader: UsageReader) -> Usage | None:
    """What was read, without the provider's own words for it."""
    return reader.usage and replace(reader.usage, reported=())


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_every_cut_of_a_stream_gives_the_same(line_end: bytes) -> None:
    data = stream(line_end)
    for place in range(len(data)):
        assert read([data[:place], data[place:]]).usage == FOUND
    assert read(data[place : place + 1] for place in range(len(data))).usage == FOUND


def test_every_cut_of_a_document_gives_the_same() -> None:
    for place in range(len(DOCUMENT)):
        assert read([DOCUMENT[:place], DOCUMENT[place:]]).usage == FOUND
    pieces = [DOCUMENT[place : place + 1] for place in range(len(DOCUMENT))]
    assert read(pieces).usage == FOUND


@given(line_ends, st.booleans(), st.lists(st.integers(min_value=0), max_size=8))
def test_neither_cuts_nor_line_ends_matter(line_end: bytes, done: bool, places: list[int]) -> None:
    assert read(cut(stream(line_end, done=done), places)).usage == FOUND


@given(st.recursive(st.none() | st.text() | st.integers(), lambda each: st.lists(each)), st.text())
def test_only_the_objects_own_usage_counts(value: object, name: str) -> None:
    document = {name: value, "usage": USAGE, "last": value}
    if name == "usage":
        return
    for ensure_ascii in (True, False):
        data = json.dumps(document, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
        assert read([data[:9], data[9:]]).usage == FOUND


def test_it_is_over_with_the_last_event_and_the_last_brace() -> None:
    for data, end in ((stream(b"\n"), b"[DONE]\n\n"), (DOCUMENT, b"}")):
        whole = data.index(end) + len(end) if end != b"}" else len(data)
        reader = UsageReader()
        reader.feed(data[: whole - 1])
        assert not reader.is_over
        reader.feed(data[whole - 1 : whole])
        assert reader.is_over
        assert reader.usage == FOUND


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b" \r\n\t", b"\xef\xbb\xbf\n"])
def test_what_may_stand_before_an_answer_does_not_matter(start: bytes) -> None:
    for data in (DOCUMENT, stream(b"\n")):
        assert read([start + data]).usage == FOUND
        assert read([start[:1], start[1:], data]).usage == FOUND


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"<html>",
        b'{"usage":null}',
        b'{"usage":{}}',
        b'{"usage":{"prompt_tokens":"9"}}',
        b'{"usage":{"prompt_tokens":-9,"completion_tokens":true}}',
        b'{"usage":{"prompt_tokens":9}',
        b'{"usage":{"prompt_tokens":1e3',
        b'{"a":1,"usage":}',
        b'data: {"usage":\n\n',
        b'data: {"usage":[1]}\n\n',
        b'event: {"usage":{"prompt_tokens":9}}\n\n',
    ],
)
def test_what_cannot_be_read_has_no_usage(data: bytes) -> None:
    assert read([data]).usage is None


def test_a_name_is_compared_whole_however_it_is_escaped_and_cut() -> None:
    data = rb'{"usag\xe":{"prompt_tokens":1},"usag\"":{"prompt_tokens":2},"a":[]}'
    for place in range(len(data)):
        assert read([data[:place], data[place:]]).usage is None


def test_the_last_usage_of_a_stream_counts() -> None:
    events = [{"usage": {"prompt_tokens": 9, "completion_tokens": n}} for n in range(4)]
    data = b"".join(b"data:" + json.dumps(event).encode() + b"\n\n" for event in events)
    assert counted(read([data])) == Usage(9, 3)


def test_data_of_several_lines_is_one_event() -> None:
    assert counted(read([b'data: {"usage":\ndata: {"prompt_tokens": 9}}\n\n'])) == Usage(9, 0)


def test_a_last_event_without_its_empty_line_counts() -> None:
    assert counted(read([b'data: {"usage":{"prompt_tokens":9}}'])) == Usage(9, 0)


def held(value: object) -> int:
    """Bytes of all that a reader keeps."""
    if isinstance(value, bytes | bytearray):
        return sys.getsizeof(value)
    if isinstance(value, list):
        return sum(map(held, value))
    if isinstance(value, Told):
        return 0
    slots = getattr(type(value), "__slots__", ())
    return sum(held(getattr(value, slot)) for slot in slots if type(slot) is str)


def test_an_event_that_is_too_large_is_not_kept_and_the_next_is_read() -> None:
    reader = UsageReader()
    reader.feed(b"data: ")
    for _ in range(300):
        reader.feed(b'{"usage":{"prompt_tokens":1}}' + b" " * 9_971)
        assert held(reader) < 2 * LARGEST_EVENT_BYTES
    reader.feed(b'\ndata: {"usage":{"prompt_tokens":8}}\n')
    reader.feed(b'\ndata: {"usage":{"prompt_tokens":9}}\n\n')
    assert counted(reader) == Usage(9, 0)


def test_many_lines_of_one_event_are_not_kept_either() -> None:
    reader = UsageReader()
    for _ in range(300):
        reader.feed(b"data: " + b"x" * 9_990 + b"\n")
        assert held(reader) < 2 * LARGEST_EVENT_BYTES
    reader.feed(b'\ndata: {"usage":{"prompt_tokens":9}}\n\n')
    assert counted(reader) == Usage(9, 0)


def test_of_a_document_of_any_size_little_is_kept() -> None:
    reader = UsageReader()
    reader.feed(b'{"choices":[{"message":{"content":"')
    for _ in range(100):
        reader.feed(b"word " * 20_000)
        assert held(reader) < 1_000
    reader.feed(b'"}}],"' + b"n" * 100_000 + b'":1,"usage":{"x":"')
    for _ in range(10):
        reader.feed(b"y" * (LARGEST_USAGE_BYTES // 4))
        assert held(reader) < 2 * LARGEST_USAGE_BYTES
    reader.feed(b'"},"usage":{"prompt_tokens":9}}')
    assert counted(reader) == Usage(9, 0)
    assert reader.is_over


OTHER = Told("used", usage_of, Decoding)


@pytest.mark.parametrize("tier", [b'"flex"', b'"fl\\u0065x"'])
def test_the_service_tier_stands_beside_the_usage(tier: bytes) -> None:
    for data in (
        b'{"service_tier":%s,"usage":{"prompt_tokens":9}}' % tier,
        b'{"usage":{"prompt_tokens":9},"service_tier" : %s }' % tier,
        b'data: {"usage":{"prompt_tokens":9},"service_tier":%s}\n\n' % tier,
    ):
        for place in range(len(data)):
            assert counted(read([data[:place], data[place:]])) == Usage(9, 0, service_tier="flex")


@pytest.mark.parametrize("tier", [b"null", b"7", b"{}", b'""'])
def test_a_tier_that_is_no_name_is_none(tier: bytes) -> None:
    data = b'{"usage":{"prompt_tokens":9},"service_tier":%s}' % tier
    assert counted(read([data])) == Usage(9, 0)


def test_what_tools_used_is_told_beside_the_usage_in_any_order() -> None:
    told = SPEAKERS[Dialect.OPENAI_RESPONSES].told
    used = b'"usage":{"input_tokens":9,"output_tokens":1}'
    tools = b'"tools":[{"type":"image_generation","model":"gpt-image-2"}]'
    drawn = b'"tool_usage":{"image_gen":{"input_tokens":3,"output_tokens":4},"n":[{"usage":7}]}'
    drawing = Drawing("gpt-image-2", Usage(3, 4, image_output_tokens=4))
    for members in itertools.permutations((used, tools, drawn, b'"output":[{"usage":{}}]')):
        data = b"{%b}" % b",".join(members)
        for place in range(0, len(data), 7):
            reader = UsageReader(told)
            reader.feed(data[:place])
            reader.feed(data[place:])
            assert counted(reader) == Usage(9, 1, drawing=drawing)


def test_another_dialect_has_its_usage_under_another_name() -> None:
    reader = UsageReader(OTHER)
    reader.feed(b'{"usage":{"prompt_tokens":1},"used":{"prompt_tokens":9},"service_tier":"flex"}')
    assert reader.is_over
    assert counted(reader) == Usage(9, 0)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n\n"])
def test_streams_of_another_dialect_are_read_by_its_decoder(start: bytes) -> None:
    data = start + stream(b"\n")
    for place in range(len(data)):
        reader = UsageReader(OTHER)
        reader.feed(data[:place])
        reader.feed(data[place:])
        assert reader.is_over
        assert reader.usage == FOUND


def test_a_stream_that_its_decoder_sees_break_is_over() -> None:
    reader = UsageReader(OTHER)
    reader.feed(b'data: {"choices":[],"usage":{"prompt_tokens":9}}\n\n')
    reader.feed(b'data: {"error":{"message":"overloaded"}}\n\n')
    assert reader.is_over
    assert counted(reader) == Usage(9, 0)
    reader.feed(b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n')
    reader.end()
    assert counted(reader) == Usage(9, 0)


def test_a_decoded_stream_that_is_cut_keeps_what_it_had_told() -> None:
    reader = UsageReader(OTHER)
    reader.feed(b'data: {"choices":[],"usage":{"prompt_tokens":9}}\n\n')
    assert not reader.is_over
    reader.end()
    assert reader.is_over
    assert counted(reader) == Usage(9, 0)


TEXT = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}],"usage":null}\n\n'
USED = b'data: {"choices":[],"usage":{"prompt_tokens":9}}\n\n'
DONE = b"data: [DONE]\n\n"
ENDED = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
ERROR = b'data: {"error":{"message":"overloaded"}}\n\n'


@pytest.mark.parametrize(
    ("told", "data", "is_cut"),
    [
        (OPENAI_CHAT, TEXT, True),
        (OPENAI_CHAT, USED + TEXT, True),
        (OPENAI_CHAT, TEXT + USED, False),
        (OPENAI_CHAT, TEXT + DONE, False),
        (OPENAI_CHAT, TEXT + USED[:-9], True),
        (OTHER, TEXT, True),
        (OTHER, USED + TEXT, True),
        (OTHER, TEXT + ERROR, True),
        (OTHER, TEXT + ENDED + USED + DONE, False),
        (OPENAI_CHAT, b'{"usage"', False),
    ],
)
def test_a_stream_whose_usage_is_not_all_of_it_is_cut(
    told: Told, data: bytes, is_cut: bool
) -> None:
    reader = UsageReader(told)
    reader.feed(data)
    reader.end()
    assert reader.is_cut is is_cut
    assert reader.is_stream is data.startswith(b"data")
    assert reader.sent_bytes == len(data)


def test_of_a_compressed_answer_the_bytes_that_it_has_without_are_counted() -> None:
    reader = UsageReader(OPENAI_CHAT, "gzip")
    reader.feed(gzip.compress(TEXT * 100))
    assert reader.sent_bytes == len(TEXT) * 100


def test_blanks_without_end_are_not_kept() -> None:
    reader = UsageReader()
    for _ in range(100):
        reader.feed(b" " * 1000)
        assert held(reader) < 5_000
    reader.feed(b'{"usage":{"prompt_tokens":9}}')
    assert counted(reader) == Usage(9, 0)


def found_in(answer: bytes, told: Told, coding: str = "", step: int = 7) -> UsageReader:
    reader = UsageReader(told, coding)
    for start in range(0, len(answer), step):
        reader.feed(answer[start : start + step])
    reader.end()
    return reader


ANYWHERE = Told("usage", usage_of, of_whole=lambda answer: usage_of({"prompt_tokens": answer["n"]}))


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_a_usage_that_may_be_anywhere_is_read_of_the_whole(step: int) -> None:
    reader = found_in(b'{"text": "}\\"", "n": 5}', ANYWHERE, step=step)
    assert reader.is_over
    assert reader.usage is not None
    assert reader.usage.input_tokens == 5


def test_of_a_large_answer_only_what_tells_is_kept() -> None:
    text = b'{"text": "%s", "n": 5, ' % (b"x" * LARGEST_EVENT_BYTES)
    without = UsageReader(ANYWHERE)
    without.feed(text + b'"m": 1}')
    assert without.is_over
    assert without.usage is None
    told = found_in(text + b'"usage": %s}' % json.dumps(USAGE).encode(), ANYWHERE, step=1 << 16)
    assert told.usage == FOUND


@pytest.mark.parametrize("coding", ["gzip", "br"])
@pytest.mark.parametrize("answer", [DOCUMENT, stream(b"\n")], ids=["whole", "stream"])
def test_a_compressed_answer_is_unpacked(coding: str, answer: bytes) -> None:
    packed = gzip.compress(answer) if coding == "gzip" else brotli.compress(answer)
    assert found_in(packed, Told("usage", usage_of), coding).usage == FOUND


@pytest.mark.parametrize("coding", ["gzip", "what"])
def test_what_cannot_be_unpacked_has_no_usage(coding: str) -> None:
    reader = found_in(DOCUMENT, Told("usage", usage_of), coding)
    assert reader.is_over
    assert reader.usage is None


def test_an_answer_that_hides_too_much_has_no_usage() -> None:
    bomb = gzip.compress(b'{"usage": 1, "x": "' + bytes(LARGEST_UNPACKED_BYTES))
    reader = UsageReader(Told("usage", usage_of), "gzip")
    reader.feed(bomb)
    assert reader.is_over
    assert reader.usage is None
