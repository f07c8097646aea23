"""Route tables: one for each listener, sent by RDS, so that changing them cuts no stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import envoy_api

from gateway import names
from gateway.identity import Login
from gateway.model import Gateway, Listener, Route
from xds_server.resources.a2a_route import a2a_routes
from xds_server.resources.clusters import route_cluster_name
from xds_server.resources.compression import switched_on
from xds_server.resources.envoy_rules import EnvoyRules
from xds_server.resources.extension import Json
from xds_server.resources.features import Features
from xds_server.resources.filters import added, parts_of
from xds_server.resources.llm_route import llm_routes
from xds_server.resources.mcp_route import mcp_routes
from xds_server.resources.memo import Memo
from xds_server.resources.plain_route import login_routes, plain_route, unmatched
from xds_server.snapshot import CLUSTER, ROUTES, Resource, resource_of

EVERY_HOST = "*"
NO_RULES: Mapping[str, EnvoyRules] = MappingProxyType({})
_TABLE = "envoy.config.route.v3.RouteConfiguration"

_CLIENT_ADDRESS: Json = {
    # the listener does not append to it, so what the client claims is replaced
    "header": {"key": "x-forwarded-for", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}


def route_table(
    gateway: Gateway,
    listener: Listener,
    features: Features,
    memo: Memo,
    decided: Mapping[str, EnvoyRules] = NO_RULES,
) -> Resource:
    """What a listener serves: MCP servers, A2A agents and the LLM API, where there are any, then
    the plain routes in order; on those that are `decided`, Envoy asks nobody."""
    plain = tuple(route for route in gateway.routes if listener.name in route.listeners)
    llm = llm_routes(gateway, listener, features) if gateway.models else ()
    needs_unplanned = bool(gateway.models or gateway.a2a.has_instances) and features.reads_plans
    first = (*mcp_routes(gateway, listener), *a2a_routes(gateway, listener, features))
    table = _Table(
        names.route_table(listener.name, added(features, parts_of(gateway, features))),
        listener.max_request_bytes,
        listener.compresses,
        tuple(map(serialized, (*first, *llm))),
        plain,
        tuple(decided[each.name] for each in plain if each.name in decided),
        needs_unplanned,
        tuple(
            each
            for each in gateway.identity.logins
            if each.name in {gateway.mcp.consent_login, *(at.login for at in plain)}
        ),
        gateway.mcp.consent_login,
    )
    return memo.of(_table, table, memo)


@dataclass(frozen=True, slots=True)
class _Table:
    """What a route table is made of."""

    name: str
    limit_bytes: int
    compresses: bool
    first: tuple[bytes, ...]
    plain: tuple[Route, ...]
    decided: tuple[EnvoyRules, ...]
    needs_unplanned: bool
    logins: tuple[Login, ...] = ()
    first_login: str = ""
    """That of a route among the first; empty: none has any."""


def _table(of: _Table, memo: Memo) -> Resource:
    """`memo` changes nothing: it only keeps the parts, too."""
    last = memo.of(_serialized_unmatched)
    decided = {each.route: each for each in of.decided}
    logins = {each.name: each for each in of.logins}
    table = envoy_api.message(_TABLE)(name=of.name, ignore_port_in_host_matching=True)
    for host, routes in routes_by_host(of.plain).items():
        virtual_host = table.virtual_hosts.add()
        virtual_host.MergeFromString(memo.of(_virtual_host, host, of.limit_bytes, of.compresses))
        add = virtual_host.routes.add
        plain = (
            memo.of(
                _serialized_route,
                each,
                decided.get(each.name),
                logins.get(each.login),
                of.limit_bytes if each.guarded.requests else 0,
            )
            for each in routes
        )
        asked = {of.first_login, *(each.login for each in routes)}
        entries = (
            route
            for name, each in logins.items()
            if name in asked
            for route in memo.of(_serialized_login, each)
        )
        for route in (*entries, *of.first, *plain, last):
            add().MergeFromString(route)
    needs = {
        (CLUSTER, memo.of(route_cluster_name, backend.upstream))
        for route in of.plain
        for backend in route.backends
    }
    if of.needs_unplanned:
        needs.add((CLUSTER, names.UNPLANNED_CLUSTER))
    return resource_of(of.name, ROUTES, table.SerializeToString(deterministic=True), needs)


def routes_by_host(routes: Sequence[Route]) -> dict[str, list[Route]]:
    """Every hostname apart, since Envoy looks into one virtual host only: the closest. A host has
    the routes for all, those by its name, and those by a wildcard above it, in their order."""
    named = {hostname.lower() for route in routes for hostname in route.match.hostnames}
    hosts: dict[str, list[Route]] = {host: [] for host in (*sorted(named), EVERY_HOST)}
    under = {
        hostname: [host for host in hosts if host.endswith(hostname[1:])]
        for hostname in named
        if hostname.startswith("*.")
    }
    for route in routes:
        taken: dict[str, None] = {}
        for hostname in map(str.lower, route.match.hostnames):
            taken |= dict.fromkeys(under.get(hostname, (hostname,)))
        for host in taken or hosts:
            hosts[host].append(route)
    return hosts


def serialized(route: Json) -> bytes:
    """A route of the table."""
    message = envoy_api.from_dict("envoy.config.route.v3.Route", route)
    return bytes(message.SerializeToString(deterministic=True))


def _serialized_route(
    route: Route, rules: EnvoyRules | None, login: Login | None, limit_bytes: int
) -> bytes:
    return serialized(plain_route(route, rules, login, limit_bytes))


def _serialized_login(login: Login) -> tuple[bytes, ...]:
    return tuple(map(serialized, login_routes(login)))


def _serialized_unmatched() -> bytes:
    return serialized(unmatched())


def _virtual_host(host: str, limit_bytes: int, compresses: bool) -> bytes:
    """Without its routes."""
    fields = {
        "name": host,
        "domains": [host],
        # retries need the body, and so does ext_proc: over it, Envoy answers 413
        "request_headers_to_add": [_CLIENT_ADDRESS],
        "request_body_buffer_limit": str(limit_bytes),
        **({"typed_per_filter_config": switched_on()} if compresses else {}),
    }
    message = envoy_api.from_dict("envoy.config.route.v3.VirtualHost", fields)
    return bytes(message.SerializeToString(deterministic=True))
