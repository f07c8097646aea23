"""Clusters: whom Envoy connects to, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gateway import names
from gateway.a2a import Push
from gateway.external_authz import ExternalAuthz
from gateway.identity import Issuer, Login
from gateway.limits import LimitService
from gateway.model import Endpoint, Listener, Provider, Service, Upstream
from xds_server.resources import addresses
from xds_server.resources.attempts import (
    Attempt,
    PlanOfTries,
    plan_filters,
    service_filters,
    upstream_filters,
    webhook_filters,
)
from xds_server.resources.credentials import has_secret, reads_body, secret_name, token_endpoint
from xds_server.resources.ext_authz import service_upstream
from xds_server.resources.extension import Json, duration, extension, resource, typed
from xds_server.resources.features import Features
from xds_server.resources.jwt import keys_upstream
from xds_server.resources.login import token_upstream
from xds_server.resources.matching import provider_metadata
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, SECRET, Resource

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_UNLIMITED = 1 << 30
_IDLE_CONNECTION_SECONDS = 50
"""Shorter than the keep-alive of common servers and balancers (60 s): we close first."""

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What is listened on everywhere is found here."""
_CIRCUIT_BREAKERS: Json = {
    # Envoy's defaults (1024 requests, 3 retries) would be limits that nobody configured.
    "thresholds": [
        {
            "max_connections": _UNLIMITED,
            "max_pending_requests": _UNLIMITED,
            "max_requests": _UNLIMITED,
            "max_retries": _UNLIMITED,
        }
    ]
}
_MOST_FETCHES = 64
_LARGEST_SIGNED_BYTES = 4 << 20
"""Of a request of extproc's that Envoy signs."""
_HTTP1: Json = {"explicit_http_config": {"http_protocol_options": {}}}
_HTTP2: Json = {
    "initial_stream_window_size": 1 << 20,
    "initial_connection_window_size": 16 << 20,
}
_HTTP2_KEPT_ALIVE: Json = {
    **_HTTP2,
    "connection_keepalive": {"interval": "30s", "timeout": "10s"},
}
_MAX_FRAME_SIZE = 5  # of SETTINGS, RFC 9113 section 6.5.2
_HTTP2_OF_WORKERS: Json = {
    **_HTTP2,
    "custom_settings_parameters": [{"identifier": _MAX_FRAME_SIZE, "value": 256 << 10}],
}
"""They answer with whole bodies: one frame for each instead of a dozen."""


_NAMED_BY_HOST: Json = {
    **_HTTP1,
    "upstream_http_protocol_options": {"auto_sni": True, "auto_san_validation": True},
}
_TO_HUB: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
"""Thousands of streams, each of which may be idle for an hour: one connection for each would cost
twice their memory."""


def provider_cluster(
    provider: Provider, attempt: Attempt, topology: Topology, features: Features
) -> Resource:
    """An LLM provider, with the filters that run once for each try at it."""
    name = attempt.cluster
    protocol = _HTTP1
    if provider.upstream.is_tls and name != names.websocket_cluster(provider.name):
        protocol = {
            "auto_config": {
                "http_protocol_options": {},
                "http2_protocol_options": _HTTP2_KEPT_ALIVE,
            }
        }
    needs = _needed_by_credentials((provider,))
    if attempt.is_rewritten:
        needs.append((CLUSTER, names.EXTPROC_CLUSTER))
    fields = {
        **_upstream(name, provider.upstream, topology),
        **_http_options(protocol, filters=upstream_filters(provider, attempt, topology)),
    }
    if attempt.is_rewritten or reads_body(provider):  # its filter holds the whole body
        fields["per_connection_buffer_limit_bytes"] = attempt.buffer_limit_bytes
    if not features.reads_plans:
        for endpoint in fields["load_assignment"]["endpoints"][0]["lb_endpoints"]:
            endpoint["metadata"] = provider_metadata(provider.name)
    return resource(CLUSTER, name, fields, needs)


