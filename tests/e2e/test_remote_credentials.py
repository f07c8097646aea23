"""Services of guards are shown who asks, by Envoy: signatures of AWS, tokens of Google."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from botocore.credentials import Credentials

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.aws_signature import is_signed
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

YAML = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
llm:
  providers:
    openai: {{type: openai, url: "http://127.0.0.1:{provider}/v1", key: sk-provider}}
  models: {{fast: openai/gpt-5}}
guardrails:
  - type: bedrock-guardrails
    name: aws
    guardrail_id: abc123
    guardrail_version: "7"
    region: eu-west-1
    url: "http://127.0.0.1:{aws}"
    auth: {{type: aws, access_key: AKID, secret_key: hunter2}}
  - type: azure-content-safety
    name: azure
    url: "http://127.0.0.1:{azure}"
    auth:
      type: entra
      tenant: t1
      client_id: c1
      client_secret: s1
      authority: "http://127.0.0.1:{entra}"
"""
ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
SAFE = {
    "blocklistsMatch": [],
    "categoriesAnalysis": [
        {"category": name, "severity": 0} for name in ("Hate", "SelfHarm", "Sexual", "Violence")
    ],
}
MASKED = {
    "action": "GUARDRAIL_INTERVENED",
    "outputs": [{"text": "I am {EMAIL}"}],
    "assessments": [
        {"sensitiveInformationPolicy": {"piiEntities": [{"type": "EMAIL", "action": "ANONYMIZED"}]}}
    ],
}
TOKEN = {"access_token": "entra-token", "token_type": "Bearer", "expires_in": 3600}


@dataclass(frozen=True, slots=True)
class World:
    stack: Stack
    provider: Recorder
    aws: Recorder
    azure: Recorder

    def ask(self, text: str) -> httpx.Response:
        asked = {"model": "fast", "messages": [{"role": "user", "content": text}]}
        return web.post(f"{self.stack.url}/v1/chat/completions", json=asked, timeout=20)


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("credentials")
    with Recorder() as provider, Recorder() as aws, Recorder() as azure, Recorder() as entra:
        answers = ((provider, ANSWER), (aws, MASKED), (azure, SAFE), (entra, TOKEN))
        for recorder, answer in answers:
            recorder.answer = json.dumps(answer).encode()
        config = folder / "gateway.yaml"
        config.write_text(
            YAML.format(provider=provider.port, aws=aws.port, azure=azure.port, entra=entra.port)
        )
        with serve(config, folder / "state") as stack:
            made = World(stack, provider, aws, azure)
            eventually(lambda: made.ask("I am a@b.example").status_code == 200, "all is there")
            yield made


def test_a_guardrail_is_asked_with_a_signature(world: World) -> None:
    answer = world.ask("I am a@b.example")
    assert answer.status_code == 200
    asked = world.aws.last
    assert asked.path == "/guardrail/abc123/version/7/apply"
    assert is_signed(asked, Credentials("AKID", "hunter2"), region="eu-west-1")
    assert json.loads(asked.body) == {
        "source": "INPUT",
        "content": [{"text": {"text": "I am a@b.example"}}],
    }


def test_the_provider_reads_what_the_guardrail_has_masked(world: World) -> None:
    world.ask("I am a@b.example")
    (message,) = json.loads(world.provider.last.body)["messages"]
    assert message["content"] == "I am {EMAIL}"


def test_who_asks_later_is_shown_the_masked_text_and_a_token_of_its_own(world: World) -> None:
    world.azure.requests.clear()
    world.ask("I am a@b.example")
    assert {each.headers["authorization"] for each in world.azure.requests} == {
        "Bearer entra-token"
    }
    assert json.loads(world.azure.last.body)["text"] == "I am {EMAIL}"
    assert world.azure.last.path == "/contentsafety/text:analyze?api-version=2024-09-01"


def test_services_learn_nothing_of_the_gateway(world: World) -> None:
    world.ask("I am a@b.example")
    for recorder in (world.aws, world.azure):
        headers = recorder.last.headers
        assert headers["host"] == f"127.0.0.1:{recorder.port}"
        assert not [
            name for name in headers if name.startswith(("x-dragoman-", "x-envoy-", "x-forwarded"))
        ]


def test_a_request_that_is_too_long_for_one_question_is_asked_about_in_parts(world: World) -> None:
    world.aws.answer = json.dumps({"action": "NONE", "outputs": [], "assessments": []}).encode()
    world.aws.requests.clear()
    try:
        assert world.ask("word " * 12_000).status_code == 200
    finally:
        world.aws.answer = json.dumps(MASKED).encode()
    assert len(world.aws.requests) == 3
    for asked in world.aws.requests:
        assert is_signed(asked, Credentials("AKID", "hunter2"), region="eu-west-1")
