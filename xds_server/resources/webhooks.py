"""Where notifications of A2A agents go: webhooks of clients, at addresses that extproc says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway import names
from gateway.model import Gateway
from xds_server.resources.direct_route import CLIENTS_OWN, SERVERS_OWN
from xds_server.resources.extension import Json, duration

ROUTES: Mapping[str, str] = MappingProxyType(
    {
        "dragoman/a2a/webhook": names.WEBHOOKS,
        "dragoman/a2a/webhook/plain": names.PLAIN_WEBHOOKS,
    }
)
"""By name, the cluster that each leads to."""
_AUTHORIZATION = "authorization"
_RETRY_ON = "connect-failure,refused-stream,reset,retriable-status-codes"
_RETRIED = (429, 502, 503, 504)
_LONGEST_WAIT_SECONDS = 4.0
"""Between two tries."""
_NOT_FOR_CLIENTS = ("baggage", "tracestate")
"""Who has asked whom is nobody else's business."""


def webhook_routes(gateway: Gateway, per_filter: Json) -> tuple[Json, ...]:
    """To one of the two clusters, where extproc has said so; clients' own headers are removed
    before. What is shown to a webhook is extproc's to say, and is the client's."""
    push = gateway.a2a.push
    assert push is not None
    removed = [each for each in (*CLIENTS_OWN, names.A2A_HEADER) if each != _AUTHORIZATION]
    longest = push.timeout_seconds * (push.retries + 1) + _LONGEST_WAIT_SECONDS * push.retries
    return tuple(
        {
            "name": name,
            "match": {
                "prefix": "/",
                "headers": [{"name": names.A2A_HEADER, "string_match": {"exact": cluster}}],
            },
            "typed_per_filter_config": per_filter,
            "request_headers_to_remove": [*removed, *_NOT_FOR_CLIENTS],
            "response_headers_to_remove": [*SERVERS_OWN],
            "route": {
                "cluster": cluster,
                "timeout": duration(longest),
                "retry_policy": {
                    "retry_on": _RETRY_ON,
                    "retriable_status_codes": [*_RETRIED],
                    "num_retries": push.retries,
                    "per_try_timeout": duration(push.timeout_seconds),
                    "retry_back_off": {
                        "base_interval": "0.5s",
                        "max_interval": duration(_LONGEST_WAIT_SECONDS),
                    },
                },
            },
        }
        for name, cluster in ROUTES.items()
    )
