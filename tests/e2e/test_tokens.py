"""Tokens of identity providers through a real Envoy: who is known by them, and who is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.identity_provider import KeyServer, SigningKey, claims, key_set
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

REMOTE, INLINE, OPEN = "https://idp.example", "https://inline.example", "https://lax.example"
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  api_keys: {keys: [{name: bob, key: k-bob, team: blue}]}
  jwt:
    - issuer: https://idp.example
      audiences: [agents, others]
      jwks: {url: "JWKS_URL"}
      claims: {team: org.team, groups: roles, tags: {cost: "https://x.example/cost"}}
    - issuer: https://inline.example
      audiences: [agents]
      jwks: {file: keys.json}
      forward: true
    - {issuer: https://lax.example, audiences: [agents], jwks: {file: keys.json}, mode: permissive}
llm:
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1"
      key: demo-provider-key-a
  models: {demo-a: demo-a/demo-a}
  prices: {demo-a: {input: 1, output: 1}}
authorize:
  - {name: writers, for: {route: team}, require: '"writers" in principal.groups'}
  - {name: mail, for: {route: claims}, require: 'jwt.email == "ann@x" && jwt.level > 3'}
budgets:
  - {name: ann-total, for: {user: "*", team: red}, limit: 1000 USD, per: total}
routes:
  - {name: open, match: {path: {prefix: /open}}, backend: "http://127.0.0.1:UPSTREAM", auth: none}
  - {name: any, match: {path: {prefix: /any}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: key, match: {path: {prefix: /key}}, backend: "http://127.0.0.1:UPSTREAM", auth: key}
  - {name: jwt, match: {path: {prefix: /jwt}}, backend: "http://127.0.0.1:UPSTREAM", auth: jwt}
  - {name: team, match: {path: {prefix: /team}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: claims, match: {path: {prefix: /claims}}, backend: "http://127.0.0.1:UPSTREAM"}
"""
ASK = {"model": "demo-a", "messages": [{"role": "user", "content": "hi"}]}


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, whom it trusts, and what is behind it."""

    stack: Stack
    server: KeyServer
    remote: SigningKey
    inline: SigningKey
    upstream: Recorder

    def token(self, issuer: str = REMOTE, **changes: Any) -> str:
        key = self.remote if issuer == REMOTE else self.inline
        return key.sign(claims(issuer, **changes))

    def get(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        return web.get(f"{self.stack.url}{path}", headers=sent, timeout=10)

    def seen(self) -> dict[str, str]:
        """The headers of the last request that the upstream got."""
        return self.upstream.requests[-1].headers


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("tokens")
    remote, inline = SigningKey("r1", "RS256"), SigningKey("i1")
    (folder / "keys.json").write_text(key_set(inline))
    with KeyServer(remote) as server, Recorder() as upstream:
        text = YAML.replace("UPSTREAM", str(upstream.port)).replace("JWKS_URL", server.url)
        config = folder / "gateway.yaml"
        config.write_text(text)
        with serve(config, folder / "state") as stack:
            yield World(stack, server, remote, inline, upstream)


def test_the_example_knows_one_user_by_two_credentials(tmp_path: Path) -> None:
    idp = "https://idp.example.com"
    key = SigningKey("k1", "EdDSA")
    with KeyServer(key) as server:
        text = (EXAMPLES / "tokens.yaml").read_text()
        written = text.replace(
            "${JWKS_URL:-https://idp.example.com/.well-known/jwks.json}", server.url
        )
        assert written != text
        config = tmp_path / "gateway.yaml"
        config.write_text(written)
        who = {"aud": "agents", "email": "ada@example.com", "email_verified": True}
        staff = {"realm_access": {"roles": ["engineers"]}, **who}
        with running(config, tmp_path / "state", workers=1) as stack:
            ask = {**ASK, "model": "demo"}
            assert stack.chat(ask, key=key.sign(claims(idp, **staff))).status_code == 200
            assert stack.chat(ask, key="example-laptop-key").status_code == 200
            assert stack.chat(ask, key=key.sign(claims(idp, **who))).status_code == 403
            unverified = key.sign(claims(idp, **{**staff, "email_verified": False}))
            assert stack.chat(ask, key=unverified).status_code == 403
            assert stack.chat(ask, key="no-key").status_code == 401
            assert list(stack.budgets()) == ["each-user|user=ada@example.com"]


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("issuer", [REMOTE, INLINE])
def test_a_token_opens_and_its_claims_never_travel(world: World, issuer: str) -> None:
    answer = world.get("/any", world.token(issuer))
    assert answer.status_code == 200, answer.text
    assert not [name for name in world.seen() if name.startswith("x-dragoman")]


def test_a_token_travels_only_where_its_issuer_is_forwarded(world: World) -> None:
    assert world.get("/any", world.token(REMOTE)).status_code == 200
    assert "authorization" not in world.seen()
    token = world.token(INLINE)
    assert world.get("/any", token).status_code == 200
    assert world.seen()["authorization"] == f"Bearer {token}"


def test_an_open_route_passes_somebody_elses_token(world: World) -> None:
    token = SigningKey("z").sign(claims("https://other.example"))
    assert world.get("/open", token).status_code == 200
    assert world.seen()["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize(
    ("issuer", "changes", "says"),
    [
        (REMOTE, {"exp": int(time.time()) - 120}, "expired"),
        (REMOTE, {"exp": None}, "when it expires"),
        (REMOTE, {"nbf": int(time.time()) + 3600}, "not valid yet"),
        (REMOTE, {"aud": "somebody"}, "another audience"),
        (REMOTE, {"aud": None}, "another audience"),
        ("https://unknown.example", {}, "no issuer that is known"),
    ],
)
def test_what_a_token_lacks_is_said(
    world: World, issuer: str, changes: dict[str, Any], says: str
) -> None:
    answer = world.get("/any", world.remote.sign(claims(issuer, **changes)))
    assert error(answer) == (401, "invalid_token")
    assert says in answer.json()["error"]["message"]
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_is_signed_by_a_key_of_its_own_issuer(world: World) -> None:
    stranger = SigningKey("r1", "RS256")  # of the right name
    tokens = [
        stranger.sign(claims(REMOTE)),
        SigningKey("unknown").sign(claims(REMOTE)),
        world.inline.sign(claims(REMOTE)),
        world.remote.sign(claims(INLINE)),
        world.token()[:-6] + "AAAAAA",
        world.token().rpartition(".")[0] + ".",
    ]
    for token in tokens:
        answer = world.get("/any", token)
        assert error(answer) == (401, "invalid_token"), answer.text


def test_a_token_without_a_signature_is_none(world: World) -> None:
    head, _, rest = world.token().partition(".")
    unsigned = world.remote.sign(claims(REMOTE), alg="none").rpartition(".")[0] + "."
    assert error(world.get("/any", unsigned)) == (401, "invalid_token")
    assert error(world.get("/any", f"{head}.{rest.partition('.')[0]}")) == (401, "invalid_api_key")


def test_no_client_says_what_its_claims_are(world: World) -> None:
    said = world.token().split(".")[1]
    assert error(world.get("/any", x_dragoman_claims=said)) == (401, "missing_credential")
    forged = world.get("/team", world.token(), x_dragoman_claims=said)
    assert forged.status_code == 403
    assert world.get("/open", x_dragoman_claims=said).status_code == 200
    assert "x-dragoman-claims" not in world.seen()


def test_keys_and_tokens_stand_side_by_side(world: World) -> None:
    assert world.get("/any", "k-bob").status_code == 200
    assert error(world.get("/any", "k-wrong")) == (401, "invalid_api_key")
    assert error(world.get("/any")) == (401, "missing_credential")
    both = world.get("/any", world.token(), x_api_key="k-bob")
    assert error(both) == (401, "invalid_api_key")
    assert world.get("/any", x_api_key=world.token()).status_code == 200
    assert "x-api-key" not in world.seen()


def test_a_route_says_which_of_them_it_takes(world: World) -> None:
    assert world.get("/key", "k-bob").status_code == 200
    assert error(world.get("/key", world.token())) == (401, "invalid_api_key")
    assert error(world.get("/key")) == (401, "missing_api_key")
    assert world.get("/jwt", world.token()).status_code == 200
    assert error(world.get("/jwt", "k-bob")) == (401, "invalid_token")


def test_rules_read_groups_and_claims(world: World) -> None:
    assert world.get("/team", world.token(roles=["writers"])).status_code == 200
    assert world.get("/team", world.token(roles=["readers"])).status_code == 403
    assert world.get("/claims", world.token(email="ann@x", level=4)).status_code == 200
    assert world.get("/claims", world.token(email="ann@x", level=3)).status_code == 403
    assert world.get("/claims", world.token()).status_code == 403
    assert world.get("/claims", "k-bob").status_code == 403


def test_a_permissive_issuers_bad_token_is_as_none(world: World) -> None:
    assert world.get("/any", world.token(OPEN)).status_code == 200
    bad = world.get("/any", world.remote.sign(claims(OPEN)))
    assert error(bad) == (401, "missing_credential")


def test_a_budget_counts_the_user_of_a_token(world: World) -> None:
    token = world.token(sub="carol", org={"team": "red"})
    answer = world.stack.chat(ASK, key=token)
    assert answer.status_code == 200, answer.text
    [*_, asked] = world.stack.seen("a")
    assert token not in json.dumps(asked)
    counters = world.stack.budgets()
    assert [name for name in counters if "carol" in name] == ["ann-total|user=carol|team=red"]


def test_refusals_are_in_the_words_of_the_clients_api(world: World) -> None:
    token = world.token(exp=int(time.time()) - 1000)
    headers = {"x-api-key": token, "anthropic-version": "2023-06-01"}
    answer = web.post(f"{world.stack.url}/v1/messages", json=ASK, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"
    assert answer.json()["type"] == "error"


def test_a_new_key_is_fetched_when_a_token_names_it(world: World) -> None:
    """And a flood of tokens that name none has nothing fetched more often."""
    old, new = world.remote, SigningKey("r2", "RS256")
    before = world.server.fetches
    world.server.keys = (old, new)
    stranger = SigningKey("nobody", "RS256")
    end = time.monotonic() + 30
    while (answer := world.get("/any", new.sign(claims(REMOTE)))).status_code != 200:
        assert time.monotonic() < end, answer.text
        assert world.get("/any", stranger.sign(claims(REMOTE))).status_code == 401
        time.sleep(0.05)
    assert 1 <= world.server.fetches - before <= 5
