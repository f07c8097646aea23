from __future__ import annotations

import string

from gateway.config.urls import place
from gateway.config.vendors import VENDORS
from gateway.model import BodyForm, dialect_of

FILLED = {
    "vertex_host": "h",
    "azure_project": "",
    "region": "r",
    "project": "p",
    "resource": "s",
}


def test_every_known_address_is_a_base_url_without_a_slash_at_its_end() -> None:
    for vendor in VENDORS.values():
        if vendor.url is not None:
            assert place(vendor.url.format(**FILLED)).authority
            assert not vendor.url.endswith("/")


def test_what_stands_in_an_address_has_to_be_written() -> None:
    for name, vendor in VENDORS.items():
        fields = {field for _, field, _, _ in string.Formatter().parse(vendor.url or "") if field}
        assert fields - {"vertex_host", "azure_project"} <= set(vendor.needs), name


def test_every_vendor_but_the_custom_one_offers_conversations_first() -> None:
    for name, vendor in VENDORS.items():
        if name != "custom":
            assert dialect_of(vendor.offers[0][0]) is not None, name
        assert len(dict(vendor.offers)) == len(vendor.offers), name
        assert all(path.startswith("/") for _, path in vendor.offers), name


def test_claude_elsewhere_is_asked_in_the_form_of_that_place() -> None:
    forms = {name: each.body_form for name, each in VENDORS.items()}
    assert {name for name, form in forms.items() if form is not BodyForm.PLAIN} == {
        "bedrock-claude",
        "vertex-claude",
    }


def test_vendors_without_an_address_are_those_that_have_none() -> None:
    assert {name for name, vendor in VENDORS.items() if vendor.url is None} == {
        "anthropic-compatible",
        "custom",
        "openai-compatible",
        "sglang",
        "vllm",
    }