def plan_cluster(plan: PlanOfTries, topology: Topology) -> Resource:
    """The providers of a plan, for Envoys that read none: the nth try goes to the nth of them.

    Connections are made as the provider's own cluster says, but of its filters none would run.
    """
    providers = [names.provider_cluster(each.name) for each in plan.providers]
    fields = {
        "name": plan.cluster,
        "connect_timeout": duration(max(_connect_timeout(each) for each in plan.providers)),
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": extension(
            "envoy.clusters.composite",
            "envoy.extensions.clusters.composite.v3.ClusterConfig",
            clusters=[{"name": cluster} for cluster in providers],
        ),
        "circuit_breakers": _CIRCUIT_BREAKERS,
        **_http_options(_HTTP1, filters=plan_filters(plan, topology)),
    }
    if plan.rewritten or any(map(reads_body, plan.providers)):
        fields["per_connection_buffer_limit_bytes"] = plan.buffer_limit_bytes
    needs = [
        *((CLUSTER, cluster) for cluster in providers),
        *_needed_by_credentials(plan.providers),
        *([(CLUSTER, names.EXTPROC_CLUSTER)] if plan.rewritten else []),
    ]
    return resource(CLUSTER, plan.cluster, fields, needs)


def route_cluster(upstream: Upstream, topology: Topology) -> Resource:
    """An upstream of plain HTTP routes; those that go to an equal one share it."""
    name = route_cluster_name(upstream)
    protocol = _HTTP1
    if upstream.is_tls:
        protocol = {"auto_config": {"http2_protocol_options": _HTTP2_KEPT_ALIVE}}
    fields = {**_upstream(name, upstream, topology), **_http_options(protocol)}
    return resource(CLUSTER, name, fields)


def service_cluster(service: Service, topology: Topology) -> Resource:
    """A service that extproc asks, with the filters that show it who does."""
    name = names.service_cluster(service.name)
    protocol = _HTTP1
    if service.is_grpc:
        protocol = {"explicit_http_config": {"http2_protocol_options": _HTTP2_KEPT_ALIVE}}
    elif service.upstream.is_tls:
        protocol = {
            "auto_config": {
                "http_protocol_options": {},
                "http2_protocol_options": _HTTP2_KEPT_ALIVE,
            }
        }
    fields = {
        **_upstream(name, service.upstream, topology),
        **_http_options(protocol, filters=service_filters(service)),
    }
    if reads_body(service):
        fields["per_connection_buffer_limit_bytes"] = _LARGEST_SIGNED_BYTES
    return resource(CLUSTER, name, fields, _needed_by_credentials((service,)))


def login_cluster(login: Login, topology: Topology) -> Resource:
    """Where Envoy asks for the tokens of a login."""
    name = names.login_cluster(login.name)
    fields = {**_upstream(name, token_upstream(login), topology), **_http_options(_HTTP1)}
    return resource(CLUSTER, name, fields)


def jwks_cluster(issuer: Issuer, topology: Topology, login: str = "") -> Resource:
    """Where the keys of an issuer are fetched; `login`: of that one. Tokens that name a key which
    is not there may have no more fetched at once than this many."""
    name = names.login_keys_cluster(login) if login else names.jwks_cluster(issuer.issuer)
    fields = {**_upstream(name, keys_upstream(issuer), topology), **_http_options(_HTTP1)}
    fields["circuit_breakers"] = {
        "thresholds": [{"max_requests": _MOST_FETCHES, "max_pending_requests": _MOST_FETCHES}]
    }
    return resource(CLUSTER, name, fields)


def webhook_clusters(push: Push, topology: Topology) -> Iterator[Resource]:
    """Webhooks of A2A clients, with TLS and without. Envoy connects to the address that extproc has
    looked at, whatever the name leads to meanwhile; the certificate has to be for the name."""
    for name in (names.WEBHOOKS, names.PLAIN_WEBHOOKS):
        is_tls = name == names.WEBHOOKS
        fields: Json = {
            "name": name,
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            # not by a header: what a try's filters remove would be missed by the next
            "original_dst_lb_config": {
                "metadata_key": {
                    "key": names.MCP_NAMESPACE,
                    "path": [{"key": names.WEBHOOK_ADDRESS}],
                }
            },
            "connect_timeout": "5s",
            "circuit_breakers": _CIRCUIT_BREAKERS,
            **_http_options(_NAMED_BY_HOST if is_tls else _HTTP1, filters=webhook_filters()),
        }
        if is_tls:
            own = None if push.ca is None else {"inline_string": push.ca}
            trusted = own or {"filename": topology.ca_bundle}
            fields["transport_socket"] = extension(
                "envoy.transport_sockets.tls",
                "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                common_tls_context={"validation_context": {"trusted_ca": trusted}},
            )
        yield resource(CLUSTER, name, fields)


