"""Rate limit services of theirs → `limit_services`, and limits that name one."""

from __future__ import annotations

import pytest

from gateway.imported import Outcome
from tests.gateway.importers.agentgateway.imports import ours, outcomes

AT = "binds.0.listeners.0.routes.0.policies.remoteRateLimit"
ENTRIES = """{key: plan, value: '"gold"'}, {key: tenant, value: 'request.headers["X-Tenant"]'},
    {key: method, value: request.method}, {key: path, value: request.path},
    {key: remote_address, value: source.address}"""


def file(limit: str, second: str = "") -> str:
    return (
        "binds: [{port: 80, listeners: [{routes: ["
        f"{{name: app, matches: [{{path: {{pathPrefix: /app}}}}], policies: {{{limit}}},"
        f" backends: [{{host: 'a:1'}}]}}{second}]}}]}}]\n"
    )


def remote(descriptors: str, more: str = "") -> str:
    return (
        f"remoteRateLimit: {{domain: edge, host: '10.0.0.9:8081', descriptors: [{descriptors}]"
        f"{more}}}"
    )


def test_a_service_is_asked_with_the_same_entries() -> None:
    gateway = ours(file(remote(f"{{entries: [{ENTRIES}]}}", ", failureMode: failOpen")))
    [(service, upstream)] = gateway.limit_services
    assert (service.domain, service.is_open_on_error) == ("edge", True)
    assert upstream.authority == "10.0.0.9:8081"
    [limit] = gateway.limits
    assert (limit.service, limit.scope.route) == (service.name, "app")
    assert limit.descriptor == (
        ("plan", '"gold"'),
        ("tenant", 'request.headers["x-tenant"]'),
        ("method", "request.method"),
        ("path", "request.path"),
        ("remote_address", "source.address"),
    )
    assert [each.name for each in gateway.routes[0].asked_limits] == [limit.name]


def test_what_becomes_of_it_is_said() -> None:
    found = outcomes(file(remote(f"{{entries: [{ENTRIES}]}}")))
    outcome, to, note = found[AT]
    assert (outcome, to) == (Outcome.DIFFERENT, "limit_services.limits-1")
    assert "(none)" in note
    assert found[f"{AT}.domain"][0] is Outcome.EXACT


def test_routes_share_a_service_and_each_descriptor_is_a_limit() -> None:
    said = remote(
        "{entries: [{key: a, value: request.method}]}, {entries: [{key: b, value: '\"x\"'}]}"
    )
    second = (
        f", {{name: b, matches: [{{path: {{pathPrefix: /b}}}}], policies: {{{said}}},"
        " backends: [{host: 'b:1'}]}"
    )
    gateway = ours(file(said, second))
    assert len(gateway.limit_services) == 1
    assert sorted(each.scope.route or "" for each in gateway.limits) == ["app", "app", "b", "b"]
    assert len({each.name for each in gateway.limits}) == 4


@pytest.mark.parametrize(
    "limit",
    [
        remote("{entries: [{key: path, value: request.path + 'x'}]}"),
        remote("{entries: [{key: a, value: source.address}]}"),
        remote("{entries: [{key: 'a b', value: request.method}]}"),
        remote("{entries: [{key: u, value: jwt.sub}]}"),
        remote("{entries: [{key: m, value: request.method}], type: tokens}"),
        remote("{entries: [{key: m, value: request.method}], cost: '2'}"),
        remote("{entries: []}"),
        remote(
            "{entries: [{key: m, value: request.method}]}",
            ", policies: {x: {y: 1}}",
        ),
        remote("{entries: [{key: m, value: request.method}]}").replace("host: '10", "backend: '10"),
    ],
)
def test_what_envoy_cannot_ask_is_said_to_be_no_limit(limit: str) -> None:
    gateway = ours(file(limit))
    assert (gateway.limits, gateway.limit_services) == ((), ())
    found = outcomes(file(limit))
    left = [path for path, (outcome, _, _) in found.items() if outcome is Outcome.UNSUPPORTED]
    assert any(path.startswith(AT) for path in left)


def test_of_models_no_service_is_asked() -> None:
    models = "backends: [{ai: {name: a, provider: {openAI: {model: gpt-5}}}}]"
    said = remote("{entries: [{key: m, value: request.method}]}")
    text = f"binds: [{{port: 80, listeners: [{{routes: [{{policies: {{{said}}}, {models}}}]}}]}}]"
    assert ours(text).limits == ()
    assert outcomes(text)[AT][0] is Outcome.UNSUPPORTED
