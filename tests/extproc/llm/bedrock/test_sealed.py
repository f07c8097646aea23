"""Seals go to a client and come back, whoever made them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.bedrock import sealed
from extproc.llm.request import Signature, Thinking
from gateway.model import Dialect

signatures = st.builds(
    Signature, st.from_regex(r"\A[A-Za-z0-9+/]{4}\Z"), st.sampled_from(list(Dialect))
)


@given(st.text(min_size=1), st.none() | signatures)
def test_reasoning_comes_back_as_it_was(text: str, seal: Signature | None) -> None:
    part = Thinking(text, seal)
    assert sealed.played_back(sealed.thinking_block(part)) == part


@given(signatures)
def test_redacted_reasoning_comes_back_and_is_base64_on_the_way(seal: Signature) -> None:
    part = Thinking("", seal, is_redacted=True)
    block = sealed.thinking_block(part)
    redacted = block["redactedContent"]
    assert isinstance(redacted, str)
    assert base64.b64decode(redacted, validate=True)
    assert sealed.played_back(block) == part


@pytest.mark.parametrize(
    ("prefix", "kind"), [(sealed.OF_CALL, sealed.CallSeal), (sealed.OF_TEXT, sealed.TextSeal)]
)
def test_seals_of_what_is_no_reasoning_come_back(
    prefix: str, kind: type[sealed.CallSeal | sealed.TextSeal]
) -> None:
    seal = Signature("abc", Dialect.GEMINI)
    assert sealed.played_back(sealed.seal_block(prefix, seal)) == kind(seal)


def test_bedrocks_own_bytes_are_not_looked_into() -> None:
    own = base64.b64encode(b"text").decode()
    thinking = sealed.played_back({"redactedContent": own})
    assert thinking == Thinking("", Signature(own, Dialect.BEDROCK), is_redacted=True)
