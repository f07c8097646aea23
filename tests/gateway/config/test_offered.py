from __future__ import annotations

import pytest

from gateway.config.offered import AZURE, azure
from gateway.operations import Operation


def test_the_first_version_of_azure_is_like_openai_below_a_path() -> None:
    assert azure("v1") == AZURE
    assert dict(AZURE)[Operation.CHAT] == "/openai/v1/chat/completions"


def test_a_preview_says_so_in_the_query() -> None:
    found = dict(azure("preview"))
    assert found[Operation.RESPONSES] == "/openai/v1/responses?api-version=preview"


@pytest.mark.parametrize("version", ["2024-10-21", "2025-04-01-preview"])
def test_before_that_models_are_deployments_in_the_path(version: str) -> None:
    found = dict(azure(version))
    path = f"/openai/deployments/{{model}}/embeddings?api-version={version}"
    assert found[Operation.EMBEDDINGS] == path
    assert Operation.RESPONSES not in found
    assert found[Operation.FILES] == f"/openai/files?api-version={version}"
    assert found[Operation.BATCHES] == f"/openai/batches?api-version={version}"
    realtime = f"/openai/realtime?api-version={version}&deployment={{model}}"
    assert found[Operation.REALTIME] == realtime
