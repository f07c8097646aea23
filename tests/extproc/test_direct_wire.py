"""What Envoy is told of requests that go where extproc says."""

from __future__ import annotations

import pytest
from envoy_api import message

from extproc.direct_wire import (
    SHOWN,
    _set,
    encode_direct,
    encode_flow,
    encode_show,
    encode_way,
    patience,
)
from extproc.events import ChangeHeaders, Direct, Flow, Show
from extproc.new_bodies import DIGESTS
from gateway import names

Response = message("envoy.service.ext_proc.v3.ProcessingResponse")


def test_a_way_names_the_cluster_and_the_path_and_has_the_route_chosen_again() -> None:
    told = Response.FromString(encode_way("c", "/p", [("x", "y")], is_read=False))
    phase = told.request_headers.response
    assert phase.clear_route_cache
    found = {each.header.key: each.header.raw_value for each in phase.header_mutation.set_headers}
    assert found == {names.MCP_HEADER: b"c", ":path": b"/p", "x": b"y"}


def test_what_is_of_one_request_alone_comes_behind() -> None:
    way = encode_way("c", "/p", [], is_read=True)
    action = Direct(way, True, (("mcp-session-id", "own"),), ("x-gone",), "shown", b"new")
    told = Response.FromString(encode_direct(action))
    phase = told.request_body.response
    found = {each.header.key: each.header.raw_value for each in phase.header_mutation.set_headers}
    assert found["mcp-session-id"] == b"own"
    assert found["content-length"] == b"3"
    assert found[names.MCP_HEADER] == b"c"
    assert list(phase.header_mutation.remove_headers) == ["x-gone", *DIGESTS]
    assert phase.body_mutation.body == b"new"
    assert told.dynamic_metadata[names.MCP_NAMESPACE][names.MCP_SESSION] == "shown"


def test_what_is_another_each_time_takes_nothings_place() -> None:
    before = _set.cache_info().currsize
    for name in (names.MCP_STREAMS_HEADER, names.MCP_ROUNDS_HEADER):
        told = encode_direct(Direct(b"", False, ((name, "for one stream"),), ()))
        phase = Response.FromString(told).request_headers.response
        (found,) = phase.header_mutation.set_headers
        assert (found.header.key, found.header.raw_value) == (name, b"for one stream")
    assert _set.cache_info().currsize == before


def test_a_status_is_shown_and_no_body() -> None:
    mode = Response.FromString(SHOWN).mode_override
    assert mode.request_body_mode == 2  # BUFFERED
    assert mode.response_header_mode == 1  # SEND
    assert mode.response_body_mode == 0


@pytest.mark.parametrize("is_read", [True, False])
def test_an_answer_that_flows_is_shown_as_it_comes(is_read: bool) -> None:
    if is_read:
        told = Response.FromString(encode_show(Show(is_flowing=True)))
    else:
        way = encode_way("c", "", [], is_read=False)
        action = Direct(way, False, ((":method", "POST"),), body=b"new", is_flowing=True)
        told = Response.FromString(encode_direct(action))
        phase = told.request_headers.response
        assert (phase.status, phase.body_mutation.body) == (1, b"new")  # CONTINUE_AND_REPLACE
        assert phase.clear_route_cache
        mutation = phase.header_mutation
        found = {each.header.key: each.header.raw_value for each in mutation.set_headers}
        assert found == {names.MCP_HEADER: b"c", ":method": b"POST", "content-length": b"3"}
        assert tuple(mutation.remove_headers) == DIGESTS
    mode = told.mode_override
    assert mode.request_body_mode == (2 if is_read else 0)  # BUFFERED, NONE
    assert (mode.response_header_mode, mode.response_trailer_mode) == (1, 1)  # SEND
    assert mode.response_body_mode == 4  # FULL_DUPLEX_STREAMED


def test_parts_of_an_answer_that_flows_are_messages_of_their_own() -> None:
    head = ChangeHeaders(((":status", "200"),), ("x",))
    flow = Flow(head, b"piece", False, ChangeHeaders((("grpc-status", "0"),)))
    told = [Response.FromString(each) for each in encode_flow(flow)]
    assert [each.WhichOneof("response") for each in told] == [
        "response_headers",
        "response_body",
        "response_trailers",
    ]
    mutation = told[0].response_headers.response.header_mutation
    assert (mutation.set_headers[0].header.key, list(mutation.remove_headers)) == (":status", ["x"])
    streamed = told[1].response_body.response.body_mutation.streamed_response
    assert (streamed.body, streamed.end_of_stream) == (b"piece", False)
    assert told[2].response_trailers.header_mutation.set_headers[0].header.raw_value == b"0"
    assert list(encode_flow(Flow())) == []
    (end,) = (Response.FromString(each) for each in encode_flow(Flow(is_end=True)))
    assert end.response_body.response.body_mutation.streamed_response.end_of_stream


def test_envoy_can_be_asked_for_patience() -> None:
    told = Response.FromString(patience(12.5))
    assert told.override_message_timeout.ToMilliseconds() == 12_500
    assert told.WhichOneof("response") is None


def test_where_envoy_connects_to_is_metadata_which_no_filter_of_a_try_removes() -> None:
    way = encode_way("c", "/p", [], is_read=True)
    told = Response.FromString(encode_direct(Direct(way, True, address="192.0.2.1:443")))
    fields = told.dynamic_metadata.fields[names.MCP_NAMESPACE].struct_value.fields
    assert {name: each.string_value for name, each in fields.items()} == {
        names.WEBHOOK_ADDRESS: "192.0.2.1:443"
    }


def test_others_come_behind_the_way_to_the_first() -> None:
    way = encode_way("c/1", "/p", [], is_read=True, header=names.A2A_HEADER)
    action = Direct(way, True, turns=("c/1", "c/2", "c/3"))
    told = Response.FromString(encode_direct(action))
    phase = told.request_body.response
    assert phase.clear_route_cache
    found = {each.header.key: each.header.raw_value for each in phase.header_mutation.set_headers}
    assert found[names.A2A_HEADER] == b"c/1"
    assert found[names.A2A_OTHERS_HEADER] == found[names.MAX_RETRIES_HEADER] == b"2"
    groups = told.dynamic_metadata[names.PLAN_NAMESPACE]["priority_groups"]
    assert [each["clusters"][0]["cluster_name"] for each in groups] == ["c/1", "c/2", "c/3"]
