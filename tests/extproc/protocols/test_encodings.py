from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols.encodings import (
    BadEncoding,
    Decoder,
    TooLarge,
    UnknownEncoding,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGE = 1 << 30


def decode(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    decoder = Decoder(encoding, limit_bytes)
    decoded = decoder.feed(body)
    decoder.end()
    return decoded


def raw_deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "raw": raw_deflated,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
ENCODED = sorted(ENCODERS)
TEXT = "Ein Dolmetscher, ein dragoman 🐉, ".encode() * 9


def name(encoder: str) -> str:
    return "deflate" if encoder == "raw" else encoder


def in_pieces(encoding: str, pieces: list[bytes], limit_bytes: int = LARGE) -> bytes:
    decoder = Decoder(encoding, limit_bytes)
    decoded = b"".join([decoder.feed(piece) for piece in pieces])
    decoder.end()
    return decoded


@pytest.mark.parametrize("encoder", ENCODED)
def test_cuts_at_every_byte_do_not_matter(encoder: str) -> None:
    body = ENCODERS[encoder](TEXT)
    for cut in range(len(body) + 1):
        assert in_pieces(name(encoder), [body[:cut], body[cut:]]) == TEXT
    assert in_pieces(name(encoder), [body[i : i + 1] for i in range(len(body))]) == TEXT


@pytest.mark.parametrize("encoder", ENCODED)
def test_data_that_end_too_early_are_an_error(encoder: str) -> None:
    body = ENCODERS[encoder](TEXT)
    for cut in range(len(body)):
        with pytest.raises(BadEncoding):
            decode(body[:cut], name(encoder), LARGE)


@given(st.binary(max_size=2000), st.lists(st.sampled_from(ENCODED), max_size=3), st.data())
def test_what_was_encoded_comes_back(data: bytes, stack: list[str], more: st.DataObject) -> None:
    body = data
    for encoder in stack:
        body = ENCODERS[encoder](body)
    cuts = sorted(more.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert in_pieces(", ".join(map(name, stack)), pieces) == data


@given(st.binary(max_size=300), st.sampled_from(ENCODED))
def test_garbage_is_an_error_or_decodes_within_the_limit(data: bytes, encoder: str) -> None:
    with suppress(BadEncoding, TooLarge):
        assert len(decode(data, name(encoder), 1000)) <= 1000


@given(st.integers(0, 5000), st.integers(0, 5000), st.sampled_from(ENCODED))
def test_the_limit_is_exact(size: int, limit_bytes: int, encoder: str) -> None:
    body = ENCODERS[encoder](bytes(size))
    if size <= limit_bytes:
        assert decode(body, name(encoder), limit_bytes) == bytes(size)
    else:
        with pytest.raises(TooLarge):
            decode(body, name(encoder), limit_bytes)


@pytest.mark.parametrize("encoder", ENCODED)
@pytest.mark.parametrize("limit_bytes", [0, 1 << 20])
def test_a_bomb_does_not_go_off(encoder: str, limit_bytes: int) -> None:
    bomb = ENCODERS[encoder](bytes(64 << 20))
    encoding = name(encoder)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode(bomb, encoding, limit_bytes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit_bytes * 9 / 8 + (1 << 19)


def test_a_bomb_within_a_bomb_does_not_go_off() -> None:
    bomb = gzip.compress(gzip.compress(bytes(256 << 20), 1), 1)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode(bomb, "gzip, gzip", 1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (1 << 20) * 9 / 8 + (1 << 19)


def test_a_large_body_is_held_once() -> None:
    size = 20 << 20
    body = zstd.compress(bytes(size))
    tracemalloc.start()
    try:
        assert len(decode(body, "zstd", size)) == size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size * 9 / 8 + (1 << 20)


@pytest.mark.parametrize("encoder", ["gzip", "zstd"])
def test_members_and_frames_may_follow_each_other(encoder: str) -> None:
    encode = ENCODERS[encoder]
    body = encode(b"one, ") + encode(b"") + encode(b"two")
    assert decode(body, encoder, 100) == b"one, two"
    assert in_pieces(encoder, [body[i : i + 1] for i in range(len(body))]) == b"one, two"
    with pytest.raises(BadEncoding):
        decode(encode(b"one") + b"x", encoder, 100)


@pytest.mark.parametrize("encoder", ["deflate", "raw", "br"])
def test_nothing_may_follow_the_end(encoder: str) -> None:
    body = ENCODERS[encoder](b"one")
    with pytest.raises(BadEncoding):
        decode(body + b"x", name(encoder), 100)
    with pytest.raises(BadEncoding):
        in_pieces(name(encoder), [body, b"x"])


def test_a_zstd_window_is_as_large_as_the_web_allows() -> None:
    parameters = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    compressor = zstd.ZstdCompressor(options=parameters)
    body = compressor.compress(b"a" * 1000) + compressor.flush()
    with pytest.raises(BadEncoding):
        decode(body, "zstd", 10_000)


@pytest.mark.parametrize("encoding", ["", "identity", " Identity ", "identity,", ","])
def test_no_encoding_changes_nothing(encoding: str) -> None:
    assert decode(TEXT, encoding, len(TEXT)) == TEXT
    assert decode(b"", encoding, 0) == b""
    with pytest.raises(TooLarge):
        decode(TEXT, encoding, len(TEXT) - 1)


@pytest.mark.parametrize("encoding", ["GZIP", "x-gzip", " gzip ", "identity, gzip"])
def test_names_are_read_as_the_specification_says(encoding: str) -> None:
    assert decode(gzip.compress(b"a"), encoding, 10) == b"a"


@pytest.mark.parametrize("encoding", ["compress", "gzip;q=1", "gzip br", "aws-chunked", "g\u0131f"])
def test_other_encodings_are_not_read(encoding: str) -> None:
    with pytest.raises(UnknownEncoding, match="is read here"):
        Decoder(encoding, 10)


def test_stacks_are_low() -> None:
    with pytest.raises(UnknownEncoding, match="more than 3"):
        Decoder("gzip, gzip, gzip, gzip", 10)