def limit_service_cluster(
    service: LimitService, upstream: Upstream, topology: Topology
) -> Resource:
    """A rate limit service, over gRPC."""
    name = names.limit_service_cluster(service.name)
    protocol: Json = {"explicit_http_config": {"http2_protocol_options": _HTTP2_KEPT_ALIVE}}
    fields = {**_upstream(name, upstream, topology), **_http_options(protocol, idle=None)}
    return resource(CLUSTER, name, fields)


def external_cluster(of: ExternalAuthz, topology: Topology) -> Resource:
    """A service of the operator's own that is asked whether requests may pass."""
    name = names.external_cluster(of.name)
    http2 = {"explicit_http_config": {"http2_protocol_options": _HTTP2_KEPT_ALIVE}}
    protocol = http2 if of.is_grpc else _HTTP1
    fields = {**_upstream(name, service_upstream(of), topology), **_http_options(protocol)}
    return resource(CLUSTER, name, fields)


def route_cluster_name(upstream: Upstream) -> str:
    """Depends on the upstream alone, so that routes may come and go."""
    endpoints = [f"{each.host}:{each.port}" for each in upstream.endpoints]
    is_tls, timeout = upstream.is_tls, upstream.connect_timeout_seconds
    return names.route_cluster(upstream.authority, endpoints, timeout, is_tls=is_tls)


def extproc_cluster(topology: Topology) -> Resource:
    """The workers of the request path. When none is healthy, requests are refused at once."""
    name = names.EXTPROC_CLUSTER
    hosts = [
        addresses.endpoint_of(worker).host
        for worker in topology.workers
        if not worker.startswith(addresses.UNIX)
    ]
    fields = {
        "name": name,
        **addresses.discovery(hosts),
        "connect_timeout": "0.5s",
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": _endpoints(name, [addresses.parse(each) for each in topology.workers]),
        "circuit_breakers": _CIRCUIT_BREAKERS,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [
            {
                "grpc_health_check": {},
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_interval": "0.25s",
                "timeout": "1s",
                "unhealthy_threshold": 2,  # one late answer is not a death
                "healthy_threshold": 1,
            }
        ],
        **_http_options(
            {"explicit_http_config": {"http2_protocol_options": _HTTP2_OF_WORKERS}}, idle=None
        ),
    }
    return resource(CLUSTER, name, fields)


def hub_cluster(topology: Topology) -> Resource:
    """The hub of the MCP gateway: streams of many servers, and servers that it runs."""
    name = names.HUB_CLUSTER
    is_unix = topology.hub.startswith(addresses.UNIX)
    fields = {
        "name": name,
        **addresses.discovery([] if is_unix else [addresses.endpoint_of(topology.hub).host]),
        "connect_timeout": "0.5s",
        "load_assignment": _endpoints(name, [addresses.parse(topology.hub)]),
        "circuit_breakers": _CIRCUIT_BREAKERS,
        **_http_options(_TO_HUB),
    }
    return resource(CLUSTER, name, fields)


def a2a_bridge_cluster(topology: Topology) -> Resource:
    """Leads to the listener of this very Envoy by which agents are asked for clients of gRPC."""
    name = names.A2A_BRIDGE_CLUSTER
    is_unix = topology.services.startswith(addresses.UNIX)
    hosts = [] if is_unix else [addresses.endpoint_of(topology.services).host]
    fields = {
        "name": name,
        **addresses.discovery(hosts),
        "connect_timeout": "0.5s",
        "load_assignment": _endpoints(name, [addresses.parse(topology.services)]),
        "circuit_breakers": _CIRCUIT_BREAKERS,
        **_http_options({"explicit_http_config": {"http2_protocol_options": _HTTP2}}),
    }
    return resource(CLUSTER, name, fields)


