"""Tokens: Envoy checks them, and tells extproc their claims; who may come in, extproc says.

Each issuer whose keys are fetched is there twice. The first has its keys from a fetch in the
background. Where those do not do, the second is asked, whose keys are as old as `_AGAIN_SECONDS` at
the most and are fetched by the request that finds them older: so a token that names a new key is
taken at once, and those that name none have nothing fetched more often than that.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway import names
from gateway.config.urls import place
from gateway.identity import Issuer
from gateway.model import Upstream
from xds_server.resources.envoy_cel import CLAIMS_KEY
from xds_server.resources.extension import Json, duration, typed

FILTER = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_PER_ROUTE = "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig"
_AGAIN_SECONDS = 10.0
_CONNECT_SECONDS = 3.0
_FETCH_SECONDS = 5.0
_RETRY_SECONDS = 2.0
"""After a fetch in the background that failed."""
_LOCATIONS: list[Json] = [
    {"name": name, **({"value_prefix": "Bearer "} if name == "authorization" else {})}
    for name in names.CREDENTIAL_HEADERS
]
"""Where keys are looked for, so that every SDK can be given a token in their place."""


def token_filter(issuers: tuple[Issuer, ...], *, tells_rules: bool = False) -> Json:
    """On all routes but those that pass tokens on: no token is refused here, since what is none may
    be a key. `tells_rules`: claims go where Envoy's own rules read them, too."""
    providers = dict(pair for place, each in enumerate(issuers) for pair in _providers(place, each))
    if tells_rules:
        providers = {
            name: {**provider, "payload_in_metadata": CLAIMS_KEY}
            for name, provider in providers.items()
        }
    tried: list[Json] = [{"provider_name": name} for name in providers]
    requires = {"requires_any": {"requirements": [*tried, {"allow_missing_or_failed": {}}]}}
    return typed(
        FILTER,
        providers=providers,
        rules=[{"match": {"prefix": "/"}, "requires": requires}],
        stat_prefix="dragoman",
    )


def passed() -> Json:
    """For routes on which tokens are somebody else's."""
    return typed(_PER_ROUTE, disabled=True)


def keys_upstream(issuer: Issuer) -> Upstream:
    """Where the keys of an issuer are fetched."""
    there = place(issuer.jwks_url).upstream(_CONNECT_SECONDS)
    return Upstream(
        there.endpoints, there.authority, there.is_tls, there.connect_timeout_seconds, issuer.ca
    )


def _providers(place: int, issuer: Issuer) -> Iterator[tuple[str, Json]]:
    """Names that keep the order of the issuers: Envoy sorts them nowhere, but people do."""
    name = f"{place}/{issuer.issuer}"
    if not issuer.jwks_url:
        yield name, _provider(issuer, {"local_jwks": {"inline_string": issuer.jwks}})
        return
    async_fetch = {"fast_listener": True, "failed_refetch_duration": duration(_RETRY_SECONDS)}
    yield name, _provider(issuer, _fetched(issuer, issuer.refresh_seconds, async_fetch=async_fetch))
    yield f"{name}/again", _provider(issuer, _fetched(issuer, _AGAIN_SECONDS))


def _provider(issuer: Issuer, keys: Json) -> Json:
    return {
        "issuer": issuer.issuer,
        "audiences": list(issuer.audiences),
        "require_expiration": True,
        "clock_skew_seconds": issuer.leeway_seconds,
        "from_headers": _LOCATIONS,
        "forward": issuer.is_forwarded,
        "forward_payload_header": names.CLAIMS_HEADER,
        **keys,
    }


def _fetched(issuer: Issuer, seconds: float, **more: Json) -> Json:
    uri = issuer.jwks_url if urlsplit(issuer.jwks_url).path else f"{issuer.jwks_url}/"
    asked = {
        "uri": uri,
        "cluster": names.jwks_cluster(issuer.issuer),
        "timeout": duration(_FETCH_SECONDS),
    }
    return {"remote_jwks": {"http_uri": asked, "cache_duration": duration(seconds), **more}}
