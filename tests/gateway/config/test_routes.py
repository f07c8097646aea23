from __future__ import annotations

import pytest

from gateway.model import Endpoint, Match, Route, RouteBackend, Upstream
from tests.gateway.config.loading import complaints, meant


def upstream(port: int, connect: float = 5.0) -> Upstream:
    return Upstream((Endpoint("a", port),), f"a:{port}", False, connect)


def test_a_route_says_what_it_takes_and_where_it_goes() -> None:
    (route,) = meant("""
        gateways: {x: {port: 1}, y: {port: 2}}
        routes:
          - name: r
            gateways: [y]
            match:
              hostnames: ["*.Example.com"]
              path: {prefix: /a}
              methods: [GET, POST]
              headers: {X-B: c}
            backends:
              - {url: "http://a:1", weight: 3, timeouts: {connect: 1s}}
              - {url: "http://a:2"}
            replace_prefix: /
            timeout: 30s
            retries: 2
        """).routes
    assert route == Route(
        name="r",
        listeners=("y",),
        match=Match(("*.example.com",), "/a", None, ("GET", "POST"), (("x-b", "c"),)),
        backends=(RouteBackend(upstream(1, 1.0), 3), RouteBackend(upstream(2), 1)),
        replace_prefix="/",
        timeout_seconds=30.0,
        retries=2,
        needs_identity=False,
        is_caller_required=False,
    )


def test_a_route_takes_everything_on_every_gateway_unless_it_says_so() -> None:
    text = "gateways: {x: {port: 1}, y: {port: 2}}\nroutes: [{name: r, backend: 'http://a:1'}]"
    (route,) = meant(text).routes
    assert route.listeners == ("x", "y")
    assert route.match == Match((), "/", None, (), ())
    assert (route.timeout_seconds, route.retries) == (0.0, 0)


KEYS = "identity: {api_keys: {keys: [{name: k, key: k}]}}"
RULE = "authorize: [{name: a, for: {%s}, allow: 'true'}]"


@pytest.mark.parametrize(
    ("around", "auth", "needs_identity", "is_caller_required"),
    [
        ("", "", False, False),
        ("", ", auth: key", True, True),
        (KEYS, "", True, True),
        (KEYS, ", auth: none", False, False),
        (RULE % "", "", True, False),
        (RULE % "", ", auth: none", False, False),
        (RULE % "route: r*", "", True, False),
        (RULE % "team: x", "", True, False),
        (RULE % "llm: '*'", "", False, False),
        (RULE % "route: 'other*'", "", False, False),
    ],
)
def test_python_sees_a_route_only_when_a_key_or_a_rule_needs_it(
    around: str, auth: str, needs_identity: bool, is_caller_required: bool
) -> None:
    (route,) = meant(f"{around}\nroutes: [{{name: r, backend: 'http://a'{auth}}}]").routes
    assert (route.needs_identity, route.is_caller_required) == (needs_identity, is_caller_required)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ("", ": needs either backend or backends"),
        (", backend: 'http://a/b'", ".backend: must have no path, not 'http://a/b'"),
        (", backends: []", ".backends: must not be empty"),
        (
            ", backend: 'http://a', match: {path: {exact: /a}}, replace_prefix: /b",
            ": has replace_prefix without a prefix to replace",
        ),
        (
            ", backend: 'http://a', match: {path: {}}",
            ".match.path: needs either prefix or exact",
        ),
        (
            ", backend: 'http://a', match: {path: {prefix: a}}",
            ".match.path.prefix: must be a path that begins with '/', without '?', '#', '//' and"
            " '..', not 'a'",
        ),
        (
            ", backend: 'http://a', match: {hostnames: ['a:80']}",
            ".match.hostnames.0: must be a hostname without a port, not 'a:80'",
        ),
        (
            ", backend: 'http://a', auth: maybe",
            ".auth: must be one of none, key, jwt, basic, introspection, any, not 'maybe'",
        ),
    ],
)
def test_mistaken_routes_are_problems(fields: str, complaint: str) -> None:
    assert complaints(f"routes: [{{name: r{fields}}}]") == [f"routes.0{complaint}"]
