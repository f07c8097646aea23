"""Tokens: Envoy checks them, and tells extproc their claims; who may come in, extproc says.

Each issuer whose keys are fetched is there twice. The first has its keys from a fetch in the
background. Where those do not do, the second is asked, whose keys are as old as `_AGAIN_SECONDS` at
the most and are fetched by the request that finds them older: so a token that names a new key is
taken at once, and those that name none have nothing fetched more often than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from gateway import names
from gateway.config.urls import place
from gateway.identity import Issuer, Login
from gateway.model import Upstream
from xds_server.resources.envoy_cel import CLAIMS_KEY
from xds_server.resources.extension import Json, duration, typed
from xds_server.resources.login import token_cookie

FILTER = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_PER_ROUTE = "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig"
OF_MCP = "mcp"
"""What routes to MCP servers say that they ask for, where tokens can be for these alone."""
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


def token_filter(
    issuers: tuple[Issuer, ...],
    logins: tuple[Login, ...] = (),
    of_mcp: tuple[Issuer, ...] = (),
    *,
    tells_rules: bool = False,
) -> Json:
    """On all routes but those that pass tokens on: no token is refused here, since what is none may
    be a key. `tells_rules`: claims go where Envoy's own rules read them, too. `logins`: for routes
    that ask for it by name, tokens in their cookies. `of_mcp`: likewise, the same issuers' tokens
    for MCP servers, which are for nobody else."""
    providers = dict(pair for place, each in enumerate(issuers) for pair in _providers(place, each))
    if tells_rules:
        providers = {
            name: {**provider, "payload_in_metadata": CLAIMS_KEY}
            for name, provider in providers.items()
        }
    of_logins = {each.name: dict(_of_login(each)) for each in logins}
    fields: Json = {"stat_prefix": "dragoman"}
    if issuers:
        fields["rules"] = [{"match": {"prefix": "/"}, "requires": _any_of(providers)}]
    requirements: Json = {}
    if of_mcp:
        mcps = {
            f"mcp/{name}": each
            for place, issuer in enumerate(of_mcp)
            for name, each in _providers(place, issuer)
        }
        requirements[OF_MCP] = _any_of(mcps)
    if logins:
        requirements |= {
            requirement(name, takes_tokens=takes_tokens): _any_of(
                (*own, *(providers if takes_tokens else ()))
            )
            for name, own in of_logins.items()
            for takes_tokens in (False, True)
        }
    for each in of_logins.values():
        providers |= each
    if of_mcp:
        providers |= mcps
    if requirements:
        fields["requirement_map"] = requirements
    return typed(FILTER, providers=providers, **fields)


def requirement(login: str, *, takes_tokens: bool) -> str:
    """What routes with this login say that they ask for; `takes_tokens`: of issuers, too."""
    return f"login/{login}{'/or-token' if takes_tokens else ''}"


def _any_of(providers: Iterable[str]) -> Json:
    tried: list[Json] = [{"provider_name": name} for name in providers]
    return {"requires_any": {"requirements": [*tried, {"allow_missing_or_failed": {}}]}}


def for_mcp() -> Json:
    """For routes to MCP servers."""
    return typed(_PER_ROUTE, requirement_name=OF_MCP)


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
    told = {
        "from_headers": _LOCATIONS,
        "forward": issuer.is_forwarded,
        "forward_payload_header": names.CLAIMS_HEADER,
    }
    cluster = names.jwks_cluster(issuer.issuer)
    for end, keys in _keys(issuer, cluster):
        yield f"{place}/{issuer.issuer}{end}", _provider(issuer, {**told, **keys})


def _of_login(login: Login) -> Iterator[tuple[str, Json]]:
    told = {
        "from_cookies": [token_cookie(login, login.token)],
        "forward": True,  # whoever takes its other cookies takes this, too
        "forward_payload_header": names.LOGIN_CLAIMS_HEADER,
    }
    for end, keys in _keys(login.issuer, names.login_keys_cluster(login.name)):
        yield f"login/{login.name}{end}", _provider(login.issuer, {**told, **keys})


def _keys(issuer: Issuer, cluster: str) -> Iterator[tuple[str, Json]]:
    if not issuer.jwks_url:
        yield "", {"local_jwks": {"inline_string": issuer.jwks}}
        return
    async_fetch = {"fast_listener": True, "failed_refetch_duration": duration(_RETRY_SECONDS)}
    yield "", _fetched(issuer, cluster, issuer.refresh_seconds, async_fetch=async_fetch)
    yield "/again", _fetched(issuer, cluster, _AGAIN_SECONDS)


def _provider(issuer: Issuer, more: Json) -> Json:
    return {
        "issuer": issuer.issuer,
        "audiences": list(issuer.audiences),
        "require_expiration": True,
        "clock_skew_seconds": issuer.leeway_seconds,
        **more,
    }


def _fetched(issuer: Issuer, cluster: str, seconds: float, **more: Json) -> Json:
    uri = issuer.jwks_url if urlsplit(issuer.jwks_url).path else f"{issuer.jwks_url}/"
    asked = {
        "uri": uri,
        "cluster": cluster,
        "timeout": duration(_FETCH_SECONDS),
    }
    return {"remote_jwks": {"http_uri": asked, "cache_duration": duration(seconds), **more}}
