"""Plain routes: matching, rewriting, policy."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from gateway import names
from gateway.model import Route
from tests.kit.gateways import golden_gateway
from xds_server.resources.extension import Json
from xds_server.resources.plain_route import login_routes, plain_route, unmatched

ROUTES = {route.name: route for route in golden_gateway("routes-plain").routes}


def rewritten(path: str, prefix: str, replacement: str) -> str:
    """What Envoy makes of a path that matches."""
    match = dataclasses.replace(ROUTES["rest"].match, prefix=prefix, exact=None)
    route = dataclasses.replace(ROUTES["rest"], match=match, replace_prefix=replacement)
    action = plain_route(route)["route"]
    if "prefix_rewrite" in action:
        return str(action["prefix_rewrite"]) + path.removeprefix(prefix)
    rewrite = action["regex_rewrite"]
    return re.sub(rewrite["pattern"]["regex"], rewrite["substitution"], path)


@pytest.mark.parametrize(
    ("path", "prefix", "replacement", "expected"),
    [
        ("/api/x", "/api", "/v2", "/v2/x"),
        ("/api", "/api", "/v2", "/v2"),
        ("/api/x", "/api", "/", "/x"),
        ("/api", "/api", "/", "/"),
        ("/api/x", "/api", "/v2/", "/v2/x"),
        ("/api/x", "/api/", "/v2", "/v2/x"),
        ("/x", "/", "/v2", "/v2/x"),
        ("/a.b/x", "/a.b", "/", "/x"),
    ],
)
def test_a_replaced_prefix_leaves_one_slash(
    path: str, prefix: str, replacement: str, expected: str
) -> None:
    assert rewritten(path, prefix, replacement) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app", {"path": "/"}),
        ("wild", {"path_separated_prefix": "/api"}),
        ("tagged", {"prefix": "/a/"}),
        ("rest", {"prefix": "/"}),
    ],
)
def test_prefixes_end_at_a_slash(name: str, expected: Json) -> None:
    match = plain_route(ROUTES[name])["match"]
    assert {key: value for key, value in match.items() if key != "headers"} == expected


def test_methods_and_headers_must_hold() -> None:
    [tenant] = plain_route(ROUTES["tagged"])["match"]["headers"]
    assert tenant == {"name": "x-tenant", "string_match": {"exact": "blue"}}
    [method] = plain_route(ROUTES["wild"])["match"]["headers"]
    assert method == {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|POST"}}}


def policy(route: Route) -> Json:
    return dict(plain_route(route)["typed_per_filter_config"][names.EXT_PROC_FILTER])


def test_an_open_route_asks_nobody() -> None:
    assert policy(ROUTES["rest"])["disabled"] is True


def test_a_keyed_route_asks_with_its_headers() -> None:
    assert "overrides" in policy(ROUTES["wild"])


def test_a_path_that_nobody_serves_is_not_shown_to_extproc() -> None:
    route = unmatched()
    assert route["direct_response"]["status"] == 404
    assert json.loads(route["direct_response"]["body"]["inline_string"])["error"]["message"]
    assert route["typed_per_filter_config"][names.EXT_PROC_FILTER]["disabled"] is True


def test_a_stream_has_no_timeout_but_an_idle_one() -> None:
    action = plain_route(ROUTES["rest"])["route"]
    assert (action["timeout"], action["idle_timeout"]) == ("0s", "3600s")
    assert "idle_timeout" not in plain_route(ROUTES["wild"])["route"]


def test_weights_are_kept() -> None:
    clusters = plain_route(ROUTES["wild"])["route"]["weighted_clusters"]["clusters"]
    assert [each["weight"] for each in clusters] == [3, 1]


def test_a_route_with_a_login_asks_for_it_and_for_tokens_where_it_takes_them() -> None:
    gateway = golden_gateway("logins")
    staff, _ = gateway.identity.logins
    routes = {each.name: each for each in gateway.routes}
    wanted = {"app": "login/staff", "both": "login/staff/or-token"}
    for name, requirement in wanted.items():
        per_filter = plain_route(routes[name], None, staff)["typed_per_filter_config"]
        assert per_filter[names.TOKENS_FILTER]["requirement_name"] == requirement
        assert names.login_filter("staff") in per_filter
    assert names.login_filter("staff") not in plain_route(routes["api"])["typed_per_filter_config"]


def test_where_tokens_are_kept_extproc_answers_who_comes_back_and_who_goes() -> None:
    gateway = golden_gateway("kept-logins")
    [staff] = gateway.identity.kept_logins
    told = {each["match"]["path"]: each for each in login_routes(staff)}
    assert list(told) == [
        "/login/staff/callback",
        "/login/staff/sign-out",
        "/login/staff/back-channel-logout",
    ]
    for each in told.values():
        assert each["direct_response"]["status"] == 404
        per_filter = each["typed_per_filter_config"]
        overrides = per_filter[names.EXT_PROC_FILTER]["overrides"]
        assert {"key": names.ROLE_METADATA, "value": names.LOGIN_ROLE} in (
            overrides["grpc_initial_metadata"]
        )
        assert per_filter[names.LOGIN_COOKIES_FILTER]["disabled"] is True
    app = plain_route(gateway.routes[0], None, staff)
    assert app["request_headers_to_remove"] == [names.LOGIN_SESSION_HEADER]
    assert names.TOKENS_FILTER not in app["typed_per_filter_config"]


def test_browsers_come_back_to_a_route_that_asks_nobody_else() -> None:
    staff, _ = golden_gateway("logins").identity.logins
    back, out = login_routes(staff)
    assert (back["match"], out["match"]) == (
        {"path": "/login/staff/callback"},
        {"path": "/login/staff/sign-out"},
    )
    for each in (back, out):
        assert each["direct_response"]["status"] == 404
        per_filter = each["typed_per_filter_config"]
        assert per_filter[names.EXT_PROC_FILTER]["disabled"] is True
        assert names.login_filter("staff") in per_filter
