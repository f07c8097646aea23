from __future__ import annotations

import gzip
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import grpc_frames
from extproc.a2a.grpc_frames import BrokenFrame, FrameDecoder


@given(st.lists(st.binary(max_size=9), max_size=4), st.lists(st.integers(0, 60), max_size=5))
def test_cuts_do_not_matter(messages: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(grpc_frames.frame, messages))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    frames = FrameDecoder()
    found = []
    for start, end in itertools.pairwise(edges):
        found += frames.feed(data[start:end])
    frames.end()
    assert found == messages


@pytest.mark.parametrize(
    ("coding", "packed"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_messages_are_read(coding: str, packed: object) -> None:
    assert callable(packed)
    payload = packed(b"hello")
    body = b"\1" + len(payload).to_bytes(4, "big") + payload
    assert grpc_frames.read_one(body, {"grpc-encoding": coding}) == b"hello"


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"", ""),
        (b"\0\0\0", ""),
        (b"\0\0\0\0\5abc", ""),
        (b"\0\0\0\0\0\0\0\0\0\0", ""),
        (b"\0\xff\xff\xff\xff", ""),
        (b"\1\0\0\0\1a", ""),
        (b"\1\0\0\0\1a", "gzip"),
        (b"\1\0\0\0\1a", "snappy"),
        (b"\2\0\0\0\1a", "gzip"),
    ],
)
def test_what_is_not_one_message_is_told(body: bytes, coding: str) -> None:
    with pytest.raises(BrokenFrame):
        grpc_frames.read_one(body, {"grpc-encoding": coding})


@given(st.binary(max_size=300))
def test_one_message_is_read_as_it_was_framed(message: bytes) -> None:
    assert grpc_frames.read_one(grpc_frames.frame(message), {"grpc-encoding": "gzip"}) == message


def test_what_expands_without_bound_is_told() -> None:
    payload = gzip.compress(b"\0" * 100_000)
    frames = FrameDecoder("gzip", 1000)
    with pytest.raises(BrokenFrame):
        frames.feed(b"\1" + len(payload).to_bytes(4, "big") + payload)
