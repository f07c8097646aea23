"""Limits that could never count anything are mistakes."""

from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints

ROUTES = """
routes:
  - {name: open, backend: "http://a", match: {path: {prefix: /o}}, auth: none}
  - {name: keyed, backend: "http://a", match: {path: {prefix: /k}}}
"""


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        (
            "for: {route: keyed, llm: '*'}, requests: 1/s",
            "limits.0.for.llm: a plain route has no llm",
        ),
        (
            "for: {route: '*', model: '*'}, requests: 1/s",
            "limits.0.for.model: a plain route has no",
        ),
        ("for: {route: keyed}, tokens: 1/s", "limits.0.tokens: what passes through a plain route"),
        (
            "for: {route: open, key: '*'}, requests: 1/s",
            "limits.0.for.key: the route 'open' is open",
        ),
        ("for: {route: opn}, requests: 1/s", "limits.0.for.route: no route 'opn'"),
        ("for: {key: nobody}, requests: 1/s", "limits.0.for.key: no key 'nobody'"),
    ],
)
def test_who_can_count_nothing_is_told(block: str, complaint: str) -> None:
    (found,) = complaints(f"limits: [{{name: l, {block}}}]\n{ROUTES}")
    assert found.startswith(complaint)


def test_the_rest_is_right() -> None:
    assert not complaints(f"limits: [{{name: l, for: {{route: open}}, requests: 1/s}}]\n{ROUTES}")
    assert not complaints(f"limits: [{{name: l, for: {{route: '*'}}, requests: 1/s}}]\n{ROUTES}")


def test_names_are_unique() -> None:
    (found,) = complaints("limits: [{name: l, requests: 1/s}, {name: l, requests: 1/s}]")
    assert found == "limits.1.name: the name 'l' is taken"
