"""Failover across dialects: providers fail in their own words, and the client hears the next."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from gateway import names
from tests.kit.any_envoy import running_beside
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.sample_providers import (
    SAMPLES,
    Fail,
    Hang,
    Labelled,
    SampleProviders,
    sample_providers,
)
from tests.kit.stack import Stack, eventually, free_ports, running

pytestmark = pytest.mark.envoy

CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
llm:
  providers:
    chat: {type: openrouter, url: "%(url)s/v1", key: k, offers: {chat: /chat/completions},
           timeouts: {first_byte: 1s}}
    responses: {type: openai, url: "%(url)s/v1", key: k, offers: {responses: /responses}}
    anthropic: {type: anthropic, url: "%(url)s/v1", key: k, timeouts: {first_byte: 1s}}
    gemini: {type: gemini, url: "%(url)s/v1beta", key: k}
    bedrock: {type: bedrock, url: "%(url)s", region: us-east-1, key: k}
    nowhere: {type: vllm, url: "http://nowhere.invalid/v1"}
    closed: {type: vllm, url: "http://127.0.0.1:%(closed)d/v1"}
  models:
    plain: {failover: [anthropic/text, chat/text]}
    long-chat: {failover: [chat/400-context_length, anthropic/text]}
    long-responses: {failover: [responses/400-context_length, anthropic/text]}
    long-anthropic: {failover: [anthropic/400-context_length, chat/text]}
    long-gemini: {failover: [gemini/400-context_length, anthropic/text]}
    long-bedrock: {failover: [bedrock/400-context_length, anthropic/text]}
    larger: {failover: [anthropic/413-request_too_large, chat/text]}
    busy-chat: {failover: [chat/429-rate_limit, anthropic/text]}
    busy-anthropic: {failover: [anthropic/529-overloaded, gemini/text]}
    busy-gemini: {failover: [gemini/429-quota, chat/text]}
    busy-bedrock: {failover: [bedrock/408-model_timeout, chat/text]}
    broken-bedrock: {failover: [bedrock/424-model_error, chat/text]}
    filtered: {failover: [chat/400-content_filter, anthropic/text]}
    wrong: {failover: [chat/400-invalid, anthropic/text]}
    all-long: {failover: [anthropic/400-context_length, chat/400-context_length]}
    all-busy: {failover: [anthropic/429-rate_limit, chat/503-overloaded]}
    twice: {failover: [gemini/429-quota, gemini/text]}
    unknown: {failover: [nowhere/x, anthropic/text]}
    unreachable: {failover: [closed/x, anthropic/text]}
  failover: %(failover)s
"""
WITHOUT_HEALTH = "{health: {failures: 0}}"
QUICK = "{health: {failures: 2, cool_down: 1s, most: 2s}}"
TEXT = json.loads((SAMPLES / "openai_chat" / "answers" / "text.json").read_text())
SAID = TEXT["choices"][0]["message"]["content"]


SERVED = {
    NEWEST: partial(running, workers=1),  # each worker has its own view of who is healthy
    OLDEST: partial(running_beside, version=OLDEST),
}


@dataclass(slots=True)
class Served:
    stack: Stack
    providers: SampleProviders

    def ask(self, model: str, **fields: object) -> httpx.Response:
        """In OpenAI's chat dialect."""
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
        return self.stack.chat(body, key=None)

    def tried(self) -> list[str]:
        """The providers' dialects, in the order in which they were asked; then it is forgotten."""
        found = [asked.dialect for asked in self.providers.asked]
        self.providers.asked.clear()
        return found


@contextmanager
def served(version: str, folder: Path, failover: str) -> Iterator[Served]:
    with sample_providers() as providers:
        [closed] = free_ports(1)
        config = folder / "gateway.yaml"
        written = {"url": providers.url, "closed": closed, "failover": failover}
        config.write_text(CONFIG % written)
        with SERVED[version](config, folder / "state") as stack:
            yield Served(stack, providers)


@pytest.fixture(scope="module", params=SERVED)
def without_health(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with served(request.param, tmp_path_factory.mktemp("failover"), WITHOUT_HEALTH) as found:
        yield found


@pytest.fixture
def here(without_health: Served) -> Served:
    without_health.providers.asked.clear()
    return without_health


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        "plain",
        "long-chat",
        "long-responses",
        "long-anthropic",
        "long-gemini",
        "long-bedrock",
        "larger",
        "busy-chat",
        "busy-anthropic",
        "busy-gemini",
        "busy-bedrock",
        "broken-bedrock",
        "twice",
        "unreachable",
    ],
)
def test_the_next_target_answers(here: Served, model: str, is_stream: bool) -> None:
    answer = here.ask(model, stream=is_stream)
    assert answer.status_code == 200, answer.text
    assert not [name for name in answer.headers if name.startswith("x-dragoman")]
    if is_stream:
        assert answer.text.rstrip().endswith("data: [DONE]")
    else:
        assert answer.json()["choices"][0]["message"]["content"]
    assert len(here.tried()) == (1 if model in ("plain", "unreachable") else 2)


