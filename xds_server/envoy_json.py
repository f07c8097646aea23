"""What stands where in the JSON form of Envoy's messages, for those who describe them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

_DEFAULT_ROUTE_TIMEOUT = "15s"
"""Envoy's, of a route that says nothing."""

Json: TypeAlias = Mapping[str, Any]

MUTUAL = "mtls"


def http_connection_manager(listener: Json) -> Json:
    """Of the first filter chain that has one, or of a gRPC client's listener."""
    own: Json = listener.get("api_listener", {}).get("api_listener", {})
    if own.get("@type", "").endswith(".HttpConnectionManager"):
        return own
    chains = (*listener.get("filter_chains", ()), listener.get("default_filter_chain", {}))
    for chain in chains:
        for each in chain.get("filters", ()):
            config: Json = each.get("typed_config", {})
            if config.get("@type", "").endswith(".HttpConnectionManager"):
                return config
    return {}


def tls_of(listener: Json) -> str:
    """`none`, `tls`, or `mtls` where clients must show a certificate."""
    for chain in listener.get("filter_chains", ()):
        socket = chain.get("transport_socket")
        if socket is not None:
            config = socket.get("typed_config", {})
            return MUTUAL if config.get("require_client_certificate") else "tls"
    return "none"


def match_text(match: Json) -> str:
    """`GET /docs/*, x-tenant: blue`."""
    wanted = [each for each in match.get("headers", ()) if each.get("name") != ":method"]
    methods = [each for each in match.get("headers", ()) if each.get("name") == ":method"]
    words = [_expected(each) for each in methods]
    if "path" in match:
        words.append(match["path"])
    elif "path_separated_prefix" in match:
        words.append(f"{match['path_separated_prefix']}[/*]")
    elif "prefix" in match:
        words.append(f"{match['prefix']}*")
    else:
        words.append(str(match.get("safe_regex", {}).get("regex", "?")))
    return ", ".join((" ".join(words), *(f"{each['name']}: {_expected(each)}" for each in wanted)))


def _expected(header: Json) -> str:
    matcher = header.get("string_match", {})
    regex = matcher.get("safe_regex", {}).get("regex", "")
    return str(matcher.get("exact", regex))


def named_clusters(action: Json) -> tuple[str, ...]:
    """Where a route's action leads, when it says so itself."""
    weighted = action.get("weighted_clusters", {}).get("clusters", ())
    one = action.get("cluster")
    return tuple(each["name"] for each in weighted) if one is None else (one,)


def upstream_filters(cluster: Json) -> tuple[Json, ...]:
    """What runs once for each try at a cluster, in order."""
    return tuple(
        each
        for options in cluster.get("typed_extension_protocol_options", {}).values()
        for each in options.get("http_filters", ())
    )


def address_text(address: Json) -> str:
    """`10.0.0.1:80`, `[::1]:80`, `unix:/run/envoy.sock`."""
    if "pipe" in address:
        return f"unix:{address['pipe'].get('path', '')}"
    socket = address.get("socket_address", {})
    host = str(socket.get("address", ""))
    return f"{f'[{host}]' if ':' in host else host}:{socket.get('port_value', 0)}"


def listens_at(listener: Json) -> str:
    """The address of a listener; that of a gRPC client has none."""
    return address_text(listener["address"]) if "address" in listener else "no address"


def timeouts(action: Json, manager: Json) -> tuple[str, ...]:
    """Of a route, in words."""
    if not action:
        return ()
    whole = action.get("timeout", _DEFAULT_ROUTE_TIMEOUT)
    idle = action.get("idle_timeout", manager.get("stream_idle_timeout", "300s"))
    found = ["no limit to the whole answer" if whole == "0s" else f"{whole} for the whole answer"]
    found.append(f"{idle} without a byte")
    silence = action.get("retry_policy", {}).get("per_try_idle_timeout")
    if silence is not None:
        found.append(f"{silence} without a byte from a provider, then the next try")
    return tuple(found)


def retries(kind: str, action: Json) -> str:
    """Of a route, in words."""
    policy = action.get("retry_policy")
    if policy is None:
        return "none"
    causes = [each for each in policy.get("retry_on", "").split(",") if each]
    statuses = [str(each) for each in policy.get("retriable_status_codes", ())]
    causes = [each for each in causes if each != "retriable-status-codes"] + statuses
    count = "the further tries of the plan" if kind == "llm" else str(policy.get("num_retries", 1))
    return f"{count}, on {', '.join(causes)}"
