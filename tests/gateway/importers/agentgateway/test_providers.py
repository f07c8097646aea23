"""Model providers of theirs → `llm.providers`."""

from __future__ import annotations

import pytest

from gateway.config.vendors import VENDORS
from gateway.importers.agentgateway.providers import COMPATIBLE, KNOWN, Address, known, located
from tests.gateway.importers.agentgateway.imports import config, outcomes


@pytest.mark.parametrize("kind", [kind for kind in KNOWN if kind not in ("custom", "azure")])
def test_every_provider_has_an_address(kind: str) -> None:
    block, _ = known(kind, Address())
    assert block["type"] in VENDORS
    assert block["type"] != COMPATIBLE or str(block["url"]).startswith("https://")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address(), "https://v.example/v1"),
        (Address(base_url="http://x/y/"), "http://x/y"),
        (Address(host="x:80"), "http://x:80/v1"),
        (Address(host="x:443"), "https://x:443/v1"),
        (Address(host="x:80", is_tls=True), "https://x:80/v1"),
        (Address(host="x"), None),
        (Address(prefix="/p/q"), "https://v.example/p/q"),
        (Address(path="/p/chat/completions"), "https://v.example/p"),
        (Address(path="/other"), None),
        (Address(host="x:80", path="/chat/completions"), "http://x:80"),
    ],
)
def test_an_address_is_a_url_before_the_path_of_a_call(address: Address, url: str | None) -> None:
    assert located(address, "https://v.example/v1") == url


def models(provider: str, rest: str = "") -> str:
    return f"llm: {{models: [{{name: m, provider: {provider}{rest}}}]}}"


@pytest.mark.parametrize("provider", ["bedrock", "vertex", "copilot", "unheard", "{reference: x}"])
def test_a_provider_that_cannot_be_asked_serves_nothing(provider: str) -> None:
    assert config(models(provider)).llm.models == {}


def test_azure_is_asked_by_its_version_v1() -> None:
    params = ", params: {apiKey: k, azureResourceName: r, azureResourceType: foundry"
    found = config(models("azure", params + ", azureProjectName: p}"))
    (provider,) = found.llm.providers.values()
    assert provider.url == "https://r.services.ai.azure.com/api/projects/p/openai/v1"
    assert config(models("azure", params + ", azureApiVersion: '2024-02-01'}")).llm.models == {}


def test_a_custom_provider_has_to_have_chat_completions() -> None:
    params = ", params: {baseUrl: 'http://x/v1'}"
    yes = "{custom: {formats: [{type: messages}, {type: completions}]}}"
    assert config(models(yes, params)).llm.models["m"].provider == "custom"
    no = "{custom: {formats: [{type: messages}]}}"
    assert config(models(no, params)).llm.models == {}


def test_a_key_is_that_of_the_model_or_of_the_environment() -> None:
    (provider,) = config(models("openAI", ", params: {apiKey: sk}")).llm.providers.values()
    assert provider.key is not None
    assert provider.key.get_secret_value() == "sk"
    said = outcomes(models("openAI"))
    assert said["llm.models.0.provider"][2] == "its key is read from OPENAI_API_KEY"
    (provider,) = config(models("ollama")).llm.providers.values()
    assert provider.key is None


def test_a_key_in_a_file_becomes_a_variable() -> None:
    text = models("groq", ", params: {apiKey: {file: key.txt}}")
    said = outcomes(text)["llm.models.0.params.apiKey"]
    assert said[1:] == ("llm.providers.groq.key", "put what is in the file into GROQ_API_KEY")


@pytest.mark.parametrize(
    "auth",
    [
        "{aws: {}}",
        "{gcp: {}}",
        "copilot",
        "{key: {value: k, location: {header: {name: x-key}}}}",
        "{key: 'two words'}",
    ],
)
def test_a_credential_that_cannot_be_sent_is_no_call(auth: str) -> None:
    assert config(models("openAI", f", auth: {auth}")).llm.models == {}


def test_equal_providers_are_one_and_others_are_not() -> None:
    text = """
    llm:
      models:
        - {name: a, provider: openAI, params: {apiKey: one}}
        - {name: b, provider: openAI, params: {apiKey: one}}
        - {name: c, provider: openAI, params: {apiKey: two}}
    """
    found = config(text).llm
    assert list(found.providers) == ["openAI", "openAI-2"]
    assert [found.models[name].provider for name in "abc"] == ["openAI", "openAI", "openAI-2"]
