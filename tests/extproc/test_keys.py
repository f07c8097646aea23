"""A key made ready to be asked for says the same as the key that is stored."""

from __future__ import annotations

import msgspec
import pytest

from extproc.keys import HeldKey
from gateway.virtual_keys import hashed
from tests.kit.key_store_suite import NOW, virtual_key

OLD, NEW = hashed("old", b"salt of the old"), hashed("new", b"salt of the new")


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"enabled": False},
        {"revoked": NOW - 5, "secrets": ()},
        {"revoked": NOW - 5},
        {"expires": NOW},
        {"expires": NOW + 1},
        {"secrets": (NEW, msgspec.structs.replace(OLD, until=NOW))},
        {"secrets": (NEW, msgspec.structs.replace(OLD, until=NOW + 1))},
        {"secrets": (NEW, OLD)},
        {"secrets": ()},
    ],
)
@pytest.mark.parametrize("secret", ["secret", "old", "new", "", "other"])
def test_it_opens_when_the_stored_key_would(terms: dict[str, object], secret: str) -> None:
    key = virtual_key(1, **terms)
    expected = key.is_valid(NOW) and key.accepts(secret, NOW)
    assert HeldKey(key).opens(secret, NOW) is expected


def test_all_who_use_it_are_one_principal() -> None:
    held = HeldKey(virtual_key(1, team="red", models=("gpt-*",), tools=("a__*",)))
    assert (held.principal.key, held.principal.team) == ("key-00001", "red")
    assert (held.principal.models, held.principal.tools) == (("gpt-*",), ("a__*",))
    assert held.id == virtual_key(1).id
