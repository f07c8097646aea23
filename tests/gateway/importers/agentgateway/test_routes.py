"""Routes of theirs → entries of our list."""

from __future__ import annotations

import pytest

from tests.gateway.importers.agentgateway.imports import config, guarded, ours, outcomes


def routes(text: str, rest: str = "") -> str:
    return f"binds: [{{port: 80, listeners: [{{routes: {text}}}]}}]\n{rest}"


def shown(text: str) -> list[tuple[str, tuple[str, ...], str]]:
    """Name, hosts and path of each route of ours."""
    return [
        (route.name, route.match.hostnames, route.match.exact or route.match.prefix or "")
        for route in ours(text).routes
    ]


def test_each_alternative_is_a_route_in_the_order_of_the_gateway_api() -> None:
    text = """[
      {name: all, backends: [{host: 'a:1'}]},
      {name: some, backends: [{host: 'a:1'}],
       matches: [{path: {pathPrefix: /a}}, {path: {exact: /a}}]},
    ]"""
    assert shown(routes(text)) == [("some-2", (), "/a"), ("some", (), "/a"), ("all", (), "/")]


def test_hostnames_of_one_closeness_stay_together() -> None:
    text = (
        "[{name: r, hostnames: [a.com, B.com, '*.c.com', '*.long.com'], backends: [{host: 'a:1'}]}]"
    )
    assert shown(routes(text)) == [
        ("r", ("a.com", "b.com"), "/"),
        ("r-3", ("*.long.com",), "/"),
        ("r-2", ("*.c.com",), "/"),
    ]


def test_a_hostname_that_cannot_be_asked_for_leaves_the_route_out() -> None:
    assert shown(routes("[{hostnames: ['a b'], backends: [{host: 'a:1'}]}]")) == []


def test_groups_narrow_what_led_to_them() -> None:
    text = routes(
        "[{name: p, matches: [{path: {pathPrefix: /p}, method: GET}], backends: [{routeGroup: g}],"
        " policies: {authorization: {rules: ['request.path != \"/p/x\"']}}}]",
        "routeGroups: [{name: g, routes: [{name: in, matches: [{path: {pathPrefix: /p/in}}],"
        " backends: [{host: 'a:1'}]}, {name: out, matches: [{path: {pathPrefix: /q}}],"
        " backends: [{host: 'a:1'}]}, {name: rest, backends: [{host: 'a:1'}]}]}]",
    )
    assert shown(text) == [("in", (), "/p/in"), ("rest", (), "/p")]
    assert {route.match.methods for route in ours(text).routes} == {("GET",)}
    assert len(ours(text).rules) == 2


def test_groups_that_lead_in_circles_are_closed() -> None:
    text = routes(
        "[{backends: [{routeGroup: g}]}]",
        "routeGroups: [{name: g, routes: [{name: r, backends: [{routeGroup: g}]}]}]",
    )
    assert shown(text) == []
    assert "routeGroups.0.routes.0" in guarded(text)


def test_settings_of_the_route_that_leads_to_a_group_hold_in_it() -> None:
    parent = "policies: {backendTLS: {}, timeout: {requestTimeout: 3s}}"
    group = "routeGroups: [{name: g, routes: [{name: r, backends: [{host: 'a:1'}]}]}]"
    (route,) = config(routes(f"[{{{parent}, backends: [{{routeGroup: g}}]}}]", group)).routes
    assert (route.backend, route.timeout) == ("https://a:1", 3)
    parent = "policies: {urlRewrite: {path: {prefix: /x}}}"
    assert shown(routes(f"[{{{parent}, backends: [{{routeGroup: g}}]}}]", group)) == []


def test_a_hostname_that_cannot_be_asked_for_closes_before_all_others() -> None:
    lock = "policies: {extProc: {host: 'a:1'}}, backends: [{host: 'a:1'}]"
    text = f"[{{name: odd, hostnames: [under_score.example.com], {lock}}}"
    text += ", {name: wide, hostnames: ['*.example.com'], backends: [{host: 'a:1'}]}]"
    assert [name for name, _, _ in shown(routes(text))] == ["odd", "wide"]


def test_of_routes_that_take_the_same_the_strictest_counts() -> None:
    lock = "policies: {extProc: {host: 'a:1'}}"
    text = f"[{{name: open, backends: [{{host: 'a:1'}}]}}, {{name: shut, {lock}, backends: []}}]"
    assert shown(routes(text)) == []


@pytest.mark.parametrize("needed", ["backendTLS: {}", "urlRewrite: {path: {prefix: /x}}"])
def test_policies_apart_that_change_what_a_backend_sees_close_it(needed: str) -> None:
    policies = (
        "policies: [{name: {name: p, namespace: n}, target: {route: {name: one, namespace: n}},"
        f" policy: {{{needed}}}}}]"
    )
    assert shown(routes("[{name: one, backends: [{host: 'a:1'}]}]", policies)) == []


def test_policies_apart_hold_for_the_route_of_their_name() -> None:
    policies = (
        "policies: [{name: {name: p, namespace: n}, target: {route: {name: one, namespace: n}},"
        " policy: {extProc: {host: 'a:1'}}}]"
    )
    text = "[{name: one, backends: [{host: 'a:1'}]}, {name: two, backends: [{host: 'b:1'}],"
    text += " matches: [{path: {pathPrefix: /two}}]}]"
    assert [name for name, _, _ in shown(routes(text, policies))] == ["two"]


def test_policies_for_a_gateway_hold_for_everything() -> None:
    policies = (
        "policies: [{name: {name: p, namespace: n}, target: {gateway: {gatewayName: x}},"
        " policy: {extProc: {host: 'a:1'}}}]"
    )
    gateway = ours(routes("[{name: one, backends: [{host: 'a:1'}]}]", policies))
    assert [(rule.scope.route, rule.expression) for rule in gateway.rules] == [("one", "true")]


def test_findings_say_where_a_route_is_in_ours() -> None:
    text = "[{name: all, backends: [{host: 'a:1'}]},"
    text += " {name: some, matches: [{path: {exact: /a}}], backends: [{host: 'a:1'}]}]"
    said = outcomes(routes(text))
    assert said["binds.0.listeners.0.routes.0.name"][1] == "routes.1.name"
    assert said["binds.0.listeners.0.routes.1.name"][1] == "routes.0.name"


def test_routes_without_a_gateway_are_left_out() -> None:
    assert config("routes: [{backends: [{host: 'a:1'}]}]\ngateways: {x: {port: 1}}").routes == ()


def test_the_route_that_leads_to_a_group_is_chosen_before_those_of_the_group() -> None:
    text = """[
      {name: outer, matches: [{path: {pathPrefix: /a}}], backends: [{routeGroup: g}]},
      {name: locked, matches: [{path: {pathPrefix: /a/b}}],
       policies: {apiKey: {mode: strict, keys: [{key: k}]}}, backends: [{host: 'a:1'}]},
      {name: rest, backends: [{host: 'a:1'}]},
    ]"""
    group = (
        "routeGroups: [{name: g, routes: [{name: in, matches: [{path: {pathPrefix: /a/b/c}}],"
        " backends: [{host: 'a:1'}]}]}]"
    )
    found = shown(routes(text, group))
    assert [(name, path) for name, _, path in found] == [
        ("locked", "/a/b"),
        ("in", "/a/b/c"),
        ("g-rest", "/a"),
        ("rest", "/"),
    ]
