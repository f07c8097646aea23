from __future__ import annotations

from gateway.config.urls import place
from gateway.config.vendors import VENDORS


def test_every_known_address_is_a_base_url_without_a_slash_at_its_end() -> None:
    for name, vendor in VENDORS.items():
        if vendor.url is not None:
            assert place(vendor.url).path.endswith("/v1"), name
            assert not vendor.url.endswith("/"), name


def test_openai_is_where_it_says() -> None:
    assert VENDORS["openai"].url == "https://api.openai.com/v1"


def test_vendors_without_an_address_are_those_that_have_none() -> None:
    assert {name for name, vendor in VENDORS.items() if vendor.url is None} == {
        "openai-compatible",
        "vllm",
    }
