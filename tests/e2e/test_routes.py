"""Plain routes through a real Envoy: who must be known is, and upstreams see no credential."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.stack import Stack

pytestmark = pytest.mark.envoy

YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  required: false
  api_keys: {keys: [{name: ann, key: k-ann, team: red}, {name: bob, key: k-bob}]}
llm:
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1"
      key: demo-provider-key-a
  models: {demo-a: demo-a/demo-a}
authorize:
  - {name: red-only, for: {route: team}, allow: 'principal.team == "red"'}
  - {name: from-here, for: {route: team}, require: 'source.address == "127.0.0.1"'}
routes:
  - {name: open, match: {path: {prefix: /open}}, backend: "http://127.0.0.1:UPSTREAM", auth: none}
  - {name: keyed, match: {path: {prefix: /keyed}}, backend: "http://127.0.0.1:UPSTREAM", auth: key}
  - {name: team, match: {path: {prefix: /team}}, backend: "http://127.0.0.1:UPSTREAM", auth: key}
"""


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        seen = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def routes(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("routes")
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=upstream.serve_forever)
    thread.start()
    config = folder / "gateway.yaml"
    config.write_text(YAML.replace("UPSTREAM", str(upstream.server_port)))
    try:
        with serve(config, folder / "state") as stack:
            yield stack
    finally:
        upstream.shutdown()
        thread.join()
        upstream.server_close()


def get(stack: Stack, path: str, key: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return web.get(f"{stack.url}{path}", headers=headers, timeout=10)


def test_an_open_route_asks_nobody(routes: Stack) -> None:
    assert get(routes, "/open/x").status_code == 200


def test_a_keyed_route_asks_for_a_key_and_keeps_it(routes: Stack) -> None:
    assert get(routes, "/keyed/x").status_code == 401
    assert get(routes, "/keyed/x", "wrong").status_code == 401
    answer = get(routes, "/keyed/x", "k-bob")
    assert answer.status_code == 200
    assert answer.json()["path"] == "/keyed/x"
    assert "authorization" not in answer.json()["headers"]


def test_rules_know_the_route_and_the_client(routes: Stack) -> None:
    assert get(routes, "/team/x", "k-ann").status_code == 200
    refused = get(routes, "/team/x", "k-bob")
    assert refused.status_code == 403
    assert "red-only" in refused.json()["error"]["message"]


def test_the_llm_api_is_not_a_plain_route(routes: Stack) -> None:
    body = {"model": "demo-a", "messages": [{"role": "user", "content": "hi"}]}
    assert routes.chat(body, key="k-bob").status_code == 200


def test_what_nobody_serves_is_not_found(routes: Stack) -> None:
    assert get(routes, "/nothing", "k-ann").status_code == 404
