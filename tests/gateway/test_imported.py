from __future__ import annotations

from gateway.imported import Mapped, Outcome, counts


def test_every_outcome_is_counted() -> None:
    mappings = [
        Mapped("a", 1, Outcome.EXACT, "a"),
        Mapped("b", 2, Outcome.UNSUPPORTED, note="no"),
        Mapped("c", 3, Outcome.UNSUPPORTED, note="no"),
    ]
    assert counts(mappings) == {Outcome.EXACT: 1, Outcome.DIFFERENT: 0, Outcome.UNSUPPORTED: 2}


def test_a_key_counts_once_as_the_worst_that_is_said_of_it_and_what_sums_up_does_not() -> None:
    mappings = [
        Mapped("a", 1, Outcome.DIFFERENT, note="in part", is_sum=True),
        Mapped("a.b", 1, Outcome.DIFFERENT, "b", "a little"),
        Mapped("a.b", 1, Outcome.UNSUPPORTED, note="no"),
        Mapped("a.b", 1, Outcome.EXACT, "b"),
    ]
    assert counts(mappings) == {Outcome.EXACT: 0, Outcome.DIFFERENT: 0, Outcome.UNSUPPORTED: 1}
