"""How much may be asked in a time: by workers together, told in headers, given back at the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.realtime_provider import realtime_provider
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

ASK = [{"role": "user", "content": "say hello"}]
CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  api_keys:
    keys:
      - {name: demo, key: dragoman-demo}
      - {name: counted, key: counted-key}
      - {name: placed, key: placed-key}
      - {name: spoken, key: spoken-key}
llm:
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1"
      key: demo-provider-key-a
  models: {demo-a: demo-a/demo-a}
routes:
  - name: open
    match: {path: {prefix: /open}}
    backend: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}"
    auth: none
    replace_prefix: /
  - name: keyed
    match: {path: {prefix: /keyed}}
    backend: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}"
    replace_prefix: /
limits:
  - {name: each-counted, for: {key: counted, llm: "*"}, requests: 4/day}
  - {name: each-spoken, for: {key: spoken}, tokens: 3000/day, algorithm: sliding_window}
  - {name: each-placed, for: {key: placed}, concurrent: 1}
  - {name: watched, for: {key: demo}, requests: 1/day, mode: audit}
  - {name: on-open, for: {route: open}, requests: 3/day, bytes: 100/day}
  - {name: on-keyed, for: {route: keyed, key: "*"}, concurrent: 1, requests: 1000/day}
"""


@pytest.fixture(scope="module")
def limited(serve_widely: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("limits")
    (folder / "gateway.yaml").write_text(CONFIG)
    with serve_widely(folder / "gateway.yaml", folder / "state") as stack:
        yield stack


def limits_of(answer: httpx.Response) -> dict[str, str]:
    found = {name: value for name, value in answer.headers.items() if "ratelimit" in name}
    return {name.removeprefix("x-ratelimit-"): value for name, value in found.items()}


def test_requests_are_counted_by_all_workers_together_and_told(limited: Stack) -> None:
    body = {"model": "demo-a", "messages": ASK}
    answers = [limited.chat(body, key="counted-key") for _ in range(6)]
    assert [each.status_code for each in answers] == [200, 200, 200, 200, 429, 429]
    told = [limits_of(each) for each in answers]
    assert [each["limit-requests"] for each in told] == ["4"] * 6
    assert [each["remaining-requests"] for each in told] == ["3", "2", "1", "0", "0", "0"]
    assert told[0]["reset-requests"] == "6h0m0s"
    assert "limit-tokens" not in told[0]
    refused = answers[-1]
    assert 0 < int(refused.headers["retry-after"]) <= 6 * 3600
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "limit 'each-counted' of key=counted" in error["message"]


def test_tokens_are_taken_as_estimated_and_corrected(limited: Stack) -> None:
    body = {"model": "demo-a", "messages": ASK, "max_tokens": 2000}
    for is_stream in (False, True):
        first = limited.chat({**body, "stream": is_stream}, key="spoken-key")
        assert first.status_code == 200
        assert int(limits_of(first)["remaining-tokens"]) < 1000

        def is_corrected() -> bool:
            small = {**body, "max_tokens": 1}
            answer = limited.chat(small, key="spoken-key")
            return int(limits_of(answer)["remaining-tokens"]) > 2000

        eventually(is_corrected, "the answer's tokens count, not the estimate")
    large = limited.chat({**body, "max_tokens": 5000}, key="spoken-key")
    assert large.status_code == 429
    assert large.headers["x-should-retry"] == "false"
    assert "retry-after" not in large.headers


def test_who_is_watched_is_refused_nothing(limited: Stack) -> None:
    body = {"model": "demo-a", "messages": ASK}
    answers = [limited.chat(body) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 200]
    assert limits_of(answers[0]) == {}

    def audits() -> list[dict[str, object]]:
        status = web.get(f"{limited.admin_url}/api/status", timeout=5)
        return list(status.json()["audits"])

    expected = {"kind": "limit", "name": "watched", "verdicts": {"deny": 2, "pass": 1}}
    eventually(lambda: audits() == [expected], "what would have been refused is counted")


@pytest.fixture
def slow(limited: Stack) -> Iterator[Stack]:
    """A provider that takes its time for each chunk."""
    limited.switch("a", "slow", delay_seconds=0.3)
    yield limited
    limited.switch("a", "ok")


STREAM = {"model": "demo-a", "messages": ASK, "stream": True}
PLACED = {"authorization": "Bearer placed-key"}


def is_let_through(stack: Stack) -> bool:
    """Asks for a first byte alone."""
    url = f"{stack.url}/v1/chat/completions"
    with web.stream("POST", url, json=STREAM, headers=PLACED, timeout=30) as answer:
        return answer.status_code == 200


def test_a_place_is_held_to_the_end_of_the_answer(slow: Stack) -> None:
    url = f"{slow.url}/v1/chat/completions"
    with web.stream("POST", url, json=STREAM, headers=PLACED, timeout=30) as first:
        assert first.status_code == 200
        second = slow.chat(STREAM, key="placed-key")
        assert second.status_code == 429
        assert second.headers["retry-after"] == "1"
        assert "1 at a time" in second.text
        chunks = iter(first.iter_lines())
        next(chunks)
        assert slow.chat(STREAM, key="placed-key").status_code == 429
        for _ in chunks:
            pass
    slow.switch("a", "ok")
    for _ in range(3):
        eventually(lambda: is_let_through(slow), "the place is given back")


def test_a_place_is_given_back_when_the_client_goes_or_the_provider_fails(slow: Stack) -> None:
    eventually(lambda: is_let_through(slow), "and left at once")
    eventually(lambda: is_let_through(slow), "the place of who has gone is free")
    slow.switch("a", "503")
    eventually(lambda: slow.chat(STREAM, key="placed-key").status_code == 503, "asked")
    slow.switch("a", "ok")
    eventually(lambda: is_let_through(slow), "what failed holds no place")


def test_a_place_is_given_back_when_its_worker_is_killed(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    with running(tmp_path / "gateway.yaml", tmp_path / "state") as stack:
        stack.switch("a", "slow", delay_seconds=0.3)
        url = f"{stack.url}/v1/chat/completions"
        with web.stream("POST", url, json=STREAM, headers=PLACED, timeout=30) as first:
            assert first.status_code == 200
            assert stack.chat(STREAM, key="placed-key").status_code == 429
            for pid in stack.workers():
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(httpx.TransportError):
                first.read()
        stack.switch("a", "ok")
        eventually(lambda: is_let_through(stack), "the place of the dead is free", seconds=20)


def test_plain_routes_have_limits_also_where_nobody_is_known(limited: Stack) -> None:
    url = f"{limited.url}/open/healthz"
    long = web.post(url, content=b"x" * 101, timeout=5)
    assert long.status_code == 429
    unknown = web.post(url, content=iter([b"x"]), timeout=5)
    assert unknown.status_code == 411
    answers = [web.get(url, timeout=5) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert limits_of(answers[1])["remaining-requests"] == "1"


def test_a_plain_route_counts_who_is_known(limited: Stack) -> None:
    url, key = f"{limited.url}/keyed/healthz", {"authorization": "Bearer dragoman-demo"}
    for _ in range(5):
        eventually(
            lambda: web.get(url, headers=key, timeout=5).status_code == 200, "the place is free"
        )
    answer = web.get(url, headers=key, timeout=5)
    assert limits_of(answer)["limit-requests"] == "1000"


SESSIONS = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity: {api_keys: {keys: [{name: plain, key: k-plain}, {name: paid, key: k-paid}]}}
llm:
  providers: {openai: {type: openai, url: "%s", key: sk-realtime}}
  models: {live: openai/gpt-realtime}
budgets: [{name: paid, for: {key: paid}, limit: 1M tokens, per: day}]
limits: [{name: sessions, for: {key: "*"}, concurrent: 1, requests: 1k/day}]
"""


@pytest.fixture(scope="module")
def sessions(serve_widely: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("sessions")
    with realtime_provider() as provider:
        (folder / "gateway.yaml").write_text(SESSIONS % provider.url)
        with serve_widely(folder / "gateway.yaml", folder / "state") as stack:
            yield stack


@pytest.mark.parametrize("key", ["k-plain", "k-paid"])
def test_a_websocket_holds_its_place_to_its_end(sessions: Stack, key: str) -> None:
    url = f"ws://127.0.0.1:{sessions.port}/v1/realtime?model=live"

    def session() -> ClientConnection:
        return connect(url, additional_headers={"authorization": f"Bearer {key}"}, proxy=None)

    def is_free() -> bool:
        try:
            with session() as another:
                return bool(another.recv())
        except InvalidStatus as refused:
            if refused.response.status_code != 429:
                raise
            return False

    with session() as first:
        assert json.loads(first.recv())["type"] == "session.created"
        for _ in range(3):
            assert not is_free()
    eventually(is_free, "the place is given back")
