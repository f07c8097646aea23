"""A gateway in front of providers of all that is no conversation, and the vendors' libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import boto3
import httpx
import openai
from botocore import UNSIGNED
from botocore.config import Config
from google import genai
from google.genai import types

from tests.kit.other_providers import CLIENT_KEY, OtherProviders, other_providers
from tests.kit.stack import Stack, eventually

CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}", max_request_bytes: 64MiB, compress: true}}
identity: {api_keys: {keys: [{name: client, key: %(key)s}]}}
llm:
  paths: {openai: [/v1, /team-a/llm], azure: [/openai], bedrock: [/, /aws]}
  unknown_paths: %(unknown)s
  stored_at: [openai, anthropic, gemini]
  providers:
    openai: {type: openai, url: "%(url)s/openai/v1", key: sk-openai}
    azure:
      type: azure-openai
      url: "%(url)s/azure"
      resource: r
      api_version: 2024-10-21
      key: azure-key
    anthropic: {type: anthropic, url: "%(url)s/anthropic/v1", key: sk-ant}
    gemini: {type: gemini, url: "%(url)s/gemini/v1beta", key: AIza}
    bedrock: {type: bedrock, url: "%(url)s/bedrock", region: us-east-1, key: bedrock-key}
    cohere: {type: cohere, url: "%(url)s/cohere", key: co-key}
  models:
    talk: openai/gpt-5.4
    complete: openai/gpt-3.5-turbo-instruct
    embed: openai/text-embedding-3-small
    moderate: openai/omni-moderation-latest
    draw: openai/gpt-image-1
    paint: openai/dall-e-2
    speak: openai/tts-1
    hear: openai/whisper-1
    listen: openai/gpt-4o-transcribe
    live: openai/gpt-realtime
    my-embed: azure/embed-eu
    my-image: azure/image-eu
    claude: anthropic/claude-opus-5
    vectors: gemini/gemini-embedding-001
    flash: gemini/gemini-3-flash
    llama: bedrock/meta.llama3-70b-instruct-v1:0
    titan: bedrock/amazon.titan-text-premier-v1:0
    sonnet: bedrock/anthropic.claude-sonnet-4-v1:0
    cohere-embed: bedrock/cohere.embed-english-v3
    rank: cohere/rerank-v3.5
    rank-on-bedrock: bedrock/cohere.rerank-v3-5:0
  prices:
    gpt-5.4: {input: 1, output: 2, search: 0.01, service_tiers: {flex: {factor: 0.5}}}
    gpt-image-2: {input: 5, image_input: 8, output: 30}
    gpt-3.5-turbo-instruct: {input: 1, output: 2}
    text-embedding-3-small: {input: 3, output: 0}
    omni-moderation-latest: {input: 0, output: 0}
    gpt-image-1: {input: 5, image_input: 10, output: 40}
    dall-e-2: {image: 0.02, images: {512x512: 0.018}}
    tts-1: {characters: 15}
    whisper-1: {second: 0.0001}
    gpt-4o-transcribe: {input: 2, audio_input: 6, output: 10}
    embed-eu: {input: 3, output: 0}
    image-eu: {image: 0.05}
    gpt-realtime: {input: 1, output: 2}
    claude-opus-5: {input: 1, output: 1}
    gemini-embedding-001: {input: 4, output: 0}
    gemini-3-flash: {input: 1, output: 1, cached_input: 0.1}
    "meta.llama3-70b-instruct-v1:0": {input: 1, output: 2}
    "amazon.titan-text-premier-v1:0": {input: 3, output: 4}
    "anthropic.claude-sonnet-4-v1:0": {input: 5, output: 6}
    cohere.embed-english-v3: {input: 7, output: 0}
    rerank-v3.5: {search: 0.002}
    "cohere.rerank-v3-5:0": {search: 0.003}
guardrails:
  - {name: no-apollo, type: regex, patterns: [project apollo], action: block}
  - {name: no-mercury, type: regex, patterns: [mercury], action: mask, replacement: "[x]"}
budgets:
  - {name: ample, for: {key: "*"}, limit: 1000000 USD, per: day}
"""


@dataclass(slots=True)
class OtherApis:
    """All of it, running."""

    stack: Stack
    providers: OtherProviders
    _clients: ExitStack = field(default_factory=ExitStack)

    def openai(self, prefix: str = "/v1") -> openai.OpenAI:
        client = openai.OpenAI(
            base_url=self.stack.url + prefix, api_key=CLIENT_KEY, max_retries=0, timeout=60
        )
        self._clients.callback(client.close)
        return client

    def azure(self) -> openai.AzureOpenAI:
        client = openai.AzureOpenAI(
            azure_endpoint=self.stack.url, api_key=CLIENT_KEY, api_version="2024-10-21",
            max_retries=0, timeout=60,
        )  # fmt: skip
        self._clients.callback(client.close)
        return client

    def anthropic(self) -> anthropic.Anthropic:
        client = anthropic.Anthropic(
            base_url=self.stack.url, api_key=CLIENT_KEY, max_retries=0, timeout=60
        )
        self._clients.callback(client.close)
        return client

    def gemini(self, version: str = "v1beta") -> genai.Client:
        options = types.HttpOptions(base_url=self.stack.url, api_version=version)
        client = genai.Client(api_key=CLIENT_KEY, http_options=options)
        self._clients.callback(client.close)
        return client

    def bedrock(self, prefix: str = "") -> Any:
        """`boto3`, with an API key in the place of signatures."""
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=self.stack.url + prefix,
            region_name="us-east-1",
            config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}),
        )

        def with_key(request: Any, **_: Any) -> None:
            request.headers["authorization"] = f"Bearer {CLIENT_KEY}"

        client.meta.events.register("before-send.bedrock-runtime", with_key)
        self._clients.callback(client.close)
        return client

    def http(self, **headers: str) -> httpx.Client:
        """For what no library sends."""
        said = {"authorization": f"Bearer {CLIENT_KEY}", **headers}
        client = httpx.Client(base_url=self.stack.url, headers=said, timeout=60)
        self._clients.callback(client.close)
        return client

    @property
    def spent(self) -> tuple[int, int]:
        """Settled and reserved, in nanodollars."""
        rows = [row for name, row in self.stack.budgets().items() if name.startswith("ample")]
        return (rows[0]["settled"], rows[0]["reserved"]) if rows else (0, 0)

    @contextmanager
    def costs(self, nanodollars: int) -> Iterator[None]:
        """What is asked inside costs just that. Workers tell the ledger ten times a second, so what
        was asked before must have been waited for, too."""
        before, _ = self.spent
        yield

        def is_booked() -> bool:
            settled, reserved = self.spent
            return (settled - before, reserved) == (nanodollars, 0)

        try:
            eventually(is_booked, "booked", seconds=5)
        except AssertionError:
            settled, reserved = self.spent
            told = f"it cost {settled - before}, with {reserved} reserved, and not {nanodollars}"
            raise AssertionError(told) from None

    def rest(self) -> None:
        """Between tests."""
        self._clients.close()
        self.providers.forget()


@contextmanager
def other_apis(serve: Any, folder: Path, unknown: str = "refuse") -> Iterator[OtherApis]:
    """The gateway is made by `serve`, out of a file and a folder."""
    with other_providers() as providers:
        file = folder / "gateway.yaml"
        file.write_text(CONFIG % {"url": providers.url, "key": CLIENT_KEY, "unknown": unknown})
        with serve(file, folder / "state") as stack:
            yield OtherApis(stack, providers)
