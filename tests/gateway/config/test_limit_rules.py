"""Limits that could never count anything are mistakes."""

from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints

ROUTES = """
routes:
  - {name: open, backend: "http://a", match: {path: {prefix: /o}}, auth: none}
  - {name: keyed, backend: "http://a", match: {path: {prefix: /k}}}
"""


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        (
            "for: {route: keyed, llm: '*'}, requests: 1/s",
            "limits.0.for.llm: a plain route has no llm",
        ),
        (
            "for: {route: '*', model: '*'}, requests: 1/s",
            "limits.0.for.model: a plain route has no",
        ),
        ("for: {route: keyed}, tokens: 1/s", "limits.0.tokens: what passes through a plain route"),
        (
            "for: {route: open, key: '*'}, requests: 1/s",
            "limits.0.for.key: the route 'open' is open",
        ),
        ("requests: 1/s, counted_by: envoy", "limits.0: Envoy counts on plain routes only"),
        (
            "for: {route: keyed, key: '*'}, requests: 1/s, counted_by: envoy",
            "limits.0.for.key: Envoy does not know the key",
        ),
        (
            "for: {route: keyed}, requests: 1/s, bytes: 1/s, counted_by: envoy",
            "limits.0.bytes: Envoy counts requests, and no bytes",
        ),
        (
            "for: {route: keyed}, requests: 1/s, algorithm: sliding_window, counted_by: envoy",
            "limits.0.algorithm: Envoy has a token_bucket only",
        ),
        (
            "for: {route: keyed}, requests: 1/s, mode: audit, counted_by: envoy",
            "limits.0.mode: Envoy's limits are enforced",
        ),
        (
            "for: {route: keyed}, by: principal.team, requests: 1/s, counted_by: envoy",
            "limits.0.by: Envoy counts by source.address or one header only",
        ),
        (
            "for: {route: keyed}, requests: 5G/s, counted_by: envoy",
            "limits.0.requests: Envoy counts to 4294967295",
        ),
        ("for: {route: keyed}, service: s", "limits.0.service: no limit service 's'"),
        (
            "for: {route: keyed}, service: s, requests: 1/s",
            "limits.0: has a service, which knows how much",
        ),
        ("by: no.such, requests: 1/s", "limits.0.by: in the expression, "),
        ("for: {route: opn}, requests: 1/s", "limits.0.for.route: no route 'opn'"),
        ("for: {key: nobody}, requests: 1/s", "limits.0.for.key: no key 'nobody'"),
    ],
)
def test_who_can_count_nothing_is_told(block: str, complaint: str) -> None:
    (found,) = complaints(f"limits: [{{name: l, {block}}}]\n{ROUTES}")
    assert found.startswith(complaint)


def test_the_rest_is_right() -> None:
    assert not complaints(f"limits: [{{name: l, for: {{route: open}}, requests: 1/s}}]\n{ROUTES}")
    assert not complaints(f"limits: [{{name: l, for: {{route: '*'}}, requests: 1/s}}]\n{ROUTES}")


@pytest.mark.parametrize("by", ["source.address", 'request.headers["x-tenant"]'])
def test_envoy_counts_what_it_knows(by: str) -> None:
    limit = f"name: l, for: {{route: keyed}}, by: '{by}', requests: 1/s, counted_by: envoy"
    assert not complaints(f"limits: [{{{limit}}}]\n{ROUTES}")


SERVICE = 'limit_services: {s: {url: "http://s:8081", domain: edge}}'


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("service: s", "limits.0: Envoy counts on plain routes only"),
        (
            "for: {route: keyed}, service: s, counted_by: envoy",
            "limits.0.counted_by: the service counts, and nobody else",
        ),
        ("for: {route: keyed, key: '*'}, service: s", "limits.0.for.key: Envoy does not know"),
        ("for: {route: keyed}, service: s, by: principal.team", "limits.0.by: Envoy counts by"),
    ],
)
def test_what_envoy_cannot_ask_is_told(block: str, complaint: str) -> None:
    (found,) = complaints(f"limits: [{{name: l, {block}}}]\n{SERVICE}\n{ROUTES}")
    assert found.startswith(complaint)


def test_names_are_unique() -> None:
    (found,) = complaints("limits: [{name: l, requests: 1/s}, {name: l, requests: 1/s}]")
    assert found == "limits.1.name: the name 'l' is taken"


def test_tools_are_those_of_servers() -> None:
    yaml = """
mcp: {servers: {a: {url: "http://a.example/mcp"}}}
limits: [{name: l, for: {%s}, requests: 1/s}]
budgets: [{name: b, for: {%s}, limit: 1 USD, per: day}]
"""
    assert complaints(yaml % (("mcp: a, tool: 'send_*'",) * 2)) == []
    said = complaints(yaml % (("tool: send",) * 2))
    assert [each.rpartition(": ")[0].rpartition(" ")[2] for each in said] == [
        "limits.0.for.tool",
        "budgets.0.for.tool",
    ]
