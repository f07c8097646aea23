"""Model providers of theirs → `llm.providers`."""

from __future__ import annotations

import pytest

from gateway.config.vendors import VENDORS
from gateway.imported import Outcome
from gateway.importers.agentgateway.providers import KNOWN, Address, known, located
from gateway.operations import Operation
from tests.gateway.importers.agentgateway.imports import config, outcomes

IN_CLOUDS = ("azure", "bedrock", "vertex")


@pytest.mark.parametrize("kind", [kind for kind in KNOWN if kind not in ("custom", *IN_CLOUDS)])
def test_every_provider_has_an_address(kind: str) -> None:
    block = known(kind, Address())
    assert block == {"type": KNOWN[kind].type}
    assert VENDORS[KNOWN[kind].type].url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address(), "https://api.groq.com/openai/v1"),
        (Address(base_url="http://x/y/"), "http://x/y"),
        (Address(host="x:80"), "http://x:80/openai/v1"),
        (Address(host="x:443"), "https://x:443/openai/v1"),
        (Address(host="x:80", is_tls=True), "https://x:80/openai/v1"),
        (Address(host="x"), None),
        (Address(prefix="/p/q"), "https://api.groq.com/p/q"),
        (Address(path="/p/chat/completions"), "https://api.groq.com/p"),
        (Address(path="/other"), None),
        (Address(host="x:80", path="/chat/completions"), "http://x:80"),
    ],
)
def test_an_address_is_a_url_before_the_path_of_a_call(address: Address, url: str | None) -> None:
    assert located(address, "groq") == url


@pytest.mark.parametrize(
    ("vendor", "address", "url"),
    [
        ("anthropic", Address(host="x:443"), "https://x:443/v1"),
        ("anthropic", Address(path="/p/messages"), "https://api.anthropic.com/p"),
        ("anthropic", Address(path="/p/chat/completions"), None),
        ("deepseek", Address(base_url="https://x/v1"), "https://x"),
        ("deepseek", Address(host="x:443"), "https://x:443"),
        ("deepseek", Address(path="/p/v1/chat/completions"), "https://api.deepseek.com/p"),
    ],
)
def test_what_comes_after_the_address_is_the_types_own(
    vendor: str, address: Address, url: str | None
) -> None:
    assert located(address, vendor) == url


def models(provider: str, rest: str = "") -> str:
    return f"llm: {{models: [{{name: m, provider: {provider}{rest}}}]}}"


@pytest.mark.parametrize("provider", ["bedrock", "vertex", "copilot", "unheard", "{reference: x}"])
def test_a_provider_that_cannot_be_asked_serves_nothing(provider: str) -> None:
    assert config(models(provider)).llm.models == {}


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
        "{aws: {accessKeyId: a, region: b}}",
        "{aws: {sessionToken: a, region: b}}",
        "{gcp: {type: idToken}}",
        "copilot",
        "{key: {value: k, location: {header: {name: x-key}}}}",
        "{key: 'two words'}",
    ],
)
def test_a_credential_that_cannot_be_sent_is_no_call(auth: str) -> None:
    assert config(models("openAI", f", auth: {auth}")).llm.models == {}


def test_a_provider_has_one_credential_and_the_others_are_told_of() -> None:
    found = outcomes(models("openAI", ", auth: {aws: {region: a}, key: k}"))
    assert found["llm.models.0.auth.key"][2] == "a provider has one credential"


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


def test_a_provider_of_one_s_own_offers_its_formats_and_nothing_else() -> None:
    formats = (
        "[{type: completions, path: /x/chat/completions}, {type: embeddings, path: /x/embed},"
        " {type: messages, path: /y/messages}, {type: rerank}, {type: generateContent}]"
    )
    text = (
        "llm: {port: 80, models: [{name: m, params: {hostOverride: 'a.example:80'},"
        f" provider: {{custom: {{formats: {formats}}}}}}}]}}"
    )
    (provider,) = config(text).llm.providers.values()
    assert provider.url == "http://a.example:80/x"
    assert dict(provider.offers) == {
        Operation.CHAT: "/chat/completions",
        Operation.EMBEDDINGS: "/embed",
    }
    found = outcomes(text)
    at = "llm.models.0.provider.custom.formats"
    assert [found[f"{at}.{index}"][0] is Outcome.UNSUPPORTED for index in range(5)] == [
        *(False, False, True, True, True)
    ]
