"""Services of the operator's own decide, through a real Envoy: by gRPC and by HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.authz_services import DENIED, GrpcAuthz, HttpAuthz
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  required: false
  api_keys: {keys: [{name: bob, key: k-bob}]}
external_authz:
  grpc: {grpc: "GRPC", timeout: 500ms, headers: [x-verdict, x-more-*], upstream_headers: [x-tier]}
  grpc-body:
    grpc: "GRPC"
    headers: [x-verdict, authorization]
    body: {max_bytes: 100}
  http:
    http: "HTTP"
    timeout: 500ms
    headers: [x-verdict]
    upstream_headers: [x-tier]
    client_headers: [x-why]
    metadata_headers: [x-level]
  http-body: {http: "HTTP", headers: [x-verdict], body: {max_bytes: 100, partial: true}}
  lax: {http: "HTTP", timeout: 500ms, headers: [x-verdict], on_error: allow}
  away: {grpc: "http://127.0.0.1:9", headers: [x-verdict]}
llm:
  external_authz: grpc
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1"
      key: demo-provider-key-a
  models: {demo-a: demo-a/demo-a}
authorize:
  - name: level
    for: {route: ruled}
    require: >
      external.level == 5 && external.who.name == "ann" && request.headers["x-tier"] == "gold"
  - {name: header, for: {route: header}, require: 'external["x-level"] == "5"'}
  - {name: silent, for: {route: plain}, require: '!has(external.level)'}
routes:
ROUTES
"""
SERVICES = {
    "grpc": "grpc",
    "grpc-body": "grpc-body",
    "http": "http",
    "http-body": "http-body",
    "lax": "lax",
    "away": "away",
    "ruled": "grpc",
    "header": "http",
    "plain": "",
    "free": "",
}
ASK = {"model": "demo-a", "messages": [{"role": "user", "content": "hi"}]}


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, who decides, and what is behind it."""

    stack: Stack
    grpc: GrpcAuthz
    http: HttpAuthz
    upstream: Recorder

    def get(self, route: str, verdict: str = "", **headers: str) -> httpx.Response:
        return self.ask("GET", route, verdict, b"", **headers)

    def ask(
        self, method: str, route: str, verdict: str, body: bytes, **headers: str
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if verdict:
            sent["x-verdict"] = verdict
        url = f"{self.stack.url}/{route}/page?q=1"
        return web.request(method, url, headers=sent, content=body, timeout=10)

    def chat(self, verdict: str = "", path: str = "/v1/chat/completions") -> httpx.Response:
        headers = {"x-verdict": verdict} if verdict else {}
        return web.post(f"{self.stack.url}{path}", json=ASK, headers=headers, timeout=10)

    def checked(self) -> Any:
        """The request as the gRPC service saw it last."""
        return self.grpc.checks[-1].attributes.request.http


def routes(port: int) -> str:
    lines = []
    for name, service in SERVICES.items():
        asked = f", external_authz: {service}" if service else ""
        auth = ", auth: none" if name == "free" else ""
        match = f"match: {{path: {{prefix: /{name}}}}}"
        lines.append(
            f'  - {{name: {name}, {match}, backend: "http://127.0.0.1:{port}"{asked}{auth}}}'
        )
    return "\n".join(lines)


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("external")
    with GrpcAuthz() as by_grpc, HttpAuthz() as by_http, Recorder() as upstream:
        text = YAML.replace("GRPC", by_grpc.url).replace("HTTP", by_http.url)
        config = folder / "gateway.yaml"
        config.write_text(text.replace("ROUTES", routes(upstream.port)))
        with serve(config, folder / "state") as stack:
            yield World(stack, by_grpc, by_http, upstream)


@pytest.mark.parametrize("route", ["grpc", "http"])
def test_the_service_decides(world: World, route: str) -> None:
    assert world.get(route, "allow").status_code == 200
    refused = world.get(route)
    assert (refused.status_code, refused.text) == (403, DENIED)
    assert refused.headers["x-why"] == "list"


@pytest.mark.parametrize("route", ["grpc", "http"])
def test_what_it_says_reaches_the_backend_where_it_is_named(world: World, route: str) -> None:
    assert world.get(route, "allow", x_tier="forged").status_code == 200
    seen = world.upstream.last
    assert seen.headers["x-tier"] == "gold"
    assert seen.path.endswith("/page?q=1")
    assert not [name for name in seen.headers if name.startswith("x-dragoman")]
    assert "x-api-key" not in seen.headers


def test_a_service_that_names_no_header_changes_none(world: World) -> None:
    for route in ("grpc-body", "lax"):
        assert world.get(route, "allow", x_tier="own").status_code == 200
        assert world.upstream.last.headers["x-tier"] == "own"


@pytest.mark.parametrize("route", ["grpc", "http"])
def test_it_is_shown_what_is_named_and_no_credential(world: World, route: str) -> None:
    sent = {"authorization": "Bearer k-bob", "cookie": "a=b", "x_other": "y", "x_more_a": "z"}
    assert world.get(route, "allow", **sent).status_code == 200
    if route == "grpc":
        seen = dict(world.checked().headers)
        assert world.checked().path == "/grpc/page?q=1"
        assert world.checked().method == "GET"
        assert seen["x-more-a"] == "z"
    else:
        method, path, seen, _ = world.http.requests[-1]
        assert (method, path) == ("GET", "/authz/http/page?q=1")
    assert seen["x-verdict"] == "allow"
    assert not {"authorization", "cookie", "x-other", "x-api-key"} & set(seen)
    assert not [name for name in seen if name.startswith("x-dragoman")]


def test_a_credential_is_shown_where_it_is_named(world: World) -> None:
    assert world.get("grpc-body", "allow", authorization="Bearer k-bob").status_code == 200
    assert world.checked().headers["authorization"] == "Bearer k-bob"


def test_it_is_told_which_route_it_is(world: World) -> None:
    assert world.get("ruled", "allow").status_code == 200
    assert dict(world.grpc.checks[-1].attributes.context_extensions) == {"dragoman.route": "ruled"}


def test_bodies_are_shown_within_bounds(world: World) -> None:
    assert world.ask("POST", "grpc", "allow", b"x" * 50).status_code == 200
    assert world.checked().raw_body == b""
    body = b"\xff" * 50  # no UTF-8
    assert world.ask("POST", "grpc-body", "allow", body).status_code == 200
    assert world.checked().raw_body == body
    assert world.upstream.last.body == body
    assert world.ask("POST", "grpc-body", "allow", b"x" * 200).status_code == 413
    large = b"y" * 200
    assert world.ask("POST", "http-body", "allow", large).status_code == 200
    assert world.http.requests[-1][3] == large[:100]
    assert world.upstream.last.body == large


@pytest.mark.parametrize("route", ["grpc", "http", "away"])
def test_nothing_passes_while_nobody_answers(world: World, route: str) -> None:
    before = len(world.upstream.requests)
    for verdict in ("hang", "fail"):
        answer = world.get(route, verdict)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "external_unavailable"
    assert len(world.upstream.requests) == before


def test_what_becomes_of_errors_is_for_the_operator_to_say(world: World) -> None:
    assert world.get("lax", "hang").status_code == 200
    assert world.get("lax", "fail").status_code == 200
    assert world.get("lax").status_code == 403


def test_rules_read_what_it_says(world: World) -> None:
    assert world.get("ruled", "allow").status_code == 200
    assert world.get("header", "allow").status_code == 200
    assert world.get("ruled").status_code == 403
    assert world.get("ruled", "allow", x_tier="none").status_code == 200  # it is replaced


def test_who_is_not_named_is_not_asked(world: World) -> None:
    before = len(world.grpc.checks), len(world.http.requests)
    assert world.get("free", "deny").status_code == 200
    world.get("plain", "deny")
    assert (len(world.grpc.checks), len(world.http.requests)) == before


def test_the_llm_apis_ask_and_refuse_in_the_clients_words(world: World) -> None:
    answer = world.chat("allow")
    assert answer.status_code == 200, answer.text
    refused = world.chat()
    assert refused.status_code == 403
    assert refused.json()["error"]["message"] == DENIED
    assert refused.json()["error"]["code"] == "external_denied"
    anthropic = world.chat("deny", "/v1/messages")
    assert anthropic.status_code == 403
    assert anthropic.json()["type"] == "error"
    away = world.chat("fail")
    assert away.status_code == 503
    assert away.json()["error"]["code"] == "external_unavailable"


def test_the_status_of_errors_is_for_the_operator_to_say(serve: Serve, tmp_path: Path) -> None:
    with HttpAuthz() as service:
        config = tmp_path / "gateway.yaml"
        asked = f'{{http: "{service.url}", headers: [x-verdict], status_on_error: 502}}'
        config.write_text(
            'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\n'
            f"external_authz: {{one: {asked}}}\n"
            'routes: [{name: a, backend: "http://127.0.0.1:9", external_authz: one}]\n'
        )
        with serve(config, tmp_path / "state") as stack:
            failed = web.get(f"{stack.url}/a", headers={"x-verdict": "fail"}, timeout=10)
            assert failed.status_code == 502
            assert failed.json()["error"]["code"] == "external_unavailable"
            assert web.get(f"{stack.url}/a", timeout=10).status_code == 403


def test_the_example_asks_its_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with GrpcAuthz() as service, Recorder() as upstream:
        monkeypatch.setenv("ENTITLEMENTS", service.url)
        monkeypatch.setenv("APP", upstream.url)
        with running(EXAMPLES / "external-authz.yaml", tmp_path / "state", workers=1) as stack:
            url, allowed = f"{stack.url}/app/x", {"x-verdict": "allow", "x-session": "s1"}
            assert web.get(url, headers=allowed, timeout=10).status_code == 200
            assert upstream.last.headers["x-tier"] == "gold"
            assert web.get(url, timeout=10).status_code == 403
            assert web.get(f"{stack.url}/health", timeout=10).status_code == 200
