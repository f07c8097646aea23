"""Keys that are made while the gateway runs: every worker knows of each change within a second."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.stack import Stack, eventually, running
from xds_server import cli
from xds_server.keys.store import SqliteKeyStore

pytestmark = pytest.mark.envoy

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "say hello"}], "max_tokens": 20}
ROUTE = """
routes:
  - name: docs
    match: {path: {prefix: /docs}}
    backend: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}"
    replace_prefix: /healthz
"""
CALLS = 16
"""On connections of their own: enough to reach each of two workers."""


@pytest.fixture(scope="module")
def gateway(
    serve_newest_widely: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("keys")
    config = folder / "gateway.yaml"
    config.write_text((EXAMPLES / "virtual-keys.yaml").read_text() + ROUTE)
    with serve_newest_widely(config, folder / "state") as stack:
        yield stack


def keys(stack: Stack, *words: str) -> str:
    """What `dragoman keys …` prints."""
    where = ["--admin", str(stack.admin_port), "--state-dir", str(stack.state)]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert cli.main(["keys", *words, *where], {}) == 0
    return printed.getvalue()


def made(stack: Stack, name: str, *terms: str) -> str:
    return keys(stack, "create", name, *terms).strip()


def statuses(stack: Stack, key: str, model: str = "demo") -> list[int]:
    """Of calls that every worker gets some of."""
    answers = [stack.chat({"model": model, **ASK}, key=key) for _ in range(CALLS)]
    return sorted({answer.status_code for answer in answers})


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def spent(stack: Stack, key_id: str) -> tuple[int, int]:
    rows = [row for name, row in stack.budgets().items() if name.startswith(f"key:{key_id}:")]
    return (rows[0]["settled"], rows[0]["reserved"]) if rows else (0, 0)


def test_a_key_opens_from_the_moment_in_which_it_is_made(gateway: Stack) -> None:
    assert statuses(gateway, "dgm_" + "a" * 16 + "_" + "b" * 40) == [401]
    assert statuses(gateway, made(gateway, "first")) == [200]
    assert gateway.chat({"model": "demo", **ASK}, key=None).status_code == 401


def test_a_revocation_reaches_every_worker_within_a_second(gateway: Stack) -> None:
    key = made(gateway, "revoked")
    assert statuses(gateway, key) == [200]
    keys(gateway, "revoke", "revoked")
    time.sleep(1.0)
    answers = [gateway.chat({"model": "demo", **ASK}, key=key) for _ in range(2 * CALLS)]
    assert {(each.status_code, code(each)) for each in answers} == {(401, "invalid_api_key")}


def test_after_a_rotation_both_texts_open_and_then_the_new_alone(gateway: Stack) -> None:
    old = made(gateway, "rotated")
    assert statuses(gateway, old) == [200]
    new = keys(gateway, "rotate", "rotated").strip()
    assert statuses(gateway, new) == [200]
    assert statuses(gateway, old) == [200]
    newest = keys(gateway, "rotate", "rotated", "--keep", "0").strip()
    eventually(lambda: statuses(gateway, new) == [401], "the one before is cut")
    assert statuses(gateway, newest) == [200]


def test_a_key_is_changed_while_it_is_used(gateway: Stack) -> None:
    key = made(gateway, "changed", "--models", "demo")
    assert statuses(gateway, key) == [200]
    refused = gateway.chat({"model": "other", **ASK}, key=key)
    assert (refused.status_code, code(refused)) == (403, "model_not_allowed")
    listed = web.get(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {key}"})
    assert [each["id"] for each in listed.json()["data"]] == ["demo"]
    keys(gateway, "change", "changed", "--models", "other")
    eventually(lambda: statuses(gateway, key) == [403], "the models have changed")
    assert statuses(gateway, key, "other") == [200]
    keys(gateway, "change", "changed", "--disable")
    eventually(lambda: statuses(gateway, key, "other") == [401], "it is disabled")


def test_the_budget_of_a_key_counts_its_calls_and_ends_them(gateway: Stack) -> None:
    key = made(gateway, "budgeted", "--team", "paying", "--budgets", "200 tokens/day")
    key_id = key.split("_")[1]
    answer = gateway.chat({"model": "demo", **ASK}, key=key)
    total = answer.json()["usage"]["total_tokens"]
    eventually(lambda: spent(gateway, key_id) == (total, 0), "the call is booked")
    streamed = gateway.chat({"model": "demo", "stream": True, **ASK}, key=key)
    assert streamed.status_code == 200
    eventually(lambda: spent(gateway, key_id) == (2 * total, 0), "the stream is booked")
    team = "team-month|team=paying"
    eventually(lambda: gateway.budgets()[team]["settled"] > 0, "the team's is, too")
    large = gateway.chat({"model": "demo", **ASK, "max_tokens": 200}, key=key)
    assert (large.status_code, code(large)) == (429, "budget_exhausted")


def test_the_limits_of_a_key_hold_over_all_workers_and_are_told(gateway: Stack) -> None:
    key = made(gateway, "limited", "--limits", "requests=4/day, tokens=100k/min, concurrent=2")
    answers = [gateway.chat({"model": "demo", **ASK}, key=key) for _ in range(3)]
    assert [each.status_code for each in answers] == [200] * 3
    told = answers[-1].headers
    assert told["x-ratelimit-limit-requests"] == "4"
    assert told["x-ratelimit-remaining-requests"] == "1"
    assert told["x-ratelimit-limit-tokens"] == "100000"
    headers = {"authorization": f"Bearer {key}"}
    plain = web.get(f"{gateway.url}/docs", headers=headers)
    assert (plain.status_code, plain.headers["x-ratelimit-remaining-requests"]) == (200, "0")
    assert web.get(f"{gateway.url}/docs", headers=headers).status_code == 429
    refused = gateway.chat({"model": "demo", **ASK}, key=key)
    assert (refused.status_code, code(refused)) == (429, "rate_limit_exceeded")
    assert statuses(gateway, made(gateway, "unlimited")) == [200]
    keys(gateway, "change", "limited", "--limits", "")
    eventually(lambda: statuses(gateway, key) == [200], "it has no limits any more")


def test_the_upstream_of_a_plain_route_does_not_see_the_key(gateway: Stack) -> None:
    key = made(gateway, "plain")
    headers = {"authorization": f"Bearer {key}"}
    assert web.get(f"{gateway.url}/docs", headers=headers).status_code == 200
    assert web.get(f"{gateway.url}/docs").status_code == 401


def test_no_provider_no_log_and_no_api_shows_a_key(gateway: Stack) -> None:
    key = made(gateway, "hidden")
    assert statuses(gateway, key) == [200]
    secret = key.rpartition("_")[2]
    told = [json.dumps(gateway.seen("a")), gateway.log.read_text(), keys(gateway, "log")]
    told += [keys(gateway, "export"), keys(gateway, "list", "--json")]
    told += [web.get(f"{gateway.admin_url}/api/{at}").text for at in ("status", "resources")]
    assert [secret in each for each in told] == [False] * len(told)


def test_who_uses_a_key_is_noted_when_the_workers_leave(tmp_path: Path) -> None:
    with running(EXAMPLES / "virtual-keys.yaml", tmp_path / "state") as stack:
        key = made(stack, "used")
        assert "last used" not in keys(stack, "show", "used")
        assert statuses(stack, key) == [200]
    found = SqliteKeyStore(tmp_path / "state" / "ledger.db").find("used")
    assert found is not None
    assert found.last_used is not None
    assert found.last_used >= found.key.created
