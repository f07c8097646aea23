"""Names of counters say what they count, and are read again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.counters import Counter, counted_by, counter_name, phased, read_counter
from gateway.periods import Unit

MONEY = Unit.NANODOLLARS
texts = st.text(max_size=20)
subjects = st.lists(st.tuples(st.sampled_from(["key", "team", "by"]), texts), max_size=3)


def test_a_counter_is_named_after_its_budget_and_whose_it_is() -> None:
    assert counter_name("b", MONEY, [("team", "a|key=x"), ("key", "y")]) == "b|team=a%7Ckey=x|key=y"
    assert counter_name("b", MONEY, [("team", "a%7C")]) == "b|team=a%257C"
    assert counter_name("b", MONEY, []) == "b"
    of_a_team = [("team", "tokens|x")]
    assert counter_name("b", Unit.TOKENS, of_a_team) == "b|tokens|team=tokens%7Cx"
    assert phased("b|team=a", 12) == "b|team=a|window=12"
    assert phased("b|team=a", None) == "b|team=a"


@given(st.sampled_from(list(Unit)), subjects, st.none() | st.integers(0, 12))
def test_names_are_read_as_they_are_made(
    unit: Unit, of: list[tuple[str, str]], phase: int | None
) -> None:
    name = phased(counter_name("key:abc:rolling-24h", unit, of), phase)
    assert read_counter(name) == Counter("key:abc:rolling-24h", unit, tuple(of), phase)


def test_long_texts_are_counted_under_their_hash() -> None:
    assert counted_by("x" * 128) == "x" * 128
    assert counted_by("x" * 129).startswith("sha256:")
    assert len(counted_by("\ud800" * 1000)) == len("sha256:") + 64
