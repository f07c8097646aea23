from __future__ import annotations

from gateway.imported import Mapped, Outcome, counts


def test_every_outcome_is_counted() -> None:
    mappings = [
        Mapped("a", 1, Outcome.EXACT, "a"),
        Mapped("b", 2, Outcome.UNSUPPORTED, note="no"),
        Mapped("c", 3, Outcome.UNSUPPORTED, note="no"),
    ]
    assert counts(mappings) == {Outcome.EXACT: 1, Outcome.DIFFERENT: 0, Outcome.UNSUPPORTED: 2}
