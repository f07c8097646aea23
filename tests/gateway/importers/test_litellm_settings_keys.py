from __future__ import annotations

import pytest

from gateway.importers.litellm_settings_keys import LITELLM, ROUTER


@pytest.mark.parametrize("key", ["fallbacks", "default_fallbacks", "num_retries", "allowed_fails"])
def test_reliability_is_the_same_in_both_blocks(key: str) -> None:
    assert LITELLM.find(key) == ROUTER.find(key)


def test_budgets_of_users_are_about_security() -> None:
    row = LITELLM.find("max_end_user_budget")
    assert row is not None
    assert row.is_security
