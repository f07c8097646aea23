"""What no guard reads is no surprise."""

from __future__ import annotations

import pytest

from gateway.config.check import warnings
from tests.gateway.config.loading import loaded

LLM = """
llm:
  providers: {o: {type: openai, auth: {type: none}}}
  models: {talk: o/gpt-5, %s}
"""
GUARD = "guardrails: [{type: regex, patterns: [a]%s}]"


def warned(text: str) -> list[str]:
    return [each.path for each in warnings(loaded(text)) if "guards read" in each.message]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("  stored_at: [o]", "llm.stored_at"),
        ("  unknown_paths: o", "llm.unknown_paths"),
    ],
)
def test_what_passes_unread_beside_a_guard_is_warned_of(more: str, path: str) -> None:
    text = LLM % "" + more
    assert warned(f"{text}\n{GUARD % ''}") == [path]
    assert warned(text) == []
    for other in (", phase: response", ", for: {mcp: '*'}", ", for: {route: '*'}"):
        assert path not in warned(f"{text}\n{GUARD % other}")


@pytest.mark.parametrize(
    "model",
    ["live: o/gpt-realtime", "gpt-realtime: {provider: o}", "l: {failover: [o/gpt-Realtime-2]}"],
)
def test_so_are_models_that_are_asked_in_websockets(model: str) -> None:
    text = LLM % model
    name = model.partition(":")[0]
    assert warned(f"{text}{GUARD % ''}") == [f"llm.models.{name}"]
    assert warned(text) == []


def test_a_guard_alone_is_fine() -> None:
    assert warned(LLM % "" + GUARD % "") == []
