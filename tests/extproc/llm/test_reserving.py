"""What is reserved is hardly ever exceeded, and short bodies are not looked at."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from extproc.llm.dialect import Call
from extproc.llm.estimate import expected, family_of
from extproc.llm.reserving import SHORT_BYTES, body_tokens
from extproc.verdict import Deny

PROSE = "The quick brown fox jumps over the lazy dog, again and again. " * 400


def asked(model: str, document: Mapping[str, object] | None = None) -> Call:
    return Call(model, False, document or {}, 0)


def unread(_document: Mapping[str, object]) -> tuple[str, ...]:
    raise AssertionError("a short body was read")


def test_a_short_body_is_taken_by_its_bytes() -> None:
    assert body_tokens(1000, unread, asked("gpt-5")) == 500
    assert body_tokens(SHORT_BYTES, unread, asked("gpt-5")) == SHORT_BYTES // 2
    assert body_tokens(-3, unread, asked("gpt-5")) == 0


@pytest.mark.parametrize("model", ["gpt-5", "claude-opus-5", "gemini-2.5-pro", "smart"])
def test_a_long_one_is_taken_by_its_texts_and_not_much_too_high(model: str) -> None:
    texts = (PROSE,)
    tokens = body_tokens(len(PROSE), lambda _: texts, asked(model))
    likely = expected(texts, family_of(model))
    assert likely < tokens < 2 * likely


def test_what_is_no_text_is_taken_for_data() -> None:
    alone = body_tokens(len(PROSE), lambda _: (PROSE,), asked("gpt-5"))
    assert body_tokens(len(PROSE) + 3000, lambda _: (PROSE,), asked("gpt-5")) == alone + 1000


def test_texts_beyond_ascii_count_with_the_bytes_that_they_take() -> None:
    text = "日本語の文章です。" * 500
    size = len(text.encode())
    tokens = body_tokens(size, lambda _: (text,), asked("gpt-5"))
    assert tokens < 2 * expected((text,), family_of("gpt-5"))


def test_what_cannot_be_read_is_taken_by_its_bytes() -> None:
    assert body_tokens(9000, lambda _: Deny(400, "too_deep", "no"), asked("gpt-5")) == 4500


def test_the_texts_are_those_of_the_body() -> None:
    call = asked("gpt-5", {"prompt": PROSE})
    tokens = body_tokens(len(PROSE), lambda document: (str(document["prompt"]),), call)
    assert tokens == body_tokens(len(PROSE), lambda _: (PROSE,), asked("gpt-5"))
