from __future__ import annotations

import pytest

from gateway.imported import Outcome
from tests.gateway.importers.litellm_files import finding, ours


def one(params: str, info: str = "{}") -> str:
    """A file with one deployment."""
    return f"model_list:\n  - model_name: m\n    litellm_params: {params}\n    model_info: {info}\n"


def test_a_deployment_is_a_provider_and_a_model() -> None:
    llm = ours(one("{model: groq/llama, api_key: os.environ/K}"))["llm"]
    assert llm["providers"] == {"groq": {"type": "groq", "key": "${K}"}}
    assert llm["models"] == {"m": {"provider": "groq", "model": "llama"}}


def test_a_key_that_is_not_written_is_where_litellm_looks_for_it() -> None:
    text = one("{model: openai/gpt-5}")
    assert ours(text)["llm"]["providers"]["openai"]["key"] == "${OPENAI_API_KEY}"
    assert "OPENAI_API_KEY" in finding(text, "model_list.0.litellm_params.model").note


@pytest.mark.parametrize(
    ("params", "provider"),
    [
        (
            "{model: ollama/x, api_base: 'http://box:11434/'}",
            {"type": "ollama", "url": "http://box:11434/v1"},
        ),
        ("{model: ollama_chat/x}", {"type": "ollama"}),
        (
            "{model: hosted_vllm/x}",
            {"type": "vllm", "url": "${HOSTED_VLLM_API_BASE}"},
        ),
        (
            "{model: openai/x, api_base: os.environ/BASE, api_key: none}",
            {"type": "openai", "url": "${BASE}", "key": "none"},
        ),
        (
            "{model: perplexity/sonar, api_key: k}",
            {"type": "perplexity", "key": "k"},
        ),
        (
            "{model: claude-opus-4-1, api_key: k, api_base: https://api.anthropic.com}",
            {
                "type": "anthropic",
                "key": "k",
            },
        ),
        (
            "{model: azure/x, api_key: k, api_base: 'https://x.openai.azure.com/'}",
            {
                "type": "azure-openai",
                "url": "https://x.openai.azure.com",
                "key": "k",
            },
        ),
        (
            "{model: azure/x, api_key: k}",
            {
                "type": "azure-openai",
                "url": "${AZURE_API_BASE}",
                "key": "k",
            },
        ),
        (
            "{model: openai/x, api_base: https://api.openai.com/v1, api_key: k}",
            {"type": "openai", "key": "k"},
        ),
        (
            "{model: azure/x, api_key: k, api_version: '2024-10-21',"
            " api_base: 'https://x.openai.azure.com/openai/v1'}",
            {
                "type": "azure-openai",
                "api_version": "2024-10-21",
                "url": "https://x.openai.azure.com",
                "key": "k",
            },
        ),
        (
            "{model: anthropic/x, api_key: k, api_base: 'https://proxy.example'}",
            {"type": "anthropic", "url": "https://proxy.example/v1", "key": "k"},
        ),
        (
            "{model: bedrock/converse/x, aws_region_name: us-east-1}",
            {"type": "bedrock", "region": "us-east-1"},
        ),
        (
            "{model: vertex_ai/claude-opus-5, vertex_project: p, vertex_location: eu}",
            {"type": "vertex-claude", "region": "eu", "project": "p"},
        ),
        (
            "{model: groq/x, api_key: k, timeout: 1.5}",
            {"type": "groq", "key": "k", "timeouts": {"silence": "1500ms"}},
        ),
    ],
)
def test_where_a_provider_is(params: str, provider: dict[str, object]) -> None:
    assert list(ours(one(params))["llm"]["providers"].values()) == [provider]


@pytest.mark.parametrize(
    ("params", "info", "reason"),
    [
        ("{model: bedrock/agent/x}", "{}", "none of ours"),
        ("{model: bedrock/x, aws_profile_name: p}", "{}", "does not take"),
        ("{model: vertex_ai/meta/llama}", "{}", "Gemini and Claude"),
        ("{model: watsonx/x}", "{}", "no provider"),
        ("{model: azure/x, api_version: latest}", "{}", "none of Azure's"),
        ("{model: azure/x, api_base: 'https://apim.example/azure'}", "{}", "has there"),
        ("{model: azure/x, api_base: 'http://[x'}", "{}", "has there"),
        ("{model: azure/x, azure_ad_token: t}", "{}", "fetched"),
        ("{model: who/knows}", "{}", "cannot tell"),
        ("{model: os.environ/MODEL}", "{}", "environment"),
        ("{model: openai/e}", "{mode: vector_store}", "no such operation"),
        ("{model: openai/e}", "{blocked: true}", "blocked"),
        ("{model: openai/e, mock_response: hi}", "{}", "made up"),
        ("{model: openai/e, api_key: 'a b'}", "{}", "ascii"),
        ("{model: openai/e, api_key: os.environ/a-b}", "{}", "ascii"),
        ("{model: openai/e, api_base: ftp://x}", "{}", "url"),
        ("{model: openai/e, api_base: 'https://u:p@x'}", "{}", "url"),
        ("{model: openai/e f}", "{}", "spaces"),
        ("{model: openai/*}", "{}", "stands for nothing"),
        ("{model: openai/e, litellm_credential_name: none}", "{}", "no credential"),
    ],
)
def test_what_is_left_out_says_why(params: str, info: str, reason: str) -> None:
    text = one(params, info)
    assert "llm" not in ours(text)
    found = finding(text, "model_list.0")
    assert found.outcome is Outcome.UNSUPPORTED
    assert reason in found.note


