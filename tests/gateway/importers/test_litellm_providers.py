from __future__ import annotations

import pytest

from gateway.config.vendors import VENDORS
from gateway.importers.litellm_providers import (
    OTHER_DIALECTS,
    SPOKEN,
    Spoken,
    default_url,
    meant,
)


@pytest.mark.parametrize("spoken", SPOKEN.values(), ids=SPOKEN)
def test_every_provider_is_of_a_vendor_of_ours_and_has_an_address(spoken: Spoken) -> None:
    assert spoken.type in VENDORS
    needs_address = default_url(spoken) is None and not spoken.base_variable
    assert not needs_address or spoken.cloud or spoken.type == "openai-compatible"


def test_a_provider_is_spoken_or_not() -> None:
    assert OTHER_DIALECTS.isdisjoint(SPOKEN)


@pytest.mark.parametrize(
    ("model", "custom", "provider", "name"),
    [
        ("groq/llama-3", "", "groq", "llama-3"),
        ("openrouter/openai/gpt-4o", "", "openrouter", "openai/gpt-4o"),
        ("hosted_vllm/meta-llama/Llama-3", "", "hosted_vllm", "meta-llama/Llama-3"),
        ("gpt-4o", "", "openai", "gpt-4o"),
        ("o3-mini", "", "openai", "o3-mini"),
        ("claude-opus-4-1", "", "anthropic", "claude-opus-4-1"),
        ("azure/my-deployment", "", "azure", "my-deployment"),
        ("my/own", "", "", "my/own"),
        ("own", "", "", "own"),
        ("meta-llama/Llama-3", "openai", "openai", "meta-llama/Llama-3"),
        ("openai/gpt-4o", "openai", "openai", "gpt-4o"),
    ],
)
def test_a_provider_is_told_from_the_model(
    model: str, custom: str, provider: str, name: str
) -> None:
    found = meant(model, custom)
    assert (found.provider, found.model) == (provider, name)
    assert (found.spoken is not None) == (provider in SPOKEN)
