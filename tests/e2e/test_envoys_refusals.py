"""What Envoy refuses itself is counted and written down as what Python refuses."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.audit_log.reading import records
from tests.e2e.conftest import Serve
from tests.kit.authz_services import HttpAuthz
from tests.kit.identity_provider import SigningKey, claims, key_set
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually, free_ports, running

pytestmark = pytest.mark.envoy

ISSUER = "https://idp.example"
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
audit: {on_error: allow}
identity:
  required: false
  jwt: [{issuer: https://idp.example, audiences: [agents], jwks: {file: keys.json}, mode: optional}]
external_authz:
  door: {http: "HTTP", timeout: 2s, headers: [x-verdict]}
  other: {http: "HTTP", timeout: 2s, headers: [x-verdict]}
limit_services:
  nobody: {url: "http://127.0.0.1:SILENT", domain: gateway}
llm:
  external_authz: other
  providers: {demo-a: {type: openai, url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1", key: k}}
  models: {demo-a: demo-a/demo-a}
limits:
  - name: few
    for: {route: counted}
    by: 'request.headers["x-a"]'
    requests: 2/day
    counted_by: envoy
  - {name: more, for: {route: counted}, requests: 3/day, counted_by: envoy}
  - {name: elsewhere, for: {route: unanswered}, service: nobody}
routes:
  - {name: app, match: {path: {prefix: /app}}, backend: "UPSTREAM", external_authz: door}
  - name: named
    match: {path: {prefix: /named}}
    backend: "UPSTREAM"
    auth: jwt
    external_authz: door
  - {name: counted, match: {path: {prefix: /counted}}, backend: "UPSTREAM", auth: none}
  - {name: unanswered, match: {path: {prefix: /unanswered}}, backend: "UPSTREAM", auth: none}
"""


@dataclass(frozen=True, slots=True)
class World:
    """A gateway and whom it trusts."""

    stack: Stack
    key: SigningKey

    def get(self, path: str, **headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"{self.stack.url}{path}", headers=sent, timeout=10).status_code

    def written(self) -> list[dict[str, Any]]:
        """The denials in the audit log."""
        found = (json.loads(each) for each in records(self.stack.state / "audit"))
        return [each for each in found if each.get("verdict") == "deny"]

    def count(self, kind: str, name: str, code: str) -> float:
        labels = f'code="{code}",kind="{kind}",mode="enforce",name="{name}",verdict="deny"'
        metrics = httpx.get(f"{self.stack.admin_url}/metrics", timeout=5).text
        found = [each for each in metrics.splitlines() if f"{{{labels}}}" in each]
        return sum(float(each.rsplit(" ", 1)[1]) for each in found)

    def is_told(self, kind: str, name: str, code: str, **record: object) -> bool:
        """Whether one is in the metrics, and one in the log that says all of this."""
        said = {"kind": kind, "code": code, **({"name": name} if name else {}), **record}
        return self.count(kind, name, code) >= 1 and any(
            said.items() <= each.items() for each in self.written()
        )


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("refusals")
    key = SigningKey("k")
    (folder / "keys.json").write_text(key_set(key))
    (silent,) = free_ports(1)
    with Recorder() as upstream, HttpAuthz() as service:
        text = YAML.replace("UPSTREAM", upstream.url).replace("HTTP", service.url)
        config = folder / "gateway.yaml"
        config.write_text(text.replace("SILENT", str(silent)))
        with serve(config, folder / "state") as stack:
            yield World(stack, key)


def test_an_external_service_that_refuses_is_named_and_so_is_who_asked(world: World) -> None:
    token = world.key.sign(claims(ISSUER, sub="ann"))
    assert world.get("/named/x?q=1", authorization=f"Bearer {token}") == 403
    who = {"principal": "ann", "source": "127.0.0.1", "method": "GET", "path": "/named/x"}
    told: dict[str, object] = {**who, "route": "named", "status": 403}
    eventually(lambda: world.is_told("external", "door", "external_denied", **told), "it is told")
    assert token not in json.dumps(world.written())


