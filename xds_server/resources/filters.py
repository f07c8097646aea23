"""The HTTP filters of every listener, in chain order.

Those that change with the configuration come by ECDS, so that changing them drains nothing.
"""

from __future__ import annotations

from gateway import names
from gateway.identity import Issuer
from xds_server.resources import ext_proc, jwt
from xds_server.resources.compression import compressors
from xds_server.resources.extension import (
    ADS,
    TYPE_URL_PREFIX,
    Json,
    extension,
    resource,
)
from xds_server.resources.features import Features
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, FILTER, Resource


def _discovered(name: str, message: str) -> Json:
    return {
        "name": name,
        "config_discovery": {"config_source": ADS, "type_urls": [TYPE_URL_PREFIX + message]},
    }


_ALWAYS: tuple[Json, ...] = (
    _discovered(names.EXT_PROC_FILTER, ext_proc.FILTER),
    extension(  # terminal: always last
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        suppress_envoy_headers=True,
    ),
)


def http_filters(features: Features, *, checks_tokens: bool) -> list[Json]:
    """All of them, in chain order. `checks_tokens` where there are issuers."""
    return [
        *compressors(features),  # last of all to see an answer
        *([_discovered(names.TOKENS_FILTER, jwt.FILTER)] if checks_tokens else []),  # who calls
        *_ALWAYS,
    ]


def discovered(*, checks_tokens: bool) -> tuple[str, ...]:
    """The names of those that come by ECDS."""
    return (*((names.TOKENS_FILTER,) if checks_tokens else ()), names.EXT_PROC_FILTER)


def token_filter(issuers: tuple[Issuer, ...]) -> Resource:
    """Checks tokens."""
    name = names.TOKENS_FILTER
    fetched = [names.jwks_cluster(each.issuer) for each in issuers if each.jwks_url]
    fields = {"name": name, "typed_config": jwt.token_filter(issuers)}
    return resource(FILTER, name, fields, [(CLUSTER, cluster) for cluster in fetched])


def ext_proc_filter(
    topology: Topology, rules: ext_proc.RulesRead, features: Features, *, is_limited: bool = False
) -> Resource:
    """Asks Python."""
    name = names.EXT_PROC_FILTER
    config = ext_proc.request_filter(topology, rules, features, is_limited=is_limited)
    fields = {"name": name, "typed_config": config}
    return resource(FILTER, name, fields, [(CLUSTER, names.EXTPROC_CLUSTER)])
