"""Streams that break off before they tell their usage are booked by what was sent of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.long_streams import INPUT_TOKENS, SPOKEN, LongStreams, long_streams
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}", compress: true}}
llm:
  providers:
    chat: {type: openai-compatible, url: "%(url)s/v1", key: k, timeouts: {silence: 2s}}
    anthropic: {type: anthropic, url: "%(url)s/v1", key: k, timeouts: {silence: 2s}}
    gemini: {type: gemini, url: "%(url)s/v1beta", key: k, timeouts: {silence: 2s}}
  models:
    "chat-*": {provider: chat, model: "chat-*"}
    "messages-*": {provider: anthropic, model: "messages-*"}
    "gemini-*": {provider: gemini, model: "gemini-*"}
budgets: [{name: all, limit: 100000000 tokens, per: day}]
"""
LEAST_INPUT, MOST_INPUT = 1, 200
"""What a short question is estimated at."""


@dataclass(slots=True)
class Talk:
    """A gateway, and what it has booked before."""

    stack: Stack
    providers: LongStreams
    before: int = 0

    def settled(self) -> int:
        return sum(row["settled"] for row in self.stack.budgets().values())

    def reserved(self) -> int:
        return sum(row["reserved"] for row in self.stack.budgets().values())

    def ask(self, dialect: str, events: int, then: str, **more: object) -> None:
        """Take a stream; `then`: the client hangs up, or what its provider does."""
        self.before = self.settled()
        self.providers.heard.clear()
        spoken = SPOKEN[dialect]
        text = f"{events} {'wait' if then == 'hang up' else then}"
        body = {"model": f"{dialect}-any", **spoken.request(text), **more}
        url, seen = self.stack.url + spoken.path.format(model=body["model"]), 0
        headers = {"accept-encoding": "gzip", "anthropic-version": "2023-06-01"}
        with web.stream("POST", url, json=body, headers=headers, timeout=30) as answer:
            assert answer.status_code == 200, answer.read()
            try:
                for piece in answer.iter_bytes():
                    seen += len(piece)
                    if seen >= events * len(spoken.event):
                        self.providers.heard.set()
                        if then == "hang up":
                            break
            except httpx.RemoteProtocolError:
                assert then != "end"

    def has_settled(self, tokens: int) -> bool:
        """Exactly so many of the last answer."""
        return self.settled() == self.before + tokens

    def output(self) -> tuple[int, int]:
        """The least and the most that the output of the last answer is booked at."""
        eventually(lambda: self.settled() > self.before and not self.reserved(), "it is booked")
        booked = self.settled() - self.before
        return booked - MOST_INPUT, booked - LEAST_INPUT


@pytest.fixture(scope="module")
def talk(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    folder = tmp_path_factory.mktemp("aborted")
    with long_streams() as providers:
        file = folder / "gateway.yaml"
        file.write_text(CONFIG % {"url": providers.url})
        with serve(file, folder / "state") as stack:
            yield Talk(stack, providers)


def within(factor: float, tokens: int, output: tuple[int, int]) -> bool:
    least, most = output
    return least <= tokens * factor and most >= tokens / factor


@pytest.mark.parametrize("dialect", SPOKEN)
def test_a_client_that_hangs_up_late_pays_for_what_it_took(talk: Talk, dialect: str) -> None:
    spoken = SPOKEN[dialect]
    talk.ask(dialect, 3000, "hang up")
    assert within(2, 3000 * spoken.tokens, talk.output())


@pytest.mark.parametrize("dialect", SPOKEN)
def test_a_stream_that_its_provider_breaks_is_booked_by_what_was_sent(
    talk: Talk, dialect: str
) -> None:
    talk.ask(dialect, 3000, "reset")
    assert within(2, 3000 * SPOKEN[dialect].tokens, talk.output())


def test_a_stream_that_falls_silent_is_booked_by_what_was_sent(talk: Talk) -> None:
    talk.ask("chat", 3000, "wait")
    assert within(2, 3000, talk.output())


def test_no_more_is_booked_than_the_client_let_the_answer_have(talk: Talk) -> None:
    talk.ask("chat", 3000, "reset", max_tokens=1500)
    least, most = talk.output()
    assert least <= 1500 <= most


def test_little_is_booked_when_little_was_sent(talk: Talk) -> None:
    talk.ask("chat", 40, "hang up")
    assert within(2, 40, talk.output())


@pytest.mark.parametrize("dialect", SPOKEN)
def test_streams_that_end_well_teach_what_the_bytes_of_others_stand_for(
    talk: Talk, dialect: str
) -> None:
    tokens, model = SPOKEN[dialect].tokens, f"{dialect}-taught"
    for _ in range(6):  # so that each worker sees some
        talk.ask(dialect, 600, "end", model=model)
        eventually(partial(talk.has_settled, 600 * tokens + INPUT_TOKENS), "what it told")
    for _ in range(2):
        talk.ask(dialect, 3000, "reset", model=model)
        assert within(1.1, 3000 * tokens, talk.output())
