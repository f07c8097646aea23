"""Anthropic's betas: every provider of a plan reads of those that it takes, where it looks for
them, whatever the one before was told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.kit import web
from tests.kit.any_envoy import running_beside
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.sample_providers import Asked, Fail, SampleProviders, sample_providers
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
llm:
  failover: {health: {failures: 0}}
  providers:
    claude: {type: anthropic, url: "%(url)s/v1", key: k}
    invoked: {type: bedrock-claude, url: "%(url)s", region: us-east-1, key: k}
    converse: {type: bedrock, url: "%(url)s", region: us-east-1, key: k}
    vertex: {type: vertex-claude, url: "%(url)s/v1", project: p, region: global, key: k}
    few: {type: anthropic, url: "%(url)s/v1", key: k, betas: [context-*]}
    chat: {type: openrouter, url: "%(url)s/v1", key: k, offers: {chat: /chat/completions}}
  models:
    vertex: vertex/text
    invoked: invoked/text
    text: claude/text
    everywhere:
      failover: [invoked/claude-opus-4-5, few/claude-opus-4-5, converse/claude-opus-4-5,
                 vertex/claude-opus-4-5, claude/text]
    elsewhere: {failover: [chat/text, claude/text]}
"""
CODE, LONG, TOOLS, SEARCH = (
    "claude-code-20250219",
    "context-1m-2025-08-07",
    "advanced-tool-use-2025-11-20",
    "tool-search-tool-2025-10-19",
)
ASKED = [CODE, LONG, TOOLS]
BUSY = Fail("529-overloaded")
HELLO: Any = [{"role": "user", "content": "hi"}]
STARTS = {NEWEST: partial(running, workers=1), OLDEST: partial(running_beside, version=OLDEST)}


@contextmanager
def serving(version: str, folder: Path) -> Iterator[tuple[Stack, SampleProviders]]:
    with sample_providers() as providers:
        config = folder / "gateway.yaml"
        config.write_text(CONFIG % {"url": providers.url})
        with STARTS[version](config, folder / "state") as stack:
            yield stack, providers


@pytest.fixture(scope="module", params=STARTS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, SampleProviders]]:
    with serving(request.param, tmp_path_factory.mktemp("betas")) as found:
        yield found


@pytest.fixture
def here(served: tuple[Stack, SampleProviders]) -> tuple[Stack, SampleProviders]:
    served[1].asked.clear()
    return served


def in_header(asked: Asked) -> list[str]:
    return [each for each in asked.headers.get("anthropic-beta", "").split(",") if each]


def in_body(asked: Asked) -> Any:
    fields = asked.body.get("additionalModelRequestFields", asked.body)
    return fields.get("anthropic_beta")


def ask(stack: Stack, model: str, betas: list[str]) -> None:
    with anthropic.Anthropic(base_url=stack.url, api_key="none", max_retries=0) as client:
        said = client.beta.messages.create(model=model, max_tokens=9, messages=HELLO, betas=betas)
        assert said.content


def test_each_try_reads_of_those_that_its_provider_takes(
    here: tuple[Stack, SampleProviders],
) -> None:
    stack, providers = here
    providers.script.extend([BUSY, BUSY, Fail("429-throttling"), BUSY])
    ask(stack, "everywhere", ASKED)
    invoked, few, converse, vertex, claude = providers.asked
    assert in_body(invoked) == [LONG, SEARCH]
    assert in_body(converse) == [LONG, SEARCH]
    assert in_header(few) == [LONG]
    assert in_header(vertex) == [LONG, SEARCH]
    assert in_header(claude) == ASKED
    assert in_body(few) is in_body(vertex) is in_body(claude) is None


IN_BOTH = [LONG, SEARCH]


@pytest.mark.parametrize(("model", "header", "body"), [
    ("text", ASKED, None), ("vertex", IN_BOTH, None), ("invoked", IN_BOTH, IN_BOTH),
])  # fmt: skip
def test_a_single_provider_does_so_too(
    here: tuple[Stack, SampleProviders], model: str, header: list[str], body: list[str] | None
) -> None:
    stack, providers = here
    ask(stack, model, ASKED)
    assert (in_header(providers.last), in_body(providers.last)) == (header, body)


def test_whoever_asks_for_none_is_asked_for_none(here: tuple[Stack, SampleProviders]) -> None:
    stack, providers = here
    providers.script.extend([BUSY, BUSY, Fail("429-throttling"), BUSY])
    with anthropic.Anthropic(base_url=stack.url, api_key="none", max_retries=0) as client:
        client.messages.create(model="everywhere", max_tokens=9, messages=HELLO)
    assert [(in_header(each), in_body(each)) for each in providers.asked] == [([], None)] * 5


@pytest.mark.parametrize("operation", ["invoke", "converse"])
@pytest.mark.parametrize("model", ["text", "elsewhere"])
def test_a_client_of_bedrocks_asks_anthropic_too(
    here: tuple[Stack, SampleProviders], operation: str, model: str
) -> None:
    stack, providers = here
    betas = {"anthropic_beta": ASKED}
    body: dict[str, Any] = {"messages": HELLO, "max_tokens": 9, **betas}
    body["anthropic_version"] = "bedrock-2023-05-31"
    if operation == "converse":
        messages = [{"role": "user", "content": [{"text": "hi"}]}]
        body = {"messages": messages, "additionalModelRequestFields": betas}
    if model == "elsewhere":
        providers.script.append(Fail("429-rate_limit"))
    answer = web.post(f"{stack.url}/model/{model}/{operation}", json=body)
    assert answer.status_code == 200, answer.text
    last = providers.last
    assert (last.dialect, in_header(last), in_body(last)) == ("anthropic", ASKED, None)
    assert "anthropic_version" not in last.body
    assert last.headers["anthropic-version"] == "2023-06-01"
