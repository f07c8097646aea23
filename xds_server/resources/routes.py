"""Route tables: one for each listener, sent by RDS, so that changing them cuts no stream."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import names
from gateway.model import Gateway, Listener, Route
from xds_server.resources.clusters import route_cluster_name
from xds_server.resources.extension import Json, resource
from xds_server.resources.features import Features
from xds_server.resources.llm_route import llm_route
from xds_server.resources.plain_route import plain_route, unmatched
from xds_server.snapshot import CLUSTER, ROUTES, Resource

EVERY_HOST = "*"

_CLIENT_ADDRESS: Json = {
    # the listener does not append to it, so what the client claims is replaced
    "header": {"key": "x-forwarded-for", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}


def route_table(gateway: Gateway, listener: Listener, features: Features) -> Resource:
    """What a listener serves: the LLM API when there are models, then the plain routes in order."""
    plain = [route for route in gateway.routes if listener.name in route.listeners]
    name = names.route_table(listener.name)
    fields = {
        "name": name,
        "virtual_hosts": [
            {
                "name": host,
                "domains": [host],
                "routes": [
                    *([llm_route(gateway, listener, features)] if gateway.models else []),
                    *(plain_route(route) for route in plain if _takes(route, host)),
                    unmatched(),
                ],
                # retries need the body, and so does ext_proc: over it, Envoy answers 413
                "request_headers_to_add": [_CLIENT_ADDRESS],
                "request_body_buffer_limit": str(listener.max_request_bytes),
            }
            for host in _hosts(plain)
        ],
        "ignore_port_in_host_matching": True,
    }
    needs = {
        (CLUSTER, route_cluster_name(backend.upstream))
        for route in plain
        for backend in route.backends
    }
    if gateway.models and features.reads_plans:
        needs.add((CLUSTER, names.UNPLANNED_CLUSTER))
    return resource(ROUTES, name, fields, needs)


def _hosts(routes: Iterable[Route]) -> list[str]:
    """Every hostname apart, since Envoy looks into one virtual host only: the closest."""
    named = {hostname.lower() for route in routes for hostname in route.match.hostnames}
    return [*sorted(named), EVERY_HOST]


def _takes(route: Route, host: str) -> bool:
    """True when the route is for this host: for all, by its name, or by a wildcard above it."""
    return not route.match.hostnames or any(
        hostname == host or (hostname.startswith("*.") and host.endswith(hostname[1:]))
        for hostname in map(str.lower, route.match.hostnames)
    )
