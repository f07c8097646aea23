"""Pieces are kept up to a bound, and given back once."""

from __future__ import annotations

import pytest

from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.pieces import LARGEST_ANSWER_BYTES, Pieces


def test_pieces_are_given_back_whole_and_once() -> None:
    pieces = Pieces()
    for piece in (b"a", b"", b"bc"):
        pieces.add(piece)
    assert pieces.take() == b"abc"
    assert pieces.take() == b""


def test_too_much_is_no_answer() -> None:
    pieces = Pieces()
    pieces.add(bytes(LARGEST_ANSWER_BYTES))
    with pytest.raises(UnreadableAnswer, match="more than"):
        pieces.add(b"x")