def test_a_credential_is_put_where_it_is_named() -> None:
    text = """
        credential_list:
          - credential_name: shared
            credential_values: {api_key: os.environ/SHARED, api_base: https://llm.example/v1}
        model_list:
          - model_name: m
            litellm_params: {model: openai/x, litellm_credential_name: shared}
    """
    assert ours(text)["llm"]["providers"]["openai"] == {
        "type": "openai",
        "url": "https://llm.example/v1",
        "key": "${SHARED}",
    }
    assert finding(text, "credential_list.0.credential_values.api_key").outcome is Outcome.EXACT


def test_prices_are_per_million_tokens() -> None:
    text = one(
        "{model: groq/x, input_cost_per_token: 2.7e-07, cache_read_input_token_cost: 0.00000007}",
        "{output_cost_per_token: '1.1e-06', input_cost_per_token: 5}",
    )
    assert ours(text)["llm"]["prices"] == {
        "groq/x": {"input": 0.27, "cached_input": 0.07, "output": 1.1}
    }
    assert (
        "litellm_params counts"
        in finding(text, "model_list.0.model_info.input_cost_per_token").note
    )


def test_prices_of_sound_images_reasoning_and_long_caches_are_taken_over() -> None:
    rates = (
        "input_cost_per_token: 1e-06, output_cost_per_token: 2e-06,"
        " cache_creation_input_token_cost_above_1hr: 3e-06, output_cost_per_reasoning_token: 4e-06,"
        " input_cost_per_audio_token: 5e-06, output_cost_per_audio_token: 6e-06,"
        " input_cost_per_image_token: 7e-06, output_cost_per_image_token: 8e-06"
    )
    assert ours(one(f"{{model: groq/x, {rates}}}"))["llm"]["prices"]["groq/x"] == {
        "input": 1,
        "output": 2,
        "cache_write_1h": 3,
        "reasoning": 4,
        "audio_input": 5,
        "audio_output": 6,
        "image_input": 7,
        "image_output": 8,
    }


@pytest.mark.parametrize(
    "params",
    ["{model: groq/x, input_cost_per_token: 1e-07}", "{model: groq/x, output_cost_per_token: 0}"],
)
def test_half_a_price_is_none_so_that_budgets_are_not_cheated(params: str) -> None:
    assert "prices" not in ours(one(params))["llm"]


def test_equal_providers_are_one_and_others_have_other_names() -> None:
    llm = ours(
        """
        model_list:
          - {model_name: a, litellm_params: {model: groq/a, api_key: k1}}
          - {model_name: b, litellm_params: {model: groq/b, api_key: k1}}
          - {model_name: c, litellm_params: {model: groq/c, api_key: k2}}
        """
    )["llm"]
    assert {name: block["key"] for name, block in llm["providers"].items()} == {
        "groq": "k1",
        "groq-2": "k2",
    }
    assert llm["models"]["c"] == {"provider": "groq-2", "model": "c"}


@pytest.mark.parametrize("key", ["rpm", "tpm", "max_parallel_requests"])
def test_a_limit_of_a_deployment_that_is_served_without_it_is_said_first(key: str) -> None:
    text = f"model_list: [{{model_name: a, litellm_params: {{model: groq/a, {key}: 6}}}}]"
    found = finding(text, f"model_list.0.litellm_params.{key}")
    assert found.is_security
    assert "not limited" in found.note


def test_a_provider_without_an_address_is_left_out() -> None:
    text = one("{model: custom_openai/x}")
    assert not ours(text).get("llm", {}).get("providers")
    assert "no api_base" in finding(text, "model_list.0").note


def test_a_deployment_without_a_model_is_left_out_alone() -> None:
    text = """
        model_list:
          - {model_name: a, litellm_params: {}}
          - {model_name: b, litellm_params: {model: groq/b}}
    """
    assert list(ours(text)["llm"]["models"]) == ["b"]
    assert "it has no model" in finding(text, "model_list.0").note
