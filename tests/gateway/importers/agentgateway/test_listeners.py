"""What a listener keeps to itself."""

from __future__ import annotations

import pytest

from gateway.config import stars
from tests.gateway.importers.agentgateway.imports import guarded, ours, outcomes

OPEN = "{name: open, routes: [{name: open, backends: [{host: 'a:1'}]}]}"
AUTH = "policies: {apiKey: {mode: strict, keys: [{key: k}]}}"
ADMIN = "matches: [{path: {pathPrefix: /adm}}]"


def port(*listeners: str) -> str:
    return f"binds: [{{port: 80, listeners: [{', '.join(listeners)}]}}]"


def locked(listener: str, match: str = ADMIN) -> str:
    return f"{{{listener}, routes: [{{name: l, {match}, {AUTH}, backends: [{{host: 'a:1'}}]}}]}}"


def taken_by(text: str, host: str) -> tuple[str, bool]:
    """The route for a host, and whether everybody is refused there."""
    gateway = ours(text)
    route = next(
        each
        for each in gateway.routes
        if each.match.prefix == "/"
        and (not each.match.hostnames or any(stars.matches(h, host) for h in each.match.hostnames))
    )
    return route.name, any(
        rule.scope.route == route.name and rule.expression == "true" for rule in gateway.rules
    )


def test_what_no_route_of_a_listener_takes_is_no_other_listeners() -> None:
    text = port(locked("hostname: a.example.com, name: a"), OPEN)
    assert [route.name for route in ours(text).routes] == ["l", "a-rest", "open"]
    assert taken_by(text, "a.example.com") == ("a-rest", True)
    assert taken_by(text, "b.example.com") == ("open", False)
    outcome, to, note = outcomes(text)["binds.0.listeners.0.hostname"]
    assert (outcome, to) == ("different", "routes.1")
    assert "403" in note


@pytest.mark.parametrize(
    "listener",
    [
        "hostname: a.example.com, protocol: TLS",
        "hostname: a.example.com, tls: {spiffe: {}}",
        "hostname: '*.example.com', tls: {cert: c, key: c, cipherSuites: [x]}",
    ],
)
def test_requests_for_a_listener_that_is_not_opened_go_to_no_other(listener: str) -> None:
    text = port(locked(listener), OPEN)
    assert taken_by(text, "a.example.com")[1]
    assert taken_by(text, "example.org") == ("open", False)


def test_listeners_with_certificates_of_their_own_stay_apart() -> None:
    first = "{tls: {cert: a, key: a}, routes: [{name: open, backends: [{host: 'a:1'}]}]}"
    text = port(first, locked("hostname: a.example.com, tls: {cert: b, key: b}"))
    assert taken_by(text, "a.example.com")[1]
    assert taken_by(text, "example.org") == ("open", False)


@pytest.mark.parametrize("name", ["my_host.example.com", "a.example.com.", "'a.*.com'", "'a:8'"])
def test_a_name_that_ours_cannot_ask_for_closes_the_port(name: str) -> None:
    text = port(locked(f"hostname: {name}"), OPEN)
    assert taken_by(text, "b.example.com")[1]
    assert "binds.0.listeners.0.hostname" in guarded(text)


def test_a_listener_alone_needs_no_such_route() -> None:
    text = port(locked("hostname: a.example.com"), "{hostname: b.example.com, routes: []}")
    assert [route.name for route in ours(text).routes] == ["l"]


def test_listeners_of_gateways_stay_apart_too() -> None:
    text = (
        "gateways: {g: {port: 80, listeners: [{hostname: a.example.com, name: a}, {name: b}]}}\n"
        "routes: [{gateways: [g/b], name: open, backends: [{host: 'a:1'}]}]"
    )
    assert taken_by(text, "a.example.com") == ("a-rest", True)
    assert taken_by(text, "b.example.com") == ("open", False)
