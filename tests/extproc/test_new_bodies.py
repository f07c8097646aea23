"""Bodies in the place of others, held to what protobuf reads."""

from __future__ import annotations

from typing import Any

import pytest
from envoy_api import message

from extproc import new_bodies

Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")


@pytest.mark.parametrize("size", [*range(200), *range(16_300, 16_400), 300_000])
def test_a_request_is_sent_on_with_its_new_body_and_length(size: int) -> None:
    before = Response(request_body={"response": {"clear_route_cache": True}})
    body = b"x" * size
    answer = Response.FromString(new_bodies.of_request(before.SerializeToString(), body))
    told = answer.request_body.response
    assert told.body_mutation.body == body
    assert told.clear_route_cache
    (header,) = told.header_mutation.set_headers
    assert (header.header.key, header.header.raw_value) == ("content-length", b"%d" % size)
    assert tuple(told.header_mutation.remove_headers) == new_bodies.DIGESTS


@pytest.mark.parametrize("is_end", [False, True])
@pytest.mark.parametrize("size", [*range(140), *range(16_300, 16_400), 300_000])
def test_a_piece_of_what_flows_goes_on(size: int, is_end: bool) -> None:
    answer = Response.FromString(new_bodies.of_flowing(b"x" * size, is_end=is_end))
    streamed = {"body": b"x" * size, "end_of_stream": is_end}
    mutation = {"body_mutation": {"streamed_response": streamed}}
    assert answer == Response(response_body={"response": mutation})


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 300_000])
def test_a_piece_of_an_answer_is_another(size: int) -> None:
    answer = Response.FromString(new_bodies.of_response(b"x" * size))
    assert answer.response_body.response.body_mutation.body == b"x" * size
