"""Names and passwords through a real Envoy: who is known by them, and who is refused."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

APR1 = "$apr1$QgRQkTvO$R9x6XTUsCwwdeetsjxTYj."
SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
"""Both of `secret`."""
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  basic: {files: [users, more], groups: {writers: [ann]}, FORWARD}
  api_keys: {keys: [{name: bob, key: k-bob}]}
llm:
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1"
      key: demo-provider-key-a
  models: {demo-a: demo-a/demo-a}
authorize:
  - {name: writers, for: {route: team}, require: '"writers" in principal.groups'}
routes:
  - {name: open, match: {path: {prefix: /open}}, backend: "http://127.0.0.1:UPSTREAM", auth: none}
  - {name: any, match: {path: {prefix: /any}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: own, match: {path: {prefix: /basic}}, backend: "http://127.0.0.1:UPSTREAM", auth: basic}
  - {name: team, match: {path: {prefix: /team}}, backend: "http://127.0.0.1:UPSTREAM"}
"""
ASK = {"model": "demo-a", "messages": [{"role": "user", "content": "hi"}]}


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, and what is behind it."""

    stack: Stack
    folder: Path
    upstream: Recorder

    def get(self, path: str, *pair: str, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        auth = (pair[0], pair[1]) if pair else None
        return web.get(f"{self.stack.url}{path}", headers=sent, auth=auth, timeout=30)


def written(folder: Path, upstream: Recorder, more: str = "") -> Path:
    hashed = bcrypt.hashpw(b"bcrypted", bcrypt.gensalt(6)).decode()
    (folder / "users").write_text(f"ann:{APR1}\ncarol:{hashed}\n")
    (folder / "more").write_text(f"dave:{SHA}\n")
    config = folder / "gateway.yaml"
    text = YAML.replace("UPSTREAM", str(upstream.port)).replace(", FORWARD", more)
    config.write_text(text)
    return config


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("passwords")
    with Recorder() as upstream, serve(written(folder, upstream), folder / "state") as stack:
        yield World(stack, folder, upstream)


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("user", "password"), [("ann", "secret"), ("carol", "bcrypted"), ("dave", "secret")]
)
def test_a_password_opens_and_never_travels(world: World, user: str, password: str) -> None:
    for path in ("/any", "/basic"):
        assert world.get(path, user, password).status_code == 200
        assert "authorization" not in world.upstream.last.headers
        refused = world.get(path, user, f"{password}x")
        assert error(refused) == (401, "invalid_credential")


def test_no_provider_sees_a_password(world: World) -> None:
    answer = web.post(
        f"{world.stack.url}/v1/chat/completions", json=ASK, auth=("ann", "secret"), timeout=30
    )
    assert answer.status_code == 200, answer.text
    [*_, asked] = world.stack.seen("a")
    assert "YW5uOnNlY3JldA" not in str(asked)


def test_a_browser_is_told_how_to_ask(world: World) -> None:
    challenge = 'Basic realm="dragoman", charset="UTF-8"'
    assert world.get("/any").headers["www-authenticate"] == f"Bearer, {challenge}"
    assert world.get("/basic").headers["www-authenticate"] == challenge
    assert world.get("/any", "ann", "no").headers["www-authenticate"] == challenge
    assert error(world.get("/basic", authorization="Bearer k-bob")) == (401, "invalid_credential")


def test_keys_stand_beside_passwords(world: World) -> None:
    assert world.get("/any", authorization="Bearer k-bob").status_code == 200
    assert world.get("/any", "ann", "secret", x_api_key="k-bob").status_code == 401


def test_rules_read_groups(world: World) -> None:
    assert world.get("/team", "ann", "secret").status_code == 200
    assert world.get("/team", "dave", "secret").status_code == 403


def test_an_open_route_passes_somebody_elses_password(world: World) -> None:
    assert world.get("/open", "some", "body").status_code == 200
    assert world.upstream.last.headers["authorization"].startswith("Basic ")


def test_guesses_neither_stop_the_others_nor_wait_without_end(world: World) -> None:
    """A check of eve's takes a quarter of a second or more."""
    hashed = bcrypt.hashpw(b"slow", bcrypt.gensalt(12)).decode()
    (world.folder / "more").write_text(f"dave:{SHA}\neve:{hashed}\n")
    eventually(lambda: world.get("/any", "eve", "slow").status_code == 200, "eve is known")
    statuses: list[int] = []

    def guess(number: int) -> None:
        statuses.append(world.get("/any", "eve", f"guess-{number}").status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    took = []
    for _ in range(10):  # whose password is known, and who has a key
        began = time.monotonic()
        assert world.get("/any", "eve", "slow").status_code in (200, 429)
        assert world.get("/any", authorization="Bearer k-bob").status_code == 200
        took.append(time.monotonic() - began)
    for thread in threads:
        thread.join()
    assert set(statuses) == {401, 429}
    assert sorted(took)[5] < 1


def test_a_changed_file_is_in_force(world: World) -> None:
    (world.folder / "more").write_text(f"dave:{SHA}\nfay:{APR1}\n")
    eventually(lambda: world.get("/any", "fay", "secret").status_code == 200, "fay is known")
    (world.folder / "more").write_text(f"dave:{SHA}\n")
    eventually(lambda: world.get("/any", "fay", "secret").status_code == 401, "fay is gone")


def test_a_password_travels_where_it_is_told_to(tmp_path: Path) -> None:
    with Recorder() as upstream:
        config = written(tmp_path, upstream, ", forward: true")
        with running(config, tmp_path / "state", workers=1) as stack:
            answer = web.get(f"{stack.url}/any", auth=("ann", "secret"), timeout=30)
            assert answer.status_code == 200
            assert upstream.last.headers["authorization"] == "Basic YW5uOnNlY3JldA=="
            chat = f"{stack.url}/v1/chat/completions"
            answer = web.post(chat, json=ASK, auth=("ann", "secret"), timeout=30)
            assert answer.status_code == 200
            assert "YW5uOnNlY3JldA" not in str(stack.seen("a"))  # a provider's is its own


def test_the_example_knows_engineers(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "passwords.yaml", tmp_path)
    shutil.copytree(EXAMPLES / "passwords", tmp_path / "passwords")
    with Recorder() as upstream:
        config = tmp_path / "passwords.yaml"
        config.write_text(config.read_text().replace("${DESK_PORT:-9000}", str(upstream.port)))
        with running(config, tmp_path / "state", workers=1) as stack:
            chat, ask = f"{stack.url}/v1/chat/completions", {**ASK, "model": "demo"}
            ada, bob = ("ada", "correct horse"), ("bob", "battery staple")
            assert web.post(chat, json=ask, auth=ada, timeout=30).status_code == 200
            assert web.post(chat, json=ask, auth=bob, timeout=30).status_code == 403
            assert stack.chat(ask, key="example-ci-key").status_code == 200
            assert list(stack.budgets()) == ["each-team|team=research"]
            assert web.get(f"{stack.url}/desk", auth=bob, timeout=30).status_code == 200
            assert web.get(f"{stack.url}/desk", timeout=30).status_code == 401
