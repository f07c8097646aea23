"""Texts are measured together."""

from __future__ import annotations

from collections.abc import Sequence

from extproc.policies.lengths import TooLong


def test_texts_are_measured_together_in_characters() -> None:
    finder = TooLong(6)
    assert not finder.is_in(["äöü", "abc"])
    assert finder.is_in(["äöü", "abcd"])
    assert not finder.is_in([])


def words(texts: Sequence[str]) -> int:
    return sum(len(text.split()) for text in texts)


def test_they_are_measured_in_tokens_too() -> None:
    finder = TooLong(None, 3, words)
    assert not finder.is_in(["a b", "c"])
    assert finder.is_in(["a b", "c d"])
    assert [(each.start, each.end) for each in finder.spans("a b c d")] == [(0, 7)]
    assert not list(finder.spans("a b c"))
    both = TooLong(5, 3, words)
    assert both.is_in(["abcdef"])
    assert both.is_in(["a", "b", "c", "d"])
    assert not both.is_in(["a b c"])


def test_what_is_too_much_of_one_text_is_found() -> None:
    finder = TooLong(3)
    assert [(each.start, each.end) for each in finder.spans("abcde")] == [(3, 5)]
    assert [(each.start, each.end) for each in finder.spans("abcde", 4)] == [(4, 5)]
    assert not list(finder.spans("abc"))
