"""What a provider has done is known by the names that lead to it."""

from __future__ import annotations

import pytest

from extproc.leading import Leading
from tests.kit.choosers import models

LEADING = Leading(
    models(
        """
        fast: a/gpt-5, both: {failover: [b/large, a/gpt-5]}, dated: a/gpt-5-2025-08-07,
        hidden: {provider: a, model: gpt-5, internal: true},
        "any/*": "a/*", "mini/*": "a/*-mini", "always/*": a/gpt-5
        """
    )
)


@pytest.mark.parametrize(
    ("provider", "model", "names"),
    [
        ("a", "gpt-5", ("fast", "both", "any/gpt-5", "gpt-5")),
        ("b", "large", ("both", "large")),
        ("b", "gpt-5", ("gpt-5",)),
        (
            "a",
            "gpt-5-2025-08-07",
            ("dated", "fast", "both", "any/gpt-5-2025-08-07", "gpt-5-2025-08-07"),
        ),
        ("a", "gpt-5-mini", ("mini/gpt-5", "any/gpt-5-mini", "gpt-5-mini")),
        ("a", "", ("",)),
    ],
)
def test_all_names_that_lead_to_a_model_are_its_names(
    provider: str, model: str, names: tuple[str, ...]
) -> None:
    assert LEADING.names(provider, model) == names
