"""Limits that Envoy counts: buckets, what they are asked for, and what clients are told."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import names
from gateway.limits import Limit, Rate
from gateway.model import Scope
from tests.kit.gateways import gateway_of
from xds_server.resources.local_limit import counted, told
from xds_server.resources.plain_route import plain_route

ROUTED = Scope(route="*")


def limit(name: str, amount: int, seconds: int, by: str = "") -> Limit:
    return Limit(name, ROUTED, requests=Rate(amount, seconds), is_envoys=True, by=by)


def entries(config: dict[str, Any]) -> list[list[tuple[str, str]]]:
    return [
        [(each["key"], each.get("value", "")) for each in descriptor["entries"]]
        for descriptor in config["descriptors"]
    ]


def test_a_bucket_holds_a_period_and_comes_back_evenly() -> None:
    (bucket,) = counted([limit("all", 60, 3600)])["descriptors"]
    assert bucket["token_bucket"] == {
        "max_tokens": 60,
        "tokens_per_fill": 60,
        "fill_interval": "3600s",
    }


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("", [[("limit", "l")]]),
        ("source.address", [[("limit", "l"), ("remote_address", "")]]),
        ('request.headers["x-t"]', [[("limit", "l"), ("by", "")], [("limit", "l (none)")]]),
    ],
)
def test_each_value_has_a_bucket_and_those_without_one_share_another(
    by: str, expected: list[list[tuple[str, str]]]
) -> None:
    config = counted([limit("l", 1, 60, by)])
    assert entries(config) == expected
    assert len(config["rate_limits"]) == len(expected)


@pytest.mark.parametrize(
    ("amount", "seconds", "expected"), [(60, 60, "1"), (1, 60, "60"), (7, 60, "9"), (100, 1, "1")]
)
def test_patience_is_the_time_for_one_at_the_most(amount: int, seconds: int, expected: str) -> None:
    told = {
        each["header"]["key"]: each["header"]["value"]
        for each in counted([limit("l", amount, seconds)])["response_headers_to_add"]
    }
    assert told["retry-after"] == expected
    assert told[names.LIMIT_HEADER].startswith(f"limit 'l': {amount} requests per ")


def test_what_is_told_between_filters_stays_there() -> None:
    mutations = told()["mutations"]["response_mutations"]
    assert {"remove": names.LIMIT_HEADER} in mutations


def test_routes_that_envoy_counts_on_ask_nobody() -> None:
    gateway = gateway_of("""
routes:
  - {name: a, match: {path: {prefix: /a}}, backend: "http://a", auth: none}
  - {name: b, match: {path: {prefix: /b}}, backend: "http://b", auth: none}
limits:
  - {name: l, for: {route: a}, requests: 1/s, counted_by: envoy}
  - {name: m, for: {route: b}, requests: 1/s}
""")
    of_a, of_b = (plain_route(each)["typed_per_filter_config"] for each in gateway.routes)
    assert of_a[names.EXT_PROC_FILTER]["disabled"]
    assert {names.COUNT_FILTER, names.COUNT_TELLING_FILTER} < set(of_a)
    assert set(of_b) == {names.EXT_PROC_FILTER}
    assert "disabled" not in of_b[names.EXT_PROC_FILTER]
