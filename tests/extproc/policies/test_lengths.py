"""Texts are measured together."""

from __future__ import annotations

from extproc.policies.lengths import TooLong


def test_texts_are_measured_together_in_characters() -> None:
    finder = TooLong(6)
    assert not finder.is_in(["äöü", "abc"])
    assert finder.is_in(["äöü", "abcd"])
    assert not finder.is_in([])


def test_what_is_too_much_of_one_text_is_found() -> None:
    finder = TooLong(3)
    assert [(each.start, each.end) for each in finder.spans("abcde")] == [(3, 5)]
    assert [(each.start, each.end) for each in finder.spans("abcde", 4)] == [(4, 5)]
    assert not list(finder.spans("abc"))
