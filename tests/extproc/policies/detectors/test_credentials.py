from __future__ import annotations

import pytest

from gateway.kinds import Kind
from tests.kit.detections import found

JWT = "eyJhbGciOiJub25lIn0.eyJmYWtlIjoxfQ."
LINES = "FAKEFAKEFAKE\nFAKEFAKEFAKE\n"
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{LINES}-----END RSA PRIVATE KEY-----"


def test_a_private_key_is_found_to_its_last_line() -> None:
    assert found(f"my key\n{KEY}\nthanks", [Kind.PRIVATE_KEY]) == [f"private_key {KEY}"]
    assert found(f"{KEY}{KEY}", [Kind.PRIVATE_KEY]) == [f"private_key {KEY}"] * 2


def test_a_key_that_breaks_off_is_found_as_far_as_it_goes() -> None:
    cut = f"-----BEGIN PRIVATE KEY-----\n{LINES}"
    assert found(f"{cut}{KEY}", [Kind.PRIVATE_KEY]) == [f"private_key {cut}", f"private_key {KEY}"]


def test_a_token_is_one_when_its_header_can_be_decoded() -> None:
    assert found(f"bearer={JWT} x", [Kind.JWT]) == [f"jwt {JWT}"]
    assert found("eyJub3QiOiJhIGp3dCJ9.eyJhIjoxfQ.abc", [Kind.JWT]) == []
    assert found("eyJhbGciOiJub25lIn0. and so on", [Kind.JWT]) == []


def test_the_password_of_a_url_is_found_without_the_url() -> None:
    assert found("postgres://app:FAKE-pw@db.example/x", [Kind.URL_PASSWORD]) == [
        "url_password FAKE-pw"
    ]
    assert found("http://example.com:8080/a@b", [Kind.URL_PASSWORD]) == []
    assert found("postgres://app:${PASSWORD}@db.example/x", [Kind.URL_PASSWORD]) == []


@pytest.mark.parametrize(
    "text",
    [
        "password: fake-hunter2.",
        'api_key = "fake-hunter2"',
        "my password is fake-hunter2",
        "Das Passwort lautet fake-hunter2",
        "token=fake-hunter2&x=1",
        '{"client_secret":"fake-hunter2"}',
    ],
)
def test_what_is_called_a_password_is_one(text: str) -> None:
    assert found(text, [Kind.PASSWORD]) == ["password fake-hunter2"]


@pytest.mark.parametrize(
    "text",
    [
        "password: ${PASSWORD}",
        "password = os.environ['PASSWORD2']",
        "token = get_token2()",
        "password = settings.db.password1",
        "max_tokens: 4096",
        "password is required",
        "api_key: <your-key-1>",
        'password: "********"',
        "secret: patience",
    ],
)
def test_placeholders_code_and_words_are_none(text: str) -> None:
    assert found(text, [Kind.PASSWORD]) == []


def test_what_bears_a_token_is_found() -> None:
    assert found("Authorization: Bearer FAKE0123456789abcdef", [Kind.PASSWORD]) == [
        "password FAKE0123456789abcdef"
    ]
    assert found("bearer of extraordinarily-bad-news", [Kind.PASSWORD]) == []
