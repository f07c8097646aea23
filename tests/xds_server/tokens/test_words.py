from __future__ import annotations

import pytest

from xds_server.tokens.words import NoToken, document, lifetime, refusal, token


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(3599, 3599.0), ("86000", 86000.0), (None, 60.0), ("soon", 60.0), (-1, 60.0), ([], 60.0)],
)
def test_a_lifetime_is_a_number_however_it_is_written(said: object, seconds: float) -> None:
    assert lifetime(said) == seconds


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            b'{"error": "invalid_grant", "error_description": "hunter2"}',
            "answered 400: invalid_grant",
        ),
        (b'{"error": {"status": "UNAUTHENTICATED"}}', "answered 400: UNAUTHENTICATED"),
        (b"<html>", "answered 400"),
        (b'{"error": "Bearer hunter2"}', "answered 400: Bearer [redacted]"),
    ],
)
def test_a_refusal_says_what_may_be_shown(body: bytes, why: str) -> None:
    assert str(refusal(400, body)) == why


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff"])
def test_what_is_no_object_holds_no_token(body: bytes) -> None:
    with pytest.raises(NoToken):
        document(body)
    with pytest.raises(NoToken):
        token({})
