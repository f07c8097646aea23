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


HEADERS = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,FAKE00\n\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n"])
def test_a_key_that_breaks_off_is_found_past_its_headers(newline: str) -> None:
    cut = f"-----BEGIN RSA PRIVATE KEY-----\n{HEADERS}{LINES}".replace("\n", newline)
    assert found(f"{cut}: more", [Kind.PRIVATE_KEY]) == [f"private_key {cut}"]


def test_long_keys_and_tokens_are_found_to_their_end() -> None:
    line = f"{'FAKEfake' * 8}\n"
    whole = f"-----BEGIN PRIVATE KEY-----\n{line * 500}-----END PRIVATE KEY-----"
    cut = f"-----BEGIN PRIVATE KEY-----\n{line * 2000}"
    token = f"{JWT}{'FAKE' * 6000}"
    for kind, value in ((Kind.PRIVATE_KEY, whole), (Kind.PRIVATE_KEY, cut), (Kind.JWT, token)):
        assert found(f"{value}: more", [kind]) == [f"{kind} {value}"]


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
