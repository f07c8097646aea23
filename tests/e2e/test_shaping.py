"""Shaped bodies and their copies, behind real Envoys: the example, with providers that keep what
they were asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.sample_providers import Asked, SampleProviders, sample_providers
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

KEY = "key-of-ann"
LONG = "word " * 40


@dataclass(frozen=True, slots=True)
class Shaped:
    """The example, and who stands behind it."""

    stack: Stack
    claude: SampleProviders
    openai: SampleProviders

    def ask(self, model: str = "smart", headers: dict[str, str] | None = None, **body: Any) -> None:
        self.claude.asked.clear()
        self.openai.asked.clear()
        answer = web.post(
            f"{self.stack.url}/v1/chat/completions",
            json={"model": model, "messages": [{"role": "user", "content": LONG}], **body},
            headers={"authorization": f"Bearer {KEY}", **(headers or {})},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text

    def copy(self) -> Asked:
        eventually(lambda: bool(self.openai.asked), "a copy")
        return self.openai.last


@pytest.fixture(scope="module")
def shaped(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shaped]:
    folder: Path = tmp_path_factory.mktemp("shaping")
    with ExitStack() as stack:
        claude, openai = (stack.enter_context(sample_providers()) for _ in range(2))
        text = (EXAMPLES / "shaping.yaml").read_text()
        text = text.replace("claude-sonnet-5", "text").replace("gpt-5-mini", "tool_calls")
        text = text.replace("${ANTHROPIC_API_KEY:-unset}", "sk-ant")
        text = text.replace("${OPENAI_API_KEY:-unset}", "sk-chat")
        text = text.replace("type: anthropic", f'type: anthropic\n      url: "{claude.url}/v1"')
        text = text.replace("{type: openai", f'{{type: openai, url: "{openai.url}/v1"')
        text += "    never: {provider: claude, model: text, mirror: {to: candidate, percent: 0}}\n"
        text += "    twin:\n      provider: openai\n      model: text\n"
        text += "      mirror: {to: claude/text, percent: 100}\n"
        second = f'second: {{type: openai, url: "{openai.url}/v1", key: sk-chat, SET}}'
        second = second.replace("SET", "overrides: {store: true, user: null}")
        text = text.replace("\n    openai:", f"\n    {second}\n    openai:")
        text += "    pair: {failover: [openai/429-rate_limit, second/text]}\n"
        config = folder / "gateway.yaml"
        config.write_text(text)
        yield Shaped(stack.enter_context(serve(config, folder)), claude, openai)


def test_a_provider_is_told_the_shaped_request_in_its_own_dialect(shaped: Shaped) -> None:
    shaped.ask(user="bob", store=True)
    shaped.copy()  # it has come, so it does not come within the next test
    asked = shaped.claude.last
    assert asked.faults == ()
    assert asked.body == {
        "model": "text",
        "max_tokens": 2000,
        "stop_sequences": ["<END>"],
        "service_tier": "standard_only",
        "system": [
            {"type": "text", "text": "You work for Example Ltd."},
            {
                "type": "text",
                "text": "Answer in the language of the question.",
                "cache_control": {"type": "ephemeral"},
            },
        ],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}],
            }
        ],
        "metadata": {"user_id": "research/ann"},
    }


def test_a_mirror_gets_the_request_in_its_dialect_with_its_own_key(shaped: Shaped) -> None:
    shaped.ask()
    copy = shaped.copy()
    assert (copy.dialect, copy.model, copy.path) == (
        "openai_chat",
        "tool_calls",
        "/v1/chat/completions",
    )
    assert copy.headers["authorization"] == "Bearer sk-chat"
    assert copy.headers["host"] == f"127.0.0.1:{shaped.openai.port}"
    assert copy.faults == ()
    assert copy.body["messages"][-1]["content"] == [{"type": "text", "text": LONG}]
    assert len(shaped.openai.asked) == len(shaped.claude.asked) == 1


def test_nothing_of_the_client_or_of_ours_reaches_a_mirror(shaped: Shaped) -> None:
    shaped.ask(headers={"cookie": "c=1", "x-api-key": KEY, "x-dragoman-mine": "1"})
    for asked in (shaped.copy(), shaped.claude.last):
        shown = " ".join(f"{name}: {value}" for name, value in asked.headers.items())
        assert KEY not in shown
        assert "cookie" not in asked.headers
        assert not [name for name in asked.headers if name.startswith("x-dragoman")]
        assert not [name for name in asked.headers if name.startswith("x-envoy")]


def test_a_mirror_of_another_dialect_is_translated_for_both_ways(shaped: Shaped) -> None:
    shaped.ask("twin", stream=True)
    eventually(lambda: bool(shaped.claude.asked), "a copy")
    copy = shaped.claude.last
    assert (copy.dialect, copy.model, copy.is_stream) == ("anthropic", "text", True)
    assert copy.headers["x-api-key"] == "sk-ant"
    assert copy.body["service_tier"] == "standard_only"
    assert copy.faults == ()


def test_each_try_is_told_what_its_provider_is_sent_with_every_body(shaped: Shaped) -> None:
    shaped.ask("pair", user="bob")
    first, second = shaped.openai.asked
    assert (first.model, second.model) == ("429-rate_limit", "text")
    assert first.body["user"] == "bob"
    assert second.body == {
        "model": "text",
        "messages": first.body["messages"],
        "store": True,
    }


def test_none_of_a_hundred_is_none(shaped: Shaped) -> None:
    for _ in range(10):
        shaped.ask("never")
    shaped.ask("twin")
    eventually(lambda: bool(shaped.claude.asked), "a copy of the last")
    assert [each.model for each in shaped.openai.asked] == ["text"]


def test_no_client_can_have_its_request_copied(shaped: Shaped) -> None:
    order = '[["openai_chat","x","plain",""],["openai_chat","x","plain",""],false]'
    headers = {
        "x-dragoman-mirror": "llm/openai/mirror",
        "x-dragoman-mirror-path": "/v1/chat/completions",
        "x-dragoman-mirror-order": order,
    }
    shaped.ask("never", headers=headers)
    for name in ("upstream_rq_total", "upstream_cx_total"):
        before = shaped.stack.envoy_stat(f"cluster.llm/openai/mirror.{name}")
        shaped.ask("never", headers=headers)
        assert shaped.stack.envoy_stat(f"cluster.llm/openai/mirror.{name}") == before
    assert shaped.openai.asked == []
