"""People log in with a browser, at a real provider, through a real Envoy."""

from __future__ import annotations

import base64
import json
import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, SERVED, Serve
from tests.kit.certificates import Authority
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.login_provider import ISSUER, SECRET, LoginProvider
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually, free_ports, running

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
      endpoints: {authorization: IDP/authorize, token: IDP/token, end_session: IDP/end-session}
      jwks: {url: IDP/jwks}
      parameters: {prompt: select account}
      claims: {user: email, groups: roles}
    told:
      issuer: https://idp.example.com
      client: {id: the-gateway, secret: SECRET}
      discovery: {url: IDP/.well-known/openid-configuration}
      token: access
      audiences: [the api]
      redirect_path: /told/back
      sign_out_path: /told/bye
      cookies: {prefix: t, same_site: none}
      forward: access
    wide:
      issuer: https://idp.example.com
      client: {id: the-gateway, secret: SECRET}
      endpoints: {authorization: IDP/authorize, token: IDP/token}
      jwks: {url: IDP/jwks}
      url: https://app.example.com
      cookies: {domain: example.com}
authorize:
  - {name: red, for: {route: red}, require: 'jwt.team == "red" && principal.kind == "login"'}
  - {name: boss, for: {route: boss}, require: '"boss" in principal.groups'}
routes:
  - {name: app, match: {path: {prefix: /app}}, backend: UPSTREAM, login: staff}
  - {name: red, match: {path: {prefix: /red}}, backend: UPSTREAM, login: staff}
  - {name: boss, match: {path: {prefix: /boss}}, backend: UPSTREAM, login: staff}
  - {name: both, match: {path: {prefix: /both}}, backend: UPSTREAM, login: staff, auth: any}
  - {name: told, match: {path: {prefix: /told}}, backend: UPSTREAM, login: told}
  - {name: wide, match: {path: {prefix: /wide}}, backend: UPSTREAM, login: wide}
  - {name: key, match: {path: {prefix: /key}}, backend: UPSTREAM, auth: key}
  - {name: free, match: {path: {prefix: /free}}, backend: UPSTREAM, auth: none}
