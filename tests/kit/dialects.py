"""A gateway in front of a provider of every dialect; the library of each, at it and without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kit.peers import DIALECTS, Peer, peers
from tests.kit.provider_rules import CLIENT_KEY
from tests.kit.sample_providers import SAMPLES, SampleProviders, sample_providers, stream_of
from tests.kit.stack import Stack

CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity: {api_keys: {keys: [{name: client, key: %(key)s}]}}
llm:
  providers:
    chat:
      {type: openrouter, url: "%(url)s/v1", key: sk-chat, offers: {chat: /chat/completions}}
    responses:
      {type: openai, url: "%(url)s/v1", key: sk-resp, offers: {responses: /responses}}
    anthropic: {type: anthropic, url: "%(url)s/v1", key: sk-ant}
    gemini: {type: gemini, url: "%(url)s/v1beta", key: AIza}
    bedrock: {type: bedrock, url: "%(url)s", region: us-east-1, key: bedrock-key}
  models:
    listed: {provider: chat, model: text}
    "chat-*": {provider: chat, model: "*"}
    "responses-*": {provider: responses, model: "*"}
    "anthropic-*": {provider: anthropic, model: "*"}
    "gemini-*": {provider: gemini, model: "*"}
    "bedrock-*": {provider: bedrock, model: "*"}
"""
BUDGETS = """
budgets:
  - {name: ample, for: {key: "*"}, limit: 10000000 tokens, per: day}
"""


@dataclass(slots=True)
class Dialects:
    """All of it, running."""

    stack: Stack
    providers: SampleProviders
    """Behind the gateway."""
    peers: dict[str, Peer]
    """Who ask the gateway."""
    plain: SampleProviders
    """Without a gateway in front."""
    at_home: dict[str, Peer]
    """Who ask their own provider, without a gateway."""

    def forget(self) -> None:
        """All that was asked."""
        self.providers.heard.clear()
        self.providers.asked.clear()
        self.plain.asked.clear()

    def settled(self) -> int:
        """Tokens that were booked."""
        return sum(row["settled"] for row in self.stack.budgets().values())

    def reserved(self) -> int:
        return sum(row["reserved"] for row in self.stack.budgets().values())

    def faults(self) -> list[tuple[str, ...]]:
        """What any provider had against any request that came through the gateway."""
        return [asked.faults for asked in self.providers.asked if asked.faults]


def has(provider: str, name: str, *, is_stream: bool) -> bool:
    """Whether there is such a sample."""
    folder = SAMPLES / DIALECTS[provider] / ("streams" if is_stream else "answers")
    return any((folder / f"{name}.{kind}").exists() for kind in ("json", "sse", "b64"))


def most(provider: str) -> int:
    """So many bytes of the streamed text that something was said, and its end was not."""
    return len(stream_of(DIALECTS[provider], "text")) * 7 // 10


@contextmanager
def dialects(serve: Any, folder: Path, more: str = "") -> Iterator[Dialects]:
    """The gateway is made by `serve`, out of a file and a folder."""
    with ExitStack() as opened:
        providers = opened.enter_context(sample_providers())
        plain = opened.enter_context(sample_providers())
        file = folder / "gateway.yaml"
        file.write_text(CONFIG % {"url": providers.url, "key": CLIENT_KEY} + more)
        stack = opened.enter_context(serve(file, folder / "state"))
        through = opened.enter_context(peers(stack.url, CLIENT_KEY))
        at_home = opened.enter_context(peers(plain.url, "own"))
        yield Dialects(stack, providers, through, plain, at_home)
