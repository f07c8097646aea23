"""How limits are told: who counts, what, and what happens when nobody can."""

from __future__ import annotations

import pytest

from tests.kit.gateways import gateway_of
from xds_server.check import Check, Failing, Where
from xds_server.limit_checks import envoys_limits, limit_check

BEFORE = """
routes: [{name: a, match: {path: {prefix: /a}}, backend: "http://a", auth: none}]
limit_services:
  closed: {url: "http://s", domain: edge}
  open: {url: "http://s", domain: edge, timeout: 1s, on_error: allow}
"""


def told(limit: str, *, reads: str = "headers") -> Check:
    (found,) = gateway_of(f"limits: [{{name: l, {limit}}}]").limits
    return limit_check(found, reads=reads)


def of_envoy(limit: str) -> Check:
    gateway = gateway_of(f"{BEFORE}\nlimits: [{{name: l, for: {{route: a}}, {limit}}}]")
    (found,) = envoys_limits(gateway, gateway.routes[0])
    return found


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("requests: 60/min", "limit l (60 requests per minute)"),
        ("for: {key: '*'}, bytes: 1/s, concurrent: 2",
         "limit l (1 bytes per second, 2 at a time, for key=*)"),
        ("requests: 1/day, by: principal.team", "limit l (1 requests per day, by principal.team)"),
        ("requests: 1/h, mode: audit", "limit l (1 requests per hour), in audit"),
    ],
)  # fmt: skip
def test_it_is_named_by_what_it_counts(limit: str, expected: str) -> None:
    assert told(limit).name == expected


def test_tokens_are_counted_where_bodies_are_read() -> None:
    assert "tokens" in told("requests: 1/s, tokens: 1/s", reads="body").name
    assert "tokens" not in told("requests: 1/s, tokens: 1/s").name


def test_who_is_watched_passes() -> None:
    audited = told("requests: 1/s, mode: audit")
    assert (audited.refusal, audited.failing) == ("", Failing.OPEN)


def test_envoy_counts_or_asks() -> None:
    counted = of_envoy("requests: 1/s, counted_by: envoy")
    assert (counted.where, counted.failing) == (Where.ENVOY, Failing.CLOSED)
    closed, is_open = of_envoy("service: closed"), of_envoy("service: open")
    assert closed.name == "limit l (as closed says, for route=a)"
    assert closed.failure == "503 limits_unavailable when closed has not answered in 0.1s"
    assert (closed.failing, is_open.failing) == (Failing.CLOSED, Failing.OPEN)
    assert is_open.failure == "when open has not answered in 1s"