@pytest.mark.parametrize("model", ["filtered", "wrong"])
def test_what_is_wrong_with_the_request_is_the_clients_at_once(here: Served, model: str) -> None:
    answer = here.ask(model)
    assert answer.status_code == 400
    assert here.tried() == ["openai_chat"]
    assert not [name for name in answer.headers if name.startswith("x-dragoman")]


def test_no_provider_that_answers_has_the_next_one_asked(here: Served) -> None:
    here.providers.script.append(Labelled(((names.RETRY_HEADER, "context_length"),)))
    answer = here.ask("plain")
    assert answer.status_code == 200
    assert here.tried() == ["anthropic"]
    assert names.RETRY_HEADER not in answer.headers


def test_the_last_error_is_the_clients_as_it_is(here: Served) -> None:
    answer = here.ask("all-long")
    assert here.tried() == ["anthropic", "openai_chat"]
    assert answer.status_code == 400
    sample = SAMPLES / "openai_chat" / "errors" / "400-context_length.json"
    assert answer.content == sample.read_bytes()
    assert not [name for name in answer.headers if name.startswith("x-dragoman")]


def test_the_soonest_time_to_come_back_is_told(here: Served) -> None:
    for first, last, told in (("7", "20", "7"), ("20", "7", "7"), ("9.2", None, "10")):
        after = (("retry-after", last),) if last else ()
        here.providers.script.extend(
            [Fail("429-rate_limit", (("retry-after", first),)), Fail("503-overloaded", after)]
        )
        answer = here.ask("plain")
        assert answer.status_code == 503
        assert answer.headers.get_list("retry-after") == [told]


def test_each_provider_is_shown_the_seals_that_it_made(here: Served) -> None:
    detail = {"type": "reasoning.text", "text": "hm", "signature": "dragoman:anthropic:c2ln"}
    said = {"role": "assistant", "content": "hello", "reasoning_details": [detail]}
    hello = {"role": "user", "content": "hi"}
    here.providers.script.append(Fail("529-overloaded"))
    assert here.ask("plain", messages=[hello, said, hello]).status_code == 200
    claudes, chats = (asked.body["messages"][1] for asked in here.providers.asked)
    assert claudes["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert chats == {"role": "assistant", "content": "hello"}


def test_a_stream_that_does_not_begin_is_given_up(here: Served) -> None:
    here.providers.script.append(Hang())
    began = time.monotonic()
    answer = here.ask("plain", stream=True)
    assert 0.9 < time.monotonic() - began < 4
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith("data: [DONE]")
    assert here.tried() == ["anthropic", "openai_chat"]


@pytest.fixture(params=SERVED)
def with_health(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with served(request.param, tmp_path, QUICK) as found:
        yield found


def test_who_fails_is_set_aside_and_let_back(with_health: Served) -> None:
    here = with_health
    here.providers.script.extend([Fail("500-server")] * 1)
    assert here.ask("plain").status_code == 200
    assert here.tried() == ["anthropic", "openai_chat"]
    here.providers.script.append(Fail("529-overloaded"))
    assert here.ask("plain").status_code == 200
    assert here.tried() == ["anthropic", "openai_chat"]
    assert here.ask("plain").json()["choices"][0]["message"]["content"] == SAID
    assert here.tried() == ["openai_chat"]  # set aside after two failures

    def is_probed() -> bool:
        assert here.ask("plain").status_code == 200
        return "anthropic" in here.tried()

    eventually(is_probed, "a request probes it", seconds=10)
    time_back = time.monotonic() + 2
    while time.monotonic() < time_back:
        assert here.ask("plain").status_code == 200
    here.tried()
    assert here.ask("plain").status_code == 200
    assert here.tried() == ["anthropic"]


def test_who_says_when_to_come_back_is_left_alone_until_then(with_health: Served) -> None:
    here = with_health
    here.providers.script.append(Fail("429-rate_limit", (("retry-after-ms", "1500"),)))
    began = time.monotonic()
    assert here.ask("plain").status_code == 200
    assert here.tried() == ["anthropic", "openai_chat"]
    while time.monotonic() - began < 1.2:
        assert here.ask("plain").status_code == 200
        assert here.tried() == ["openai_chat"]

    def is_probed() -> bool:
        assert here.ask("plain").status_code == 200
        return "anthropic" in here.tried()

    eventually(is_probed, "it is asked again", seconds=5)


def test_who_has_no_address_is_asked_no_second_time(with_health: Served) -> None:
    with_health.ask("unknown")
    assert with_health.ask("unknown").status_code == 200
