"""Where a route of theirs leads."""

from __future__ import annotations

import pytest

from tests.gateway.importers.agentgateway.imports import config, guarded, outcomes, problems


def route(backends: str, policies: str = "{}", rest: str = "") -> str:
    one = f"[{{routes: [{{name: r, policies: {policies}, backends: {backends}}}]}}]"
    return f"binds: [{{port: 80, listeners: {one}}}]\n{rest}"


@pytest.mark.parametrize(
    ("backend", "url"),
    [
        ("{host: 'a.b:81'}", "http://a.b:81"),
        ("{host: a.b}", "http://a.b"),
        ("{host: 'http://a.b:81'}", "http://a.b:81"),
        ("{host: 'https://a.b'}", "https://a.b"),
        ("{host: '[::1]:81'}", "http://[::1]:81"),
        ("{host: 'a:443', policies: {backendTLS: {}}}", "https://a:443"),
        ("{host: 'a:443', policies: {backendTLS: {hostname: a}}}", "https://a:443"),
        ("{host: '$H:1'}", "http://"),
        ("{service: {name: ns/svc.local, port: 80}}", "http://svc.local:80"),
    ],
)
def test_a_backend_is_a_url(backend: str, url: str) -> None:
    (found,) = config(route(f"[{backend}]")).routes
    assert (found.backend or "").startswith(url)


@pytest.mark.parametrize(
    "backend",
    [
        "{host: 'unix:/run/x'}",
        "{host: 'http://a/path'}",
        "{dynamic: {}}",
        "{internal: forward}",
        "{invalid: null}",
        "{mcp: {targets: []}}",
        "{aws: {agentCore: {agentRuntimeArn: a}}}",
        "{backend: missing}",
        "{routeGroup: missing}",
        "{host: 'a:1', unheard: 1}",
        "{host: 'a:1', policies: {extAuthz: {host: 'b:1'}}}",
        "{host: 'a:1', policies: {backendTLS: {root: ca.pem}}}",
        "{host: 'a:1', policies: {backendTLS: {subjectAltNames: [b]}}}",
        "{host: 'a:1', policies: {transformations: {request: {}}}}",
        "{host: 'a:1', policies: {ai: {promptGuard: {request: []}}}}",
        "{host: 'a:1', weight: 0}",
        "",
    ],
)
def test_a_backend_that_cannot_be_reached_as_theirs_is_not_served(backend: str) -> None:
    assert config(route(f"[{backend}]")).routes == ()


def test_weights_are_shares_and_none_is_nothing() -> None:
    text = route("[{host: 'a:1', weight: 3}, {host: 'b:1', weight: 0}, {host: 'c:1'}]")
    (found,) = config(text).routes
    assert [(each.url, each.weight) for each in found.backends or ()] == [
        ("http://a:1", 3),
        ("http://c:1", 1),
    ]
    assert problems(route("[{host: 'a:1', weight: -1}]")) == [
        "theirs.yaml:1: binds.0.listeners.0.routes.0.backends.0.weight: must be from 0 to 1000000"
    ]


def test_services_are_reached_by_their_hostname() -> None:
    services = "services: [{name: s, namespace: ns, hostname: s.internal, ports: {80: 8080}}]"
    text = route("[{service: {name: ns/s, port: 80}}]", rest=services)
    (found,) = config(text).routes
    assert found.backend == "http://s.internal:80"


def test_a_backend_by_name_has_its_own_policies() -> None:
    rest = "backends: [{name: web, host: 'w:1', policies: {backendTLS: {}}}]"
    (found,) = config(route("[{backend: web}]", rest=rest)).routes
    assert found.backend == "https://w:1"
    rest = "backends: [{name: web, host: 'w:1', policies: {extAuthz: {host: 'a:1'}}}]"
    assert config(route("[{backend: default/web}]", rest=rest)).routes == ()
    assert "backends.0.policies.extAuthz" in guarded(route("[{backend: web}]", rest=rest))


def test_backends_that_nothing_leads_to_say_nothing() -> None:
    said = outcomes(route("[{host: 'a:1'}]", rest="backends: [{name: web, mcp: {targets: []}}]"))
    assert said["backends.0"][2] == "nothing leads to 'web'"


def test_verification_cannot_be_turned_off() -> None:
    text = route("[{host: 'a:1'}]", "{backendTLS: {insecure: true}}")
    (found,) = config(text).routes
    assert found.backend == "https://a:1"
    path = "binds.0.listeners.0.routes.0.policies.backendTLS.insecure"
    assert "verified" in outcomes(text)[path][2]


def test_a_credential_is_not_sent_and_its_value_not_said() -> None:
    text = route("[{host: 'a:1'}]", "{backendAuth: {key: hush-hush}}")
    assert "hush-hush" not in str(outcomes(text))
    assert len(config(text).routes) == 1


@pytest.mark.parametrize(
    "auth", ["{key: k}", "{aws: {}}", "{headers: [{name: a, value: b}]}", "gcp"]
)
def test_a_credential_that_a_plain_backend_does_not_get_is_said_first(auth: str) -> None:
    text = "binds: [{port: 80, listeners: [{routes: [{backends: [{host: 'a:1', policies: "
    text += f"{{backendAuth: {auth}}}"
    text += "}]}]}]}]"
    assert len(config(text).routes) == 1
    at = "binds.0.listeners.0.routes.0.backends.0.policies.backendAuth"
    assert any(path.startswith(at) for path in guarded(text))
