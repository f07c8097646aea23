"""Credentials in texts are blotted out; words that look a little like them are not."""

from __future__ import annotations

import pytest

from gateway.secret_texts import REDACTED, redact


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("authorization: Bearer abc.def-123", "abc.def-123"),
        ('{"authorization": "bearer s3cr3t"}', "s3cr3t"),
        ("key sk-proj-Abc_123456 was refused", "sk-proj-Abc_123456"),
        ("gsk_abcdef123456", "gsk_abcdef123456"),
        ("x-api-key: hunter2", "hunter2"),
        ('"api_key": "hunter2"', "hunter2"),
        ("apikey=hunter2&x=1", "hunter2"),
        ("postgresql password=hunter2 host=db", "hunter2"),
        ("AIzaSyA1234567890abcdefghijk", "AIzaSyA1234567890abcdefghijk"),
        ("ghp_0123456789abcdefghij0123", "ghp_0123456789abcdefghij0123"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln here", "eyJhbGciOi.eyJzdWIi.c2ln"),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "denied by 'finance-tools'",
        "cluster dragoman_extproc has no hosts",
        "task-runner risk-assessment disk-usage-report",
        "model gpt-5-mini used 1200 tokens",
        "invalid_api_key",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text
