from __future__ import annotations

import pytest

from gateway.importers.litellm_general_keys import GENERAL


@pytest.mark.parametrize(
    "key",
    ["custom_auth", "enable_jwt_auth", "custom_auth_settings", "allowed_ips", "enforced_params"],
)
def test_what_keeps_somebody_out_is_about_security(key: str) -> None:
    row = GENERAL.find(key)
    assert row is not None
    assert row.is_security


@pytest.mark.parametrize("key", ["database_url", "health_check_interval", "alerting_args"])
def test_families_are_known(key: str) -> None:
    assert GENERAL.find(key) is not None
