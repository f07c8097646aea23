from __future__ import annotations

import pytest

from extproc.llm.counts import MOST_TOKENS, count, reported


@pytest.mark.parametrize("value", [None, -1, MOST_TOKENS + 1, True, 7.0, "7", {}, []])
def test_what_cannot_be_a_count_is_none(value: object) -> None:
    assert count({"tokens": value}, "tokens") == 0
    assert reported({"tokens": value, "details": {"tokens": value}}) == ()


def test_a_count_is_believed_up_to_a_limit() -> None:
    assert count({"tokens": MOST_TOKENS}, "tokens") == MOST_TOKENS
    assert count({}, "tokens") == 0


def test_all_are_reported_under_the_names_they_have() -> None:
    told = {"in": 9, "cost": 0.5, "details": {"audio": 1, "deeper": {"a": 2}}, "out": 0}
    assert reported(told) == (("in", 9), ("details.audio", 1), ("out", 0))
