"""The HTTP filters of every listener, in chain order.

Those that change with the configuration come by ECDS, so that changing them drains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway import names
from gateway.external_authz import ExternalAuthz
from gateway.identity import Issuer, Login
from gateway.limits import LimitService
from gateway.model import Gateway
from xds_server.resources import asked_limit, ext_authz, ext_proc, jwt, local_limit, login, rbac
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
from xds_server.snapshot import CLUSTER, FILTER, SECRET, Resource


def _discovered(name: str, message: str) -> Json:
    return {
        "name": name,
        "config_discovery": {"config_source": ADS, "type_urls": [TYPE_URL_PREFIX + message]},
    }


_ROUTER = extension(
    "envoy.filters.http.router",
    "envoy.extensions.filters.http.router.v3.Router",
    suppress_envoy_headers=True,
)
_CORS = extension(names.CORS_FILTER, "envoy.extensions.filters.http.cors.v3.Cors")
_RULES = rbac.rbac_filter()
"""Always there: where it came later, connections that are open would do without it."""
_TELLING: Json = {"name": names.COUNT_TELLING_FILTER, "typed_config": local_limit.telling_filter()}
_COUNT: Json = {"name": names.COUNT_FILTER, "typed_config": local_limit.count_filter()}


@dataclass(frozen=True, slots=True)
class Parts:
    """What chains have beyond what is always there. The first of each, and the last, change the
    listeners."""

    checks_tokens: bool = False
    """There are issuers, or logins."""
    counts_requests: bool = False
    """There are limits that Envoy counts."""
    limit_services: tuple[str, ...] = ()
    """Those that Envoy asks."""
    external: tuple[str, ...] = ()
    """External services that are asked. Each that is added changes the listeners."""
    external_status: int | None = None
    """What clients are answered when those give no answer; None: the filter's own status."""
    logins: tuple[str, ...] = ()
    """Where people log in. Each that is added changes the listeners."""
    lets_pages_ask: bool = False
    """Pages of other origins may ask MCP servers."""
    serves_mcp: bool = False
    """What Envoy itself says there has a form of its own."""
    serves_a2a: bool = False
    """The same of agents."""
    hides_cookies: bool = False
    """People log in, by Envoy or by extproc."""


def parts_of(gateway: Gateway, features: Features) -> Parts:
    """What the chains of a gateway have."""
    return Parts(
        bool(gateway.identity.issuers or gateway.identity.envoys_logins),
        any(each.is_envoys for each in gateway.limits),
        tuple(service.name for service, _ in gateway.limit_services),
        tuple(each.name for each in gateway.external),
        status_of_errors(gateway.external, features),
        tuple(each.name for each in gateway.identity.envoys_logins),
        bool(gateway.mcp.servers and gateway.mcp.allowed_origins),
        bool(gateway.mcp.servers),
        bool(gateway.a2a.agents),
        bool(gateway.identity.logins),
    )


def http_filters(features: Features, parts: Parts) -> list[Json]:
    """All of them, in chain order."""
    return [
        *compressors(features),  # last of all to see an answer
        *([_CORS] if parts.lets_pages_ask else []),  # preflights carry no credentials
        *([_off(names.LOGIN_GUARD_FILTER, login.LUA)] if parts.logins else []),
        *(_off(names.login_filter(each), login.FILTER) for each in parts.logins),
        *([_discovered(names.TOKENS_FILTER, jwt.FILTER)] if parts.checks_tokens else []),
        *([_discovered(names.LOGIN_COOKIES_FILTER, login.LUA)] if parts.hides_cookies else []),
        *map(_external, parts.external),  # before extproc, whose rules read what they say
        *([ext_authz.told_filter(parts.external)] if parts.external else []),
        _RULES,
        *([_TELLING] if parts.counts_requests else []),  # sees answers after the count
        _discovered(names.EXT_PROC_FILTER, ext_proc.FILTER),
        *([_COUNT] if parts.counts_requests else []),  # what is refused before counts nowhere
        *(
            _discovered(names.limit_service_filter(each), asked_limit.FILTER)
            for each in parts.limit_services
        ),
        _ROUTER,  # terminal: always last
    ]


