"""Routes whose requests go where extproc says: to MCP servers, and to A2A agents."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import names
from gateway.model import Gateway
from xds_server.resources import told
from xds_server.resources.extension import Json, duration

IDLE_SECONDS = 3600.0
"""Of a stream: notifications may be rare. Servers and the hub send comments more often."""
_RETRY_ON = "connect-failure,refused-stream,reset-before-request"
"""What no server has seen."""
CLIENTS_OWN = (
    *names.CREDENTIAL_HEADERS,
    "cookie",
    "forwarded",
    "origin",
    "proxy-authorization",
    "referer",
    "via",
    "x-client-ip",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
)
"""What nobody behind the gateway sees: tokens for it are no tokens for them (MCP, "Token
Passthrough")."""
SERVERS_OWN = ("set-cookie", "www-authenticate")
"""What no client sees: where it would get a token for a server, which never sees it."""


def direct_route(
    name: str,
    match: Json,
    header: str,
    gateway: Gateway,
    per_filter: Json,
    *,
    added: Sequence[Json] = (),
    answered: Sequence[Json] = (),
) -> Json:
    """`header`: names the cluster, and is extproc's alone. `added`: headers of requests, `answered`
    of their answers."""
    limits = [each for each in gateway.limits if each.scope.route is None]
    is_told = gateway.identity.has_stored_keys or told.is_told(limits)
    return {
        "name": name,
        "match": match,
        "typed_per_filter_config": per_filter,
        "request_headers_to_remove": [*CLIENTS_OWN, header],
        **({"request_headers_to_add": [*added]} if added else {}),
        "response_headers_to_remove": [
            *SERVERS_OWN,
            *(told.removed(gateway.limit_headers) if is_told else ()),
        ],
        "response_headers_to_add": [
            *answered,
            *(told.added(gateway.limit_headers) if is_told else ()),
        ],
        "route": {
            "cluster_header": header,
            "auto_host_rewrite": True,
            "timeout": "0s",  # answers stream for as long as they like
            "idle_timeout": duration(IDLE_SECONDS),
            "retry_policy": {"retry_on": _RETRY_ON, "num_retries": 1},
        },
    }
