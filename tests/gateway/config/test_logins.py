"""Where people log in, as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.config.load import load_file
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.identity import (
    Accepts,
    ClaimNames,
    ClientAuth,
    Issuer,
    Login,
    LoginCookies,
    LoginEndpoints,
    LoginToken,
)
from gateway.resolve import resolve
from tests.gateway.config.loading import complaints, loaded, meant, warned
from tests.kit.certificates import Authority

ENDPOINTS = "authorization: 'https://idp.example/a', token: 'https://idp.example/t'"
CLIENT = "id: us, secret: hush"
JWKS = "url: 'https://idp.example/k'"
SECRET = "0123456789abcdef0123456789abcdef"
ROUTE = '{name: app, match: {path: {prefix: /app}}, backend: "http://127.0.0.1:9000"'


def login(
    more: str = "", endpoints: str = ENDPOINTS, jwks: str = JWKS, client: str = CLIENT
) -> str:
    return (
        f"{{issuer: 'https://idp.example', client: {{{client}}}, endpoints: {{{endpoints}}},"
        f" jwks: {{{jwks}}}{more}}}"
    )


def written(staff: str, routes: str = "") -> str:
    return f"identity: {{logins: {{staff: {staff}}}}}\nroutes: [{routes}]"


def only(text: str) -> Login:
    [found] = meant(text).identity.logins
    return found


def test_little_is_needed() -> None:
    assert only(written(login())) == Login(
        "staff",
        Issuer("https://idp.example", ("us",), "https://idp.example/k"),
        LoginEndpoints("https://idp.example/a", "https://idp.example/t"),
        "us",
        "hush",
        ClientAuth.BASIC,
        ("openid", "profile", "email"),
        "/login/staff/callback",
        "/login/staff/sign-out",
        LoginCookies("__Host-staff-"),
    )


def test_all_of_it() -> None:
    more = f""", scopes: [openid, groups], parameters: {{prompt: "a b", audience: api}},
        token: access, audiences: [api], claims: {{user: email}}, leeway: 5s, redirect_path: /in,
        sign_out_path: /out, url: 'https://app.example', refresh: false, idle: 10m, forward: id,
        timeout: 1s,
        cookies: {{prefix: s_1, domain: example.com, same_site: none, secret: {SECRET}}}"""
    endpoints = f"{ENDPOINTS}, end_session: 'https://idp.example/e'"
    found = only(written(login(more, endpoints, client=f"{CLIENT}, method: post")))
    assert found == Login(
        "staff",
        Issuer(
            "https://idp.example",
            ("api",),
            "https://idp.example/k",
            claims=ClaimNames("email"),
            leeway_seconds=5,
        ),
        LoginEndpoints(
            "https://idp.example/a?prompt=a%20b&audience=api",
            "https://idp.example/t",
            "https://idp.example/e",
        ),
        "us",
        "hush",
        ClientAuth.POST,
        ("openid", "groups"),
        "/in",
        "/out",
        LoginCookies("__Secure-s_1-", "example.com", True, SECRET),
        "https://app.example",
        LoginToken.ACCESS,
        LoginToken.ID,
        False,
        600,
        1.0,
    )


def test_a_route_takes_a_login_alone_or_what_it_says_beside_it() -> None:
    routes = f"{ROUTE}, login: staff}}"
    [alone] = meant(written(login(), routes)).routes
    assert (alone.login, alone.accepts, alone.is_caller_required) == ("staff", Accepts.LOGIN, True)
    text = written(login(), f"{ROUTE}, login: staff, auth: jwt}}")
    both = f"{text}\n".replace(
        "identity: {", "identity: {jwt: [{issuer: i, audiences: [], jwks: {url: 'https://i/k'}}], "
    )
    [route] = meant(both).routes
    assert (route.login, route.accepts) == ("staff", Accepts.JWT)


def test_others_come_in_as_before() -> None:
    gateway = meant(written(login(), f"{ROUTE}, login: staff}}, {{name: b, backend: 'http://b'}}"))
    assert not gateway.identity.is_required
    assert not gateway.routes[1].is_caller_required


def test_only_envoy_is_told_secrets_and_addresses(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(Authority("idp").pem)
    file = tmp_path / "gateway.yaml"
    more = f", claims: {{groups: roles}}, cookies: {{secret: {SECRET}}}"
    text = login(more, f"{ENDPOINTS}, ca: ca.pem", f"{JWKS}, ca: ca.pem")
    file.write_text(written(text, f"{ROUTE}, login: staff, auth: any}}"))
    config = load_file(file, {})
    assert isinstance(config, Config), config
    told = for_workers(config)
    assert for_workers(loaded(told)) == told
    [known], [ours] = (resolve(each).identity.logins for each in (loaded(told), config))
    assert (known.name, known.issuer.issuer) == (ours.name, ours.issuer.issuer)
    assert known.issuer.claims == ours.issuer.claims
    [route] = resolve(loaded(told)).routes
    assert (route.login, route.accepts) == ("staff", Accepts.ANY)
    shown = published(config)
    for each in (told, shown, repr(resolve(config))):
        assert "hush" not in each
        assert SECRET not in each
    assert "idp.example/t" not in told
    assert yaml.safe_load(shown)["identity"]["logins"]["staff"]["endpoints"] == {
        "authorization": "https://idp.example/a",
        "token": "https://idp.example/t",
    }


@pytest.mark.parametrize(
    ("staff", "problem"),
    [
        (login(", scopes: [profile]"), ": needs the scope openid"),
        (login(", scopes: ['a b']"), ".scopes.0: must be a scope"),
        (login(", parameters: {state: x}"), ": has the parameter state, which Envoy sets itself"),
        (login(", cookies: {secret: short}"), ".cookies.secret: must have 32 characters"),
        (login(", cookies: {prefix: 'a b'}"), ".cookies.prefix: must be letters"),
        (login(", cookies: {domain: '*.a.example'}"), ".cookies: the domain has no '*'"),
        (login(", cookies: {same_site: strict}"), ".cookies.same_site: must be one of lax, none"),
        (login(", idle: 30s"), ".idle: must be whole seconds, a minute or more"),
        (login(", timeout: 2m"), ".timeout: must be from 100ms to 1m"),
        (login(", forward: both"), ".forward: must be one of id, access"),
        (login(", url: 'https://a/b'"), ".url: must have no path"),
        (login(jwks="inline: '{}'"), ".jwks.inline: the key set has no keys"),
        (login(", sign_out_path: /login/staff/callback"), ".sign_out_path: the path '/login/staff"),
        (login(endpoints="token: 'https://a'"), ".endpoints.authorization: is required"),
        (login(client="id: us"), ".client.secret: is required"),
        (login(client="id: a b, secret: x"), ".client.id: must be letters"),
        (login(client="id: 'a:b', secret: x"), ".client: has an id with"),
    ],
)
def test_mistakes_are_problems(staff: str, problem: str) -> None:
    [found] = complaints(written(staff))
    assert f"identity.logins.staff{problem}" in found


def test_two_logins_have_their_own_paths_and_cookies() -> None:
    two = f"{{a: {login(', redirect_path: /in, cookies: {prefix: x}')}, a-b: "
    text = f"identity: {{logins: {two}{login(', redirect_path: /in, cookies: {prefix: x-y}')}}}}}"
    assert complaints(text) == [
        "identity.logins.a-b: its cookies have names that are those of 'a'",
        "identity.logins.a-b.redirect_path: the path '/in' is the redirect_path of 'a' already",
    ]


def test_a_route_names_a_login_that_there_is() -> None:
    [found] = complaints(written(login(), f"{ROUTE}, login: stuff}}"))
    assert found == "routes.0.login: no login 'stuff'"
    [open_] = complaints(written(login(), f"{ROUTE}, login: staff, auth: none}}"))
    assert "has a login, and its auth is none" in open_
    broken = complaints(written(login(", idle: 1s"), f"{ROUTE}, login: staff}}"))
    assert len(broken) == 1, "a login that is mistaken is there"


def test_what_needs_tls_is_warned_of() -> None:
    plain = login(
        endpoints="authorization: 'http://idp.example/a', token: 'http://idp.example/t'",
        jwks="url: 'http://idp.example/k'",
    )
    found = warned(written(plain))
    assert [each.split(": ")[0] for each in found] == [
        "identity.logins.staff",
        "identity.logins.staff.endpoints.token",
        "identity.logins.staff.endpoints.authorization",
        "identity.logins.staff.jwks.url",
    ]
    assert warned(written(login(", url: 'https://app.example'"))) == []


def test_tokens_may_be_kept_by_the_server(tmp_path: Path) -> None:
    ca = Authority("idp").pem
    (tmp_path / "ca.pem").write_text(ca)
    secret = f", cookies: {{secret: {SECRET}}}"
    text = written(
        login(f", sessions: server{secret}", f"{ENDPOINTS}, ca: ca.pem", f"{JWKS}, ca: ca.pem")
    )
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    config = load_file(file, {})
    assert isinstance(config, Config), config
    gateway = resolve(config)
    [found] = gateway.identity.kept_logins
    assert gateway.identity.envoys_logins == ()
    assert found.back_channel_path == "/login/staff/back-channel-logout"
    token, keys = gateway.services
    assert (token.name, keys.name) == ("login/staff/token", "login/staff/keys")
    assert {token.upstream.authority, keys.upstream.authority} == {"idp.example"}
    assert token.upstream.ca == keys.upstream.ca == ca
    told = resolve(loaded(for_workers(config))).identity.logins[0]
    assert (told.client_secret, told.cookies.secret) == ("hush", SECRET)
    assert told.endpoints.token == "https://nowhere/t"
    assert told.issuer.jwks_url == "https://nowhere/k"
    assert told.endpoints.authorization == "https://idp.example/a"
    assert "hush" not in published(config)
    assert SECRET not in published(config)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (", sessions: disk", "sessions: must be one of browser, server"),
        (", sessions: server, parameters: {nonce: x}", "has the parameter nonce"),
        (", sessions: server, token: access, scopes: [a]", "needs the scope openid"),
        (", back_channel_logout_path: /x", "which is for sessions: server"),
        (", sessions: server, back_channel_logout_path: /login/staff/callback", "is the redirect"),
    ],
)
def test_what_does_not_go_with_kept_tokens_is_a_problem(more: str, problem: str) -> None:
    [found] = complaints(written(login(more)))
    assert problem in found
