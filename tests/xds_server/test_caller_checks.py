"""What is listed of who calls."""

from __future__ import annotations

from tests.kit.gateways import gateway_of, golden_gateway
from xds_server.check import Failing, Where
from xds_server.checks import llm_checks, route_checks, unasked_checks


def test_passwords_are_listed_where_they_count() -> None:
    hashed = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
    routes = """
routes:
  - {name: any, match: {path: {prefix: /any}}, backend: "http://a.example"}
  - {name: desk, match: {path: {prefix: /desk}}, backend: "http://a.example", auth: basic}
"""
    gateway = gateway_of(f"identity: {{basic: {{htpasswd: 'ann:{hashed}'}}}}{routes}")
    [both], [alone] = (route_checks(gateway, each) for each in gateway.routes)
    assert (both.name, alone.name) == ("API key or password", "password")
    assert "401 invalid_credential" in alone.refusal
    assert "429 too_many_passwords" in alone.refusal


def test_tokens_that_are_asked_about_are_listed_where_they_count() -> None:
    routes = """
routes:
  - {name: any, match: {path: {prefix: /any}}, backend: "http://a.example"}
  - {name: own, match: {path: {prefix: /own}}, backend: "http://a.example", auth: introspection}
  - {name: key, match: {path: {prefix: /key}}, backend: "http://a.example", auth: key}
"""
    gateway = gateway_of(f"identity: {{introspection: {{url: 'https://idp.example/i'}}}}{routes}")
    [any_], [own], [key] = (route_checks(gateway, each) for each in gateway.routes)
    assert any_.name == "API key or token that is asked about"
    assert own.name == "token that is asked about"
    assert "503 introspection_unavailable" in own.refusal
    assert "introspection" not in key.refusal


def test_external_services_are_listed_first_and_where_nobody_else_is_asked() -> None:
    gateway = golden_gateway("external-authz")
    opened, app, free = gateway.routes
    [door] = unasked_checks(gateway, opened)
    assert (door.where, door.failing, door.reads) == (Where.ENVOY, Failing.OPEN, "headers")
    first, *rest = route_checks(gateway, app)
    assert (first.where, first.failing, first.reads) == (Where.ENVOY, Failing.CLOSED, "body")
    assert "entitlements" in first.name
    assert rest
    assert unasked_checks(gateway, free) == ()
    assert llm_checks(gateway)[0] == first


def test_logins_are_listed_before_all_and_alone_where_nothing_else_counts() -> None:
    gateway = golden_gateway("logins")
    routes = {each.name: route_checks(gateway, each) for each in gateway.routes}
    asked, login, *_ = routes["app"]
    assert (asked.name, asked.where) == ("login staff (at https://idp.example)", Where.ENVOY)
    assert (login.name, login.refusal) == ("login", "401 login_required")
    names = [each.name for each in routes["both"]]
    assert names[:3] == [
        "login staff (at https://idp.example)",
        "token of https://idp.example",
        "API key or token",
    ]
    assert not [each.name for each in routes["api"] if "login" in each.name]
