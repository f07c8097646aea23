"""What is sealed opens for whom it was sealed, and in the form in which it was."""

from __future__ import annotations

import pytest

from extproc.mcp.vault import Vault

ONE, TWO = "a secret of at least thirty-two characters", "another, of as many characters as that"


def test_it_opens_with_what_it_is_bound_to_and_nothing_else() -> None:
    vault = Vault((ONE,), b"x")
    sealed = vault.seal(b"said", "ann")
    assert b"said" not in sealed
    assert vault.open(sealed, "ann") == b"said"
    assert vault.open(sealed, "bob") is None
    assert vault.open(sealed[:-1], "ann") is None
    assert vault.open(b"", "ann") is None
    assert vault.seal(b"said", "ann") != sealed


def test_secrets_are_changed_by_putting_the_new_one_first() -> None:
    before, between, after = Vault((ONE,), b"x"), Vault((TWO, ONE), b"x"), Vault((TWO,), b"x")
    old = before.seal(b"old", "")
    assert between.open(old, "") == b"old"
    assert after.open(old, "") is None
    assert after.open(between.seal(b"new", ""), "") == b"new"
    with pytest.raises(ValueError, match="must be a secret"):
        Vault((), b"x")


def test_what_is_sealed_for_one_purpose_opens_for_no_other() -> None:
    assert Vault((ONE,), b"y").open(Vault((ONE,), b"x").seal(b"said", ""), "") is None


@pytest.mark.parametrize("change", [str.upper, lambda it: it + "=", lambda it: "", lambda it: "é"])
def test_texts_open_as_they_were_spelled_alone(change: object) -> None:
    vault = Vault((ONE,), b"x")
    text = vault.seal_text(b"said", "ann")
    assert vault.open_text(text, "ann") == b"said"
    assert callable(change)
    assert vault.open_text(change(text), "ann") is None
    assert vault.open_text("A" * 20_000, "ann") is None
