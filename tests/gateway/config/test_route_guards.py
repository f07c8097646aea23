from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.resolve import resolve
from tests.gateway.config.loading import complaints

YAML = """
identity: {api_keys: {keys: [{name: ann, key: k}]}}
routes:
  - {name: r, match: {path: {prefix: /r}}, backend: "http://r.example"}
  - {name: open, match: {path: {prefix: /o}}, backend: "http://o.example", auth: none}
  - {name: other, match: {path: {prefix: /x}}, backend: "http://x.example", auth: none}
guardrails:
  - %s
"""


@pytest.mark.parametrize(
    "guard",
    [
        "{type: regex, patterns: [x], for: {route: r}}",
        '{type: regex, patterns: [x], for: {route: "*", key: "*"}, scope: [user, system]}',
        "{type: injection, for: {route: open}}",
        "{type: pii, action: mask, for: {route: r}}",
        '{type: webhook, url: "http://g.example", for: {route: r}}',
        "{type: max_length, characters: 5, for: {route: r}}",
        "{type: regex, patterns: [x], phase: both, for: {route: r}}",
        "{type: secrets, phase: response, scope: [assistant], for: {route: r}}",
        "{type: secrets, action: tokenise, for: {route: r}}",
        "{type: injection, phase: response, for: {route: open}}",
    ],
)
def test_guards_that_can_judge_are_taken(guard: str) -> None:
    assert complaints(YAML % guard) == []


@pytest.mark.parametrize(
    ("guard", "path"),
    [
        ("{type: json_schema, schema: {}, for: {route: r}}", "guardrails.0.type"),
        (
            "{type: regex, patterns: [x], phase: response, scope: [user], for: {route: r}}",
            "guardrails.0.scope",
        ),
        (
            "{type: regex, patterns: [x], phase: both, scope: [reasoning], for: {route: r}}",
            "guardrails.0.scope",
        ),
        ("{type: regex, patterns: [x], scope: [system], for: {route: r}}", "guardrails.0.scope"),
        ('{type: regex, patterns: [x], for: {route: r, model: "*"}}', "guardrails.0.for.model"),
        ("{type: regex, patterns: [x], for: {route: no}}", "guardrails.0.for.route"),
        ("{type: regex, patterns: [x], for: {route: open, key: ann}}", "guardrails.0.for.key"),
        (
            '{type: webhook, url: "http://g.example", parallel: true, for: {route: r}}',
            "guardrails.0.parallel",
        ),
    ],
)
def test_guards_that_cannot_are_problems(guard: str, path: str) -> None:
    assert any(each.startswith(path) for each in complaints(YAML % guard))


@pytest.mark.parametrize(
    ("who", "guarded"),
    [
        ("{route: r}", ["r"]),
        ('{route: "*"}', ["r", "open", "other"]),
        ('{route: "o*"}', ["open", "other"]),
        ('{route: "*", key: ann}', ["r"]),
        ("{}", []),
    ],
)
def test_routes_are_read_whose_requests_a_guard_may_be_for(who: str, guarded: list[str]) -> None:
    config = load(
        YAML % f"{{type: regex, patterns: [x], for: {who}}}", file="a.yaml", environment={}
    )
    assert not isinstance(config, tuple), config
    gateway = resolve(config)
    assert [each.name for each in gateway.routes if each.guarded.requests] == guarded
    assert not any(each.guarded.answers for each in gateway.routes)
    assert len(gateway.route_guards) == bool(guarded)
    assert len(gateway.guards) == (not guarded)


@pytest.mark.parametrize(
    ("guard", "requests", "answers"),
    [
        ("type: pii, phase: request", True, False),
        ("type: pii, phase: response", False, True),
        ("type: pii, phase: both", True, True),
        ("type: pii, action: tokenise", True, True),
        ("type: pii, action: tokenise, mode: audit", True, False),
    ],
)
def test_answers_are_read_where_a_guard_may_be_for_them(
    guard: str, requests: bool, answers: bool
) -> None:
    config = load(YAML % f"{{{guard}, for: {{route: r}}}}", file="a.yaml", environment={})
    assert not isinstance(config, tuple), config
    route, other, _ = resolve(config).routes
    assert route.guarded == (requests, answers)
    assert not any(other.guarded)
