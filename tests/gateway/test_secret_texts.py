"""Credentials in texts are blotted out; words that look a little like them are not."""

from __future__ import annotations

import pytest

from gateway.secret_texts import REDACTED, is_secret, redact


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
        (f"key dgm_{'a' * 16}_{'b' * 40} was", "b" * 40),
        ("ghp_0123456789abcdefghij0123", "ghp_0123456789abcdefghij0123"),
        ("https://example.com/token?a=b&key=hunter2&c=d", "hunter2"),
        ("https://example.com/?access_token=hunter2", "hunter2"),
        ("client_secret: hunter2", "hunter2"),
        ('secret_access_key: "hunter2"', "hunter2"),
        ('session_token: "hunter2"', "hunter2"),
        ('private_key { inline_string: "-----BEGIN\\nhunt\\"er2" }', "er2"),
        ('{"inline_bytes": "hunter2"}', "hunter2"),
        ('a text that was cut { inline_string: "hunter2', "hunter2"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln here", "eyJhbGciOi.eyJzdWIi.c2ln"),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert REDACTED in redact(text)


def test_of_what_envoy_refuses_only_the_reason_is_left() -> None:
    dump = 'goo.gle/debugstr  \nname: "a"\nkey: "x-api"\nvalue: "hunter2"\n'
    reason = "Proto constraint validation failed (ProviderName: value length must be 1)"
    said = f"listener a: {dump}: {reason}\nlistener b: {dump}: {reason}"
    assert redact(said) == (f"listener a: {REDACTED}: {reason}\nlistener b: {REDACTED}: {reason}")


def test_long_texts_take_no_longer_than_their_length() -> None:
    for text in ("goo.gle/debug" * 5_000, 'inline_string: "' * 5_000, " " * 50_000):
        assert redact(text)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Authorization", True),
        ("x-auth-token", True),
        ("api_key", True),
        ("apiKey", True),
        ("client-secret", True),
        ("Set-Cookie", True),
        ("x-tenant", False),
        ("max_tokens", False),
        ("api_keys", False),
        ("key", False),
    ],
)
def test_secrets_are_known_by_the_names_of_what_holds_them(name: str, is_one: bool) -> None:
    assert is_secret(name) is is_one


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


def test_headers_in_scripts_are_blotted_out_by_their_names() -> None:
    script = 'ipairs({{"x-team-token", "a\\"b"}, {"x-region", "eu"}})'
    assert redact(script) == 'ipairs({{"x-team-token", "[redacted]"}, {"x-region", "eu"}})'
