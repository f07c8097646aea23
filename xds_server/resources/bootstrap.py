"""What Envoy starts with: who it is, and where everything else comes from."""

from __future__ import annotations

from xds_server.resources import addresses
from xds_server.resources.extension import ADS, Json, extension, typed

XDS_CLUSTER = "dragoman_xds"
_RUNTIME = {
    "envoy.reloadable_features.oauth2_use_gcm_encryption": True,
    "envoy.reloadable_features.oauth2_legacy_cbc_decrypt_compat": False,
}
"""Cookies of logins are encrypted with AES-GCM alone: what Envoy does else, by default, tells who
asks often enough what is in them (CVE-2026-47775)."""
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def bootstrap(
    xds_address: str,
    admin_address: str,
    node_id: str,
    *,
    is_delta: bool = True,
    max_connections: int = 50_000,
    seals_cookies: bool = True,
) -> Json:
    """Addresses are `unix:/path` or `host:port`. Not `is_delta`: the state of the world, always
    whole. `seals_cookies`: the Envoy knows what `_RUNTIME` says, as 1.37.5 and 1.40 do."""
    runtime: Json = {"layers": [{"name": "dragoman", "static_layer": _RUNTIME}]}
    return {
        "node": {"id": node_id, "cluster": "dragoman"},
        "admin": {"address": addresses.parse(admin_address)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if is_delta else "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": XDS_CLUSTER}}],
            },
            "cds_config": ADS,
            "lds_config": ADS,
        },
        "static_resources": {"clusters": [_xds_cluster(xds_address)]},
        **({"layered_runtime": runtime} if seals_cookies else {}),
        "overload_manager": _overload_manager(max_connections),
    }


def _xds_cluster(address: str) -> Json:
    hosts = []
    if not address.startswith(addresses.UNIX):
        hosts.append(addresses.endpoint_of(address).host)
    return {
        "name": XDS_CLUSTER,
        **addresses.discovery(hosts),
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": addresses.parse(address)}}]}],
        },
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: typed(
                _HTTP_OPTIONS,
                explicit_http_config={
                    "http2_protocol_options": {
                        "connection_keepalive": {"interval": "30s", "timeout": "5s"}
                    }
                },
            )
        },
    }


def _overload_manager(max_connections: int) -> Json:
    return {
        "resource_monitors": [
            extension(
                "envoy.resource_monitors.global_downstream_max_connections",
                "envoy.extensions.resource_monitors.downstream_connections.v3"
                ".DownstreamConnectionsConfig",
                max_active_downstream_connections=str(max_connections),
            )
        ]
    }
