from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints, problems


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("routs: []", "routs: unknown key 'routs'"),
        ("gateways: {a: {}}", "gateways.a.port: is required"),
        ("gateways: []", "gateways: must be a block of keys and values"),
        ("llm: 3", "llm: must be a block of keys and values"),
        ("routes: {}", "routes: must be a list"),
        ("[]", ": must be a block of keys and values"),
        ("admin: {address: 3}", "admin.address: must be text"),
        ("admin: {address: [a]}", "admin.address: must be text"),
        ("gateways: {a b: {port: 1}}", "gateways.a b: must be a name"),
        (
            "budgets: [{name: a, limit: 1 USD, per: year}]",
            "budgets.0.per: must be one of hour, day, week, month, total, not 'year'",
        ),
    ],
)
def test_messages_are_ours(text: str, complaint: str) -> None:
    assert complaints(text) == [complaint]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("routs: []", "did you mean 'routes'?"),
        ("llm: {providers: {a: {typ: openai, type: openai}}}", "did you mean 'type'?"),
        ("llm: {models: {a: {fail_over: []}}}", "did you mean 'failover'?"),
        ("guardrails: [{type: regex, patterns: [a], acton: mask}]", "did you mean 'action'?"),
        ("routes: [{name: a, backend: 'http://a', match: {paths: {}}}]", "did you mean 'path'?"),
        ("authorize: [{name: a, fro: {}, allow: 'true'}]", "did you mean 'for'?"),
        ("budgets: [{name: a, limit: 1 USD, per: days}]", "did you mean 'day'?"),
        ("budgets: [{name: 3, limit: 1 USD, per: day}]", "put it in quotes"),
    ],
)
def test_hints_say_what_to_do(text: str, hint: str) -> None:
    assert hint in [each.hint for each in problems(text)]


def test_what_was_written_is_shown_before_variables_are_replaced() -> None:
    (problem,) = problems("gateways: {a: {port: '${X}'}}", X="hunter2")
    assert problem.message == "must be a whole number, not '${X}'"


def test_long_text_is_cut_and_lines_are_joined() -> None:
    (problem,) = problems(f"admin:\n  address: |\n    a\n    {'b' * 100}\n")
    assert problem.message == f"must be a host and a port, not 'a {'b' * 58}…'"
