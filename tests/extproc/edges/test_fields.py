"""The remembering decoder says what `hpack` says."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError
from hypothesis import given
from hypothesis import strategies as st

from extproc.edges.fields import FieldDecoder, HeadersTooLarge
from extproc.edges.frames import ConnectionFailed

LIMIT_BYTES = 4_000
SHRINK = b"\x20"

names = st.sampled_from((b":path", b"te", b"x-a", b"content-type", b"x" * 130))
values = st.one_of(
    st.binary(max_size=40), st.sampled_from((b"trailers", b"/", b"y" * 200, b"z" * 1_500))
)
headers = st.lists(st.tuples(names, values, st.booleans()), max_size=8)


def stateless() -> FieldDecoder:
    decoder = FieldDecoder(LIMIT_BYTES)
    decoder.forbid_table()
    decoder.decode(SHRINK)
    assert decoder.is_stateless
    return decoder


def by_hpack(block: bytes) -> list[tuple[str, str]] | None:
    """None: not decodable."""
    decoder = Decoder(max_header_list_size=4 * LIMIT_BYTES)
    decoder.max_allowed_table_size = 0
    try:
        decoded = decoder.decode(SHRINK + block, raw=True)
    except (HPACKError, IndexError):
        return None
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in decoded]


def by_us(decoder: FieldDecoder, block: bytes) -> list[tuple[str, str]] | None:
    try:
        return [(field.name, field.value) for field in decoder.decode(block)]
    except ConnectionFailed:
        return None


@given(st.lists(st.tuples(headers, st.booleans()), max_size=4))
def test_what_hpack_encodes_is_decoded_as_hpack_does(
    blocks: list[tuple[list[tuple[bytes, bytes, bool]], bool]],
) -> None:
    decoder = stateless()
    for fields, is_huffman in blocks:
        encoder = Encoder()
        encoder.header_table_size = 0
        block = encoder.encode(fields, huffman=is_huffman)
        if sum(len(name) + len(value) + 32 for name, value, _ in fields) > LIMIT_BYTES:
            with pytest.raises(HeadersTooLarge):
                decoder.decode(block)
            continue
        expected = [(name.decode(), value.decode("latin-1")) for name, value, _ in fields]
        assert by_us(decoder, block) == by_us(decoder, block) == by_hpack(block) == expected


@given(st.binary(max_size=60))
def test_garbage_is_judged_as_hpack_does(block: bytes) -> None:
    assert by_us(stateless(), block) == by_hpack(block)


def test_a_bomb_of_table_references_ends_the_connection() -> None:
    decoder = FieldDecoder(LIMIT_BYTES)
    entry = bytes(Encoder().encode([(b"x-bomb", b"y" * 2_000)], huffman=False))
    with pytest.raises(ConnectionFailed):
        decoder.decode(entry + b"\xbe" * 1_000)


def test_a_size_update_after_a_field_is_an_error() -> None:
    with pytest.raises(ConnectionFailed):
        stateless().decode(b"\x82" + SHRINK)


def test_the_memory_is_bounded_and_forgetting_is_harmless() -> None:
    decoder = stateless()
    for number in range(2_000):
        block = bytes(Encoder().encode([(b"x-n", b"%d" % number, True)]))
        assert by_us(decoder, block) == [("x-n", str(number))]


def test_what_is_long_is_not_kept() -> None:
    decoder = stateless()
    for size, is_kept in ((100, True), (2_000, False)):
        block = bytes(Encoder().encode([(b"x-a", b"z" * size, True)], huffman=False))
        (first,), (second,) = decoder.decode(block), decoder.decode(block)
        assert first == second
        assert (first is second) is is_kept
