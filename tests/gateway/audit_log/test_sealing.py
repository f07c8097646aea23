"""Seals are HMAC-SHA256 over lines."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from gateway.audit_log.sealing import SHORTEST_KEY, SealingKey, by_id, is_right, key_of

SECRET = b"0123456789abcdef" * 2
KEY = SealingKey(SECRET)
LINE = b'{"writer":"w","seq":1}'


def test_a_seal_is_what_anybody_with_the_key_would_compute() -> None:
    record = json.loads(KEY.sealed(LINE))
    expected = hmac.new(SECRET, b"record\n" + LINE, hashlib.sha256).hexdigest()
    assert record == {"writer": "w", "seq": 1, "seal": expected}
    assert is_right(KEY.sealed(LINE), KEY)


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        KEY.sealed(LINE).replace(b"1", b"2", 1),
        KEY.sealed(LINE)[:-3] + b'"}',
        KEY.sealed(LINE) + b" ",
        SealingKey(b"another" * 5).sealed(LINE),
    ],
)
def test_any_other_is_wrong(line: bytes) -> None:
    assert not is_right(line, KEY)


def test_seals_of_heads_are_none_of_records() -> None:
    assert KEY.seal(b"head", LINE) != KEY.seal(b"record", LINE)


def test_its_name_tells_nothing_of_it() -> None:
    assert KEY.id not in SECRET.decode()
    assert "0123456789" not in repr(KEY)
    assert by_id([KEY]) == {KEY.id: KEY}


def test_a_key_is_read_without_the_space_around_it_and_may_not_be_short() -> None:
    assert key_of(f"\n{SECRET.decode()}\n") == KEY
    assert key_of("x" * (SHORTEST_KEY - 1)) is None
