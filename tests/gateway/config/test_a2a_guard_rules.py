from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints

YAML = """
mcp: {servers: {m: {url: "http://m.example/mcp"}}}
a2a: {agents: {a: {url: "http://a.example"}}}
guardrails:
  - %s
"""


@pytest.mark.parametrize(
    "guard",
    [
        "{type: regex, patterns: [x], for: {a2a: a}}",
        '{type: regex, patterns: [x], for: {a2a: "*", key: "*"}, scope: [user]}',
        "{type: injection, for: {a2a: a}}",
        "{type: injection, for: {a2a: a}, phase: response, scope: [assistant]}",
        "{type: pii, action: mask, for: {a2a: a}, phase: both, scope: [assistant]}",
        "{type: max_length, characters: 5, for: {a2a: a}, phase: response}",
    ],
)
def test_guards_that_can_judge_are_taken(guard: str) -> None:
    assert complaints(YAML % guard) == []


@pytest.mark.parametrize(
    ("guard", "path"),
    [
        ("{type: json_schema, schema: {}, for: {a2a: a}}", "guardrails.0.type"),
        ("{type: secrets, action: tokenise, for: {a2a: a}}", "guardrails.0.action"),
        ("{type: injection, phase: response, for: {a2a: a}}", "guardrails.0"),
        ("{type: regex, patterns: [x], scope: [tool_input], for: {a2a: a}}", "guardrails.0.scope"),
        ("{type: regex, patterns: [x], for: {a2a: a, model: m}}", "guardrails.0.for.model"),
        ("{type: regex, patterns: [x], for: {a2a: a, mcp: m}}", "guardrails.0.for.mcp"),
        ("{type: regex, patterns: [x], for: {a2a: b}}", "guardrails.0.for.a2a"),
        (
            "{type: webhook, url: 'https://g.example', parallel: true, for: {a2a: a}}",
            "guardrails.0.parallel",
        ),
    ],
)
def test_those_that_would_do_nothing_are_told(guard: str, path: str) -> None:
    assert any(f" {path}: " in f" {each}" for each in complaints(YAML % guard))
