"""The way out for extproc: a listener by which it asks services, so that TLS, credentials, retries
and metrics are Envoy's. It is there where a configuration has services, and the same for all of
them: which one is asked, a header says.

Agents are asked here for clients of gRPC, too: such a client gets trailers, which no answer over
HTTP+JSON or JSON-RPC has, and which ext_proc can change, but not add. So Envoy asks itself, by a
route on which a filter adds them (`grpc_http1_reverse_bridge`). It wants one `content-type` for all
answers, and says nothing of their status: so both are moved to headers of ours, and back.
"""

from __future__ import annotations

from gateway import names
from xds_server.resources import addresses
from xds_server.resources.extension import Json, extension, resource, typed
from xds_server.resources.topology import Topology
from xds_server.snapshot import LISTENER, Resource

_OWNER_ALONE = 0o600
_RETRY_ON = "connect-failure,refused-stream,reset-before-request"
"""What no service has seen."""
_IDLE = "3600s"
"""Of a stream of notifications."""
_STREAMING: Json = {
    # the hub opens thousands of streams, on few connections
    "stream_idle_timeout": _IDLE,
    "http2_protocol_options": {"max_concurrent_streams": 1000},
}
_LONGEST = "120s"
"""extproc waits for less, and goes away then."""
_TRAILERS_FILTER = "dragoman.trailers"
_FRAMES_FILTER = "dragoman.trailers-of-nothing"
_BRIDGE = "envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfig"
_BRIDGED = "application/x-dragoman-a2a"
"""What the filter takes all answers for."""


def services_listener(
    topology: Topology,
    is_streaming: bool = False,
    leads_back: bool = False,
    asks_agents: bool = False,
) -> Resource:
    """Where extproc asks; the owner of a socket alone may. `is_streaming`: some of those who are
    asked answer in streams, as MCP servers do. `leads_back`: to gateways' own listeners, too.
    `asks_agents`: A2A agents, for clients of gRPC."""
    address = addresses.parse(topology.services)
    if "pipe" in address:
        address["pipe"]["mode"] = _OWNER_ALONE
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="services",
        codec_type="AUTO" if is_streaming or asks_agents else "HTTP1",
        route_config=_table(is_streaming, leads_back, asks_agents),
        http_filters=[
            *([_TRAILERS, _FRAMES] if asks_agents else []),
            extension(
                "envoy.filters.http.router",
                "envoy.extensions.filters.http.router.v3.Router",
                suppress_envoy_headers=True,
            ),
        ],
        server_name="dragoman",
        skip_xff_append=True,
        generate_request_id=False,
        common_http_protocol_options={"idle_timeout": "300s"},
        **(_STREAMING if is_streaming or asks_agents else {}),
    )
    fields = {
        "name": names.SERVICES,
        "address": address,
        "filter_chains": [{"filters": [manager]}],
    }
    return resource(LISTENER, names.SERVICES, fields)


_TRAILERS: Json = {
    **extension(_TRAILERS_FILTER, _BRIDGE, content_type=_BRIDGED),
    "disabled": True,  # but on the route that needs it
}
_FRAMES: Json = {
    # an answer without a body gets trailers only where it gets a message, too
    **extension(_FRAMES_FILTER, _BRIDGE, content_type=_BRIDGED, withhold_grpc_frames=True),
    "disabled": True,
}


def _table(is_streaming: bool, leads_back: bool, asks_agents: bool) -> Json:
    routes = [_route(names.service_cluster(""), _LONGEST)]  # and no provider
    if is_streaming:
        streams = (names.service_cluster(names.mcp_service("")), names.HUB_CLUSTER)
        routes = [*(_route(each, "0s") for each in streams), *routes]
    if leads_back:  # where the Host header is that of a client, and tells which page asks
        back = _route(names.own_listener_cluster(""), "0s")
        routes = [{**back, "route": {**back["route"], "auto_host_rewrite": False}}, *routes]
    if asks_agents:
        agents = names.service_cluster(names.a2a_service(""))
        framed = _bridge(agents, _FRAMES_FILTER, names.A2A_FRAMED_HEADER)
        routes = [framed, _bridge(agents, _TRAILERS_FILTER, names.A2A_TYPE_HEADER), *routes]
    host: Json = {"name": names.SERVICES, "domains": ["*"], "routes": routes}
    if asks_agents:  # after the headers of a route, which are made of these
        ours = (names.A2A_TYPE_HEADER, names.A2A_ACCEPT_HEADER, names.A2A_FRAMED_HEADER)
        host["request_headers_to_remove"] = [*ours]
    return {"name": names.SERVICES, "virtual_hosts": [host]}


def _route(clusters: str, timeout: str) -> Json:
    """To the cluster that a header names, and that begins so."""
    named = {"name": names.SERVICE_HEADER, "string_match": {"prefix": clusters}}
    return {
        "match": {"prefix": "/", "headers": [named]},
        "route": {
            "cluster_header": names.SERVICE_HEADER,
            "auto_host_rewrite": True,
            "timeout": timeout,
            "retry_policy": {"retry_on": _RETRY_ON, "num_retries": 1},
        },
    }


def _bridge(clusters: str, filter_name: str, header: str) -> Json:
    """To agents, and back with trailers, for requests that have the header."""
    plain = _route(clusters, "0s")
    is_bridged: Json = {"name": header, "present_match": True}
    per_route = typed("envoy.config.route.v3.FilterConfig", config=typed(f"{_BRIDGE}PerRoute"))
    return {
        **plain,
        "match": {"prefix": "/", "headers": [*plain["match"]["headers"], is_bridged]},
        "typed_per_filter_config": {filter_name: per_route},
        "request_headers_to_add": [
            _header("content-type", f"%REQ({names.A2A_TYPE_HEADER})%"),
            _header("accept", f"%REQ({names.A2A_ACCEPT_HEADER})%"),
        ],
        "request_headers_to_remove": [names.SERVICE_HEADER, "te", "x-forwarded-for"],
        "response_headers_to_add": [  # one after the other
            _header(names.A2A_STATUS_HEADER, "%RESP(:status)%"),
            _header(names.A2A_TYPE_HEADER, "%RESP(content-type)%"),
            _header("content-type", _BRIDGED),
            *([_header(header, "true")] if filter_name == _FRAMES_FILTER else []),
        ],
    }


def _header(name: str, value: str) -> Json:
    header = {"key": name, "value": value}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
