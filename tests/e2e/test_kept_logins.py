"""People log in with a browser, and their tokens are kept here: through a real Envoy."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.kit.certificates import Authority
from tests.kit.login_provider import SECRET, LoginProvider
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

YAML = """
gateways:
  default: {port: "${DRAGOMAN_PORT}", tls: {cert: server.pem, key: server.key}}
identity:
  api_keys: {keys: [{name: bob, key: k-bob, user: bob}]}
  logins:
    staff:
      issuer: https://idp.example.com
      client: {id: the-gateway, secret: SECRET}
      discovery: {url: IDP/.well-known/openid-configuration}
      sessions: server
      claims: {user: email, groups: roles}
    told:
      issuer: https://idp.example.com
      client: {id: the-gateway, secret: SECRET, method: basic}
      endpoints: {authorization: IDP/authorize, token: IDP/token}
      jwks: {url: IDP/jwks}
      sessions: server
      token: access
      audiences: [the api]
      forward: access
authorize:
  - {name: red, for: {route: red}, require: 'jwt.team == "red" && principal.kind == "login"'}
routes:
  - {name: app, match: {path: {prefix: /app}}, backend: UPSTREAM, login: staff}
  - {name: red, match: {path: {prefix: /red}}, backend: UPSTREAM, login: staff}
  - {name: both, match: {path: {prefix: /both}}, backend: UPSTREAM, login: staff, auth: any}
  - {name: told, match: {path: {prefix: /told}}, backend: UPSTREAM, login: told}
  - {name: free, match: {path: {prefix: /free}}, backend: UPSTREAM, auth: none}