def own_listener_cluster(listener: Listener, topology: Topology) -> Resource:
    """Leads to a listener of this very Envoy, for what the hub asks in the name of clients."""
    name = names.own_listener_cluster(listener.name)
    host = _ANY_ADDRESS.get(listener.address, listener.address)
    here = addresses.socket_address(Endpoint(host, listener.port))
    fields = {
        "name": name,
        **addresses.discovery([host]),
        "connect_timeout": "0.5s",
        "load_assignment": _endpoints(name, [here]),
        "circuit_breakers": _CIRCUIT_BREAKERS,
        **_http_options(_HTTP1),
    }
    if listener.tls is not None:  # its certificate is for names of clients': it is not checked
        fields["transport_socket"] = extension(
            "envoy.transport_sockets.tls",
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        )
    return resource(CLUSTER, name, fields)


def unplanned_cluster() -> Resource:
    """Has no endpoints: the answer to a request without a plan is 503."""
    name = names.UNPLANNED_CLUSTER
    fields = {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name}}
    return resource(CLUSTER, name, fields)


def _upstream(name: str, upstream: Upstream, topology: Topology) -> Json:
    fields = {
        "name": name,
        **addresses.discovery(endpoint.host for endpoint in upstream.endpoints),
        "connect_timeout": duration(upstream.connect_timeout_seconds),
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": _named_endpoints(name, upstream.endpoints, upstream.authority),
        "circuit_breakers": _CIRCUIT_BREAKERS,
    }
    if upstream.is_tls:
        fields["transport_socket"] = _tls(upstream, topology)
    return fields


def _named_endpoints(cluster: str, endpoints: Iterable[Endpoint], authority: str) -> Json:
    """The hostname becomes the authority of each try (`auto_host_rewrite`)."""
    return {
        "cluster_name": cluster,
        "endpoints": [
            {
                "lb_endpoints": [
                    {
                        "endpoint": {
                            "address": addresses.socket_address(endpoint),
                            "hostname": authority,
                        }
                    }
                    for endpoint in endpoints
                ]
            }
        ],
    }


def _needed_by_credentials(providers: Iterable[Provider | Service]) -> list[tuple[str, str]]:
    needed = []
    for provider in providers:
        if has_secret(provider):
            needed.append((SECRET, secret_name(provider)))
        endpoint = token_endpoint(provider)
        if endpoint is not None:
            needed.append((CLUSTER, route_cluster_name(endpoint)))
    return needed


def _connect_timeout(provider: Provider) -> float:
    return provider.upstream.connect_timeout_seconds


def _endpoints(cluster: str, found: Sequence[Json]) -> Json:
    hosts = [{"endpoint": {"address": address}} for address in found]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": hosts}]}


def _tls(upstream: Upstream, topology: Topology) -> Json:
    host = addresses.host_of(upstream.authority)
    own = {"inline_string": upstream.ca} if upstream.ca is not None else None
    validation: Json = {"trusted_ca": own or {"filename": topology.ca_bundle}}
    named: Json = {"sni": host, "auto_sni_san_validation": True}
    if addresses.is_ip(host):  # an address is no server name (RFC 6066 §3)
        named = {}
        validation["match_typed_subject_alt_names"] = [
            {"san_type": "IP_ADDRESS", "matcher": {"exact": host}}
        ]
    return extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context={"validation_context": validation},
        **named,
    )


def _http_options(
    protocol: Json, *, filters: Sequence[Json] = (), idle: int | None = _IDLE_CONNECTION_SECONDS
) -> Json:
    options = dict(protocol)
    if idle is not None:
        options["common_http_protocol_options"] = {"idle_timeout": duration(idle)}
    if filters:
        options["http_filters"] = list(filters)
    return {"typed_extension_protocol_options": {_HTTP_OPTIONS: typed(_HTTP_OPTIONS, **options)}}
