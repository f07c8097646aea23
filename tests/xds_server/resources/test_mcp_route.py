"""The routes of the MCP gateway."""

from __future__ import annotations

import dataclasses

from gateway import names
from gateway.mcp import Mcp
from tests.kit.gateways import golden_gateway
from xds_server.resources.mcp_route import FOUND, JOINED, NAME, mcp_routes

GATEWAY = golden_gateway("mcp")
LISTENER = GATEWAY.listeners[0]


def test_without_servers_there_is_no_route() -> None:
    assert mcp_routes(dataclasses.replace(GATEWAY, mcp=Mcp()), LISTENER) == ()


def test_extproc_says_where_a_request_goes_and_an_answer_may_stream_for_ever() -> None:
    _, found, asked = mcp_routes(GATEWAY, LISTENER)
    assert asked["match"] == {"path_separated_prefix": "/mcp"}
    assert asked["route"]["cluster_header"] == names.MCP_HEADER
    assert asked["route"]["timeout"] == "0s"
    assert {**found, "name": "", "match": {}} == {**asked, "name": "", "match": {}}


def test_a_request_whose_server_is_known_is_taken_whatever_its_path_there() -> None:
    """extproc sets the path, too; before all other routes, such as that of the LLM API."""
    _, found, _asked = mcp_routes(GATEWAY, LISTENER)
    has_server = {"name": names.MCP_HEADER, "present_match": True}
    assert found["match"] == {"prefix": "/", "headers": [has_server]}


def test_streams_of_several_servers_go_to_the_hub_with_what_it_reads() -> None:
    joined, found, _ = mcp_routes(GATEWAY, LISTENER)
    said = {"name": names.MCP_STREAMS_HEADER, "present_match": True}
    assert joined["match"] == {"prefix": "/", "headers": [*found["match"]["headers"], said]}
    assert {**joined["route"], "cluster_header": names.MCP_HEADER} == {
        **found["route"],
        "cluster": names.HUB_CLUSTER,
    }
    kept = {"accept", "content-type", "last-event-id", names.MCP_STREAMS_HEADER}
    assert kept - {"accept"} == kept - set(joined["request_headers_to_remove"])
    assert joined["typed_per_filter_config"] == found["typed_per_filter_config"]


def test_without_a_hub_none_goes_there() -> None:
    alone = dataclasses.replace(
        GATEWAY.mcp,
        views=tuple(each for each in GATEWAY.mcp.views if not each.is_federated),
        servers=tuple(each for each in GATEWAY.mcp.servers if not each.is_hubs),
    )
    routes = mcp_routes(dataclasses.replace(GATEWAY, mcp=alone), LISTENER)
    assert [each["name"] for each in routes] == [FOUND, NAME]


def test_no_server_sees_what_the_client_shows_to_the_gateway() -> None:
    joined, route, _ = mcp_routes(GATEWAY, LISTENER)
    removed = route["request_headers_to_remove"]
    assert {"authorization", "cookie", "x-api-key", "x-forwarded-for"} <= set(removed)
    assert set(removed) < set(joined["request_headers_to_remove"])


def test_no_client_is_told_where_to_get_a_token_for_a_server() -> None:
    route = mcp_routes(GATEWAY, LISTENER)[-1]
    assert {"set-cookie", "www-authenticate"} <= set(route["response_headers_to_remove"])


def test_extproc_is_told_that_it_is_mcp_and_how_long_a_body_may_be() -> None:
    route = mcp_routes(GATEWAY, LISTENER)[0]
    asked = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
    told = {each["key"]: each["value"] for each in asked["grpc_initial_metadata"]}
    assert told == {
        names.ROLE_METADATA: names.MCP_ROLE,
        names.LIMIT_METADATA: str(LISTENER.max_request_bytes),
    }


def test_tokens_are_asked_for_as_of_mcp_and_pages_told_what_they_may() -> None:
    gateway = golden_gateway("mcp-auth")
    *_, found, asked = mcp_routes(gateway, gateway.listeners[0])
    for route in (found, asked):
        policies = route["typed_per_filter_config"]
        assert policies[names.TOKENS_FILTER]["requirement_name"] == "mcp"
        assert policies[names.CORS_FILTER]["expose_headers"].startswith("mcp-session-id")


SSE_GATEWAY = dataclasses.replace(
    GATEWAY, mcp=dataclasses.replace(GATEWAY.mcp, sse_path="/sse", allowed_origins=("https://a",))
)


def test_clients_of_http_with_sse_go_to_the_hub_which_is_told_the_way_back() -> None:
    route, *others = mcp_routes(SSE_GATEWAY, LISTENER)
    assert [each["name"] for each in others] == [JOINED, FOUND, NAME]
    assert route["match"] == {"path_separated_prefix": "/sse"}
    assert (route["route"]["cluster"], route["route"]["timeout"]) == (names.HUB_CLUSTER, "0s")
    (added,) = route["request_headers_to_add"]
    assert added["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"  # a client cannot choose it
    assert added["header"] == {
        "key": "x-dragoman-mcp-sse",
        "value": f"service/gateway/{LISTENER.name}",
    }
    assert "request_headers_to_remove" not in route  # the hub needs the client's credentials
    policy = route["typed_per_filter_config"]
    assert policy[names.EXT_PROC_FILTER]["disabled"]
    assert names.CORS_FILTER in policy