"""
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-mode": "navigate"}
CALLBACK = "/login/staff/callback"


@dataclass(frozen=True, slots=True)
class World:
    """A gateway over TLS, who knows the people, and what is behind it."""

    stack: Stack
    idp: LoginProvider
    upstream: Recorder
    context: ssl.SSLContext
    version: str
    """Of Envoy."""
    browsers: list[httpx.Client]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.stack.port}"

    def browser(self) -> httpx.Client:
        """With a cookie jar; it is told where to go, and goes there when it is asked to."""
        made = httpx.Client(
            base_url=self.url, verify=self.context, headers=BROWSER, timeout=10, trust_env=False
        )
        self.browsers.append(made)
        return made

    def logged_in(self, path: str = "/app/page?q=1", **claims: object) -> httpx.Client:
        """A browser whose person has logged in to see a page."""
        self.idp.more = {"email": "ann@example.com", **claims}
        browser = self.browser()
        answer = browser.get(path, follow_redirects=True)
        assert answer.status_code == 200, (answer.url, answer.text)
        return browser


@pytest.fixture(scope="module")
def shared(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("logins")
    authority = Authority()
    cert, key = authority.server()
    (folder / "server.pem").write_text(cert)
    (folder / "server.key").write_text(key)
    with LoginProvider() as idp, Recorder() as upstream:
        text = YAML.replace("UPSTREAM", upstream.url).replace("IDP", idp.url)
        config = folder / "gateway.yaml"
        config.write_text(text.replace("SECRET", json.dumps(SECRET)))
        with serve(config, folder / "state") as stack:
            version = NEWEST if serve is SERVED[NEWEST] else OLDEST
            context = ssl.create_default_context(cadata=authority.pem)
            world = World(stack, idp, upstream, context, version, [])
            for path in (CALLBACK, "/told/back"):
                idp.redirect_uris.add(f"{world.url}{path}")
            idp.redirect_uris.add("https://app.example.com/login/wide/callback")
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
    assert sent.headers["location"].startswith(f"{world.idp.url}/authorize?")
    seen = browser.get(sent.headers["location"], follow_redirects=True)
    assert (seen.status_code, str(seen.url)) == (200, f"{world.url}/app/page?q=1&r=%2F")
    [asked] = world.idp.authorizations
    assert asked["prompt"] == "select account"
    assert asked["scope"] == "openid profile email"
    assert (asked["code_challenge_method"], world.idp.grants) == ("S256", ["authorization_code"])
    assert browser.get("/app/other").status_code == 200
    assert len(world.idp.authorizations) == 1
    assert [each.path for each in world.upstream.requests] == ["/app/page?q=1&r=%2F", "/app/other"]


def test_cookies_are_for_this_host_and_https_alone_and_say_nothing(world: World) -> None:
    browser = world.browser()
    first = browser.get("/app")
    back = browser.get(first.headers["location"])
    last = browser.get(back.headers["location"])
    made = [*first.headers.get_list("set-cookie"), *last.headers.get_list("set-cookie")]
    assert len([each for each in made if "deleted" not in each]) >= 5
    for each in made:
        assert each.startswith("__Host-staff-"), each
        if "=deleted;" not in each:
            attributes = {part.strip().lower() for part in each.split(";")[1:]}
            assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes, each
            assert not any(part.startswith("domain") for part in attributes)
            value = each.partition("=")[2].partition(";")[0]
            assert value.count(".") < 2, "a token that can be read"


def test_neither_cookies_nor_tokens_travel_upstream(world: World) -> None:
    browser = world.logged_in()
    world.upstream.requests.clear()
    mine = {"cookie": "theme=dark; __Host-staff-id=forged"}
    for path in ("/app", "/both", "/key", "/free"):
        cookies = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
        assert "__Host-staff-id" in cookies
        headers = {"cookie": f"theme=dark; {cookies}; lang=en"}
        if path == "/key":
            headers["authorization"] = "Bearer k-bob"
        assert httpx.get(
            f"{world.url}{path}", headers={**BROWSER, **headers}, verify=world.context
        ).is_success
        seen = world.upstream.last.headers
        # the filter keeps them, in an order of its own
        assert sorted(seen["cookie"].split("; ")) == ["lang=en", "theme=dark"], path
        assert "authorization" not in seen
        assert not [name for name in seen if name.startswith("x-dragoman")]
    assert httpx.get(f"{world.url}/free", headers=mine, verify=world.context).is_success
    assert world.upstream.last.headers["cookie"] == "theme=dark"


def test_rules_read_the_claims(world: World) -> None:
    assert world.logged_in("/red", team="red").get("/red").status_code == 200
    blue = world.logged_in("/app", team="blue", roles=["boss"])
    refused = blue.get("/red")
    assert error(refused) == (403, "permission_denied")
    assert blue.get("/boss").status_code == 200


def test_a_caller_without_a_browser_is_told_so_in_its_words(world: World) -> None:
    for headers in (
        {"accept": "application/json"},
        {"accept": "*/*"},
        {**BROWSER, "sec-fetch-mode": "cors"},
        {**BROWSER, "x-requested-with": "XMLHttpRequest"},
    ):
        answer = httpx.get(f"{world.url}/app", headers=headers, verify=world.context)
        assert error(answer) == (401, "login_required"), headers
        assert answer.headers["www-authenticate"] == "Bearer"
    spoken = {"accept": "*/*", "anthropic-version": "2023-06-01"}
    answer = httpx.get(f"{world.url}/app", headers=spoken, verify=world.context)
    assert answer.json()["type"] == "error"
    assert world.idp.authorizations == []


def test_a_route_may_take_a_key_as_well_and_others_do_not(world: World) -> None:
    key = {"authorization": "Bearer k-bob"}
    answer = httpx.get(f"{world.url}/both", headers=key, verify=world.context)
    assert answer.status_code == 200
    assert error(httpx.get(f"{world.url}/app", headers=key, verify=world.context)) == (
        401,
        "login_required",
    )
    wrong = {**BROWSER, "x-api-key": "nobody's"}
    assert httpx.get(f"{world.url}/both", headers=wrong, verify=world.context).status_code == 401


def test_a_token_in_the_cookie_proves_nothing_beside_another_credential(world: World) -> None:
    world.idp.more = {"email": "ann@example.com"}
    token = world.idp.key.sign({**_claims(), "aud": "the-gateway", "email": "ann@example.com"})
    plain = {"cookie": f"__Host-staff-id={token}"}
    for headers in ({**plain, "authorization": "Bearer wrong"}, {**plain, "x-api-key": "wrong"}):
        for path in ("/both", "/app"):
            answer = httpx.get(f"{world.url}{path}", headers=headers, verify=world.context)
            assert answer.status_code == 401, (path, headers)
    answer = httpx.get(f"{world.url}/app", headers={**BROWSER, **plain}, verify=world.context)
    assert answer.status_code == 302, "nobody has signed the cookies"


def _claims() -> dict[str, object]:
    now = int(time.time())
    return {"iss": ISSUER, "sub": "ann", "iat": now, "exp": now + 600}


def test_what_has_expired_is_renewed_and_the_browser_does_not_notice(world: World) -> None:
    """The oldest Envoy can do that for a whole domain alone."""
    can = world.version == NEWEST
    world.idp.lifetime_seconds = 2
    browser = world.logged_in(team="blue")
    time.sleep(2.1)
    world.idp.lifetime_seconds, world.idp.more = 600, {"team": "red"}
    answer = browser.get("/red")
    assert answer.status_code == (200 if can else 302)
    if can:
        assert world.idp.grants == ["authorization_code", "refresh_token"]
        assert browser.get("/red").status_code == 200
        assert (len(world.idp.authorizations), len(world.idp.grants)) == (1, 2)


def test_a_login_of_a_domain_is_known_on_its_hosts_and_renewed(world: World) -> None:
    world.idp.lifetime_seconds = 2
    cookies: dict[str, str] = {}
    assert _visited("https://app.example.com/wide", cookies, world).status_code == 200
    assert {name.startswith("__Secure-wide-") for name in cookies} == {True}
    assert _visited("https://other.example.com/wide", cookies, world).status_code == 200
    assert world.idp.grants == ["authorization_code"]
    time.sleep(2.1)
    world.idp.lifetime_seconds = 600
    for _ in range(3):
        assert _visited("https://app.example.com/wide", cookies, world).status_code == 200
    assert world.idp.grants == ["authorization_code", "refresh_token"]
    assert "cookie" not in world.upstream.last.headers


def test_a_renewal_without_the_token_that_counts_ends_in_another_login(world: World) -> None:
    world.idp.lifetime_seconds, world.idp.gives_id_tokens_again = 2, False
    cookies: dict[str, str] = {}
    page = "https://app.example.com/wide"
    assert _visited(page, cookies, world).status_code == 200
    time.sleep(2.1)
    world.idp.lifetime_seconds = 600
    for _ in range(3):
        assert _visited(page, cookies, world).status_code == 200
    if world.version == NEWEST:  # the oldest keeps the old one, until that has expired
        assert world.idp.grants == ["authorization_code", "refresh_token", "authorization_code"]
        del cookies["__Secure-wide-id"]
        told = {"accept": "*/*", "host": "app.example.com"}
        told["cookie"] = "; ".join(f"{name}={text}" for name, text in cookies.items())
        answer = httpx.get(f"{world.url}/wide", headers=told, verify=world.context)
        assert error(answer) == (401, "login_required")


def test_a_token_endpoint_that_is_away_ends_the_login_alone(world: World) -> None:
    known = world.logged_in()
    world.idp.is_away = True
    answer = world.browser().get("/app", follow_redirects=True)
    assert error(answer) == (401, "login_failed")
    assert known.get("/app").status_code == 200
    world.idp.is_away = False
    assert world.browser().get("/app", follow_redirects=True).status_code == 200


def test_without_a_refresh_token_people_log_in_again(world: World) -> None:
    world.idp.lifetime_seconds, world.idp.gives_refresh_tokens = 2, False
    browser = world.logged_in()
    time.sleep(2.1)
    assert browser.get("/app").status_code == 302
    assert world.idp.grants == ["authorization_code"]


def test_a_token_that_is_for_somebody_else_is_not_taken(world: World) -> None:
    browser = world.browser()
    world.idp.more = {"iss": "https://other.example.com"}
    answer = browser.get("/app", follow_redirects=True)
    assert error(answer) == (401, "login_required")
    assert world.upstream.requests == []


def test_who_signs_out_is_sent_to_the_provider_and_forgotten(world: World) -> None:
    browser = world.logged_in()
    answer = browser.get("/login/staff/sign-out")
    assert answer.status_code == 302
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"{world.idp.url}/end-session"
    asked = parse_qs(where.query)
    assert asked["post_logout_redirect_uri"] == [f"{world.url}/"]
    payload = asked["id_token_hint"][0].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(f"{payload}=="))["sub"] == "ann"
    assert browser.get("/app").status_code == 302


def test_a_state_of_somebody_else_is_refused(world: World) -> None:
    mine, theirs = world.browser(), world.browser()
    world.idp.person = "mallory"
    back = theirs.get(theirs.get("/app").headers["location"]).headers["location"]
    world.idp.person = "ann"
    assert mine.get("/app").status_code == 302
    answer = mine.get(back)
    assert error(answer) == (401, "login_failed")
    assert world.idp.grants == []
    assert mine.get("/app").status_code == 302


def test_nobody_is_sent_to_another_site(world: World) -> None:
    browser = world.browser()
    sent = browser.get("/app")
    back = urlsplit(browser.get(sent.headers["location"]).headers["location"])
    asked = {name: values[0] for name, values in parse_qs(back.query).items()}
    state = json.loads(base64.urlsafe_b64decode(asked["state"] + "=="))
    assert urlsplit(state["url"]).netloc == urlsplit(world.url).netloc
    forged = {"url": "https://evil.example.com/", "csrf_token": "mallory"}
    for wrong in (
        {**state, **forged},
        forged,
        {"url": "https://evil.example.com/"},
        {**state, **forged, "flow_id": ""},
    ):
        said = base64.urlsafe_b64encode(json.dumps(wrong).encode()).decode().rstrip("=")
        answer = browser.get(f"{CALLBACK}?{urlencode({**asked, 'state': said})}")
        assert error(answer) == (401, "login_failed"), wrong
        assert "location" not in answer.headers
    slashes = browser.get("//evil.example.com/app")
    assert urlsplit(slashes.headers.get("location", "")).netloc != "evil.example.com"


def test_who_says_no_at_the_provider_is_told_so(world: World) -> None:
    world.idp.is_refusing = True
    answer = world.browser().get("/app", follow_redirects=True)
    assert error(answer) == (401, "login_failed")


def test_a_code_counts_once(world: World) -> None:
    browser = world.browser()
    back = browser.get(browser.get("/app").headers["location"]).headers["location"]
    again = world.browser()
    again.cookies = browser.cookies
    assert browser.get(back).status_code == 302
    assert error(again.get(back)) == (401, "login_failed")
    assert world.idp.refused == ["invalid_grant"]


def test_an_access_token_may_count_and_travel(world: World) -> None:
    world.logged_in("/told", team="red")
    seen = world.upstream.last.headers
    scheme, _, token = seen["authorization"].partition(" ")
    payload = token.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (scheme, said["aud"], said["sub"]) == ("Bearer", "the api", "ann")
    assert "cookie" not in seen


def test_one_login_is_none_for_another(world: World) -> None:
    browser = world.logged_in("/told")
    assert browser.get("/app").status_code == 302
    ended = browser.get("/told/bye").headers["location"]  # as its document says
    assert ended.startswith(f"{world.idp.url}/end-session?")
    assert browser.get("/told").status_code == 302


def test_tokens_that_are_larger_than_a_cookie_may_be_are_in_several(world: World) -> None:
    """With the oldest Envoy, a browser would lose them."""
    large = [f"{number:04}-{'r' * 60}" for number in range(100)]
    browser = world.logged_in("/boss", roles=[*large, "boss"])
    assert browser.get("/boss").status_code == 200
    assert len(world.idp.authorizations) == 1
    assert "cookie" not in world.upstream.last.headers
    sizes = {each.name: len(each.name) + len(each.value or "") for each in browser.cookies.jar}
    assert (max(sizes.values()) < 4000) == (world.version == NEWEST)
    assert browser.get("/login/staff/sign-out").status_code == 302
    assert browser.get("/boss").status_code == 302
    assert not [each.name for each in browser.cookies.jar if "-id" in each.name]


def test_who_is_not_logged_in_is_counted_under_the_logins_name(world: World) -> None:
    labels = 'code="login_required",kind="identity",mode="enforce",name="staff",verdict="deny"'

    def count() -> float:
        metrics = httpx.get(f"{world.stack.admin_url}/metrics", timeout=5).text
        found = [each for each in metrics.splitlines() if f"{{{labels}}}" in each]
        return sum(float(each.rsplit(" ", 1)[1]) for each in found)

    before = count()
    answer = httpx.get(f"{world.url}/app", verify=world.context, timeout=10)
    assert error(answer) == (401, "login_required")
    eventually(lambda: count() > before, "it is counted")


def test_a_login_outlives_a_change_of_the_file(world: World) -> None:
    browser = world.logged_in()
    text = world.stack.config.read_text()
    version = world.stack.status()["version"]
    world.stack.config.write_text(f"{text}  - {{name: new, backend: 'http://127.0.0.1:9'}}\n")
    end = time.monotonic() + 15
    while world.stack.status()["version"] == version and time.monotonic() < end:
        time.sleep(0.05)
    assert world.stack.status()["version"] != version
    assert browser.get("/app").status_code == 200


def test_secrets_are_in_nothing_that_is_shown(world: World) -> None:
    world.logged_in()
    seed = (world.stack.state / "login-seed").read_text().strip()
    assert (world.stack.state / "login-seed").stat().st_mode & 0o777 == 0o600
    shown = "".join(
        httpx.get(f"{world.stack.admin_url}/api/{each}", timeout=5).text
        for each in ("status", "compiled", "resources", "history")
    )
    for text in (shown, world.stack.log.read_text()):
        assert SECRET not in text
        assert json.dumps(SECRET)[1:-1] not in text
        assert seed not in text


def test_the_example_lets_engineers_in_and_programs_with_keys(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with LoginProvider(client=("gateway", "example-client-secret")) as idp, Recorder() as backend:
        public = f"http://127.0.0.1:{port}"
        values = {"IDP": idp.url, "PUBLIC_URL": public, "BACKEND": backend.url}
        text = (EXAMPLES / "logins.yaml").read_text()
        for name, value in values.items():
            text = re.sub(rf"\$\{{{name}:-[^}}]*\}}", value, text)
        config = tmp_path / "gateway.yaml"
        config.write_text(text)
        idp.redirect_uris |= {f"{public}/login/{name}/callback" for name in ("staff", "admins")}
        with running(config, tmp_path / "state", workers=1, ports=[port, *free_ports(3)]):
            for roles, status in ((["engineers"], 200), (["sales"], 403)):
                idp.more = {"roles": roles, "email": "ann@example.com"}
                assert _visited(f"{public}/console", {}).status_code == status
            assert backend.last.path == "/console"
            key = {"authorization": "Bearer example-ci-key"}
            assert httpx.get(f"{public}/api", headers=key).status_code == 200
            for path in ("/api", "/admin"):
                assert _visited(f"{public}{path}", {}).status_code == 200
            assert httpx.get(f"{public}/console", headers=key).status_code == 401


def _visited(url: str, cookies: dict[str, str], world: World | None = None) -> httpx.Response:
    """By a browser that takes the gateway for one with https, as what stands before it has; hosts
    of example.com are the gateway of a world."""
    while True:
        sent = {**BROWSER, "cookie": "; ".join(f"{name}={text}" for name, text in cookies.items())}
        there = urlsplit(url)
        if world is not None and there.netloc.endswith(".example.com"):
            sent["host"] = there.netloc
            url = f"{world.url}{there.path}?{there.query}"
        answer = httpx.get(url, headers=sent, verify=world.context if world else True, timeout=10)
        for each in answer.headers.get_list("set-cookie"):
            name, _, rest = each.partition("=")
            value = rest.partition(";")[0]
            cookies[name] = value
            if value == "deleted":
                del cookies[name]
        if answer.status_code != 302:
            return answer
        url = answer.headers["location"]
