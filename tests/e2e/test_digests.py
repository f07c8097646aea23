"""Digests that clients say of their bodies, through a real Envoy: what is changed goes on without
them, and what is not, with them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.kit import web
from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.mcp_gateways import gateway_before
from tests.kit.mcp_peers import McpServer, RawClient, mcp_servers
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack

pytestmark = pytest.mark.envoy

YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
llm:
  providers: {openai: {type: openai, url: "http://127.0.0.1:RECORDER/v1", key: k}}
  models: {named: openai/gpt-5, gpt-5: openai/gpt-5}
routes: [{name: app, match: {path: {prefix: /app}}, backend: "http://127.0.0.1:RECORDER"}]
guardrails:
  - {name: mails, type: pii, kinds: [email], action: mask}
  - {name: app, type: pii, kinds: [email], action: mask, for: {route: app}}
  - {name: notes, type: pii, kinds: [email], action: mask, for: {mcp: notes}}
  - {name: agents, type: pii, kinds: [email], action: mask, for: {a2a: travel}}
a2a: {agents: {travel: {url: "AGENT"}}}
mcp:
  servers:
"""
SAID = {
    "content-digest": "sha-256=:{}:",
    "repr-digest": "sha-256=:{}:",
    "digest": "SHA-256={}",
    "content-md5": "{}",
}
CHANGED = pytest.mark.parametrize(("text", "is_kept"), [("hello", True), ("to a@b.com", False)])


@pytest.fixture(scope="module")
def backend() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running_agent() as started:
        yield started


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with mcp_servers(notes=[]) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(
    backend: Recorder,
    agent: Agent,
    servers: dict[str, McpServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    text = YAML.replace("RECORDER", str(backend.port)).replace("AGENT", agent.url)
    folder: Path = tmp_path_factory.mktemp("digests")
    with gateway_before(servers, text, folder) as stack:
        yield stack


def digests(body: bytes) -> dict[str, str]:
    found = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {name: form.format(found) for name, form in SAID.items()}


def kept(headers: Mapping[str, str]) -> set[str]:
    return SAID.keys() & headers.keys()


def post(url: str, body: bytes, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"content-type": "application/json", **named, **digests(body)}
    return web.post(url, content=body, headers=sent, timeout=30).status_code


@CHANGED
def test_of_plain_routes(gateway: Stack, backend: Recorder, text: str, is_kept: bool) -> None:
    body = json.dumps([text]).encode()
    assert post(f"{gateway.url}/app", body) == 200
    assert kept(backend.last.headers) == (SAID.keys() if is_kept else set())
    assert post(f"{gateway.url}/app", gzip.compress(body), content_encoding="gzip") == 200
    assert kept(backend.last.headers) == set()  # they were of what was coded


@CHANGED
@pytest.mark.parametrize("model", ["gpt-5", "named"])
def test_of_models(gateway: Stack, backend: Recorder, model: str, text: str, is_kept: bool) -> None:
    message = {"role": "user", "content": text}
    post(
        f"{gateway.url}/v1/chat/completions",
        json.dumps({"model": model, "messages": [message]}).encode(),
    )
    is_same = is_kept and model == "gpt-5"
    assert kept(backend.last.headers) == (SAID.keys() if is_same else set())


@CHANGED
def test_of_mcp_servers(
    gateway: Stack, servers: dict[str, McpServer], text: str, is_kept: bool
) -> None:
    client = RawClient(f"{gateway.url}/mcp/notes")
    client.initialize()
    params = {"name": "echo", "arguments": {"text": text}}
    message = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params}
    body = json.dumps(message).encode()
    assert client.post(body, **digests(body)).status == 200
    seen = web.get(f"http://127.0.0.1:{servers['notes'].port}/seen").json()
    (row,) = [row for row in seen if row["body"] and '"echo"' in row["body"]][-1:]
    assert kept(row["headers"]) == (SAID.keys() if is_kept else set())


@CHANGED
def test_of_agents(gateway: Stack, agent: Agent, text: str, is_kept: bool) -> None:
    message = {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": text}]}
    said = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    agent.seen.clear()
    url = f"{gateway.url}/a2a/travel"
    assert post(url, json.dumps(said).encode(), a2a_version="1.0") == 200
    (seen,) = [each for each in agent.seen if each.method == "POST"]
    assert kept(seen.headers) == (SAID.keys() if is_kept else set())
