"""What Envoy is told of requests that go where extproc says."""

from __future__ import annotations

from envoy_api import message

from extproc.direct_wire import SHOWN, encode_direct, encode_way, patience
from extproc.events import Direct
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
    assert list(phase.header_mutation.remove_headers) == ["x-gone"]
    assert phase.body_mutation.body == b"new"
    assert told.dynamic_metadata[names.MCP_NAMESPACE][names.MCP_SESSION] == "shown"


def test_a_status_is_shown_and_no_body() -> None:
    mode = Response.FromString(SHOWN).mode_override
    assert mode.request_body_mode == 2  # BUFFERED
    assert mode.response_header_mode == 1  # SEND
    assert mode.response_body_mode == 0


def test_envoy_can_be_asked_for_patience() -> None:
    told = Response.FromString(patience(12.5))
    assert told.override_message_timeout.ToMilliseconds() == 12_500
    assert told.WhichOneof("response") is None
