from __future__ import annotations

import pytest

from extproc.llm.anthropic import sealed
from extproc.llm.anthropic.sealed import CallSeal, TextSeal, played_back
from extproc.llm.request import Signature, Thinking
from gateway.model import Dialect


@pytest.mark.parametrize("origin", Dialect)
@pytest.mark.parametrize(
    ("text", "is_redacted"), [("I thought so", False), ("", False), ("", True)]
)
def test_thinking_of_any_origin_survives_a_client(
    origin: Dialect, text: str, is_redacted: bool
) -> None:
    part = Thinking(text, Signature("a:b/c==", origin), is_redacted)
    assert played_back(sealed.thinking_block(part)) == part


@pytest.mark.parametrize("origin", Dialect)
def test_seals_of_calls_and_texts_survive_a_client(origin: Dialect) -> None:
    signature = Signature("s=", origin)
    assert played_back(sealed.call_seal(signature)) == CallSeal(signature)
    assert played_back(sealed.text_seal(signature)) == TextSeal(signature)


def test_thinking_that_nobody_sealed_is_its_text() -> None:
    block = sealed.thinking_block(Thinking("hm"))
    assert block == {"type": "thinking", "thinking": "hm", "signature": ""}
    assert played_back(block) == Thinking("hm")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking"},
        {"type": "thinking", "thinking": 1, "signature": 2},
        {"type": "redacted_thinking"},
        {"type": "redacted_thinking", "data": None},
    ],
)
def test_blocks_that_say_nothing_are_none(block: dict[str, object]) -> None:
    assert played_back(block) is None


def test_anthropics_own_seals_are_shown_as_they_are() -> None:
    assert sealed.shown(Signature("Eqr=", Dialect.ANTHROPIC)) == "Eqr="
