"""The vendors' own examples, and what nobody says the size of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.attachment_tokens import audio_tokens, document_tokens, image_tokens
from extproc.llm.estimate import family_of
from extproc.llm.image_size import Size
from extproc.llm.token_weights import Family


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("gpt-4o", (1024, 1024), 765),
        ("gpt-4o", (2048, 4096), 1105),
        ("gpt-4o-mini-2024-07-18", (512, 512), 2833 + 5667),
        ("gpt-4.1", (100, 100), 255),
        ("gpt-5", (1024, 1024), 70 + 4 * 140),
        ("o3", (1024, 1024), 75 + 4 * 150),
        ("gpt-4.1-mini", (1024, 1024), 1659),
        ("gpt-4.1-mini", (1800, 2400), 2353),
        ("gpt-4.1-nano", (4096, 4096), 3742),
        ("claude-sonnet-4-5", (1000, 1000), 1334),
        ("claude-sonnet-4-5", (200, 200), 54),
        ("claude-sonnet-4-5", (4000, 4000), 1600),
        ("claude-opus-4-8", (2000, 1500), 4000),
        ("claude-opus-4-8", (9000, 9000), 4784),
        ("gemini-2.5-flash", (384, 384), 258),
        ("gemini-2.5-flash", (960, 540), 6 * 258),
        ("gemini-3-flash-preview", (384, 384), 1120),
    ],
)
def test_images_cost_what_the_vendors_say(model: str, size: tuple[int, int], tokens: int) -> None:
    assert image_tokens(model, family_of(model), Size(*size)) == tokens


def test_little_detail_costs_the_base_alone() -> None:
    assert image_tokens("gpt-4o", Family.OPENAI, Size(4096, 8192), is_low=True) == 85


def test_an_image_of_unknown_size_is_taken_for_a_usual_one() -> None:
    for model in ("gpt-4o", "claude-opus-5", "gemini-2.5-pro", "unheard-of"):
        family = family_of(model)
        usual = image_tokens(model, family, Size(1024, 1024))
        assert image_tokens(model, family, None) == usual
        assert usual > 0


@given(
    st.integers(1, 100_000),
    st.integers(1, 100_000),
    st.sampled_from(("gpt-4o", "gpt-5-mini", "claude-3-haiku", "claude-opus-5", "gemini-2.5-pro")),
)
def test_no_image_is_free_nor_without_end(width: int, height: int, model: str) -> None:
    tokens = image_tokens(model, family_of(model), Size(width, height))
    assert tokens > 0
    if "gemini" not in model:
        assert tokens <= 5000


def test_sound_and_documents_cost_by_their_length() -> None:
    assert audio_tokens(Family.GEMINI, 60) == 1920
    assert audio_tokens(Family.OPENAI, 0.55) == 6
    assert document_tokens(Family.CLAUDE, 1) == 3000
    assert document_tokens(Family.GEMINI, 100_001) == 3 * 258
