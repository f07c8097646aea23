"""Binds, gateways and listeners of theirs → our gateways."""

from __future__ import annotations

import pytest

from tests.gateway.importers.agentgateway.imports import config, guarded, ours, outcomes, problems

ROUTES = "routes: [{backends: [{host: 'a:1'}]}]"


def bind(listener: str, rest: str = "") -> str:
    return f"binds: [{{port: 80{rest}, listeners: [{{{listener}}}]}}]"


def test_one_bind_is_the_default_gateway_and_several_are_named_by_port() -> None:
    assert list(config(bind(ROUTES)).gateways) == ["default"]
    two = f"binds: [{{port: 1, listeners: [{{{ROUTES}}}]}}, {{port: 2, listeners: [{{{ROUTES}}}]}}]"
    assert list(config(two).gateways) == ["port-1", "port-2"]


def test_binds_of_one_port_are_one_gateway() -> None:
    two = f"binds: [{{port: 1, listeners: [{{{ROUTES}}}]}}, {{port: 1, listeners: [{{{ROUTES}}}]}}]"
    assert list(config(two).gateways) == ["port-1"]
    assert len(config(two).routes) == 2


@pytest.mark.parametrize(
    ("listener", "rest"),
    [
        ("protocol: TCP", ""),
        ("protocol: TLS", ""),
        ("protocol: HBONE", ""),
        ("protocol: HTTPS", ""),
        ("protocol: HTTPS, tls: {mode: dynamicCa, cert: c, key: k}", ""),
        ("protocol: HTTPS, tls: {spiffe: {}}", ""),
        ("protocol: HTTPS, tls: {cert: c}", ""),
        ("protocol: HTTPS, tls: {cert: c, key: k, minTLSVersion: TLS_V1_3}", ""),
        ("protocol: HTTPS, tls: {cert: c, key: k, cipherSuites: [x]}", ""),
        ("hostname: 'a b'", ""),
        ("", ", tunnelProtocol: proxy"),
        ("", ", mode: internal"),
        ("", ", unheard: 1"),
    ],
)
def test_what_cannot_be_opened_as_theirs_is_not_opened(listener: str, rest: str) -> None:
    text = bind(f"{listener}, {ROUTES}" if listener else ROUTES, rest)
    assert config(text).routes == ()
    assert guarded(text)


def test_an_internal_bind_has_no_port_and_is_not_opened() -> None:
    assert config(f"binds: [{{listeners: [{{{ROUTES}}}]}}]").routes == ()


def test_tls_is_taken_over_with_the_authority_of_clients() -> None:
    text = bind(f"protocol: HTTPS, tls: {{cert: c.pem, key: k.pem, root: ca.pem}}, {ROUTES}")
    tls = config(text).gateways["default"].tls
    assert tls is not None
    assert tls.client_ca is not None
    assert tls.client_ca.path == "ca.pem"


def test_one_port_has_one_certificate() -> None:
    first = f"{{tls: {{cert: a, key: a}}, {ROUTES}}}"
    other = f"{{tls: {{cert: b, key: b}}, {ROUTES}}}"
    plain = f"{{{ROUTES}}}"
    text = f"binds: [{{port: 1, listeners: [{first}, {other}, {plain}, {first}]}}]"
    assert len(config(text).routes) == 2
    assert "binds.0.listeners.1.tls" in guarded(text)


def test_a_version_of_tls_for_all_that_ours_cannot_have_closes_tls_alone() -> None:
    text = "frontendPolicies: {tls: {minVersion: TLS_V1_3}}\n"
    tls = bind(f"tls: {{cert: a, key: a}}, {ROUTES}")
    assert config(text + tls).routes == ()
    assert len(config(text + bind(ROUTES)).routes) == 1


def test_a_listener_is_for_its_hostname() -> None:
    text = bind(f"hostname: '*.Example.com', {ROUTES}")
    assert ours(text).routes[0].match.hostnames == ("*.example.com",)
    assert ours(bind(f"hostname: '*', {ROUTES}")).routes[0].match.hostnames == ()


def test_policies_of_a_listener_hold_for_all_its_routes() -> None:
    text = bind(f"policies: {{authorization: {{rules: ['request.path == \"/a\"']}}}}, {ROUTES}")
    assert [rule.expression for rule in ours(text).rules] == ['request.path == "/a"']
    assert config(bind(f"policies: {{extProc: {{host: 'a:1'}}}}, {ROUTES}")).routes == ()


def test_a_port_that_there_is_not_is_a_problem() -> None:
    assert problems(f"binds: [{{port: 70000, listeners: [{{{ROUTES}}}]}}]") == [
        "theirs.yaml:1: binds.0.port: must be from 1 to 65535"
    ]


def test_listeners_of_a_gateway_have_its_policies_and_their_own() -> None:
    text = """
    gateways:
      edge:
        port: 80
        authorization: {rules: ['request.path == "/a"']}
        listeners:
          - {name: one, authorization: {rules: ['request.path == "/b"']}}
          - {name: two}
    routes:
      - {name: a, gateways: edge/one, backends: [{host: 'a:1'}]}
      - name: b
        gateways: [edge/two]
        matches: [{path: {pathPrefix: /b}}]
        backends: [{host: 'a:1'}]
    """
    rules = [(rule.scope.route, rule.expression) for rule in ours(text).rules]
    assert rules == [
        ("b", 'request.path == "/a"'),
        ("a", 'request.path == "/a"'),
        ("a", 'request.path == "/b"'),
    ]


def test_the_port_says_how_it_differs() -> None:
    assert "IPv6" in outcomes(bind(ROUTES))["binds.0.port"][2]
