from __future__ import annotations

import pytest

from gateway.imported import Outcome
from tests.gateway.importers.litellm_files import finding, ours


def guard(params: str) -> str:
    """A file with one guard."""
    return f"guardrails:\n  - guardrail_name: g\n    litellm_params: {params}\n"


DENIES = [{"name": "missing-guard-g", "for": {"llm": "*"}, "deny": "true"}]


def test_patterns_and_words_become_a_guard_of_ours() -> None:
    found = ours(
        guard(
            "{guardrail: litellm_content_filter, mode: pre_call, default_on: true, patterns:"
            " [{pattern_type: regex, pattern: 'P-[0-9]+', name: code, action: MASK}],"
            " blocked_words: [{keyword: top secret, action: BLOCK}]}"
        )
    )
    assert found["guardrails"] == [
        {
            "type": "regex",
            "name": "g",
            "patterns": ["P-[0-9]+"],
            "action": "mask",
            "replacement": "[CODE_REDACTED]",
        },
        {"type": "regex", "name": "g-2", "patterns": [r"(?i)top\ secret"], "action": "block"},
    ]
    assert "authorize" not in found


@pytest.mark.parametrize(
    "params",
    [
        "{guardrail: presidio, mode: pre_call, default_on: true}",
        "{guardrail: bedrock, mode: pre_call, default_on: true}",
        "{guardrail: litellm_content_filter, default_on: true, categories: [{category: x}]}",
        "{guardrail: litellm_content_filter, default_on: true, blocked_words_file: x.yaml}",
        "{guardrail: litellm_content_filter, default_on: true,"
        " patterns: [{pattern_type: prebuilt, pattern_name: email}]}",
        "{guardrail: litellm_content_filter, default_on: true, patterns: [{pattern: '(?=a)'}]}",
        "{guardrail: litellm_content_filter, default_on: true, mode: post_call}",
    ],
)
def test_a_guard_for_all_requests_that_is_not_whole_refuses_them(params: str) -> None:
    assert ours(guard(params))["authorize"] == DENIES


@pytest.mark.parametrize("kind", ["bedrock", "openai_moderation"])
@pytest.mark.parametrize(
    ("mode", "read"),
    [
        ("pre_call", {}),
        ("during_call", {"parallel": True}),
        ("post_call", {"phase": "response"}),
        ("[pre_call, post_call]", {"phase": "both"}),
        ("[during_call, post_call]", {"phase": "both", "parallel": True}),
    ],
)
def test_a_service_is_asked_when_theirs_was(kind: str, mode: str, read: dict[str, object]) -> None:
    text = guard(
        f"{{guardrail: {kind}, mode: {mode}, default_on: true, guardrailIdentifier: id,"
        " guardrailVersion: 1, aws_region_name: us-east-1, api_key: os.environ/K}"
    )
    (block,) = ours(text)["guardrails"]
    assert block["on_error"] == "block"
    assert {name: block[name] for name in ("phase", "parallel") if name in block} == read
    assert "authorize" not in ours(text)
    assert finding(text, "guardrails.0.litellm_params.guardrail").is_security


def test_a_guard_that_requests_have_to_name_is_left_out() -> None:
    text = guard("{guardrail: lakera, mode: pre_call}")
    assert "authorize" not in ours(text)
    found = finding(text, "guardrails.0")
    assert (found.outcome, found.is_security) == (Outcome.UNSUPPORTED, True)


def test_patterns_that_requests_have_to_name_are_asked_of_all() -> None:
    text = guard(
        "{guardrail: litellm_content_filter, patterns: [{pattern: x, pattern_type: regex}]}"
    )
    assert [block["patterns"] for block in ours(text)["guardrails"]] == [["x"]]
    assert "about all" in finding(text, "guardrails.0.litellm_params.guardrail").note


def test_what_only_logs_guards_nothing() -> None:
    text = guard("{guardrail: presidio, mode: logging_only, default_on: true}")
    assert "authorize" not in ours(text)


def test_a_filter_of_which_nothing_can_be_had_is_not_said_to_be_there() -> None:
    text = """
        model_list: [{model_name: a, litellm_params: {model: groq/a}}]
        guardrails:
          - guardrail_name: g
            litellm_params:
              guardrail: litellm_content_filter
              mode: pre_call
              categories: [{category: violence, enabled: true}]
    """
    assert "guardrails" not in ours(text)
    found = finding(text, "guardrails.0.litellm_params.guardrail")
    assert found.outcome is Outcome.UNSUPPORTED
    assert found.is_security
