"""Limits of a rate limit service that Envoy asks: a filter for each service, what it asks by route.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/rate_limit_filter
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from gateway import names
from gateway.limits import (
    ASKED_OF_REQUESTS,
    Key,
    LimitService,
    Said,
    asked_with,
    envoys_key,
)
from gateway.model import Limit
from xds_server.resources import expr
from xds_server.resources.extension import Json, duration, extension, typed

FILTER = "envoy.extensions.filters.http.ratelimit.v3.RateLimit"
_PER_ROUTE = "envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute"
REFUSED = f'response.code_details == "{names.SERVICE_LIMITED}"'
"""CEL over the response, for the local reply."""
UNANSWERED = f'response.code_details == "{names.SERVICE_FAILED}"'
_LIMIT, _ROUTE = "limit", "route"


def service_filter(service: LimitService) -> Json:
    """Asks on the routes that say so only."""
    return typed(
        FILTER,
        domain=service.domain,
        timeout=duration(service.timeout_seconds),
        failure_mode_deny=not service.is_open_on_error,
        status_on_error={"code": "ServiceUnavailable"},
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        disable_x_envoy_ratelimited_header=True,
        rate_limit_service={
            "grpc_service": {
                "envoy_grpc": {"cluster_name": names.limit_service_cluster(service.name)}
            },
            "transport_api_version": "V3",
        },
    )


def asked(route: str, limits: Sequence[Limit]) -> Json:
    """For a route with these limits, all of one service."""
    return typed(
        _PER_ROUTE,
        rate_limits=[{"actions": each} for limit in limits for each in _actions(route, limit)],
    )


def _actions(route: str, limit: Limit) -> Iterator[list[Json]]:
    """Entries of a descriptor: those that are written; or `limit`, `route` where each counts apart,
    and then by what."""
    if limit.descriptor:
        ways = (tuple(_entries(key, asked_with(value))) for key, value in limit.descriptor)
        yield from map(list, product(*ways))
        return
    named = [_said(_LIMIT, limit.name)]
    if "*" in (limit.scope.route or ""):
        named.append(_said(_ROUTE, route))
    key = envoys_key(limit.by)
    if not limit.by:
        yield named
    elif key is not None:
        for each in _entries(str(key), key):
            yield [*named, each]


def _entries(key: str, asked: Said | Key | str | None) -> Iterator[Json]:
    """Those of which a request has one: a header may be missing."""
    if isinstance(asked, Said):
        yield _said(key, asked.value)
    elif asked is Key.SOURCE:
        yield {"remote_address": {}}
    elif asked is Key.PATH:
        yield {
            "extension": extension(
                "envoy.rate_limit_descriptors.expr",
                "envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor",
                descriptor_key=key,
                parsed=expr.numbered(expr.select(expr.ident("request"), "url_path")),
            )
        }
    else:
        header = str(asked)
        yield {"request_headers": {"header_name": header, "descriptor_key": key}}
        if header not in ASKED_OF_REQUESTS.values():
            empty = {
                "name": header,
                "string_match": {"exact": ""},
                "treat_missing_header_as_empty": True,
            }
            absent = {"descriptor_key": key, "descriptor_value": "(none)", "headers": [empty]}
            yield {"header_value_match": absent}


def _said(key: str, value: str) -> Json:
    return {"generic_key": {"descriptor_key": key, "descriptor_value": value}}
