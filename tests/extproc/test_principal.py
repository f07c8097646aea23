"""Whatever proved who is calling, scopes and rules find the same fields."""

from __future__ import annotations

from extproc.principal import Kind, Principal, of_key
from gateway.model import ApiKey


def test_a_key_says_who_holds_it() -> None:
    who = of_key(ApiKey("laptop", "00", "ann", "red", ("a", "b"), (("cost", "7"),)))
    assert (who.kind, who.name, who.key) == (Kind.API_KEY, "laptop", "laptop")
    assert (who.user, who.team, who.groups, who.tags) == (
        "ann",
        "red",
        ("a", "b"),
        (("cost", "7"),),
    )
    assert who.claims is None


def test_callers_who_look_the_same_are_two() -> None:
    one, other = (Principal(Kind.JWT, "ann", user="ann") for _ in range(2))
    assert one != other
    assert len({one, other, one}) == 2
