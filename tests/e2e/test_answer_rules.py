"""Rules of responses through a real Envoy: what is refused, in whose words, and what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.recorder import Recorder
from tests.kit.stack import KEY, Stack, eventually, free_ports

pytestmark = pytest.mark.envoy

YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity: {required: false, api_keys: {keys: [{name: ann, key: KEY, team: red}]}}
llm:
  failover: {health: {failures: 0}}
  providers:
    first: {type: openai, url: "http://127.0.0.1:FIRST/v1", key: k-first}
    second: {type: openai, url: "http://127.0.0.1:SECOND/v1", key: k-second}
  models:
    small: first/small
    safe: {failover: [first/small, second/small]}
    not-second: {failover: [first/small, second/small]}
    free: second/small
budgets: [{name: tokens, limit: 1000000 tokens, per: day}]
authorize:
  - name: no-previews
    for: {provider: first}
    deny: 'response.headers[?"x-stage"].orValue("") == "preview"'
    phase: response
  - name: first-only
    for: {model: not-second}
    require: 'response.provider == "first"'
    phase: response
  - name: pages
    for: {route: app}
    require: 'response.headers["content-type"] == "text/html"'
    phase: response
  - {name: up, for: {route: app}, deny: response.status >= 500, phase: response, mode: audit}
  - {name: down, for: {route: down}, deny: response.status >= 400, phase: response}
routes:
  - {name: app, match: {path: {prefix: /app}}, backend: "http://127.0.0.1:FIRST"}
  - {name: down, match: {path: {prefix: /down}}, backend: "http://127.0.0.1:NOBODY"}
  - {name: keyed, match: {path: {prefix: /keyed}}, backend: "http://127.0.0.1:FIRST", auth: key}
  - {name: other, match: {path: {prefix: /other}}, backend: "http://127.0.0.1:FIRST"}
"""
ANSWER = json.dumps(
    {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "small",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "inside"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
).encode()
CHUNK = {
    "id": "c-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "small",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "inside"}}],
}
STREAM = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(CHUNK).encode()


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, and two servers behind it."""

    stack: Stack
    first: Recorder
    second: Recorder

    def get(self, path: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {KEY}"}
        return web.get(f"{self.stack.url}{path}", headers=headers, timeout=10)

    def chat(self, model: str, **more: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        return self.stack.chat(body)

    def asked(self) -> tuple[int, int]:
        """How many requests each server got."""
        return len(self.first.requests), len(self.second.requests)

    def spent(self) -> tuple[int, int]:
        """Tokens that are booked, and those that are held."""
        rows = self.stack.budgets().values()
        return sum(row["settled"] for row in rows), sum(row["reserved"] for row in rows)

    def counted(self, name: str, mode: str) -> float:
        metrics = web.get(f"{self.stack.admin_url}/metrics", timeout=5).text
        labels = f'code="permission_denied",kind="rule",mode="{mode}",name="{name}",verdict="deny"'
        found = [each for each in metrics.splitlines() if f"{{{labels}}}" in each]
        return sum(float(each.rsplit(" ", 1)[1]) for each in found)


@pytest.fixture(scope="module")
def running(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("answer-rules")
    (nobody,) = free_ports(1)
    with ExitStack() as opened:
        first, second = (opened.enter_context(Recorder()) for _ in range(2))
        text = YAML.replace("FIRST", str(first.port)).replace("SECOND", str(second.port))
        config = folder / "gateway.yaml"
        config.write_text(text.replace("NOBODY", str(nobody)).replace("KEY", KEY))
        stack = opened.enter_context(serve(config, folder / "state"))
        yield World(stack, first, second)


@pytest.fixture
def world(running: World) -> World:
    for each in (running.first, running.second):
        each.status, each.answer, each.kind = 200, ANSWER, "application/json"
        each.headers, each.is_chunked = {}, False
        each.requests.clear()
    return running


def test_a_plain_answer_that_is_refused_leaks_nothing(world: World) -> None:
    world.first.kind, world.first.answer = "text/html", b"<p>inside</p>"
    passed = world.get("/app/x")
    assert (passed.status_code, passed.text) == (200, "<p>inside</p>")
    before = world.counted("pages", "enforce")
    world.first.kind, world.first.headers = "text/plain", {"x-inside": "yes"}
    refused = world.get("/app/x")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "permission_denied"
    assert "the response is denied by 'pages'" in refused.json()["error"]["message"]
    assert "inside" not in refused.text
    assert "x-inside" not in refused.headers
    assert refused.headers["content-type"] == "application/json"
    eventually(lambda: world.counted("pages", "enforce") == before + 1, "it is counted")


def test_a_rule_in_audit_lets_the_answer_go_and_is_counted(world: World) -> None:
    world.first.status, world.first.kind, world.first.answer = 500, "text/html", b"broken"
    before = world.counted("up", "audit")
    answer = world.get("/app/x")
    assert (answer.status_code, answer.text) == (500, "broken")
    eventually(lambda: world.counted("up", "audit") == before + 1, "it is counted")


def test_what_envoy_answers_itself_is_not_judged(world: World) -> None:
    assert world.get("/down/x").status_code == 503


def test_a_route_without_such_rules_asks_nobody_about_its_answers(world: World) -> None:
    sent = ".*[.]ext_proc[.]stream_msgs_sent"

    def cost(path: str) -> int:
        before = world.stack.envoy_stat(sent)
        assert world.get(path).status_code == 200
        return world.stack.envoy_stat(sent) - before

    world.first.kind = "text/html"
    assert (cost("/other/x"), cost("/keyed/x"), cost("/app/x")) == (0, 1, 2)


def test_an_llm_answer_is_refused_in_the_words_of_openai(world: World) -> None:
    assert world.chat("small").json()["choices"][0]["message"]["content"] == "inside"
    world.first.headers = {"x-stage": "preview"}
    client = openai.OpenAI(base_url=f"{world.stack.url}/v1", api_key=KEY)
    before = world.asked()
    with pytest.raises(openai.PermissionDeniedError, match="the response is denied by 'no-prev"):
        client.chat.completions.create(model="small", messages=[{"role": "user", "content": "hi"}])
    assert world.asked() == (before[0] + 1, before[1])  # and the library does not ask again


def test_a_stream_is_refused_before_its_first_byte(world: World) -> None:
    world.first.is_chunked, world.first.answer = True, STREAM
    world.first.kind = "text/event-stream"
    assert "inside" in world.chat("small", stream=True).text
    world.first.headers = {"x-stage": "preview"}
    refused = world.chat("small", stream=True)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "permission_denied"
    assert "inside" not in refused.text


def test_a_translated_answer_is_refused_in_the_words_of_its_client(world: World) -> None:
    client = anthropic.Anthropic(base_url=world.stack.url, api_key=KEY, max_retries=0)

    def ask() -> str:
        said = client.messages.create(
            model="small", max_tokens=20, messages=[{"role": "user", "content": "hi"}]
        )
        return str(said.content[0])

    assert "inside" in ask()
    world.first.headers = {"x-stage": "preview"}
    with pytest.raises(anthropic.PermissionDeniedError) as refused:
        ask()
    assert "the response is denied by 'no-previews'" in str(refused.value)
    assert "inside" not in str(refused.value)


def test_a_refusal_is_no_failure_and_nobody_else_is_asked(world: World) -> None:
    world.first.headers = {"x-stage": "preview"}
    for _ in range(3):
        assert world.chat("safe").status_code == 403
    assert world.asked() == (3, 0)
    world.first.headers = {}
    assert world.chat("safe").status_code == 200
    assert world.asked() == (4, 0)  # nor was it set aside


def test_the_answer_of_the_last_try_is_judged_by_who_gave_it(world: World) -> None:
    assert world.chat("not-second").status_code == 200
    world.first.status = 500
    assert world.chat("safe").status_code == 200
    refused = world.chat("not-second")
    assert refused.status_code == 403
    assert "the response is denied by 'first-only'" in refused.text


def test_a_model_that_no_rule_is_for_goes_on(world: World) -> None:
    world.second.headers = {"x-stage": "preview"}
    assert world.chat("free").status_code == 200


@pytest.mark.parametrize("is_stream", [False, True])
def test_what_is_refused_was_worked_for_and_is_booked(world: World, is_stream: bool) -> None:
    eventually(lambda: world.spent()[1] == 0, "nothing is in flight")
    before, _ = world.spent()
    world.first.headers = {"x-stage": "preview"}
    assert world.chat("small", max_tokens=50, stream=is_stream).status_code == 403
    # nobody said how much it was
    eventually(lambda: world.spent()[0] >= before + 50, "what was estimated is booked")
    assert world.spent()[1] == 0
