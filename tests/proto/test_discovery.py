"""The words of xDS, which are those of Envoy's API."""

from __future__ import annotations

import envoy_api
import pytest
from envoy_api.discovery import ADS, FULL_STATE, Variant


@pytest.mark.parametrize("variant", list(Variant))
def test_each_variant_has_messages_and_a_method(variant: Variant) -> None:
    request, response = envoy_api.message(variant.request), envoy_api.message(variant.response)
    assert "type_url" in request.DESCRIPTOR.fields_by_name
    assert "nonce" in response.DESCRIPTOR.fields_by_name
    assert variant.method.startswith(f"/{ADS}/")


def test_the_variants_differ_in_all_of_them() -> None:
    one, other = Variant
    assert {one.request, one.response, one.method}.isdisjoint(
        {other.request, other.response, other.method}
    )


def test_types_of_which_all_is_told_are_envoys() -> None:
    assert all(envoy_api.message(envoy_api.type_name(type_url)) for type_url in FULL_STATE)
    assert len(FULL_STATE) == 2