def added(features: Features, parts: Parts) -> tuple[str, ...]:
    """The names of those that not every chain has: listeners are changed to have them."""
    always = {each["name"] for each in http_filters(features, Parts())}
    chain = (str(each["name"]) for each in http_filters(features, parts))
    return tuple(name for name in chain if name not in always)


def discovered(parts: Parts) -> tuple[str, ...]:
    """The names of those that come by ECDS."""
    return (
        *((names.LOGIN_GUARD_FILTER,) if parts.logins else ()),
        *map(names.login_filter, parts.logins),
        *((names.TOKENS_FILTER,) if parts.checks_tokens else ()),
        *((names.LOGIN_COOKIES_FILTER,) if parts.hides_cookies else ()),
        *map(names.external_filter, parts.external),
        names.EXT_PROC_FILTER,
        *map(names.limit_service_filter, parts.limit_services),
    )


def _external(service: str) -> Json:
    return _off(names.external_filter(service), ext_authz.FILTER)


def _off(name: str, message: str) -> Json:
    """But on routes that ask for it."""
    return {**_discovered(name, message), "disabled": True}


def status_of_errors(services: tuple[ExternalAuthz, ...], features: Features) -> int | None:
    """What all services want, where their filters do not see to it themselves."""
    wanted = {each.status_on_error for each in services}
    return None if features.answers_for_services or len(wanted) != 1 else wanted.pop()


def external_filter(of: ExternalAuthz, features: Features) -> Resource:
    """Asks an external service."""
    name = names.external_filter(of.name)
    fields = {"name": name, "typed_config": ext_authz.ext_authz_filter(of, features)}
    return resource(FILTER, name, fields, [(CLUSTER, names.external_cluster(of.name))])


def token_filter(
    issuers: tuple[Issuer, ...],
    logins: tuple[Login, ...],
    tells_rules: bool,
    of_mcp: tuple[Issuer, ...] = (),
) -> Resource:
    """Checks tokens; `tells_rules`: Envoy's own rules read them. `of_mcp`: how they are checked for
    MCP servers, where that is another way."""
    name = names.TOKENS_FILTER
    fetched = [names.jwks_cluster(each.issuer) for each in issuers if each.jwks_url]
    fetched += [names.login_keys_cluster(each.name) for each in logins if each.issuer.jwks_url]
    config = jwt.token_filter(issuers, logins, of_mcp, tells_rules=tells_rules)
    fields = {"name": name, "typed_config": config}
    return resource(FILTER, name, fields, [(CLUSTER, cluster) for cluster in fetched])


def login_filters(logins: tuple[Login, ...], features: Features) -> Iterator[Resource]:
    """Send browsers to log in, and keep to themselves what that takes."""
    envoys = tuple(each for each in logins if not each.is_kept)
    for each in envoys:
        name = names.login_filter(each.name)
        needs = [
            (CLUSTER, names.login_cluster(each.name)),
            (SECRET, names.login_client_secret(each.name)),
            (SECRET, names.login_cookie_secret(each.name)),
        ]
        fields = {"name": name, "typed_config": login.login_filter(each, features)}
        yield resource(FILTER, name, fields, needs)
    if envoys:
        name = names.LOGIN_GUARD_FILTER
        yield resource(FILTER, name, {"name": name, "typed_config": login.guard_filter(envoys)})
    name = names.LOGIN_COOKIES_FILTER
    yield resource(FILTER, name, {"name": name, "typed_config": login.cookies_filter(logins)})


def limit_service_filter(service: LimitService) -> Resource:
    """Asks a rate limit service."""
    name = names.limit_service_filter(service.name)
    fields = {"name": name, "typed_config": asked_limit.service_filter(service)}
    needs = [(CLUSTER, names.limit_service_cluster(service.name))]
    return resource(FILTER, name, fields, needs)


def ext_proc_filter(
    topology: Topology,
    rules: ext_proc.RulesRead,
    features: Features,
    *,
    is_limited: bool = False,
    longest_seconds: float = 0.0,
) -> Resource:
    """Asks Python."""
    name = names.EXT_PROC_FILTER
    config = ext_proc.request_filter(
        topology, rules, features, is_limited=is_limited, longest_seconds=longest_seconds
    )
    fields = {"name": name, "typed_config": config}
    return resource(FILTER, name, fields, [(CLUSTER, names.EXTPROC_CLUSTER)])
