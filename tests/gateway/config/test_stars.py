from __future__ import annotations

import pytest

from gateway.config.stars import matches


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("local/*", "local/llama", True),
        ("local/*", "local/", True),
        ("*", "", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abde", False),
        ("gpt-5", "gpt-5", True),
        ("gpt-5", "gpt-5-mini", False),
        ("g[a-z]*", "gpt", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_does(
    pattern: str, value: str, expected: bool
) -> None:
    assert matches(pattern, value) is expected
