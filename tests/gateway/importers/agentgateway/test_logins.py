"""Logins of browsers of theirs → `identity.logins`."""

from __future__ import annotations

import pytest

from gateway.identity import Accepts, ClientAuth, LoginEndpoints
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Terms
from gateway.importers.agentgateway.logins import read_login
from gateway.importers.agentgateway.terms import read_terms
from gateway.model import Gateway
from tests.gateway.importers.agentgateway.imports import (
    answers,
    guarded,
    node,
    ours,
    outcomes,
)

OIDC = {
    "issuer": "https://idp.example",
    "authorizationEndpoint": "https://idp.example/a",
    "tokenEndpoint": "https://idp.example/t",
    "jwks": "{url: 'https://idp.example/k'}",
    "clientId": "us",
    "clientSecret": "hush",
    "redirectURI": "https://app.example/back",
}


def oidc(**changes: str) -> str:
    said = {name: text for name, text in {**OIDC, **changes}.items() if text}
    return f"{{{', '.join(f'{name}: {text}' for name, text in said.items())}}}"


def file(policies: str, more: str = "") -> str:
    return (
        "binds: [{port: 80, listeners: [{routes: ["
        f"{{name: app, matches: [{{path: {{pathPrefix: /app}}}}], policies: {{{policies}}},"
        " backends: [{host: 'a:1'}]}, {name: rest, backends: [{host: 'rest:1'}]}"
        f"]}}]}}]\n{more}"
    )


def closed(gateway: Gateway) -> list[str]:
    return [rule.name for rule in gateway.rules if rule.expression == "true"]


def test_a_login_whose_endpoints_are_written_is_taken_over() -> None:
    gateway = ours(file(f"oidc: {oidc(scopes='[email]', tokenEndpointAuth='clientSecretPost')}"))
    [login] = gateway.identity.logins
    assert login.endpoints == LoginEndpoints("https://idp.example/a", "https://idp.example/t")
    assert (login.issuer.issuer, login.issuer.jwks_url) == (
        "https://idp.example",
        "https://idp.example/k",
    )
    assert (login.client_id, login.client_secret, login.client_auth) == (
        "us",
        "hush",
        ClientAuth.POST,
    )
    assert login.scopes == ("openid", "email")
    assert (login.url, login.redirect_path) == ("https://app.example", "/back")
    app, rest = gateway.routes
    assert (app.login, app.accepts) == (login.name, Accepts.LOGIN)
    assert (rest.login, rest.is_caller_required) == ("", False)
    assert closed(gateway) == []


def test_what_becomes_of_its_keys_is_said() -> None:
    found = outcomes(file(f"oidc: {oidc()}"))
    at = "binds.0.listeners.0.routes.0.policies.oidc"
    assert found[at][1] == "identity.logins.login-1"
    assert "sign out at /login/login-1/sign-out" in found[at][2]
    assert found[f"{at}.clientSecret"][1] == "identity.logins.login-1.client.secret"
    assert not any("hush" in note for _, _, note in found.values())


@pytest.mark.parametrize(
    "text",
    [
        oidc(authorizationEndpoint=""),
        oidc(tokenEndpoint=""),
        oidc(jwks=""),
        oidc(discovery="{url: 'https://idp.example/d'}"),
        oidc(clientSecret=""),
        oidc(clientId="a:b"),
        oidc(clientId="'a b'", tokenEndpointAuth="clientSecretPost"),
        oidc(redirectURI="/back"),
        oidc(redirectURI="https://app.example/back?x=1"),
        oidc(redirectURI="${WHERE}/back"),
        oidc(tokenEndpointAuth="none"),
        oidc(scopes="['a b']"),
        oidc(quantum="1"),
    ],
)
def test_what_cannot_be_taken_over_whole_closes(text: str) -> None:
    top, draft = node(text)
    assert read_login(top, draft) == Terms(locks=("oidc",))
    assert draft.logins == {}
    gateway = ours(file(f"oidc: {text}"))
    assert closed(gateway) == ["closed-app"]
    assert "binds.0.listeners.0.routes.0.policies.oidc" in guarded(file(f"oidc: {text}"))


def test_the_same_login_is_one_and_another_has_another_way_back() -> None:
    top, draft = node(f"[{oidc()}, {oidc()}, {oidc(clientId='them')}]")
    first, again, other = (read_login(each, draft) for each in top.items())
    assert first == again == Terms(logins=("login-1",))
    assert other == Terms(locks=("oidc",))
    assert list(draft.logins) == ["login-1"]


def test_keys_stand_in_a_file_or_in_the_text() -> None:
    for written, key in (("{file: keys.json}", "file"), ("'{\"keys\": []}'", "inline")):
        top, draft = node(oidc(jwks=written))
        assert read_login(top, draft).logins
        [block] = draft.logins.values()
        jwks = block["jwks"]
        assert isinstance(jwks, dict)
        assert list(jwks) == [key]


def test_a_key_or_another_login_beside_it_closes() -> None:
    both = f"oidc: {oidc()}, apiKey: {{mode: strict, keys: [{{key: k}}]}}"
    assert closed(ours(file(both))) == ["closed-app"]
    one, other = Terms(logins=("a",)), Terms(logins=("b",))
    assert (one + other).locks
    assert not (one + one).locks
    assert not (one + Terms()).locks
    assert not one.is_open


def test_no_browser_asks_models_so_they_are_closed() -> None:
    top, draft = node(f"{{oidc: {oidc()}}}")
    terms = read_terms(top, policy_keys.ROUTE_POLICY, draft, is_llm=True)
    assert terms.locks == ("oidc",)
    assert answers(top)["oidc"].is_security
    llm = "llm: {models: [{name: m, provider: openAI, params: {apiKey: k}}]}"
    gateway = ours(f"{llm}\npolicies: [{{target: {{gateway: x}}, policy: {{oidc: {oidc()}}}}}]")
    assert [rule.name for rule in gateway.rules if rule.scope.llm] == ["closed-llm"]
    assert gateway.rules[0].expression == "true"


def test_a_login_of_a_listener_is_for_all_its_routes() -> None:
    text = (
        f"binds: [{{port: 80, listeners: [{{policies: {{oidc: {oidc()}}}, routes: ["
        "{name: a, matches: [{path: {pathPrefix: /a}}], backends: [{host: 'a:1'}]},"
        "{name: b, backends: [{host: 'b:1'}]}]}]}]"
    )
    assert {each.name: each.login for each in ours(text).routes} == {"a": "login-1", "b": "login-1"}


def test_rules_hold_on_top_of_a_login() -> None:
    gateway = ours(file(f"oidc: {oidc()}, authorization: {{rules: ['request.path == \"/app\"']}}"))
    assert [(rule.name, rule.scope.route) for rule in gateway.rules] == [("app", "app")]
    reading_claims = f"oidc: {oidc()}, authorization: {{rules: ['jwt.sub == \"a\"']}}"
    assert closed(ours(file(reading_claims))) == ["closed-app"]
