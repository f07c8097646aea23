"""The routes of the MCP gateway: extproc says which server each request goes to."""

from __future__ import annotations

from collections.abc import Iterator

from gateway import names
from gateway.model import Gateway, Listener
from xds_server.resources import ext_proc, jwt, told
from xds_server.resources.extension import Json, duration
from xds_server.resources.mcp_auth_route import mcp_issuers, pages, told_routes

NAME = "dragoman/mcp"
"""No plain route can have this name, since theirs have no slash."""
FOUND = "dragoman/mcp/found"
"""The same requests, once extproc has said their server, and the path that they have there."""
SSE = "dragoman/mcp/sse"
"""For clients of HTTP with SSE: to the hub."""
_IDLE_SECONDS = 3600.0
"""Of a stream: notifications may be rare. Servers and the hub send comments more often."""
_RETRY_ON = "connect-failure,refused-stream,reset-before-request"
"""What no server has seen."""
_CLIENTS_OWN = (
    *names.CREDENTIAL_HEADERS,
    "cookie",
    "forwarded",
    "origin",
    "proxy-authorization",
    "referer",
    "via",
    "x-client-ip",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
)
"""What no server sees: tokens for the gateway are no tokens for it (MCP, "Token Passthrough")."""
_SERVERS_OWN = ("set-cookie", "www-authenticate")
"""What no client sees: where it would get a token for a server, which never sees it."""
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
    return (
        *_sse_routes(gateway, listener),
        *told_routes(gateway),
        _route(FOUND, {"prefix": "/", "headers": [has_server]}, gateway, per_filter),
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
            "idle_timeout": duration(_IDLE_SECONDS),
        },
    }


def _filters(gateway: Gateway, listener: Listener) -> Json:
    per_filter = {names.EXT_PROC_FILTER: ext_proc.mcp_bodies(listener.max_request_bytes)}
    if mcp_issuers(gateway):
        per_filter[names.TOKENS_FILTER] = jwt.for_mcp()
    if gateway.mcp.allowed_origins:
        per_filter[names.CORS_FILTER] = pages(gateway.mcp)
    return per_filter


def _route(name: str, match: Json, gateway: Gateway, per_filter: Json) -> Json:
    limits = [each for each in gateway.limits if each.scope.route is None]
    is_told = gateway.identity.has_stored_keys or told.is_told(limits)
    return {
        "name": name,
        "match": match,
        "typed_per_filter_config": per_filter,
        "request_headers_to_remove": [*_CLIENTS_OWN, names.MCP_HEADER],
        **({"request_headers_to_add": [_TOKEN]} if gateway.mcp.shows_tokens else {}),
        "response_headers_to_remove": [
            *_SERVERS_OWN,
            *(told.removed(gateway.limit_headers) if is_told else ()),
        ],
        "response_headers_to_add": [
            _SESSION,
            *(told.added(gateway.limit_headers) if is_told else ()),
        ],
        "route": {
            "cluster_header": names.MCP_HEADER,
            "auto_host_rewrite": True,
            "timeout": "0s",  # answers stream for as long as they like
            "idle_timeout": duration(_IDLE_SECONDS),
            "retry_policy": {"retry_on": _RETRY_ON, "num_retries": 1},
        },
    }