"""
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-mode": "navigate"}


@dataclass(frozen=True, slots=True)
class World:
    """A gateway over TLS, who knows the people, and what is behind it."""

    stack: Stack
    idp: LoginProvider
    upstream: Recorder
    context: ssl.SSLContext
    browsers: list[httpx.Client]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.stack.port}"

    def browser(self) -> httpx.Client:
        made = httpx.Client(
            base_url=self.url, verify=self.context, headers=BROWSER, timeout=30, trust_env=False
        )
        self.browsers.append(made)
        return made

    def logged_in(self, path: str = "/app/page?q=1", **claims: object) -> httpx.Client:
        self.idp.more = {"email": "ann@example.com", **claims}
        browser = self.browser()
        answer = browser.get(path, follow_redirects=True)
        assert answer.status_code == 200, (answer.url, answer.text)
        return browser

    def told_of_logout(self, token: str) -> httpx.Response:
        return httpx.post(
            f"{self.url}/login/staff/back-channel-logout",
            data={"logout_token": token},
            verify=self.context,
            timeout=30,
        )


@pytest.fixture(scope="module")
def shared(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("kept-logins")
    authority = Authority()
    cert, key = authority.server()
    (folder / "server.pem").write_text(cert)
    (folder / "server.key").write_text(key)
    with LoginProvider() as idp, Recorder() as upstream:
        text = YAML.replace("UPSTREAM", upstream.url).replace("IDP", idp.url)
        config = folder / "gateway.yaml"
        config.write_text(text.replace("SECRET", json.dumps(SECRET)))
        with serve(config, folder / "state") as stack:
            context = ssl.create_default_context(cadata=authority.pem)
            world = World(stack, idp, upstream, context, [])
            for name in ("staff", "told"):
                idp.redirect_uris.add(f"{world.url}/login/{name}/callback")
            yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """With a provider that does as it should."""
    idp = shared.idp
    idp.more, idp.lifetime_seconds, idp.is_refusing, idp.is_away = {}, 600, False, False
    idp.gives_refresh_tokens = idp.gives_id_tokens_again = True
    for seen in (idp.authorizations, idp.grants, idp.refused, idp.ended):
        seen.clear()
    shared.upstream.requests.clear()
    yield shared
    for browser in shared.browsers:
        browser.close()
    shared.browsers.clear()


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_who_has_logged_in_sees_the_page_that_was_asked_for(world: World) -> None:
    browser = world.browser()
    sent = browser.get("/app/page?q=1&r=%2F")
    assert sent.status_code == 302
    assert sent.headers["cache-control"] == "no-store"
    seen = browser.get(sent.headers["location"], follow_redirects=True)
    assert (seen.status_code, str(seen.url)) == (200, f"{world.url}/app/page?q=1&r=%2F")
    [asked] = world.idp.authorizations
    assert asked["scope"] == "openid profile email"
    assert len(asked["nonce"]) == 43
    assert (asked["code_challenge_method"], world.idp.grants) == ("S256", ["authorization_code"])
    assert browser.get("/app/other").status_code == 200
    assert len(world.idp.authorizations) == 1
    for each in browser.cookies.jar:
        assert each.name.startswith("__Host-staff-")
        assert each.secure
        assert (each.value or "").count(".") < 2, "a token that can be read"
    assert sum(len(each.value or "") for each in browser.cookies.jar) < 1200


def test_neither_cookies_nor_tokens_travel_upstream(world: World) -> None:
    browser = world.logged_in(groups=["g" * 100] * 100)  # larger than all cookies together
    cookies = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
    for path in ("/app", "/both", "/free"):
        headers = {**BROWSER, "cookie": f"theme=dark; {cookies}", "x-dragoman-login-session": "x"}
        answer = httpx.get(f"{world.url}{path}", headers=headers, verify=world.context)
        assert answer.is_success, (path, answer.text)
        seen = world.upstream.last.headers
        assert seen["cookie"] == "theme=dark"
        assert "authorization" not in seen
        assert not [name for name in seen if name.startswith("x-dragoman")]


def test_rules_read_the_claims(world: World) -> None:
    assert world.logged_in("/red", team="red").get("/red").status_code == 200
    blue = world.logged_in("/app", team="blue")
    assert error(blue.get("/red")) == (403, "permission_denied")


def test_a_caller_without_a_browser_is_told_so(world: World) -> None:
    for headers in (
        {"accept": "application/json"},
        {**BROWSER, "sec-fetch-mode": "cors"},
        {**BROWSER, "x-requested-with": "XMLHttpRequest"},
    ):
        answer = httpx.get(f"{world.url}/app", headers=headers, verify=world.context)
        assert error(answer) == (401, "login_required"), headers
    posted = httpx.post(f"{world.url}/app", headers=BROWSER, verify=world.context)
    assert error(posted) == (401, "login_required")
    assert world.idp.authorizations == []


def test_another_credential_counts_alone(world: World) -> None:
    key = {"authorization": "Bearer k-bob"}
    browser = world.logged_in()
    assert httpx.get(f"{world.url}/both", headers=key, verify=world.context).status_code == 200
    assert error(browser.get("/app", headers=key)) == (401, "login_required")
    assert error(browser.get("/both", headers={"x-api-key": "wrong"})) == (401, "invalid_api_key")


def test_what_has_expired_is_renewed_and_the_browser_does_not_notice(world: World) -> None:
    world.idp.lifetime_seconds = 3
    browser = world.logged_in(team="blue")
    time.sleep(3.1)
    world.idp.lifetime_seconds, world.idp.more = 600, {"team": "red"}
    assert browser.get("/red").status_code == 200
    assert browser.get("/red").status_code == 200
    assert world.idp.grants == ["authorization_code", "refresh_token"]
    assert len(world.idp.authorizations) == 1


def test_without_a_refresh_token_people_log_in_again(world: World) -> None:
    world.idp.lifetime_seconds, world.idp.gives_refresh_tokens = 3, False
    browser = world.logged_in()
    time.sleep(3.1)
    assert browser.get("/app").status_code == 302


def test_a_token_endpoint_that_is_away_keeps_new_people_out_alone(world: World) -> None:
    known = world.logged_in()
    world.idp.is_away = True
    assert error(world.browser().get("/app", follow_redirects=True)) == (401, "login_failed")
    assert known.get("/app").status_code == 200


def test_a_token_for_another_login_is_not_taken(world: World) -> None:
    for more in ({"iss": "https://other.example.com"}, {"azp": "another"}):
        world.idp.more = dict(more)
        answer = world.browser().get("/app", follow_redirects=True)
        assert error(answer) == (401, "login_failed"), more
    assert world.upstream.requests == []


def test_a_code_is_good_for_the_browser_that_asked_for_it_alone(world: World) -> None:
    browser = world.browser()
    there = browser.get("/app").headers["location"]
    back = browser.get(there).headers["location"]
    assert error(world.browser().get(back)) == (401, "login_failed")
    assert browser.get(back).status_code == 302
    assert error(browser.get(back)) == (401, "login_failed")
    assert world.idp.refused == ["invalid_grant"]


def test_who_signs_out_is_forgotten_also_with_the_cookie_that_was(world: World) -> None:
    browser = world.logged_in()
    before = {each.name: each.value or "" for each in browser.cookies.jar}
    answer = browser.get("/login/staff/sign-out")
    assert answer.status_code == 302
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"{world.idp.url}/end-session"
    asked = parse_qs(where.query)
    assert asked["post_logout_redirect_uri"] == [f"{world.url}/"]
    assert asked["id_token_hint"][0].count(".") == 2
    assert browser.get("/app").status_code == 302
    stolen = "; ".join(f"{name}={value}" for name, value in before.items())

    def is_known() -> bool:
        headers = {**BROWSER, "cookie": stolen}
        answer = httpx.get(f"{world.url}/app", headers=headers, verify=world.context, timeout=30)
        return answer.status_code == 200

    eventually(lambda: not is_known(), 30)


def test_the_issuer_ends_a_session_or_all_of_somebody(world: World) -> None:
    one, other = world.logged_in(sid="s-1"), world.logged_in(sid="s-2")
    assert world.told_of_logout(world.idp.logout_token(sid="s-1")).status_code == 200
    eventually(lambda: one.get("/app").status_code == 302, 30)
    assert other.get("/app").status_code == 200
    assert world.told_of_logout(world.idp.logout_token(sub="ann")).status_code == 200
    eventually(lambda: other.get("/app").status_code == 302, 30)
    assert world.logged_in(sid="s-3").get("/app").status_code == 200, "who has come back is there"


def test_whoever_else_says_so_ends_nothing(world: World) -> None:
    browser = world.logged_in(sid="s-9")
    good = world.idp.logout_token(sid="s-9")
    head, claims, _ = good.split(".")
    for token in (
        "none",
        f"{head}.{claims}.{claims}",
        world.idp.logout_token(sid="s-9", aud="another"),
        world.idp.logout_token(sid="s-9", nonce="x"),
        world.idp.logout_token(sid="s-9", events={}),
        world.idp.logout_token(sid="s-9", iat=int(time.time()) - 9999, exp=1),
        world.idp.logout_token(),
    ):
        assert error(world.told_of_logout(token)) == (400, "invalid_request"), token
    assert browser.get("/app").status_code == 200


def test_an_access_token_may_count_and_travel(world: World) -> None:
    world.logged_in("/told", team="red")
    scheme, _, token = world.upstream.last.headers["authorization"].partition(" ")
    assert (scheme, token.count(".")) == ("Bearer", 2)
    assert "cookie" not in world.upstream.last.headers
