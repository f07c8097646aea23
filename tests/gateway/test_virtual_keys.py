"""A key is known by its id, and opened by its secret alone."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Budget, Period, Scope, Span, Unit
from gateway.virtual_keys import (
    HashedSecret,
    OwnBudget,
    Parts,
    VirtualKey,
    from_json,
    hashed,
    in_letters,
    parse,
    to_json,
    written,
)

NOW = 1_800_000_000
PARTS = Parts(in_letters(b"0123456789"), in_letters(b"a secret of 25 bytes here"))
SECRET = hashed(PARTS.secret, b"16 bytes of salt")
KEY = VirtualKey(PARTS.id, "ann", (SECRET,), NOW)


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=25, max_size=25))
def test_what_is_written_is_read_again(id: bytes, secret: bytes) -> None:
    parts = Parts(in_letters(id), in_letters(secret))
    assert parse(written(parts)) == parts
    assert len(written(parts)) == 61


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-1234",
        written(PARTS).upper(),
        written(PARTS)[:-1],
        written(PARTS) + "a",
        written(PARTS)[:-1] + "\n",
        written(PARTS)[:-1] + "1",
        written(PARTS).replace("dgm_", "dgm-"),
        "dgm_" + "ä" * 57,
    ],
)
def test_nothing_else_is_a_key_of_ours(text: str) -> None:
    assert parse(text) is None


def test_only_the_salted_hash_of_a_secret_is_kept() -> None:
    assert SECRET.salt == b"16 bytes of salt".hex()
    expected = hashlib.sha256(b"16 bytes of salt" + PARTS.secret.encode()).hexdigest()
    assert SECRET.digest == expected
    assert PARTS.secret not in to_json(KEY).decode()
    assert hashed(PARTS.secret, b"another sixteen!").digest != SECRET.digest


def test_its_secret_opens_it_and_no_other() -> None:
    assert KEY.accepts(PARTS.secret, NOW)
    assert not KEY.accepts(in_letters(b"another of 25 bytes here!"), NOW)
    assert not KEY.accepts("", NOW)
    assert not KEY.accepts(SECRET.digest, NOW)


def test_two_secrets_open_it_until_the_older_ends() -> None:
    old = HashedSecret(SECRET.salt, SECRET.digest, until=NOW + 10)
    new = in_letters(b"another of 25 bytes here!")
    key = msgspec.structs.replace(KEY, secrets=(hashed(new, b"salt"), old))
    assert key.accepts(PARTS.secret, NOW + 9)
    assert not key.accepts(PARTS.secret, NOW + 10)
    assert key.accepts(new, NOW + 10)


@pytest.mark.parametrize(
    ("changes", "is_valid"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"revoked": NOW - 1}, False),
        ({"expires": NOW}, False),
        ({"expires": NOW + 1}, True),
    ],
)
def test_it_is_valid_until_somebody_or_time_ends_it(
    changes: dict[str, object], is_valid: bool
) -> None:
    assert msgspec.structs.replace(KEY, **changes).is_valid(NOW) is is_valid


def test_policies_are_told_who_holds_it_and_what_it_opens() -> None:
    budget = OwnBudget(Unit.TOKENS, 100, Period.DAY)
    key = msgspec.structs.replace(
        KEY, user="u", team="t", groups=("g",), tags={"a": "b"}, budgets=(budget,)
    )
    holder = key.holder()
    assert (holder.name, holder.user, holder.team) == ("ann", "u", "t")
    assert (holder.groups, holder.tags) == (("g",), (("a", "b"),))
    name = f"key:{PARTS.id}:day"
    assert key.own_budgets() == (Budget(name, Scope(), Unit.TOKENS, 100, Span(Period.DAY)),)


def test_its_budgets_may_be_soft_and_somebody_told_of_them() -> None:
    budget = OwnBudget(Unit.TOKENS, 100, Period.DAY, is_soft=True, alerts=(500, 1000))
    key = msgspec.structs.replace(KEY, budgets=(budget,))
    (found,) = key.own_budgets()
    assert (found.is_soft, found.alerts) == (True, (500, 1000))
    assert from_json(to_json(key)) == key


def test_a_line_of_json_is_the_whole_key() -> None:
    key = msgspec.structs.replace(
        KEY, tags={"a": "b"}, budgets=(OwnBudget(Unit.NANODOLLARS, 5, Period.TOTAL),), expires=NOW
    )
    assert from_json(to_json(key)) == key
    assert b"\n" not in to_json(key)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"created"', b'"agents":["a"],"created"'),
        (PARTS.id.encode(), b"short"),
        (SECRET.salt.encode(), b"no hex"),
        (SECRET.digest.encode(), b"00"),
    ],
)
def test_what_is_not_understood_is_no_key(before: bytes, after: bytes) -> None:
    """A restriction that a reader does not know must not be overlooked."""
    line = to_json(KEY)
    assert before in line
    with pytest.raises(msgspec.DecodeError):
        from_json(line.replace(before, after))


def test_its_budgets_roll_or_begin_anew_where_they_say() -> None:
    rolling = OwnBudget(Unit.TOKENS, 5, Period.ROLLING, seconds=86_400)
    there = OwnBudget(Unit.TOKENS, 7, Period.DAY, time_zone="Europe/Berlin")
    key = msgspec.structs.replace(KEY, budgets=(rolling, there))
    assert [(each.name, each.span) for each in key.own_budgets()] == [
        (f"key:{PARTS.id}:rolling-1d", Span(Period.ROLLING, seconds=86_400)),
        (f"key:{PARTS.id}:day", Span(Period.DAY, "Europe/Berlin")),
    ]
    assert from_json(to_json(key)) == key
