"""Credentials of providers, fetched, signed, passed on and renewed while the gateway runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.aws_signature import is_signed
from tests.kit.recorder import Recorded, Recorder
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

CONFIG = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT:-8080}}", address: 127.0.0.1}}}}
llm:
  providers:
    keyed: {{type: openai-compatible, url: {models}, auth: {{type: api-key, file: key.txt}}}}
    oauth:
      type: openai-compatible
      url: {models}
      auth: {{type: oauth, token_url: {idp}/oauth, client_id: me, client_secret: hunter2}}
    google:
      type: openai-compatible
      url: {models}
      auth: {{type: gcp, credentials: google.json}}
    broken:
      type: openai-compatible
      url: {models}
      auth: {{type: gcp, credentials: broken.json}}
    signed:
      type: openai-compatible
      url: {models}
      auth: {{type: aws, region: us-east-1, access_key: AKID, secret_key: hunter2}}
    theirs:
      type: openai-compatible
      url: {models}
      auth: {{type: pass-through, header: x-provider-key}}
  models:
    keyed: keyed/m
    oauth: oauth/m
    google: google/m
    broken: broken/m
    signed: signed/m
    theirs: theirs/m
"""
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hello"},
            "finish_reason": "stop",
        }
    ],
}
PEM = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)


def account(url: str, name: str = "one") -> str:
    return json.dumps(
        {
            "type": "service_account",
            "client_email": f"{name}@p.iam.gserviceaccount.com",
            "private_key": PEM,
            "token_uri": url,
        }
    )


def token(value: str) -> bytes:
    return json.dumps({"access_token": value, "token_type": "Bearer", "expires_in": 3600}).encode()


@dataclass(frozen=True)
class Scene:
    """A gateway, whoever gives tokens to it, and all of its providers in one."""

    stack: Stack
    folder: Path
    idp: Recorder
    """For OAuth clients."""
    google: Recorder
    models: Recorder

    def ask(self, model: str, **headers: str) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.stack.chat(body, key=None, headers=sent)

    def shown(self, model: str, **headers: str) -> Recorded:
        answer = self.ask(model, **headers)
        assert answer.status_code == 200, answer.text
        return self.models.last

    def authorization(self, model: str) -> str:
        if self.ask(model).status_code != 200:
            return ""
        return self.models.last.headers.get("authorization", "")


@pytest.fixture(scope="module")
def scene(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("credentials")
    with ExitStack() as exits:
        idp, google, refusing, models = (exits.enter_context(Recorder()) for _ in range(4))
        models.answer = json.dumps(ANSWER).encode()
        idp.answer, google.answer = token("oauth-token"), token("google-token")
        refusing.status, refusing.answer = 403, b'{"error": "access_denied"}'
        (folder / "key.txt").write_text("first-key\n")
        (folder / "google.json").write_text(account(google.url))
        (folder / "broken.json").write_text(account(refusing.url))
        config = folder / "gateway.yaml"
        config.write_text(CONFIG.format(models=f"{models.url}/v1", idp=idp.url))
        stack = exits.enter_context(serve(config, folder / "state"))
        yield Scene(stack, folder, idp, google, models)


def test_envoy_fetches_an_oauth_token(scene: Scene) -> None:
    eventually(lambda: scene.authorization("oauth") == "Bearer oauth-token", "there is a token")
    asked = scene.idp.last
    assert asked.path == "/oauth"
    assert b"grant_type=client_credentials" in asked.body
    assert b"client_id=me" in asked.body
    assert b"client_secret=hunter2" in asked.body


def test_the_control_plane_mints_a_token_and_the_first_request_has_it(scene: Scene) -> None:
    assert scene.shown("google").headers["authorization"] == "Bearer google-token"
    assert b"grant-type%3Ajwt-bearer" in scene.google.last.body


def test_a_token_that_nobody_gives_is_seen_and_holds_nothing_up(scene: Scene) -> None:
    models = len(scene.models.requests)
    assert scene.ask("broken").status_code == 503
    assert len(scene.models.requests) == models
    [broken] = [each for each in scene.stack.status()["tokens"] if each["problem"]]
    assert broken["providers"] == ["broken"]
    assert broken["problem"] == "answered 403: access_denied"


def test_a_request_is_signed(scene: Scene) -> None:
    credentials = Credentials("AKID", "hunter2")
    assert is_signed(scene.shown("signed"), credentials, region="us-east-1")


def test_a_clients_own_key_is_passed_on(scene: Scene) -> None:
    received = scene.shown("theirs", x_provider_key="theirs", authorization="Bearer ours").headers
    assert received["authorization"] == "Bearer theirs"
    assert "x-provider-key" not in received
    asked = len(scene.models.requests)
    answer = scene.ask("theirs", authorization="Bearer ours")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "missing_api_key"
    assert "x-provider-key" in answer.json()["error"]["message"]
    assert len(scene.models.requests) == asked


def test_no_secret_is_shown(scene: Scene) -> None:
    admin = scene.stack.admin_url
    for path in ("/api/status", "/api/config", "/api/resources", "/metrics"):
        shown = web.get(f"{admin}{path}", timeout=5).raise_for_status().text
        for secret in ("hunter2", "first-key", "google-token", "oauth-token", "PRIVATE KEY"):
            assert secret not in shown, (path, secret)
    assert "hunter2" not in scene.stack.log.read_text()
    assert "google-token" not in scene.stack.log.read_text()


def test_keys_are_renewed_while_the_gateway_runs(scene: Scene) -> None:
    envoys = scene.stack.envoys()
    assert scene.authorization("keyed") == "Bearer first-key"
    (scene.folder / "key.txt").write_text("second-key\n")
    eventually(lambda: scene.authorization("keyed") == "Bearer second-key", "the new key is used")
    scene.google.answer = token("google-token-two")
    (scene.folder / "google.json").write_text(account(scene.google.url, "two"))
    eventually(
        lambda: scene.authorization("google") == "Bearer google-token-two", "the new token is used"
    )
    assert scene.stack.envoys() == envoys
