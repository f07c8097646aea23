"""Lines of password files, and of group files."""

from __future__ import annotations

import pytest

from gateway.passwords import Entry, Scheme, cost_of, entries, members, mistake_in, scheme_of

BCRYPT = "$2y$05$6R5o31.GJsCdzHvbO68yq.0vBQp9v.eBG6OdYDRYZceE7n2gF64QK"
APR1 = "$apr1$QgRQkTvO$R9x6XTUsCwwdeetsjxTYj."
SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


@pytest.mark.parametrize(
    ("hashed", "scheme"),
    [
        (BCRYPT, Scheme.BCRYPT),
        (BCRYPT.replace("2y", "2b"), Scheme.BCRYPT),
        (APR1, Scheme.APR1),
        (SHA, Scheme.SHA),
        (BCRYPT[:-1], None),
        (f"{APR1}x", None),
        ("secret", None),
        ("$6$salt$hash", None),
        ("", None),
    ],
)
def test_a_hash_says_how_it_was_made(hashed: str, scheme: Scheme | None) -> None:
    assert scheme_of(hashed) is scheme


def test_the_cost_of_bcrypt_stands_in_it() -> None:
    assert cost_of(BCRYPT) == 5


def test_lines_are_users_and_hashes() -> None:
    text = f"# made by hand\n\nann:{SHA}\r\n  bob:{APR1}\nnobody\n"
    assert list(entries(text)) == [
        Entry(3, "ann", SHA),
        Entry(4, "bob", APR1),
        Entry(5, "nobody", ""),
    ]


def test_lines_of_groups_name_their_members() -> None:
    text = "staff: ann bob\n# none\nempty:\nnonsense\n"
    assert list(members(text)) == [(1, "staff", ("ann", "bob")), (3, "empty", ()), (4, "", ())]


@pytest.mark.parametrize(
    ("user", "hashed", "mistake"),
    [
        ("ann", BCRYPT, None),
        ("", BCRYPT, "has no user"),
        ("ann", "", "has no hash"),
        ("ann", "plain-secret", "has no hash of 'ann' in bcrypt, apr1 or sha"),
        ("ann", BCRYPT.replace("$05$", "$15$"), "whose cost is not between"),
        ("ann", BCRYPT.replace("$05$", "$03$"), "whose cost is not between"),
    ],
)
def test_a_mistake_is_named_and_no_hash_repeated(
    user: str, hashed: str, mistake: str | None
) -> None:
    found = mistake_in(Entry(1, user, hashed))
    assert (found is None) == (mistake is None)
    assert (mistake or "") in (found or "")
    assert not hashed or hashed not in (found or "")
    assert not hashed or hashed not in repr(Entry(1, user, hashed))
