"""Services of the operator's own that Envoy asks whether a request may pass, on the routes that say
so: one filter for each service, which is off elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway import names
from gateway.config.urls import place
from gateway.external_authz import ExternalAuthz
from gateway.model import Upstream
from xds_server.resources.extension import Json, duration, extension, typed
from xds_server.resources.features import Features

FILTER = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
_PER_ROUTE = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
_CONNECT_SECONDS = 3.0
_RBAC = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"
_ALWAYS = (":authority", ":method", ":path")
"""Without a list, a service that speaks gRPC would be shown every header."""


def ext_authz_filter(of: ExternalAuthz, features: Features) -> Json:
    """Asks one service. What it says can change no header that is not named."""
    added = of.upstream_headers
    if not features.answers_for_services:
        added += of.client_headers  # the rules of mutations keep them from the request
    cluster, timeout = names.external_cluster(of.name), duration(of.timeout_seconds)
    fields: Json = {
        "transport_api_version": "V3",
        "failure_mode_allow": of.is_open_on_error,
        "status_on_error": {"code": of.status_on_error},
        "stat_prefix": of.name,
        "validate_mutations": True,
        "decoder_header_mutation_rules": {
            "disallow_all": True,
            "allow_expression": {"regex": "|".join(map(re.escape, of.upstream_headers)) or "^$"},
        },
        "allowed_headers": {"patterns": [*_patterns((*_ALWAYS, *of.headers))]},
        "disallowed_headers": {"patterns": [*_kept_back(of.headers)]},
    }
    if of.body is not None:
        fields["with_request_body"] = {
            "max_request_bytes": of.body.most_bytes,
            "allow_partial_message": of.body.is_partial,
            "pack_as_bytes": of.is_grpc,  # not all bodies are UTF-8
        }
    if of.is_grpc:
        grpc = {"cluster_name": cluster, "authority": place(of.url).authority}
        fields["grpc_service"] = {"envoy_grpc": grpc, "timeout": timeout}
    else:
        fields["http_service"] = {
            "server_uri": {"uri": of.url, "cluster": cluster, "timeout": timeout},
            "path_prefix": place(of.url).path,
            "authorization_response": {
                "allowed_upstream_headers": _only(added),
                "allowed_client_headers": _only(of.client_headers),
                "dynamic_metadata_from_headers": _only(of.metadata_headers),
            },
        }
    return typed(FILTER, **fields)


def told_filter(services: tuple[str, ...]) -> Json:
    """Tells which services this chain asks. Connections keep the chain that they began with, so
    one that is older than a service would pass unasked; `only_if_asked` refuses what it brings."""
    told = {
        "metadata_namespace": names.EXTERNAL_TOLD_NAMESPACE,
        "value": dict.fromkeys(services, True),
        "allow_overwrite": True,
    }
    message = "envoy.extensions.filters.http.set_metadata.v3.Config"
    return extension(names.EXTERNAL_TOLD_FILTER, message, metadata=[told])


def only_if_asked(service: str) -> Json:
    """For routes on which the service is asked, and Envoy decides no rules: 403 without it."""
    matcher = {
        "filter": names.EXTERNAL_TOLD_NAMESPACE,
        "path": [{"key": service}],
        "value": {"bool_match": True},
    }
    proof = {"sourced_metadata": {"metadata_matcher": matcher}}
    policy = {"permissions": [{"any": True}], "principals": [proof]}
    return typed(_RBAC, rbac={"rules": {"action": "ALLOW", "policies": {"asked": policy}}})


def not_asked(service: str) -> str:
    """Why those are refused."""
    return f"external service '{service}' is not asked on this connection, which is older"


def asked(route: str) -> Json:
    """For routes on which the service is asked; it is told which one it is."""
    return typed(_PER_ROUTE, check_settings={"context_extensions": {names.ROUTE_EXTENSION: route}})


def service_upstream(of: ExternalAuthz) -> Upstream:
    """Where it is."""
    there = place(of.url).upstream(_CONNECT_SECONDS)
    return Upstream(
        there.endpoints, there.authority, there.is_tls, there.connect_timeout_seconds, of.ca
    )


def _kept_back(shown: tuple[str, ...]) -> Iterable[Json]:
    """Headers of ours; and credentials that are not named: by HTTP, Envoy would show one of them
    by itself, and a `*` is no name."""
    yield {"prefix": names.OWN_HEADER_PREFIX}
    for name in (*names.CREDENTIAL_HEADERS, "cookie", "proxy-authorization"):
        if name not in shown:
            yield {"exact": name}


def _only(headers: tuple[str, ...]) -> Json:
    """Without a list, Envoy would show clients everything; an empty one it does not take."""
    return {"patterns": [*_patterns(headers)] or [{"safe_regex": {"regex": "^$"}}]}


def _patterns(headers: Iterable[str]) -> Iterable[Json]:
    for name in headers:
        if name.endswith("*"):
            yield {"prefix": name[:-1]} if name != "*" else {"safe_regex": {"regex": ".*"}}
        else:
            yield {"exact": name}
