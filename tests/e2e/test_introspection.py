"""Tokens that are asked about, through a real Envoy: who is known by them, and who is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.authorization_server import CLIENT, SECRET, AuthorizationServer
from tests.kit.identity_provider import SigningKey, claims, key_set
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  api_keys: {keys: [{name: bob, key: k-bob}]}
  jwt: [{issuer: https://idp.example, audiences: [agents], jwks: {file: keys.json}}]
  introspection:
    url: SERVER
    client: {id: CLIENT, secret: "SECRET", method: METHOD}
    audiences: [agents]
    claims: {groups: scope}
    cache: 2s
    cache_inactive: 1s
    timeout: 500ms
    forward: FORWARD
llm:
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1"
      key: demo-provider-key-a
  models: {demo-a: demo-a/demo-a}
authorize:
  - {name: writers, for: {route: team}, require: '"write" in principal.groups && jwt.level > 3'}
routes:
  - {name: open, match: {path: {prefix: /open}}, backend: "http://127.0.0.1:UPSTREAM", auth: none}
  - {name: any, match: {path: {prefix: /any}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: key, match: {path: {prefix: /key}}, backend: "http://127.0.0.1:UPSTREAM", auth: key}
  - {name: team, match: {path: {prefix: /team}}, backend: "http://127.0.0.1:UPSTREAM"}
"""
ASK = {"model": "demo-a", "messages": [{"role": "user", "content": "hi"}]}


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, whom it asks, and what is behind it."""

    stack: Stack
    server: AuthorizationServer
    upstream: Recorder
    signing: SigningKey

    def get(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        return web.get(f"{self.stack.url}{path}", headers=sent, timeout=10)


def written(
    folder: Path,
    server: AuthorizationServer,
    upstream: Recorder,
    *,
    method: str = "basic",
    forward: bool = False,
) -> Path:
    text = YAML.replace("UPSTREAM", str(upstream.port)).replace("SERVER", server.url)
    text = text.replace("id: CLIENT", f"id: {CLIENT}").replace("SECRET", SECRET)
    text = text.replace("METHOD", method).replace("FORWARD", str(forward).lower())
    config = folder / "gateway.yaml"
    config.write_text(text)
    return config


@pytest.fixture(scope="module")
def world(serve_newest: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("introspection")
    signing = SigningKey("k")
    (folder / "keys.json").write_text(key_set(signing))
    with (
        AuthorizationServer() as server,
        Recorder() as upstream,
        serve_newest(written(folder, server, upstream), folder / "state") as stack,
    ):
        yield World(stack, server, upstream, signing)


def issue(world: World, token: str, **more: Any) -> str:
    world.server.tokens[token] = {"sub": "ann", "aud": "agents", **more}
    return token


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_token_opens_and_never_travels(world: World) -> None:
    issue(world, "opaque-1")
    assert world.get("/any", "opaque-1").status_code == 200
    assert "authorization" not in world.upstream.last.headers
    assert world.get("/any", x_api_key="opaque-1").status_code == 200
    assert "x-api-key" not in world.upstream.last.headers
    answer = world.stack.chat(ASK, key="opaque-1")
    assert answer.status_code == 200, answer.text
    assert "opaque-1" not in str(world.stack.seen("a")[-1])


def test_who_is_not_active_or_not_meant_is_refused(world: World) -> None:
    now = int(time.time())
    issue(world, "others", aud="others")
    issue(world, "old", exp=now - 10)
    for token, says in (("never", "active"), ("others", "audience"), ("old", "expired")):
        answer = world.get("/any", token)
        assert error(answer) == (401, "invalid_token")
        assert says in answer.json()["error"]["message"]
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_rules_read_what_was_said(world: World) -> None:
    issue(world, "high", scope="read write", level=4)
    issue(world, "low", scope="read write", level=3)
    issue(world, "reader", scope="read", level=4)
    found = [world.get("/team", token).status_code for token in ("high", "low", "reader")]
    assert found == [200, 403, 403]


def test_what_is_known_here_is_not_asked_about(world: World) -> None:
    before = len(world.server.asked)
    token = world.signing.sign(claims("https://idp.example"))
    stale = world.signing.sign(claims("https://idp.example", exp=int(time.time()) - 1000))
    assert world.get("/any", "k-bob").status_code == 200
    assert world.get("/any", token).status_code == 200
    assert error(world.get("/any", stale)) == (401, "invalid_token")
    assert error(world.get("/any")) == (401, "missing_credential")
    assert error(world.get("/key", "opaque-x")) == (401, "invalid_api_key")
    assert world.get("/open", "somebody-elses").status_code == 200
    assert world.upstream.last.headers["authorization"] == "Bearer somebody-elses"
    assert len(world.server.asked) == before
    foreign = world.signing.sign(claims("https://foreign.example"))
    issue(world, foreign)
    assert world.get("/any", foreign).status_code == 200
    assert world.server.asked[before:] == [foreign]


def test_an_answer_is_remembered_and_a_withdrawn_token_is_refused_then(world: World) -> None:
    issue(world, "short-lived")
    for _ in range(8):
        assert world.get("/any", "short-lived").status_code == 200
    workers = 2
    assert world.server.asked.count("short-lived") <= workers
    del world.server.tokens["short-lived"]
    end = time.monotonic() + 10
    while world.get("/any", "short-lived").status_code == 200:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert error(world.get("/any", "short-lived")) == (401, "invalid_token")


def test_while_nobody_answers_nobody_comes_in_and_keys_work(world: World) -> None:
    issue(world, "unlucky")
    world.server.hang_seconds = 1.5
    try:
        began = time.monotonic()
        answer = world.get("/any", "unlucky")
        assert error(answer) == (503, "introspection_unavailable")
        assert time.monotonic() - began < 1.4
        assert world.get("/any", "k-bob").status_code == 200
    finally:
        world.server.hang_seconds = 0.0
    world.server.status = 500
    try:
        assert error(world.get("/any", "unlucky")) == (503, "introspection_unavailable")
    finally:
        world.server.status = 200
    assert world.get("/any", "unlucky").status_code == 200


def test_neither_token_nor_secret_is_logged_or_shown(world: World) -> None:
    issue(world, "do-not-log-me")
    assert world.get("/any", "do-not-log-me").status_code == 200
    log = world.stack.log.read_text()
    assert "do-not-log-me" not in log
    assert SECRET not in log
    shown = web.get(f"{world.stack.admin_url}/api/config", timeout=5).text
    assert SECRET not in shown


def test_a_token_travels_where_it_is_told_to_and_the_secret_in_the_body(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(key_set(SigningKey("k")))
    with AuthorizationServer() as server, Recorder() as upstream:
        config = written(tmp_path, server, upstream, method="post", forward=True)
        server.tokens["opaque-2"] = {"sub": "ann", "aud": ["agents"]}
        with running(config, tmp_path / "state", workers=1) as stack:
            headers = {"authorization": "Bearer opaque-2"}
            assert web.get(f"{stack.url}/any", headers=headers, timeout=10).status_code == 200
            assert upstream.last.headers["authorization"] == "Bearer opaque-2"
            assert stack.chat(ASK, key="opaque-2").status_code == 200
            assert "opaque-2" not in str(stack.seen("a"))  # a provider's is its own


def test_the_example_asks_and_lets_in_by_scope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuthorizationServer() as server:
        monkeypatch.setenv("INTROSPECTION_URL", server.url)
        monkeypatch.setenv("CLIENT_ID", CLIENT)
        monkeypatch.setenv("CLIENT_SECRET", SECRET)
        ada = {"username": "ada", "aud": "agents", "client_id": "app"}
        server.tokens = {
            "asks": {**ada, "scope": "llm:ask mail"},
            "reads": {**ada, "scope": "mail"},
            "plays": {**ada, "scope": "llm:ask", "client_id": "playground"},
        }
        with running(EXAMPLES / "introspection.yaml", tmp_path / "state", workers=1) as stack:
            ask = {**ASK, "model": "demo"}
            tokens = ("asks", "reads", "plays", "none", "example-laptop-key")
            found = [stack.chat(ask, key=token).status_code for token in tokens]
            assert found == [200, 403, 403, 401, 200]
            assert list(stack.budgets()) == ["each-user|user=ada"]
