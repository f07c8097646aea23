from __future__ import annotations

import pytest

from gateway.imported import Outcome
from tests.gateway.importers.litellm_files import finding, ours

AT = "model_list.0.litellm_params.ssl_verify"


def one(params: str, settings: str = "{}") -> str:
    return (
        f"model_list: [{{model_name: m, litellm_params: {{api_key: k, {params}}}}}]\n"
        f"litellm_settings: {settings}\n"
    )


def ca(text: str) -> object:
    (provider,) = ours(text)["llm"]["providers"].values()
    return provider.get("ca")


def test_authorities_go_to_a_provider_with_an_https_url() -> None:
    text = one("model: groq/x, ssl_verify: /ca.pem")
    assert ca(text) == "/ca.pem"
    found = finding(text, AT)
    assert (found.outcome, found.to) == (Outcome.DIFFERENT, "llm.providers.groq.ca")


def test_authorities_of_all_are_each_providers_that_has_none() -> None:
    settings = "{ssl_verify: /all.pem}"
    assert ca(one("model: groq/x", settings)) == "/all.pem"
    assert ca(one("model: groq/x, ssl_verify: /own.pem", settings)) == "/own.pem"
    assert ca(one("model: groq/x, ssl_verify: true", settings)) is None
    found = finding(one("model: groq/x", settings), "litellm_settings.ssl_verify")
    assert (found.outcome, found.to) == (Outcome.DIFFERENT, "llm.providers")


@pytest.mark.parametrize(
    "params",
    [
        "model: groq/x, ssl_verify: false",
        "model: groq/x, ssl_verify: 'False'",
        "model: groq/x, ssl_verify: os.environ/CA",
        "model: ollama/x, api_base: 'http://box:1', ssl_verify: /ca.pem",
    ],
)
def test_what_is_not_verified_as_theirs_is_said_first(params: str) -> None:
    text = one(params)
    assert ca(text) is None
    found = finding(text, AT)
    assert found.outcome is Outcome.UNSUPPORTED
    assert found.is_security


def test_authorities_that_no_provider_needs_are_said_first() -> None:
    text = one("model: ollama/x, api_base: 'http://box:1'", "{ssl_verify: /ca.pem}")
    assert finding(text, "litellm_settings.ssl_verify").is_security


def test_verifying_is_what_ours_does() -> None:
    assert finding(one("model: groq/x, ssl_verify: true"), AT).outcome is Outcome.EXACT


def test_a_region_that_is_not_chosen_is_said_first() -> None:
    text = one("model: openai/x, region_name: eu")
    assert finding(text, "model_list.0.litellm_params.region_name").is_security
