"""Which plain routes Envoy decides on, and why others ask Python."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from gateway.identity import Identity
from gateway.model import Gateway
from tests.kit.gateways import gateway_of, golden_gateway
from xds_server.resources.envoy_rules import AskPython, EnvoyRules, decided_by_envoy, who_decides

ROUTE = '{name: app, match: {path: {prefix: /app}}, backend: "http://127.0.0.1:9000"'
RULE = "{name: get, deny: 'request.method == \"PUT\"'"
JWT = "{issuer: https://a, audiences: [x], jwks: {url: 'https://a/keys'}"


def gateway(
    rules: str = f"{RULE}}}", route: str = "", identity: str = "", more: str = ""
) -> Gateway:
    return gateway_of(
        "gateways: {default: {port: 8080}}\n"
        f"identity: {{{identity}}}\nauthorize: [{rules}]\nroutes: [{ROUTE}{route}}}]\n{more}"
    )


def decided(made: Gateway) -> EnvoyRules | AskPython:
    (route,) = made.routes
    return who_decides(made, route)


def reasons(made: Gateway) -> tuple[str, ...]:
    found = decided(made)
    assert isinstance(found, AskPython)
    assert decided_by_envoy(made) == {}
    return found.reasons


def test_rules_over_what_envoy_knows_are_its_own() -> None:
    made = gateway()
    found = decided(made)
    assert isinstance(found, EnvoyRules)
    assert [rule.name for rule in found.rules] == ["get"]
    assert not found.checks_tokens
    assert found.missing == ""
    assert decided_by_envoy(made) == {"app": found}


def test_they_are_asked_in_the_order_of_their_effects() -> None:
    gateway = golden_gateway("envoy-rules")
    found = decided_by_envoy(gateway)
    assert list(found) == ["app", "claims"]
    assert [rule.name for rule in found["app"].rules] == [
        "no-scripts",
        "tenants",
        "readers",
        "office",
    ]


def test_a_token_alone_can_be_asked_for() -> None:
    made = gateway("", identity=f"jwt: [{JWT}}}]")
    found = decided(made)
    assert isinstance(found, EnvoyRules)
    assert (found.checks_tokens, found.missing, found.rules) == (
        True,
        "no credential was given",
        (),
    )


def test_keys_do_not_count_where_tokens_are_asked_for() -> None:
    keyed = f"api_keys: {{keys: [{{name: k, key: secret}}]}}, jwt: [{JWT}}}]"
    assert isinstance(decided(gateway(identity=keyed, route=", auth: jwt")), EnvoyRules)
    assert reasons(gateway(identity=keyed)) == ("only Python knows the API keys",)


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        ("api_keys: {keys: [{name: k, key: secret}]}", "only Python knows the API keys"),
        ("api_keys: {enabled: true}", "only Python knows the API keys"),
        ("certificates: [{san: a}]", "only Python knows whose certificates are whose"),
        ("required: true", "a credential is asked for"),
        (
            f"jwt: [{JWT}, mode: permissive}}]",
            "a token of https://a that is not valid counts as none",
        ),
        (f"jwt: [{JWT}, forward: true}}]", "a token of https://a is forwarded"),
    ],
)
def test_callers_may_be_known_to_python_alone(identity: str, reason: str) -> None:
    assert reason in reasons(gateway(identity=identity))


@dataclass(frozen=True, slots=True)
class Wider(Identity):
    """With a way of being known that nobody has thought of here."""

    passwords: str = ""


def test_what_nobody_has_thought_of_is_pythons() -> None:
    made = replace(gateway(), identity=Wider(passwords="x"))
    assert reasons(made) == ("only Python knows all callers",)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (f"{RULE}, mode: audit}}", "rule get is in audit"),
        ("{name: r, for: {user: ada}, deny: 'true'}", "rule r is for a user"),
        ("{name: r, for: {team: red}, deny: 'true'}", "rule r is for a team"),
        (
            "{name: r, deny: 'principal.is_anonymous'}",
            "rule r reads principal.is_anonymous",
        ),
    ],
)
def test_one_rule_that_is_pythons_makes_the_route_its_own(rule: str, reason: str) -> None:
    assert reasons(gateway(f"{rule}, {RULE.replace('name: get', 'name: other')}}}")) == (reason,)


def test_limits_are_counted_in_python() -> None:
    made = gateway(more="limits: [{name: l, requests: 5/min}]")
    assert "a limit counts its requests" in reasons(made)


def test_the_audit_log_is_written_in_python() -> None:
    assert reasons(gateway(more="audit: {path: audit}")) == ("the audit log is written by Python",)


def test_a_key_that_is_asked_for_on_another_route_is_known_nowhere() -> None:
    """So Python refuses whoever sends one."""
    other = ROUTE.replace("name: app", "name: other")
    made = gateway_of(
        f"gateways: {{default: {{port: 8080}}}}\nauthorize: [{RULE}}}]\n"
        f"routes: [{ROUTE}}}, {other}, auth: any}}]"
    )
    found = who_decides(made, made.routes[0])
    assert found == AskPython(("a credential that nobody knows is refused",))


def test_a_listener_that_is_not_ours_does_not_have_the_filter() -> None:
    manager = (
        "{'@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager, stat_prefix: m, rds: {route_config_name: 'gateway/default',"
        " config_source: {ads: {}}}}"
    )
    own = (
        "xds: {resources: [{'@type': envoy.config.listener.v3.Listener, name: mine,"
        f" filter_chains: [{{filters: [{{name: h, typed_config: {manager}}}]}}]}}]}}"
    )
    assert "a listener of xds.resources may serve it" in reasons(gateway(more=own))


def test_a_route_on_which_people_log_in_is_pythons_and_others_stay_envoys() -> None:
    gateway = golden_gateway("logins")
    found = {each.name: who_decides(gateway, each) for each in gateway.routes}
    assert isinstance(found["api"], EnvoyRules)
    app = found["app"]
    assert isinstance(app, AskPython)
    assert "people log in" in app.reasons
    assert not [each for each in app.reasons if "keys" in each]
