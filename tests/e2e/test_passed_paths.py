"""`examples/all-apis.yaml`: what no API knows goes to a provider as it is, never half read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import EXAMPLES
from tests.kit.other_apis import OtherApis
from tests.kit.other_providers import CLIENT_KEY, other_providers
from tests.kit.raw_http import asked
from tests.kit.stack import running

pytestmark = pytest.mark.envoy

KEYS = {
    "OPENAI": "sk-openai",
    "AZURE": "azure-key",
    "ANTHROPIC": "sk-ant",
    "GEMINI": "AIza",
    "BEDROCK": "bedrock-key",
    "COHERE": "co-key",
}
BELOW = {
    "OPENAI": "/openai/v1",
    "AZURE": "/azure",
    "ANTHROPIC": "/anthropic/v1",
    "GEMINI": "/gemini/v1beta",
    "BEDROCK": "/bedrock",
    "COHERE": "/cohere",
}
CHAT = {"model": "talk", "messages": [{"role": "user", "content": "Hi"}]}
BODY = json.dumps(CHAT).encode()


@pytest.fixture(scope="module")
def apis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherApis]:
    folder = tmp_path_factory.mktemp("passed")
    with pytest.MonkeyPatch.context() as environment, other_providers() as providers:
        environment.setenv("CLIENT_KEY", CLIENT_KEY)
        for name, key in KEYS.items():
            environment.setenv(f"{name}_URL", providers.url + BELOW[name])
            environment.setenv(f"{name}_API_KEY", key)
        with running(EXAMPLES / "all-apis.yaml", folder, workers=1) as stack:
            yield OtherApis(stack, providers)


@pytest.fixture
def here(apis: OtherApis) -> Iterator[OtherApis]:
    yield apis
    faults = [got.faults for got in apis.providers.got if got.faults]
    apis.rest()
    assert faults == []


def test_each_api_is_where_its_clients_look_for_it(here: OtherApis) -> None:
    here.openai().embeddings.create(model="embed", input="a")
    here.azure().embeddings.create(model="embed-eu", input="a")
    here.gemini().models.embed_content(model="vectors", contents="a")
    here.bedrock().invoke_model(modelId="llama", body=b'{"prompt": "Hi"}')
    here.http().post("/v2/rerank", json={"model": "rank", "query": "a", "documents": ["b"]})
    here.openai().moderations.create(model="moderate", input="a")
    here.openai().audio.speech.create(model="speak", voice="alloy", input="a")
    assert [got.provider for got in here.providers.got] == [
        "openai",
        "azure",
        "gemini",
        "bedrock",
        "cohere",
        "openai",
        "openai",
    ]


@pytest.mark.parametrize("prefix", ["/v1", "/team-a/llm"])
def test_unknown_paths_go_to_the_provider_that_is_named_for_them(
    here: OtherApis, prefix: str
) -> None:
    path = f"{prefix}/vector_stores/vs_1/search?limit=3&x=%2F"
    answer = here.http().post(path, content=b'{"model": "talk", "model": "two"}')
    assert answer.json() == {"passed": "/v1/vector_stores/vs_1/search"}
    got = here.providers.last
    assert (got.provider, got.query) == ("openai", {"limit": "3", "x": "/"})
    assert here.http().get(f"{prefix}/vector_stores").json() == {"passed": "/v1/vector_stores"}
    assert here.http().delete(f"{prefix}/vector_stores/vs_1").status_code == 200


def test_a_large_body_of_an_unknown_path_passes(here: OtherApis) -> None:
    content = bytes(8 << 20)
    answer = here.http().post("/v1/vector_stores", content=content)
    assert answer.status_code == 200
    assert here.providers.last.size == len(content)


def test_nobody_passes_without_a_key(here: OtherApis) -> None:
    answer = here.http(authorization="Bearer wrong").post("/v1/vector_stores", json={})
    assert answer.status_code == 401
    assert here.providers.got == []


@pytest.mark.parametrize(
    "path",
    [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/./chat/completions",
        "/v1/vector_stores/../chat/completions",
        "/v1/vector_stores/%2e%2e/chat/completions",
        "/v1/vector_stores/..%2fchat/completions",
        "/v1/vector_stores/%252e%252e/chat/completions",
        "/v1/vector_stores/..;/chat/completions",
        "/v1/vector_stores/..\\chat/completions",
        "/v1/files/../chat/completions",
        "/v1/files/%2e%2e/chat/completions",
        "/v1/chat%2fcompletions",
        "/v1/%63hat/completions",
        "/v1/chat;x/completions",
        "/v1/chat\\completions",
        "/V1/CHAT/COMPLETIONS",
        "/v1/Chat/Completions",
        "/v1/chat/completions%20",
        "/v1/chat/completions%00",
        "/v1/chat/completions#x",
        "/v1/responses/../chat/completions",
        "/v1/responses/resp_1/../../chat/completions",
        "/team-a/llm/../../v1/chat/completions",
    ],
)
def test_no_disguise_leads_a_known_operation_past_its_reader(here: OtherApis, path: str) -> None:
    """A provider that is less strict could take it for a chat completion."""
    status, _ = asked(here.stack.port, "POST", path, CLIENT_KEY, BODY)
    assert status in (200, 400, 404)
    for got in here.providers.got:
        assert (got.path, got.document.get("model")) == ("/v1/chat/completions", "gpt-5.4")


@pytest.mark.parametrize("below", ["/v1", "/v1/", "/v1?x=1", "/v1/chat", "/v1/nothing"])
def test_what_is_no_ones_is_told_by_the_provider(here: OtherApis, below: str) -> None:
    status, _ = asked(here.stack.port, "GET", below, CLIENT_KEY, b"")
    assert status == 404
    here.providers.got.clear()  # this provider has no such operation, which it holds against it
