"""What a rate limit service is asked, and on which routes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import names
from gateway.limits import Limit, LimitService
from gateway.model import Scope
from tests.kit.gateways import gateway_of
from xds_server.resources.asked_limit import asked, service_filter
from xds_server.resources.plain_route import plain_route


def limit(by: str = "", route: str = "docs") -> Limit:
    return Limit("l", Scope(route=route), by=by, service="s")


def actions(*limits: Limit) -> list[list[str]]:
    """The kinds of the actions of each descriptor."""
    rate_limits: list[dict[str, Any]] = asked("docs", limits)["rate_limits"]
    return [[next(iter(action)) for action in each["actions"]] for each in rate_limits]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (limit(), [["generic_key"]]),
        (limit("source.address"), [["generic_key", "remote_address"]]),
        (
            limit('request.headers["x-t"]'),
            [["generic_key", "request_headers"], ["generic_key", "header_value_match"]],
        ),
        (limit(route="*"), [["generic_key", "generic_key"]]),
    ],
)
def test_descriptors_say_which_limit_which_route_and_by_what(
    of: Limit, expected: list[list[str]]
) -> None:
    assert actions(of) == expected


def test_entries_that_are_written_are_asked_with_in_their_order() -> None:
    of = Limit(
        "l",
        Scope(route="docs"),
        service="s",
        descriptor=(
            ("tier", '"free"'),
            ("method", "request.method"),
            ("tenant", 'request.headers["x-t"]'),
            ("path", "request.path"),
            ("remote_address", "source.address"),
        ),
    )
    made = asked("docs", [of])["rate_limits"]
    assert [[next(iter(each)) for each in one["actions"]] for one in made] == [
        ["generic_key", "request_headers", "request_headers", "extension", "remote_address"],
        ["generic_key", "request_headers", "header_value_match", "extension", "remote_address"],
    ]
    tier, method, tenant, path, _ = made[0]["actions"]
    assert tier["generic_key"] == {"descriptor_key": "tier", "descriptor_value": "free"}
    assert method["request_headers"] == {"header_name": ":method", "descriptor_key": "method"}
    assert path["extension"]["typed_config"]["descriptor_key"] == "path"
    assert tenant["request_headers"] == {"header_name": "x-t", "descriptor_key": "tenant"}


def test_limits_are_asked_about_at_once() -> None:
    assert len(actions(limit(), limit("source.address"))) == 2


@pytest.mark.parametrize("is_open", [False, True])
def test_silence_is_what_was_configured(is_open: bool) -> None:
    config = service_filter(LimitService("s", "edge", 0.25, is_open))
    assert config["failure_mode_deny"] is not is_open
    assert (config["domain"], config["timeout"]) == ("edge", "0.25s")


def test_only_routes_that_a_limit_is_for_ask_and_each_service_apart() -> None:
    gateway = gateway_of("""
routes:
  - {name: a, match: {path: {prefix: /a}}, backend: "http://a", auth: none}
  - {name: b, match: {path: {prefix: /b}}, backend: "http://b", auth: none}
limit_services:
  s: {url: "http://s:8081", domain: edge}
  t: {url: "https://t", domain: edge, timeout: 1s, on_error: allow}
limits:
  - {name: l, for: {route: a}, service: s}
  - {name: m, for: {route: a}, service: t}
""")
    of_a, of_b = (plain_route(each)["typed_per_filter_config"] for each in gateway.routes)
    assert {"dragoman.ratelimit/s", "dragoman.ratelimit/t"} < set(of_a)
    assert of_a[names.EXT_PROC_FILTER]["disabled"]
    assert set(of_b) == {names.EXT_PROC_FILTER}
    assert not gateway.is_limited
