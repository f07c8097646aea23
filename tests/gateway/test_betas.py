"""Which betas a provider is asked for."""

from __future__ import annotations

import pytest

from gateway.betas import ALL, CALLED_BY_CLOUDS, named, taken
from gateway.config.vendors import VENDORS

OF_CLAUDE_CODE = (
    "claude-code-20250219",
    "interleaved-thinking-2025-05-14",
    "context-management-2025-06-27",
    "prompt-caching-scope-2026-01-05",
    "advanced-tool-use-2025-11-20",
)


@pytest.mark.parametrize(
    ("header", "found"),
    [("", ()), ("a-1", ("a-1",)), (" a-1,b-2 ,, c-3", ("a-1", "b-2", "c-3")), (" , ", ())],
)
def test_a_header_names_them_with_commas(header: str, found: tuple[str, ...]) -> None:
    assert named(header) == found


def test_those_are_asked_for_that_are_taken() -> None:
    betas = ("computer-use-2025-01-24", "effort-1", "a-1", "a-1")
    assert taken(betas, ("computer-use-*", "a-1", "b-2")) == ("computer-use-2025-01-24", "a-1")
    assert taken(betas, ()) == ()


def test_whoever_takes_all_takes_them_by_their_own_names() -> None:
    assert taken(OF_CLAUDE_CODE, ALL) == OF_CLAUDE_CODE


def test_clouds_have_another_name_for_one() -> None:
    ((name, other),) = CALLED_BY_CLOUDS.items()
    assert taken((name, other), (other,)) == (other,)
    assert taken((name,), (name, other)) == (name,)


@pytest.mark.parametrize("vendor", ["bedrock", "bedrock-claude", "vertex-claude"])
def test_what_claude_code_asks_anthropic_for_is_what_clouds_take_of_it(vendor: str) -> None:
    assert taken(OF_CLAUDE_CODE, VENDORS[vendor].betas or ()) == (
        "interleaved-thinking-2025-05-14",
        "context-management-2025-06-27",
        "tool-search-tool-2025-10-19",
    )
