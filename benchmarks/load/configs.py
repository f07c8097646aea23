"""What the load scenarios run: configurations and request bodies."""

from __future__ import annotations

import json
from typing import Any

_GATEWAY = 'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\n'
_LLM = """
llm:
  providers:
    first: {type: openai, url: "http://UPSTREAM/v1", key: sk-first}
    second: {type: openai, url: "http://UPSTREAM/v1", key: sk-second}
  models:
    bench: {failover: [first/bench-1, second/bench-2]}
  prices:
    bench-1: {input: 0.25, output: 2}
    bench-2: {input: 0.5, output: 4}
"""
PLAIN = _GATEWAY + _LLM
"""Our chain, with nothing to enforce."""

_PATTERNS = [
    r"\\b\\d{3}-\\d{2}-\\d{4}\\b",
    r"\\b(?:\\d[ -]?){13,16}\\b",
    r"\\bsk-[A-Za-z0-9]{20,}\\b",
    r"\\bAKIA[0-9A-Z]{16}\\b",
    r"\\bghp_[A-Za-z0-9]{36}\\b",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\\bxox[abpr]-[A-Za-z0-9-]{10,}\\b",
    r"\\bpassword\\s*[:=]\\s*\\S+",
]
FULL = (
    _GATEWAY
    + _LLM
    + """
identity: {api_keys: {keys: [{name: bench, key: dragoman-bench, team: bench, groups: [users]}]}}
authorize:
  - {name: users, for: {llm: "*"}, allow: '"users" in principal.groups'}
  - {name: no-huge-answers, for: {llm: "*"}, deny: 'llm.max_output_tokens > 100000'}
guardrails:
"""
    + "  - {type: regex, action: block, patterns: ["
    + ", ".join(f'"{pattern}"' for pattern in _PATTERNS)
    + "]}\n"
    + r"""  - {type: regex, action: mask, patterns: ["[\\w.]+@[\\w.]+\\.\\w+"]}
budgets:
  - {name: key-day, for: {key: "*"}, limit: 1000000 USD, per: day}
  - {name: team-month, for: {team: "*"}, limit: 1000000000k tokens, per: month}
"""
)
"""Key, rules, guards that read and would mask, money and token budgets, an alias, failover."""

FOREIGN = FULL.replace("type: openai", "type: anthropic")
"""The same, but that the providers speak another dialect than the clients."""

_ROUTE = 'routes: [{name: all, backend: "http://UPSTREAM"}]\n'
_RULE = """authorize:
  - {name: json, require: 'request.headers["content-type"]%s == "application/json"'}
"""
UNRULED = _GATEWAY + _ROUTE
"""A plain route on which nothing is asked."""
ENVOYS = UNRULED + _RULE % ""
"""With a rule that Envoy decides."""
PYTHONS = UNRULED + _RULE % ".lowerAscii()"
"""The same, but that it is Python's."""


NUMBER = b"NUMBERED"
"""In a prompt that is to be another each time: where the generator puts the request's number."""


def body(size: int, *, is_stream: bool, is_new: bool = False) -> bytes:
    """A chat request with a prompt of about so many bytes."""
    words = "Tell me about the history of the interpreter's trade, briefly. "
    prompt = (words * (size // len(words) + 1))[: size - 150]
    if is_new:
        prompt = NUMBER.decode() + prompt[len(NUMBER) :]
    request: dict[str, Any] = {
        "model": "bench",
        "messages": [
            {"role": "system", "content": "You are a terse assistant."},
            {"role": "user", "content": prompt},
        ],
        "max_tokens": 256,
    }
    if is_stream:
        request["stream"] = True
    return json.dumps(request, separators=(",", ":")).encode()


def envoy_alone(port: int, admin_port: int, upstream_port: int) -> dict[str, Any]:
    """A bootstrap that proxies everything to the upstream: the floor."""

    def address(number: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    types = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "alone",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "route": {"cluster": "upstream", "timeout": "0s"},
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{types}.http.router.v3.Router"},
            }
        ],
    }
    return {
        "admin": {"address": address(admin_port)},
        "static_resources": {
            "listeners": [
                {
                    "name": "alone",
                    "address": address(port),
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "name": "envoy.filters.network.http_connection_manager",
                                    "typed_config": manager,
                                }
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "upstream",
                    "connect_timeout": "1s",
                    "load_assignment": {
                        "cluster_name": "upstream",
                        "endpoints": [
                            {"lb_endpoints": [{"endpoint": {"address": address(upstream_port)}}]}
                        ],
                    },
                }
            ],
        },
    }
