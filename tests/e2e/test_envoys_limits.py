"""`examples/limits.yaml`, and limits that Envoy counts: as many, and told as ours are."""

from __future__ import annotations

import random
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.stack import Stack

pytestmark = pytest.mark.envoy

TENANT = 'request.headers["x-tenant"]'
ROUTES = "\nroutes:\n" + "".join(
    f"""  - name: {name}
    match: {{path: {{prefix: /{name}}}}}
    backend: "http://127.0.0.1:${{DRAGOMAN_DEMO_PORT}}"
    auth: none
    replace_prefix: /healthz
"""
    for name in ("by-envoy", "by-workers", "addressed")
)
LIMITS = f"""
  - {{name: theirs, for: {{route: by-envoy}}, by: '{TENANT}', requests: 5/day, counted_by: envoy}}
  - {{name: ours, for: {{route: by-workers}}, by: '{TENANT}', requests: 5/day}}
  - name: addressed
    for: {{route: addressed}}
    by: source.address
    requests: 2/min
    counted_by: envoy
"""


@pytest.fixture(scope="module")
def limited(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("envoys-limits")
    example = (EXAMPLES / "limits.yaml").read_text()
    (folder / "gateway.yaml").write_text(example.replace("\nroutes:\n", ROUTES) + LIMITS)
    with serve(folder / "gateway.yaml", folder / "state") as stack:
        yield stack


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if "ratelimit" in name}


def test_envoy_and_workers_count_the_same(limited: Stack) -> None:
    chosen = random.Random(7).choices(["a", "b", "c", "d", None, ""], k=60)
    seen: dict[str, list[tuple[int, str, str]]] = {}
    for counter in ("by-envoy", "by-workers"):
        for tenant in chosen:
            headers = {} if tenant is None else {"x-tenant": tenant}
            answer = web.get(f"{limited.url}/{counter}", headers=headers)
            limits = told(answer)
            seen.setdefault(counter, []).append(
                (
                    answer.status_code,
                    limits["x-ratelimit-limit-requests"],
                    limits["x-ratelimit-remaining-requests"],
                )
            )
    assert seen["by-envoy"] == seen["by-workers"]
    assert {status for status, _, _ in seen["by-envoy"]} == {200, 429}


def test_a_refusal_of_envoys_is_as_ours(limited: Stack) -> None:
    answers = [web.get(f"{limited.url}/addressed") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    refused = answers[-1]
    assert refused.headers["content-type"] == "application/json"
    assert refused.headers["retry-after"] == "30"
    assert refused.json()["error"] == {
        "message": "limit 'addressed': 2 requests per minute",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert set(told(refused)) == {
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
    }
    assert "x-dragoman-limit" not in refused.headers
    assert "retry-after" not in answers[0].headers


def test_another_address_is_another_count(limited: Stack) -> None:
    while web.get(f"{limited.url}/addressed").status_code == 200:
        pass
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=transport) as other:
        claimed = {"x-forwarded-for": "127.0.0.3"}
        assert [
            other.get(f"{limited.url}/addressed", headers=headers).status_code
            for headers in ({}, claimed, claimed)
        ] == [200, 200, 429]


def test_the_example_counts_models_by_key_and_project_and_its_route_by_address(
    limited: Stack,
) -> None:
    ask = {"model": "demo", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}
    answer = limited.chat(ask, key="example-app-key")
    assert answer.status_code == 200
    assert told(answer)["x-ratelimit-limit-requests"] == "60"
    assert told(answer)["x-ratelimit-limit-tokens"] == "100000"
    assert told(answer)["ratelimit-policy"].startswith('"each-key/requests";q=60;w=60')
    assert told(answer)["ratelimit"].startswith(
        '"each-key/requests";r=59;t=1, "each-key/tokens";r='
    )
    statuses = [web.get(f"{limited.url}/docs").status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
