"""What is added to bodies: fields, and marks of the vendors that have them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from extproc.llm.additions import added, for_provider
from extproc.llm.prompts import joined
from gateway.model import Dialect, Provider
from gateway.shaping import CacheMarks, Fields
from tests.kit.gateways import golden_gateway

PROVIDER = golden_gateway("llm-single").providers[0]
MARKS = CacheMarks(system=True, min_tokens=1)


def provider(vendor: str = "openai", **fields: Any) -> Provider:
    return dataclasses.replace(PROVIDER, vendor=vendor, fields=Fields(**fields))


def test_a_provider_without_additions_has_none() -> None:
    assert for_provider(provider(), Dialect.OPENAI_CHAT, None) == ""
    assert for_provider(provider(overrides=(("a", "1"),)), None, MARKS) == ""
    assert added(b'{"a":1}', "", Dialect.OPENAI_CHAT) == b'{"a":1}'


def test_only_openai_is_told_a_key() -> None:
    body = b'{"messages":[{"role":"system","content":"be nice"}]}'
    for vendor, has_key in (("openai", True), ("azure-openai", True), ("groq", False)):
        additions = for_provider(provider(vendor), Dialect.OPENAI_CHAT, MARKS)
        assert (b"prompt_cache_key" in added(body, additions, Dialect.OPENAI_CHAT)) is has_key


def test_fields_and_marks_are_both_added() -> None:
    told = provider("anthropic", defaults=(("service_tier", '"auto"'),))
    additions = for_provider(told, Dialect.ANTHROPIC, MARKS)
    found = json.loads(added(b'{"system":"be nice"}', additions, Dialect.ANTHROPIC))
    assert found["service_tier"] == "auto"
    assert found["system"][0]["cache_control"] == {"type": "ephemeral"}


def test_gemini_has_no_marks() -> None:
    assert for_provider(provider("gemini"), Dialect.GEMINI, MARKS) == ""


def test_texts_are_joined_with_nothing_where_there_is_nothing() -> None:
    assert joined("", "a", "", "b") == "a\n\nb"
