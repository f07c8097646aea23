"""How limits are told: who counts, what, and what happens when nobody can."""

from __future__ import annotations

import pytest

from tests.kit.gateways import gateway_of
from xds_server.check import Check, Failing, Where
from xds_server.limit_checks import envoys_limits, limit_check, limits_of_key

BEFORE = """
routes: [{name: a, match: {path: {prefix: /a}}, backend: "http://a", auth: none}]
limit_services:
  closed: {url: "http://s", domain: edge}
  open: {url: "http://s", domain: edge, timeout: 1s, on_error: allow}
"""


def told(limit: str, *, reads: str = "headers", ledger: str = "type: sqlite") -> Check:
    gateway = gateway_of(f"limits: [{{name: l, {limit}}}]\nledger: {{{ledger}}}")
    (found,) = gateway.limits
    return limit_check(found, reads=reads, ledger=gateway.ledger)


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


def test_what_machines_count_together_each_counts_while_the_server_is_away() -> None:
    here, there = "type: sqlite", "type: redis, url: 'redis://h'"
    strict = f"{there}, limits_on_error: refuse"
    apart = "counted by each machine for itself while the ledger is away"
    for ledger, is_apart in ((here, False), (there, True), (strict, False)):
        for limit, is_rate in (
            ("requests: 1/s", True),
            ("requests: 1/s, counted_by: machine", False),
            ("concurrent: 1", False),
        ):
            check = told(limit, ledger=ledger)
            assert check.failure.startswith(apart) is (is_apart and is_rate)
            assert check.failing is Failing.CLOSED
        of_key = limits_of_key(gateway_of(f"ledger: {{{ledger}}}"), reads="body")
        assert of_key.failure.startswith(apart) is is_apart
        assert of_key.failure.endswith("503 limits_unavailable when the counters cannot be reached")
