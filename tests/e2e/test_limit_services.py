"""`examples/limit-service.yaml`: Envoy asks a rate limit service, here a worker of ours."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.any_envoy import started
from tests.kit.stack import COMMAND, Stack, eventually, free_ports

pytestmark = pytest.mark.envoy

OPEN = """
  - name: unanswered
    match: {path: {prefix: /unanswered}}
    backend: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}"
    replace_prefix: /healthz
    auth: none
  - name: let-through
    match: {path: {prefix: /let-through}}
    backend: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}"
    replace_prefix: /healthz
    auth: none
  - name: described
    match: {path: {prefix: /described}}
    backend: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}"
    replace_prefix: /healthz
    auth: none
  - name: pathed
    match: {path: {prefix: /pathed}}
    backend: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}"
    auth: none

limit_services:
  nobody: {url: "http://127.0.0.1:SILENT", domain: gateway}
  unasked: {url: "http://127.0.0.1:SILENT", domain: gateway, on_error: allow}
"""
LIMITS = """
  - {name: refused, for: {route: unanswered}, service: nobody}
  - {name: allowed, for: {route: let-through}, service: unasked}
  - name: described
    for: {route: described}
    service: shared
    descriptor: {limit: '"each-tenant"', x-tenant: 'request.headers["x-plan"]'}
  - name: each-path
    for: {route: pathed}
    service: shared
    descriptor: {limit: '"each-tenant"', x-tenant: request.path}
"""


@pytest.fixture(scope="module")
def asking(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("limit-services")
    port, silent = free_ports(2)
    example = (EXAMPLES / "limit-service.yaml").read_text()
    text = example.replace("${DRAGOMAN_LIMITS_PORT:-8081}", str(port)).replace(
        "timeout: 100ms", "timeout: 5s"
    )
    written = OPEN.replace("SILENT", str(silent))
    text = text.replace("\nlimit_services:\n", written, 1) + LIMITS
    (folder / "gateway.yaml").write_text(text)
    config = str(EXAMPLES / "rate-limit-service.yaml")
    place = ("--listen", f"127.0.0.1:{port}", "--state-dir", str(folder / "service"))
    with (
        started(folder / "log", {}, str(COMMAND), "extproc", "--config", config, *place),
        serve(folder / "gateway.yaml", folder / "state") as stack,
    ):
        eventually(
            lambda: get(stack, "docs", tenant="internal-0").status_code == 200, "it", seconds=60
        )
        yield stack


def get(stack: Stack, path: str, tenant: str | None = None) -> httpx.Response:
    headers = {} if tenant is None else {"x-tenant": tenant}
    return web.get(f"{stack.url}/{path}", headers=headers)


def test_the_service_says_how_much(asking: Stack) -> None:
    answers = [get(asking, "docs", "a") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert answers[0].headers["x-ratelimit-remaining"] == "2"
    refused = answers[-1]
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["content-type"] == "application/json"
    assert int(refused.headers["retry-after"]) > 0
    assert get(asking, "docs", "b").status_code == 200
    assert get(asking, "docs", "internal-1").status_code == 200


def test_a_service_is_asked_with_entries_that_are_written(asking: Stack) -> None:
    def status(**headers: str) -> int:
        return web.get(f"{asking.url}/described", headers=headers).status_code

    assert [status(**{"x-plan": "gold"}) for _ in range(4)] == [200, 200, 200, 429]
    assert status(**{"x-plan": "internal-1"}) == 200


def test_a_service_is_asked_with_the_path_without_its_query(asking: Stack) -> None:
    def is_limited(path: str) -> bool:
        return web.get(f"{asking.url}{path}").status_code == 429

    assert [is_limited(f"/pathed/a?n={n}") for n in range(4)] == [False, False, False, True]
    assert not is_limited("/pathed/b")


def test_those_without_a_value_are_asked_about_together(asking: Stack) -> None:
    assert [get(asking, "docs").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert get(asking, "docs", "").status_code == 429


def test_without_an_answer_it_is_as_configured(asking: Stack) -> None:
    refused = get(asking, "unanswered")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "limits_unavailable")
    assert get(asking, "let-through").status_code == 200
