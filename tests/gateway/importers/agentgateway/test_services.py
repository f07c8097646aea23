"""Authorization services of theirs → `external_authz`."""

from __future__ import annotations

import pytest

from gateway.external_authz import ExternalAuthz, ExternalBody
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Terms
from gateway.importers.agentgateway.services import read_service
from gateway.importers.agentgateway.terms import read_terms
from gateway.model import Gateway
from gateway.names import CREDENTIAL_HEADERS
from tests.gateway.importers.agentgateway.imports import (
    answers,
    guarded,
    node,
    ours,
    outcomes,
)

EVERY = ("*", *CREDENTIAL_HEADERS, "cookie", "proxy-authorization")


def file(policies: str) -> str:
    return (
        "binds: [{port: 80, listeners: [{routes: ["
        f"{{name: app, matches: [{{path: {{pathPrefix: /app}}}}], policies: {{{policies}}},"
        " backends: [{host: 'a:1'}]}, {name: rest, backends: [{host: 'rest:1'}]}"
        "]}]}]"
    )


def closed(gateway: Gateway) -> list[str]:
    return [rule.name for rule in gateway.rules if rule.expression == "true"]


def only(block: str) -> ExternalAuthz:
    gateway = ours(file(f"extAuthz: {block}"))
    assert closed(gateway) == []
    [found] = gateway.external
    assert [each.external for each in gateway.routes] == [found.name, ""]
    return found


def test_by_itself_it_is_grpc_and_sees_every_header() -> None:
    assert only("{host: 'authz:9000'}") == ExternalAuthz(
        "authz-1", "http://authz:9000", True, headers=EVERY
    )


def test_all_that_ours_can_say() -> None:
    found = only(
        """{host: 'authz:9000', failureMode: {denyWithStatus: 401},
        protocol: {http: {includeResponseHeaders: [X-User], metadata: {}}},
        includeRequestHeaders: [':path', X-Session],
        includeRequestBody: {maxRequestBytes: 100, allowPartialMessage: true}}"""
    )
    assert found == ExternalAuthz(
        "authz-1",
        "http://authz:9000",
        False,
        status_on_error=401,
        body=ExternalBody(100, True),
        headers=("x-session",),
        upstream_headers=("x-user",),
    )


@pytest.mark.parametrize(
    ("mode", "is_open", "status"),
    [
        ("allow", True, 503),
        ("deny", False, 503),
        ("{denyWithStatus: 403}", False, 403),
        ("{denyWithStatus: 418}", False, 503),
    ],
)
def test_what_becomes_of_requests_without_an_answer(mode: str, is_open: bool, status: int) -> None:
    found = only(f"{{host: 'a:1', failureMode: {mode}}}")
    assert (found.is_open_on_error, found.status_on_error) == (is_open, status)
    text = file(f"extAuthz: {{host: 'a:1', failureMode: {mode}}}")
    said = outcomes(text)["binds.0.listeners.0.routes.0.policies.extAuthz.failureMode"][2]
    assert bool(said) == (mode in ("deny", "{denyWithStatus: 418}"))


def test_bodies_are_shown_as_bytes_where_theirs_are() -> None:
    found = only("{host: 'a:1', includeRequestBody: {packAsBytes: true}}")
    assert found.body == ExternalBody(8192, False)


@pytest.mark.parametrize(
    "block",
    [
        "{service: {name: a, port: 1}}",
        "{backend: a}",
        "{host: 'a:1', policies: {backendTLS: {}}}",
        "{host: 'unix:/run/a'}",
        "{host: 'a:1', protocol: {grpc: {context: {a: b}}}}",
        "{host: 'a:1', protocol: {grpc: {metadata: {a: '1'}}}}",
        "{host: 'a:1', protocol: {http: {}}}",
        "{host: 'a:1', protocol: {http: {path: '\"/a\"'}}, includeRequestHeaders: [x-a]}",
        "{host: 'a:1', protocol: {http: {redirect: '\"/a\"'}}, includeRequestHeaders: [x-a]}",
        "{host: 'a:1', protocol: {http: {addRequestHeaders: {a: b}}}, includeRequestHeaders: [a]}",
        "{host: 'a:1', protocol: {http: {includeResponseHeaders: [host]}},"
        " includeRequestHeaders: [a]}",
        "{host: 'a:1', protocol: {}}",
        "{host: 'a:1', includeRequestHeaders: [':scheme']}",
        "{host: 'a:1', includeRequestHeaders: ['x-*']}",
        "{host: 'a:1', includeRequestBody: {}}",
        "{host: 'a:1', failureMode: sometimes}",
        "{host: 'a:1', quantum: 1}",
        "{conditional: [{host: 'a:1'}]}",
    ],
)
def test_what_would_be_shown_otherwise_closes(block: str) -> None:
    top, draft = node(block)
    assert read_service(top, draft) == Terms(locks=("extAuthz",))
    assert draft.services == {}
    text = file(f"extAuthz: {block}")
    assert closed(ours(text)) == ["closed-app"]
    assert "binds.0.listeners.0.routes.0.policies.extAuthz" in guarded(text)


def test_answers_that_are_remembered_there_are_asked_for_each_time_here() -> None:
    assert only("{host: 'a:1', cache: {key: ['1'], ttl: '\"5s\"'}}").name == "authz-1"


def test_the_same_service_is_one_and_two_for_one_route_close_it() -> None:
    top, draft = node("[{host: 'a:1'}, {host: 'a:1'}, {host: 'b:1'}]")
    first, again, other = (read_service(each, draft) for each in top.items())
    assert first == again == Terms(services=("authz-1",))
    assert other == Terms(services=("authz-2",))
    assert not (first + again).locks
    assert (first + other).locks
    assert first.is_for_anybody
    assert not first.is_open


def test_keys_and_rules_hold_beside_it() -> None:
    policies = (
        "extAuthz: {host: 'a:1'}, apiKey: {mode: strict, keys: [{key: k}]},"
        " authorization: {rules: ['request.method == \"GET\"']}"
    )
    app, rest = ours(file(policies)).routes
    assert (app.external, app.is_caller_required) == ("authz-1", True)
    assert (rest.external, rest.is_open) == ("", True)


def test_a_route_that_asks_nobody_else_stays_open_where_others_ask_for_keys() -> None:
    text = file("apiKey: {mode: strict, keys: [{key: k}]}").replace(
        "{name: rest,", "{name: rest, policies: {extAuthz: {host: 'a:1'}},"
    )
    rest = ours(text).routes[1]
    assert (rest.external, rest.is_open) == ("authz-1", True)


def test_models_are_closed() -> None:
    top, draft = node("{extAuthz: {host: 'a:1'}}")
    terms = read_terms(top, policy_keys.ROUTE_POLICY, draft, is_llm=True)
    assert terms.locks == ("extAuthz",)
    assert answers(top)["extAuthz"].is_security
    llm = "llm: {models: [{name: m, provider: openAI, params: {apiKey: k}}]}"
    policy = "policies: [{target: {gateway: x}, policy: {extAuthz: {host: 'a:1'}}}]"
    gateway = ours(f"{llm}\n{policy}")
    assert [(rule.name, rule.expression) for rule in gateway.rules if rule.scope.llm] == [
        ("closed-llm", "true")
    ]


def test_behind_a_backend_it_is_a_lock() -> None:
    text = file("").replace("'a:1'", "'a:1', policies: {extAuthz: {host: 'x:1'}}")
    assert closed(ours(text)) == ["closed-app"]
