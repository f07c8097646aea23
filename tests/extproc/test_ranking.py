from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.ranking import Ranking, in_order

TEXTS = (
    "Books flights and hotels",
    "Books flights",
    "createInvoice for customers",
    "the weather, and the weather again",
    "météo",
)
RANKING = Ranking([(text, 1.0)] for text in TEXTS)


def found(query: str) -> list[int]:
    return in_order(RANKING.scores(query))


@pytest.mark.parametrize(
    ("query", "positions"),
    [
        ("flight", [1, 0]),
        ("a hotel", [0]),
        ("booking flights", [1, 0]),
        ("invoice", [2]),
        ("create_invoice", [2]),
        ("weath", [3]),
        ("météo", [4]),
        ("the", []),
        ("", []),
        ("zebra", []),
        ("we", []),
    ],
)
def test_entries_with_the_words_are_found_the_best_first(query: str, positions: list[int]) -> None:
    assert found(query) == positions


def test_a_word_counts_by_its_weight_and_rarity() -> None:
    ranking = Ranking([[("one", 1.0), ("two", 3.0)], [("one", 3.0), ("two", 1.0)], [("two", 1.0)]])
    assert in_order(ranking.scores("one")) == [1, 0]
    assert in_order(ranking.scores("two"))[0] == 0
    assert ranking.scores("one")[1] > ranking.scores("two")[0]


def test_what_is_no_text_has_no_words() -> None:
    assert Ranking([[(5, 1.0), (None, 1.0), ("x1", 1.0)]]).scores("x1").keys() == {0}
    assert Ranking([]).scores("x") == {}


def test_of_equals_the_first_is_first() -> None:
    assert in_order(Ranking([[("same", 1.0)]] * 3).scores("same")) == [0, 1, 2]


def test_no_more_of_a_query_is_read_than_anybody_needs() -> None:
    assert found("x " * 500 + "flight") == []


@given(st.lists(st.text(max_size=12), max_size=6), st.text(max_size=20))
def test_whatever_is_looked_for_scores_are_of_entries(texts: list[str], query: str) -> None:
    scores = Ranking([(text, 1.0)] for text in texts).scores(query)
    assert all(0 <= position < len(texts) and score > 0 for position, score in scores.items())
