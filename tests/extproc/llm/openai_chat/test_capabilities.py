"""What the dialect claims; `test_codec.py` holds it to that."""

from __future__ import annotations

from extproc.llm.losses import Feature
from extproc.llm.openai_chat.capabilities import EXPRESSES, ROUGHLY, SAYS


def test_nothing_is_carried_both_in_full_and_roughly() -> None:
    assert not EXPRESSES & ROUGHLY.keys()


def test_every_rough_one_says_how_in_a_few_words() -> None:
    assert all(0 < len(how) < 80 and not how.endswith(".") for how in ROUGHLY.values())


def test_what_only_others_say_is_not_claimed_of_clients() -> None:
    assert not SAYS & {
        Feature.CITATIONS,
        Feature.DOCUMENT_TEXT,
        Feature.DOCUMENT_URL,
        Feature.STORED_STATE,
        Feature.TOOL_ERROR,
    }
