from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints

YAML = """
mcp: {servers: {a: {url: "http://a.example/mcp"}}}
guardrails:
  - %s
"""


@pytest.mark.parametrize(
    "guard",
    [
        "{type: regex, patterns: [x], for: {mcp: a}}",
        "{type: secrets, action: tokenise, for: {mcp: a}}",
        '{type: regex, patterns: [x], for: {mcp: "*", key: "*"}, scope: [tool_input]}',
        "{type: injection, for: {mcp: a}, phase: response}",
        "{type: injection, for: {mcp: a}, phase: both}",
        "{type: pii, action: mask, for: {mcp: a}, phase: both, scope: [tool_output]}",
        "{type: max_length, characters: 5, for: {mcp: a}, phase: response}",
        "{type: injection, for: {mcp: a}, phase: response, scope: [tool_definition]}",
        "{type: regex, patterns: [x], for: {mcp: a}, phase: both, scope: [instructions]}",
        "{type: regex, patterns: [x], scope: [instructions, user]}",
    ],
)
def test_guards_that_can_judge_are_taken(guard: str) -> None:
    assert complaints(YAML % guard) == []


@pytest.mark.parametrize(
    ("guard", "path"),
    [
        ("{type: json_schema, schema: {}, for: {mcp: a}}", "guardrails.0"),
        (
            "{type: webhook, url: 'http://g.example', parallel: true, for: {mcp: a}}",
            "guardrails.0.parallel",
        ),
        ("{type: injection, for: {mcp: a}}", "guardrails.0"),
        ("{type: regex, patterns: [x], scope: [user], for: {mcp: a}}", "guardrails.0.scope"),
        ("{type: regex, patterns: [x], for: {mcp: a, model: m}}", "guardrails.0.for.model"),
        ("{type: injection, scope: [tool_definition]}", "guardrails.0.scope"),
        (
            "{type: regex, patterns: [x], scope: [instructions], for: {mcp: a}}",
            "guardrails.0.scope",
        ),
    ],
)
def test_those_that_would_do_nothing_are_told(guard: str, path: str) -> None:
    assert any(f" {path}: " in f" {each}" for each in complaints(YAML % guard))
