"""The routes of the MCP gateway: extproc says which server each request goes to."""

from __future__ import annotations

from collections.abc import Iterator

from gateway import names
from gateway.model import Gateway, Listener
from xds_server.resources import ext_proc, jwt
from xds_server.resources.direct_route import IDLE_SECONDS, direct_route
from xds_server.resources.extension import Json, duration
from xds_server.resources.mcp_auth_route import mcp_issuers, pages, told_routes

NAME = "dragoman/mcp"
"""No plain route can have this name, since theirs have no slash."""
FOUND = "dragoman/mcp/found"
"""The same requests, once extproc has said their server, and the path that they have there."""
JOINED = "dragoman/mcp/joined"
"""Those of them that open the stream of several servers, which the hub joins."""
TAKEN = (FOUND, JOINED)
"""Once extproc has said so: no client comes there by itself."""
SSE = "dragoman/mcp/sse"
"""For clients of HTTP with SSE: to the hub."""
_UNREAD_BY_HUB = (
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "mcp-protocol-version",
    "pragma",
    "priority",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "user-agent",
    "x-envoy-external-address",
)
"""Each would take 352 bytes of Envoy's for as long as the stream is open."""
_SESSION: Json = {
    # what the server calls the session is no business of the client's
    "header": {
        "key": names.MCP_SESSION_HEADER,
        "value": f"%DYNAMIC_METADATA({names.MCP_NAMESPACE}:{names.MCP_SESSION})%",
    },
    "append_action": "OVERWRITE_IF_EXISTS",
}
_TOKEN: Json = {
    # what the client has shown is removed before
    "header": {
        "key": "authorization",
        "value": f"%DYNAMIC_METADATA({names.MCP_NAMESPACE}:{names.MCP_TOKEN})%",
    },
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}


def mcp_routes(gateway: Gateway, listener: Listener) -> tuple[Json, ...]:
    """Where clients find the servers; nothing where there are none."""
    if not gateway.mcp.servers:
        return ()
    per_filter = _filters(gateway, listener)
    has_server: Json = {"name": names.MCP_HEADER, "present_match": True}  # clients' own is removed
    found = _route(FOUND, {"prefix": "/", "headers": [has_server]}, gateway, per_filter)
    return (
        *_sse_routes(gateway, listener),
        *told_routes(gateway),
        *((_joined(found),) if gateway.mcp.has_hub else ()),
        found,
        _route(NAME, {"path_separated_prefix": gateway.mcp.path}, gateway, per_filter),
    )


def _sse_routes(gateway: Gateway, listener: Listener) -> Iterator[Json]:
    """For clients of HTTP with SSE. Nothing is decided here: the hub makes requests of theirs, with
    their credentials, to the routes below."""
    if not gateway.mcp.sse_path:
        return
    per_filter = {names.EXT_PROC_FILTER: ext_proc.disabled()}
    if gateway.identity.issuers:
        per_filter[names.TOKENS_FILTER] = jwt.passed()
    if gateway.mcp.allowed_origins:
        per_filter[names.CORS_FILTER] = pages(gateway.mcp)
    back: Json = {
        "header": {
            "key": names.MCP_SSE_HEADER,
            "value": names.own_listener_cluster(listener.name),
        },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    yield {
        "name": SSE,
        "match": {"path_separated_prefix": gateway.mcp.sse_path},
        "typed_per_filter_config": per_filter,
        "request_headers_to_add": [back],
        "route": {
            "cluster": names.HUB_CLUSTER,
            "timeout": "0s",
            "idle_timeout": duration(IDLE_SECONDS),
        },
    }


def _joined(found: Json) -> Json:
    """The same for streams that stay open for hours: with as little as Envoy can keep of them. It
    has 0.8 KB more where a header names the cluster."""
    said: Json = {"name": names.MCP_STREAMS_HEADER, "present_match": True}
    route = {name: each for name, each in found["route"].items() if name != "cluster_header"}
    return {
        **found,
        "name": JOINED,
        "match": {"prefix": "/", "headers": [*found["match"]["headers"], said]},
        "request_headers_to_remove": [*found["request_headers_to_remove"], *_UNREAD_BY_HUB],
        "route": {"cluster": names.HUB_CLUSTER, **route},
    }


def _filters(gateway: Gateway, listener: Listener) -> Json:
    per_filter = {names.EXT_PROC_FILTER: ext_proc.mcp_bodies(listener.max_request_bytes)}
    if mcp_issuers(gateway):
        per_filter[names.TOKENS_FILTER] = jwt.for_mcp()
    if gateway.mcp.allowed_origins:
        per_filter[names.CORS_FILTER] = pages(gateway.mcp)
    return per_filter


def _route(name: str, match: Json, gateway: Gateway, per_filter: Json) -> Json:
    return direct_route(
        name,
        match,
        names.MCP_HEADER,
        gateway,
        per_filter,
        added=(_TOKEN,) if gateway.mcp.shows_tokens else (),
        answered=(_SESSION,),
    )
