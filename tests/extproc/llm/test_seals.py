"""A seal is known again by whose it is, whatever client carried it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.request import Signature
from extproc.llm.seals import played_back, shown
from gateway.model import Dialect

dialects = st.sampled_from(Dialect)


@given(st.text(), dialects, dialects)
def test_a_foreign_seal_comes_back_as_it_went(value: str, origin: Dialect, client: Dialect) -> None:
    signature = Signature(value, origin)
    if origin is not client:
        assert played_back(shown(signature, client), client) == signature


@given(st.text().filter(lambda value: not value.startswith("dragoman:")), dialects)
def test_a_dialects_own_seal_is_not_touched(value: str, dialect: Dialect) -> None:
    signature = Signature(value, dialect)
    assert shown(signature, dialect) == value
    if dialect is not Dialect.GEMINI:
        assert played_back(value, dialect) == signature


@pytest.mark.parametrize("text", ["", "EqQBCg==", "not base64!", "AAA", "/+8="])
def test_geminis_own_seals_are_known_for_what_they_are(text: str) -> None:
    assert played_back(text, Dialect.GEMINI) == Signature(text, Dialect.GEMINI)


def test_geminis_clients_are_shown_base64() -> None:
    text = shown(Signature("seal:é", Dialect.ANTHROPIC), Dialect.GEMINI)
    assert base64.b64decode(text, validate=True).decode() == "dragoman:anthropic:seal:é"


def test_a_mark_of_nobody_is_no_mark() -> None:
    for text in ("dragoman:", "dragoman:nobody:x", "dragoman:anthropic"):
        assert played_back(text, Dialect.OPENAI_CHAT) == Signature(text, Dialect.OPENAI_CHAT)


def test_a_seal_may_hold_the_mark_of_another() -> None:
    inner = shown(Signature("x", Dialect.GEMINI), Dialect.ANTHROPIC)
    outer = shown(Signature(inner, Dialect.ANTHROPIC), Dialect.BEDROCK)
    assert played_back(outer, Dialect.BEDROCK) == Signature(inner, Dialect.ANTHROPIC)