def test_so_is_one_that_gives_no_answer(world: World) -> None:
    assert world.get("/app", x_verdict="fail") == 503
    told = ("external", "door", "external_unavailable")
    eventually(lambda: world.is_told(*told, status=503), "it is told")


def test_on_the_llm_apis_too(world: World) -> None:
    ask = {"model": "demo-a", "messages": [{"role": "user", "content": "hi"}]}
    refused = httpx.post(f"{world.stack.url}/v1/chat/completions", json=ask, timeout=10)
    assert refused.status_code == 403
    path = "/v1/chat/completions"
    eventually(
        lambda: world.is_told("external", "other", "external_denied", path=path), "it is told"
    )


def test_limits_that_envoy_counts_are_named_as_far_as_they_differ(world: World) -> None:
    statuses = [world.get("/counted", x_a="1") for _ in range(3)]
    assert statuses == [200, 200, 429]
    limited = "rate_limit_exceeded"
    eventually(lambda: world.is_told("limit", "few", limited, status=429), "few is told")
    while world.get("/counted") == 200:
        pass
    eventually(lambda: world.is_told("limit", "more", limited, status=429), "more is told")


def test_a_limit_service_that_gives_no_answer_is_told(world: World) -> None:
    assert world.get("/unanswered") == 503
    told = ("limit", "elsewhere", "limits_unavailable")
    eventually(lambda: world.is_told(*told, route="unanswered"), "it is told")


def test_what_passes_is_not_told(world: World) -> None:
    """Of a plain route that asks nobody, workers hear nothing."""
    logged = "access_logs[.]grpc_access_log[.]logs_written"
    before = world.stack.envoy_stat(logged)
    assert world.get("/app", x_verdict="allow") == 200
    assert world.get("/nowhere") == 404
    assert world.stack.envoy_stat(logged) == before


def test_a_worker_that_leaves_takes_nothing_with_it_that_it_was_told(tmp_path: Path) -> None:
    """Whichever of the two it is that Envoy tells; and the next one is told again."""
    config = tmp_path / "gateway.yaml"
    with HttpAuthz() as service:
        config.write_text(
            'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\n'
            f'external_authz: {{door: {{http: "{service.url}", headers: [x-verdict]}}}}\n'
            'routes: [{name: app, backend: "http://127.0.0.1:9", external_authz: door}]\n'
        )
        with running(config, tmp_path / "state", workers=2) as stack:
            world = World(stack, SigningKey("k"))

            def counted() -> float:
                return world.count("external", "door", "external_denied")

            def is_told_again(before: float) -> bool:
                assert world.get("/app") == 403
                return counted() > before

            for place in range(2):
                eventually(partial(is_told_again, counted()), "somebody is told")
                before = counted()
                leaving = stack.workers()[place]
                os.kill(leaving, signal.SIGTERM)

                def is_replaced(leaving: int = leaving) -> bool:
                    workers = stack.workers()
                    return leaving not in workers and len(workers) == 2

                eventually(is_replaced, "another one is there", seconds=30)
                assert counted() >= before
            eventually(partial(is_told_again, counted()), "somebody is told")


def test_a_request_that_no_worker_answers_in_time_is_told(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(
        'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\n'
        "authorize: [{name: asks, for: {route: app}, deny: "
        '\'request.headers["x-a"].lowerAscii() == "b"\'}]\n'
        'routes: [{name: app, backend: "http://127.0.0.1:9"}]\n'
    )
    with running(config, tmp_path / "state", workers=1) as stack:
        world = World(stack, SigningKey("k"))
        (worker,) = stack.workers()
        assert world.get("/app", x_a="b") == 403
        os.kill(worker, signal.SIGSTOP)
        try:
            url = f"{stack.url}/app"
            refused = httpx.get(url, headers={"anthropic-version": "2023-06-01"}, timeout=60)
        finally:
            os.kill(worker, signal.SIGCONT)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "policy_unavailable"
        assert refused.json()["type"] == "error"
        told = ("gateway", "", "policy_unavailable")
        eventually(lambda: world.count(*told) >= 1, "it is told")
