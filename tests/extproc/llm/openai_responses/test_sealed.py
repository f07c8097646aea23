from __future__ import annotations

from extproc.llm.openai_responses.sealed import (
    Seal,
    Sealed,
    encrypted,
    on_call,
    on_text,
    read_seal,
    summary_of,
    thinking_of,
)
from extproc.llm.request import Signature, Thinking
from gateway.model import Dialect

OWN = Signature("gAAA", Dialect.OPENAI_RESPONSES)
GEMINI = Signature("abc", Dialect.GEMINI)


def test_a_seal_says_whose_it_is_and_what_it_is_on() -> None:
    assert read_seal("gAAA") == Seal(Sealed.REASONING, OWN)
    assert read_seal(encrypted(Thinking("", GEMINI)) or "") == Seal(Sealed.REASONING, GEMINI)
    assert read_seal(on_call(GEMINI)) == Seal(Sealed.NEXT_CALL, GEMINI)
    assert read_seal(on_text(GEMINI)) == Seal(Sealed.LAST_TEXT, GEMINI)


def test_what_openai_sealed_is_shown_as_it_came() -> None:
    assert encrypted(Thinking("", OWN)) == "gAAA"
    assert encrypted(Thinking("x")) is None


def test_without_a_summary_what_is_sealed_is_the_reasoning() -> None:
    assert thinking_of([], OWN) == Thinking("", OWN, is_redacted=True)
    assert thinking_of([""], OWN) == Thinking("", OWN)
    assert thinking_of([], None) is None
    assert thinking_of(["a", "b"], None) == Thinking("a\n\nb")
    assert summary_of(Thinking("", OWN, is_redacted=True)) == []
    assert summary_of(Thinking("", OWN)) == [{"type": "summary_text", "text": ""}]
