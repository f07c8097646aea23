"""The pages on which people agree: for whom, in which browser, how often, and with whom."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from extproc.events import CONTINUE, Respond
from extproc.mcp.oauth_client import challenge_of
from extproc.mcp.tickets import owner_of
from extproc.mcp.vault import Vault
from extproc.mcp_serving.connections import Connections, connections
from extproc.mcp_serving.consent_desk import ConsentDesk, consent_desk
from extproc.ports import Answered, Asked, ServiceUnavailable
from extproc.principal import Kind, Principal
from gateway import names
from tests.kit.gateways import gateway_of
from tests.kit.memory_consents import MemoryConsents

SECRET = "a secret of at least thirty-two characters"
YAML = """
identity: {api_keys: {keys: [{name: ann, key: sk-ann}]}}
mcp:
  consents: {url: "https://gateway.example"}
  servers:
    a: {url: "https://a.example/mcp", consent: {client: {id: us, secret: s}}}
    b:
      url: "https://b.example/mcp"
      consent:
        authorize_url: https://b.example/go
        token_url: https://b.example/token
        client: {id: us}
"""
LOGIN = """
  logins:
    staff:
      issuer: https://idp
      client: {id: us, secret: s}
      endpoints: {authorization: https://idp/go, token: https://idp/token}
      jwks: {url: https://idp/keys}
"""
ANN = Principal(Kind.API_KEY, "ann", user="ann@x")
ISSUER = "https://a.example"
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://login.a.example/go",
    "token_endpoint": "https://a.example/token",
    "code_challenge_methods_supported": ["S256"],
    "authorization_response_iss_parameter_supported": True,
}
BELOW = "/mcp/.oauth"


@dataclass(slots=True)
class World:
    """A desk, and the authorization server behind it."""

    store: MemoryConsents = field(default_factory=MemoryConsents)
    forms: list[dict[str, str]] = field(default_factory=list)
    told: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    is_away: bool = False
    cookies: dict[str, str] = field(default_factory=dict)
    claims: str = ""

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        if cluster == names.HUB_CLUSTER:
            self.told.append(json.loads(asked.body))
            return Answered(204, {}, b"")
        if self.is_away:
            raise ServiceUnavailable("it is away")
        if asked.method == "GET":
            is_of_server = "protected-resource" in asked.path
            return Answered(404 if is_of_server else 200, {}, json.dumps(METADATA).encode())
        self.forms.append({k: v[0] for k, v in parse_qs(asked.body.decode()).items()})
        said = {"access_token": "t", "token_type": "bearer"}
        return Answered(self.status, {}, json.dumps(said).encode())

    def made(self, yaml: str = YAML) -> tuple[ConsentDesk, Connections]:
        mcp = gateway_of(yaml).mcp
        agreed = connections(mcp, Vault((SECRET,), b"x"), self.store, self, self.store.clock)
        assert agreed is not None
        desk = consent_desk(mcp, agreed, self)
        assert desk is not None
        return desk, agreed

    def head(self, **more: str) -> dict[str, str]:
        said = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        login = {names.LOGIN_CLAIMS_HEADER: self.claims} if self.claims else {}
        return {"cookie": f"other=1; {said}", **login, **more}

    def get(self, desk: ConsentDesk, path: str) -> Respond:
        found = run(desk.on_headers("GET", path, self.head(), is_end=True))
        assert isinstance(found, Respond)
        for name, value in found.headers:
            if name == "set-cookie":
                cookie, *terms = value.split("; ")
                assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(terms)
                own, _, kept = cookie.partition("=")
                assert own.startswith("__Host-")
                self.cookies[own] = kept
        return found

    def post(self, desk: ConsentDesk, path: str, page: Respond, **head: str) -> Respond:
        assert desk.on_headers("POST", path, self.head(), is_end=False) is CONTINUE
        once = re.findall(r'name="once" value="([^"]*)"', page.body.decode())
        body = urlencode({"once": once[0] if once else ""}).encode()
        found = run(desk.on_body(path, self.head(**head), body))
        assert isinstance(found, Respond)
        return found

    def away(self, desk: ConsentDesk, server: str = "a") -> dict[str, str]:
        """What the authorization server is asked."""
        path = path_of(desk, server)
        onward = self.post(desk, path, self.get(desk, path))
        assert onward.status == 303, onward.body
        url = urlsplit(dict(onward.headers)["location"])
        return {k: v[0] for k, v in parse_qs(url.query).items()} | {"at": url.netloc}

    def back(self, desk: ConsentDesk, server: str = "a", **said: str) -> Respond:
        return self.get(desk, f"{BELOW}/callback/{server}?{urlencode(said)}")


def run(what: Any) -> Any:
    async def awaited() -> Any:
        return await what

    return asyncio.run(awaited()) if isinstance(what, Awaitable) else what


def path_of(desk: ConsentDesk, server: str = "a") -> str:
    _, sealed = desk.link(server, ANN, "session")
    return urlsplit(desk.url_of(sealed)).path


def test_who_agrees_comes_back_with_a_token() -> None:
    world = World()
    desk, agreed = world.made()
    path = path_of(desk)
    assert desk.is_at(path)
    page = world.get(desk, path)
    assert b"api_key ann" in page.body
    assert b"login.a.example" in page.body
    asked = world.away(desk)
    assert asked["at"] == "login.a.example"
    assert asked["redirect_uri"] == "https://gateway.example/mcp/.oauth/callback/a"
    done = world.back(desk, code="c", state=asked["state"], iss=ISSUER)
    assert done.status == 200
    (form,) = world.forms
    assert form["code"] == "c"
    assert challenge_of(form["code_verifier"]) == asked["code_challenge"]
    assert form["redirect_uri"] == asked["redirect_uri"]
    assert run(agreed.token("a", owner_of(ANN))) == "t"
    (told,) = world.told
    assert (told["owner"], told["server"], told["session"]) == (owner_of(ANN), "a", "session")
    assert world.store.said[owner_of(ANN), "a"].who == "api_key ann"


def test_a_link_is_good_once_and_not_for_long() -> None:
    world = World()
    desk, _ = world.made()
    path = path_of(desk)
    page = world.get(desk, path)
    assert world.post(desk, path, page).status == 303
    assert world.post(desk, path, page).status == 410
    late = path_of(desk)
    page = world.get(desk, late)
    world.store.now += 601
    assert world.get(desk, late).status == 410
    assert world.post(desk, late, page).status == 410
    assert world.get(desk, f"{late[:-3]}AAA").status == 410


def test_looking_at_a_link_uses_nothing_up() -> None:
    world = World()
    desk, _ = world.made()
    path = path_of(desk)
    pages = [world.get(desk, path) for _ in range(3)]
    assert not world.store.flows
    assert world.post(desk, path, pages[0]).status == 303


def test_another_browser_can_neither_agree_nor_come_back() -> None:
    world = World()
    desk, agreed = world.made()
    path = path_of(desk)
    page = world.get(desk, path)
    cookies, world.cookies = world.cookies, {}
    assert world.post(desk, path, page).status == 403
    world.cookies = {"__Host-dragoman-consent": "A" * 32}
    assert world.post(desk, path, page).status == 403
    world.cookies = cookies
    asked = world.away(desk)
    world.cookies = {}
    assert world.back(desk, code="c", state=asked["state"], iss=ISSUER).status == 403
    world.cookies = cookies  # who was led astray once does not come back with it either
    assert world.back(desk, code="c", state=asked["state"], iss=ISSUER).status == 410
    assert run(agreed.token("a", owner_of(ANN))) is None
    assert not world.forms


def test_other_pages_cannot_agree_for_somebody() -> None:
    world = World()
    desk, _ = world.made()
    path = path_of(desk)
    page = world.get(desk, path)
    assert world.post(desk, path, page, origin="https://evil.example").status == 403
    assert world.post(desk, path, page, origin="null").status == 403
    other = world.get(desk, path_of(desk))
    assert world.post(desk, path, other).status == 403
    assert world.post(desk, path, page, origin="https://gateway.example").status == 303


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"code": "c", "iss": "https://evil.example"}, 502),
        ({"code": "c"}, 502),
        ({"error": "access_denied", "iss": ISSUER}, 403),
        ({"error": "<b>", "iss": ISSUER}, 403),
        ({"iss": ISSUER}, 403),
    ],
)
def test_answers_that_are_none_give_no_token(said: dict[str, str], status: int) -> None:
    world = World()
    desk, agreed = world.made()
    asked = world.away(desk)
    page = world.back(desk, state=asked["state"], **said)
    assert page.status == status
    assert b"<b>" not in page.body
    assert not world.forms
    assert run(agreed.token("a", owner_of(ANN))) is None


def test_what_one_server_says_is_not_taken_for_anothers() -> None:
    world = World()
    desk, _ = world.made()
    asked = world.away(desk, "b")
    assert asked["at"] == "b.example"
    assert world.back(desk, "a", code="c", state=asked["state"], iss=ISSUER).status == 410
    asked = world.away(desk, "b")
    assert world.back(desk, "b", code="c", state=asked["state"]).status == 200


def test_states_are_good_once_and_say_nothing_twice() -> None:
    world = World()
    desk, _ = world.made()
    asked = world.away(desk)
    assert world.back(desk, code="c", state=asked["state"], iss=ISSUER).status == 200
    assert world.back(desk, code="c", state=asked["state"], iss=ISSUER).status == 410
    assert world.back(desk, code="c").status == 410
    asked = world.away(desk)
    twice = f"{BELOW}/callback/a?state={asked['state']}&state={asked['state']}&code=c"
    assert world.get(desk, twice).status == 410


def test_a_server_that_is_of_no_use_is_told_to_the_person() -> None:
    world = World()
    desk, _ = world.made()
    asked = world.away(desk)
    world.status = 500
    assert world.back(desk, code="c", state=asked["state"], iss=ISSUER).status == 502
    asked = world.away(desk)
    world.status = 400
    assert world.back(desk, code="c", state=asked["state"], iss=ISSUER).status == 502
    world.is_away = True
    fresh, _ = world.made()
    assert world.get(fresh, path_of(fresh)).status == 502
    world.is_away, world.status = False, 200
    path = path_of(desk)
    page = world.get(desk, path)
    world.store.is_away = True
    assert world.post(desk, path, page).status == 502


def test_where_a_login_is_said_nobody_else_sees_the_page() -> None:
    world = World()
    yaml = YAML.replace(
        "identity: {api_keys: {keys: [{name: ann, key: sk-ann}]}}",
        f"identity:\n  api_keys: {{keys: [{{name: ann, key: sk-ann}}]}}{LOGIN}",
    )
    yaml = yaml.replace('example"}\n  servers', 'example", login: staff}\n  servers')
    people = {
        "ann": Principal(Kind.LOGIN, "1", user="ann@x"),
        "eve": Principal(Kind.LOGIN, "2", user="eve@x"),
    }
    unwired, _ = world.made(yaml)
    world.claims = "ann"
    assert world.get(unwired, path_of(unwired)).status == 403
    desk = unwired.with_logins(people.get)
    path = path_of(desk)
    page = world.get(desk, path)
    assert page.status == 200
    for other in ("eve", "nobody", ""):
        world.claims = other
        assert world.get(desk, path).status == 403
        assert world.post(desk, path, page).status == 403
    world.claims = "ann"
    assert world.post(desk, path, page).status == 303


def test_nothing_else_is_there() -> None:
    world = World()
    desk, _ = world.made()
    assert not desk.is_at("/mcp/.oauth/token")
    assert not desk.is_at("/mcp/a")
    for method, path in (("PUT", path_of(desk)), ("POST", f"{BELOW}/callback/a")):
        found = run(desk.on_headers(method, path, {}, is_end=False))
        assert isinstance(found, Respond)
        assert found.status == 405
    assert run(desk.on_body(path_of(desk), {}, b"x" * 5000)).status == 403
    assert world.back(desk, "nobody", code="c", state="x").status == 410
