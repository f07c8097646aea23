"""Bodies taken out of messages by hand, held to what protobuf reads."""

from __future__ import annotations

from typing import Any

import pytest
from envoy_api import message
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from extproc import large_bodies

Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
BODY = b"x" * 300


def shown(body: bytes) -> bytes:
    """As Envoy shows it."""
    request = Request(request_body={"body": body, "end_of_stream": True})
    return bytes(request.SerializeToString())


@pytest.mark.parametrize("size", [1, 127, 128, 16_383, 16_384, 200_000, 3_000_000])
@pytest.mark.parametrize("is_end", [False, True])
def test_the_body_of_a_request_is_found(size: int, is_end: bool) -> None:
    request = Request(request_body={"body": b"x" * size, "end_of_stream": is_end})
    assert large_bodies.request_body(request.SerializeToString()) == b"x" * size


def test_what_else_envoy_tells_stands_behind_it() -> None:
    behind = Request()
    behind.metadata_context.filter_metadata["some"].fields["name"].string_value = "value"
    assert large_bodies.request_body(shown(BODY) + behind.SerializeToString()) == BODY


@pytest.mark.parametrize(
    "data",
    [
        Request(response_body={"body": BODY}).SerializeToString(),
        Request(request_headers={"end_of_stream": True}).SerializeToString(),
        Request(request_body={}).SerializeToString(),
        Request(request_body={"end_of_stream": True}).SerializeToString(),
        Request(request_body={"body": BODY, "grpc_message_compressed": True}).SerializeToString(),
        shown(BODY) + shown(b"other"),
        shown(BODY) + Request(request_body={"end_of_stream": True}).SerializeToString(),
        shown(BODY) + Request(response_body={"body": b"other"}).SerializeToString(),
    ],
)
def test_protobuf_reads_what_is_not_one_body(data: bytes) -> None:
    assert large_bodies.request_body(data) is None


@pytest.mark.parametrize("size", range(1, 20))
def test_protobuf_refuses_what_is_cut_off(size: int) -> None:
    assert large_bodies.request_body(shown(BODY)[:size]) is None
    assert large_bodies.request_body(shown(BODY)[:-size]) is None


@given(st.binary(min_size=1, max_size=40))
def test_no_bytes_are_read_otherwise_than_protobuf_reads_them(data: bytes) -> None:
    data = b"\x22" + data
    try:
        expected = Request.FromString(data)
    except DecodeError:
        expected = None
    try:
        found = large_bodies.request_body(data)
    except DecodeError:
        found = None
    if found is not None:
        assert expected is not None
        assert expected.WhichOneof("request") == "request_body"
        assert expected.request_body.body == found
