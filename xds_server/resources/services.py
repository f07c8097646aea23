"""The way out for extproc: a listener by which it asks services, so that TLS, credentials, retries
and metrics are Envoy's. It is there where a configuration has services, and the same for all of
them: which one is asked, a header says.
"""

from __future__ import annotations

from gateway import names
from xds_server.resources import addresses
from xds_server.resources.extension import Json, extension, resource
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


def services_listener(
    topology: Topology, is_streaming: bool = False, leads_back: bool = False
) -> Resource:
    """Where extproc asks; the owner of a socket alone may. `is_streaming`: some of those who are
    asked answer in streams, as MCP servers do. `leads_back`: to gateways' own listeners, too."""
    address = addresses.parse(topology.services)
    if "pipe" in address:
        address["pipe"]["mode"] = _OWNER_ALONE
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="services",
        codec_type="AUTO" if is_streaming else "HTTP1",
        route_config=_table(is_streaming, leads_back),
        http_filters=[
            extension(
                "envoy.filters.http.router",
                "envoy.extensions.filters.http.router.v3.Router",
                suppress_envoy_headers=True,
            )
        ],
        server_name="dragoman",
        skip_xff_append=True,
        generate_request_id=False,
        common_http_protocol_options={"idle_timeout": "300s"},
        **(_STREAMING if is_streaming else {}),
    )
    fields = {
        "name": names.SERVICES,
        "address": address,
        "filter_chains": [{"filters": [manager]}],
    }
    return resource(LISTENER, names.SERVICES, fields)


def _table(is_streaming: bool, leads_back: bool) -> Json:
    routes = [_route(names.service_cluster(""), _LONGEST)]  # and no provider
    if is_streaming:
        streams = (names.service_cluster(names.mcp_service("")), names.HUB_CLUSTER)
        routes = [*(_route(each, "0s") for each in streams), *routes]
    if leads_back:  # where the Host header is that of a client, and tells which page asks
        back = _route(names.own_listener_cluster(""), "0s")
        routes = [{**back, "route": {**back["route"], "auto_host_rewrite": False}}, *routes]
    host = {"name": names.SERVICES, "domains": ["*"], "routes": routes}
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
