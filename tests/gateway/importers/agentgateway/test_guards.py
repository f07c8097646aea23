"""Prompt guards of theirs → `guardrails`."""

from __future__ import annotations

import pytest
import re2

from gateway.importers.agentgateway.guards import BUILTINS, read_prompt_guard
from tests.gateway.importers.agentgateway.imports import answers, node


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ssn", "my number is 123-45-6789."),
        ("ssn", "123456789"),
        ("creditCard", "4111 1111 1111 1111"),
        ("creditCard", "4111111111111111"),
        ("phoneNumber", "call +1 (415) 555-2671 now"),
        ("phoneNumber", "call 415-555-2671"),
        ("email", "a.b+c@mail.example.co.uk"),
        ("caSin", "046 454 286"),
    ],
)
def test_a_builtin_finds_what_it_is_named_after(name: str, found: str) -> None:
    assert re2.search(BUILTINS[name][0], found)


@pytest.mark.parametrize("name", BUILTINS)
def test_a_builtin_leaves_prose_alone(name: str) -> None:
    assert not re2.search(BUILTINS[name][0], "In 2024, 12 of 30 models at home cost 5.")


def read(text: str) -> tuple[tuple[str, ...], list[dict[str, object]]]:
    top, draft = node(text)
    return read_prompt_guard(top, draft, is_for_all=True), draft.guards


def test_masks_write_what_theirs_writes() -> None:
    locks, guards = read(
        "{request: [{regex: {rules: [{builtin: email}, {pattern: a+}, {pattern: b}]}}]}"
    )
    assert locks == ()
    assert [(each["action"], each["replacement"], each["patterns"]) for each in guards] == [
        ("mask", "<EMAIL_ADDRESS>", [BUILTINS["email"][0]]),
        ("mask", "<masked>", ["a+", "b"]),
    ]


def test_a_rejection_of_one_line_is_what_clients_are_told() -> None:
    rules = "regex: {action: reject, rules: [{pattern: a}, {builtin: ssn}]}"
    _, guards = read(f"{{request: [{{{rules}, rejection: {{body: not so}}}}]}}")
    assert guards == [
        {
            "type": "regex",
            "name": "patterns-1",
            "patterns": ["a", BUILTINS["ssn"][0]],
            "action": "block",
            "message": "not so",
        }
    ]
    _, guards = read(f'{{request: [{{{rules}, rejection: {{body: "a\\nb"}}}}]}}')
    assert "message" not in guards[0]


@pytest.mark.parametrize(
    "guard",
    [
        "request: [{webhook: {target: {host: 'a:1'}}}]",
        "request: [{openAIModeration: {}}]",
        "request: [{bedrockGuardrails: {guardrailIdentifier: a}}]",
        "request: [{googleModelArmor: {templateId: a}}]",
        "request: [{azureContentSafety: {endpoint: a}}]",
        "request: [{unheard: {}}]",
        "request: [{}]",
        "request: [{regex: {rules: [{pattern: 'a(?=b)'}]}}]",
        "request: [{regex: {rules: [{pattern: 'a*'}]}}]",
        "request: [{regex: {rules: [{pattern: '('}]}}]",
        "request: [{regex: {rules: [{builtin: passport}]}}]",
        "response: [{regex: {rules: [{builtin: ssn}]}}]",
    ],
)
def test_what_cannot_be_guarded_is_a_lock(guard: str) -> None:
    locks, _ = read(f"{{{guard}}}")
    assert locks


def test_no_guards_lock_nothing() -> None:
    assert read("{}")[0] == ()
    assert read("{request: [], response: []}")[0] == ()


def test_an_action_that_we_do_not_know_may_keep_something_out_and_audit_does_not() -> None:
    top, draft = node("{request: [{regex: {action: warn, rules: []}}]}")
    assert read_prompt_guard(top, draft, is_for_all=True) == ("promptGuard.regex",)
    assert answers(top)["request.0.regex"].is_security
    top, draft = node("{request: [{regex: {action: audit, rules: [{builtin: email}]}}]}")
    assert read_prompt_guard(top, draft, is_for_all=True) == ()
    assert draft.guards == []


def test_the_message_of_a_refusal_is_taken_out_of_an_openai_error() -> None:
    error = '{"error": {"message": "no secrets, please", "type": "invalid_request_error"}}'
    top, draft = node(
        "{request: [{regex: {action: reject, rules: [{builtin: email}]}, rejection: {body: '"
        f"{error}'}}}}]}}"
    )
    read_prompt_guard(top, draft, is_for_all=True)
    assert draft.guards[0]["message"] == "no secrets, please"


def test_classes_are_named_as_ascii() -> None:
    top, draft = node("{request: [{regex: {rules: [{pattern: '\\d+'}, {pattern: 'x'}]}}]}")
    read_prompt_guard(top, draft, is_for_all=True)
    said = answers(top)
    assert "ASCII" in said["request.0.regex.rules.0.pattern"].note
    assert not said["request.0.regex.rules.1.pattern"].note
