"""Claude wherever it is, for clients wherever they think that it is; Anthropic's betas: every
provider of a plan reads of those that it takes, where it looks for them, whatever the one before
was told."""

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
  paths: {vertex: [/v1]}
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


@contextmanager
def vertex(stack: Stack) -> Iterator[anthropic.AnthropicVertex]:
    with anthropic.AnthropicVertex(
        base_url=f"{stack.url}/v1",
        region="global",
        project_id="p",
        access_token="none",
        max_retries=0,
    ) as client:
        yield client


@pytest.mark.parametrize("model", ["text", "vertex", "invoked", "elsewhere"])
def test_vertexs_client_of_claude_is_served_by_everybody(
    here: tuple[Stack, SampleProviders], model: str
) -> None:
    stack, providers = here
    with anthropic.Anthropic(base_url=stack.url, api_key="none", max_retries=0) as client:
        plain = client.messages.create(model=model, max_tokens=9, messages=HELLO)
    with vertex(stack) as client:
        said = client.messages.create(model=model, max_tokens=9, messages=HELLO)
        assert (said.content, said.usage) == (plain.content, plain.usage)
    first, last = providers.asked
    assert (last.path, last.body) == (first.path, first.body)


@pytest.mark.parametrize("model", ["text", "vertex", "elsewhere"])
def test_vertexs_client_of_claude_hears_streams_of_everybody(
    here: tuple[Stack, SampleProviders], model: str
) -> None:
    stack, providers = here
    asked: Any = {"model": model, "max_tokens": 9, "messages": HELLO}
    with vertex(stack) as client:
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            assert stream.get_final_message().content[0].type == whole.content[0].type == "text"
    assert providers.last.is_stream
    assert ("anthropic_version" in providers.last.body) == (model == "vertex")


def test_vertexs_client_of_claude_has_its_tokens_counted_and_its_betas_passed_on(
    here: tuple[Stack, SampleProviders],
) -> None:
    stack, providers = here
    with vertex(stack) as client:
        assert client.messages.count_tokens(model="vertex", messages=HELLO).input_tokens > 0
        assert providers.asked == []
        client.beta.messages.create(model="text", max_tokens=9, messages=HELLO, betas=ASKED)
        assert in_header(providers.last) == ASKED
        with pytest.raises(anthropic.NotFoundError, match="does not exist"):
            client.messages.create(model="nobody", max_tokens=9, messages=HELLO)
