"""Listeners: a frozen skeleton. Only changes here cut streams, so only the address may change, and
whether there is TLS: what it shows comes by SDS.
"""

from __future__ import annotations

from dataclasses import replace

from gateway import names
from gateway.model import Endpoint, Listener
from xds_server.resources import addresses, ext_proc
from xds_server.resources.extension import ADS, Json, extension, resource
from xds_server.resources.features import Features
from xds_server.resources.filters import Parts, added, discovered, http_filters
from xds_server.resources.local_replies import EXTERNAL_UNAVAILABLE, local_reply_config
from xds_server.resources.secrets import gateway_secrets
from xds_server.resources.stream_log import handshake_log, refusal_log, stream_log
from xds_server.snapshot import CLUSTER, FILTER, LISTENER, ROUTES, SECRET, Resource

_CONNECTION_BUFFER_BYTES = 1 << 20
_NO_PARTS = Parts()


def listener(listener: Listener, features: Features, parts: Parts = _NO_PARTS) -> Resource:
    """Where clients connect: the address, and a chain whose parts come by RDS and ECDS."""
    name = names.listener(listener.name)
    fields = {
        "name": name,
        "address": addresses.socket_address(Endpoint(listener.address, listener.port)),
        "per_connection_buffer_limit_bytes": _CONNECTION_BUFFER_BYTES,
        "filter_chains": [{"filters": [_http(listener, features, parts)], **_tls(listener)}],
    }
    if listener.tls is not None and listener.tls.client_ca is not None:
        fields["access_log"] = [handshake_log(ext_proc.service())]
    needs = [
        (ROUTES, names.route_table(listener.name, added(features, parts))),
        *((FILTER, each) for each in discovered(parts)),
        (CLUSTER, names.EXTPROC_CLUSTER),
        *((SECRET, secret.name) for secret in gateway_secrets(listener)),
    ]
    return resource(LISTENER, name, fields, needs)


def _tls(listener: Listener) -> Json:
    if listener.tls is None:
        return {}
    context: Json = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificate_sds_secret_configs": [
            {"name": names.gateway_certificate(listener.name), "sds_config": ADS}
        ],
    }
    asked: Json = {}
    if listener.tls.client_ca is not None:
        name = names.gateway_client_ca(listener.name)
        context["validation_context_sds_secret_config"] = {"name": name, "sds_config": ADS}
        asked = {"require_client_certificate": listener.tls.is_client_required}
    socket = extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=context,
        **asked,
    )
    return {"transport_socket": socket}


def _http(listener: Listener, features: Features, parts: Parts) -> Json:
    return extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=listener.name,
        codec_type="AUTO",
        rds={
            "route_config_name": names.route_table(listener.name, added(features, parts)),
            "config_source": ADS,
        },
        http_filters=http_filters(features, parts),
        server_name="dragoman",
        early_header_mutation_extensions=[_NOTHING_OF_OURS],
        **_trust_nobody(),
        **_one_spelling_of_a_path(),
        **_limits(),
        local_reply_config=local_reply_config(
            counts_requests=parts.counts_requests,
            asks_services=bool(parts.limit_services),
            external=replace(EXTERNAL_UNAVAILABLE, status=parts.external_status)
            if parts.external
            else None,
            logs_in=bool(parts.logins),
            serves_mcp=parts.serves_mcp,
            serves_a2a=parts.serves_a2a,
        ),
        access_log=[
            *([stream_log(ext_proc.service())] if features.reads_usage else []),
            refusal_log(ext_proc.service()),
        ],
    )


_NOTHING_OF_OURS: Json = extension(
    "envoy.http.early_header_mutation.header_mutation",
    "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
    mutations=[{"remove_on_match": {"key_matcher": {"prefix": names.OWN_HEADER_PREFIX}}}],
)
"""Clients say nothing in headers that steer: which cluster gets a request, which a copy of it."""

_NOBODY: Json = {"address_prefix": "255.255.255.255", "prefix_len": 32}
"""Without a range, Envoy would take the private networks, and let their clients steer it."""


def _trust_nobody() -> Json:
    """The client's address is the connection's; nobody may steer Envoy with `x-envoy-` headers."""
    return {
        "use_remote_address": True,
        "skip_xff_append": True,
        "internal_address_config": {"unix_sockets": False, "cidr_ranges": [_NOBODY]},
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "common_http_protocol_options": {
            "idle_timeout": "3600s",
            "headers_with_underscores_action": "DROP_HEADER",
        },
    }


def _one_spelling_of_a_path() -> Json:
    """Policy and upstream must read the same path."""
    return {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
    }


def _limits() -> Json:
    return {
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "http2_protocol_options": {
            "max_concurrent_streams": 1000,
            "initial_stream_window_size": 1 << 20,
            "initial_connection_window_size": 16 << 20,
        },
    }
