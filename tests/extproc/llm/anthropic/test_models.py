from __future__ import annotations

import pytest

from extproc.llm.anthropic.models import abilities

FIRST = ["claude-3-haiku-20240307", "claude-3-5-sonnet-v2@20241022", "claude-2.1"]
BUDGETS = [
    "claude-3-7-sonnet-20250219",
    "claude-opus-4-20250514",
    "claude-opus-4@20250514",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "claude-haiku-4-5",
    "deepseek-chat",
    "kimi-k2-0905",
]
BOTH = ["claude-opus-4-6", "anthropic.claude-opus-4-6-v1", "anthropic/claude-sonnet-4.6"]
ADAPTIVE = ["claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5", "claude-opus-5@20260724"]
ALWAYS = ["claude-fable-5-2", "claude-opus-5-5", "claude-mythos-preview", "CLAUDE-FABLE-5"]


@pytest.mark.parametrize("model", FIRST + BUDGETS + BOTH + ADAPTIVE + ALWAYS)
def test_thinking_is_asked_for_in_the_form_of_the_generation(model: str) -> None:
    able = abilities(model)
    assert able.takes_budget is (model in BUDGETS + BOTH)
    assert able.takes_adaptive is (model in BOTH + ADAPTIVE + ALWAYS)
    assert able.takes_disabled is (model not in ALWAYS)


@pytest.mark.parametrize("model", FIRST + BUDGETS + BOTH + ADAPTIVE + ALWAYS)
def test_newer_models_draw_and_begin_their_answers_themselves(model: str) -> None:
    able = abilities(model)
    assert able.takes_sampling is (model not in ADAPTIVE + ALWAYS)
    assert able.takes_prefill is (model in FIRST + BUDGETS)


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("claude-sonnet-4-5", ""),
        ("claude-opus-4-5-20251101", "low medium high"),
        ("claude-sonnet-4-6", "low medium high max"),
        ("claude-opus-4-7", "low medium high xhigh max"),
        ("claude-haiku-5-5", "low medium high xhigh max"),
        ("glm-4.6", ""),
    ],
)
def test_words_for_efforts_became_more(model: str, efforts: str) -> None:
    assert " ".join(abilities(model).efforts) == efforts


@pytest.mark.parametrize(
    ("model", "takes"),
    [("claude-sonnet-4", True), ("claude-opus-4-1@20250805", False), ("minimax-m2", True)],
)
def test_from_4_1_on_there_is_one_sampler(model: str, takes: bool) -> None:
    assert abilities(model).takes_two_samplers is takes


@pytest.mark.parametrize(
    ("model", "thinks"),
    [("claude-opus-4-8", False), ("claude-sonnet-5", True), ("claude-mythos-preview", True)],
)
def test_the_fifth_generation_thinks_unasked(model: str, thinks: bool) -> None:
    assert abilities(model).thinks_unasked is thinks


def test_a_claude_without_a_number_is_a_new_one() -> None:
    assert not abilities("claude-next").takes_sampling
    assert abilities("claude-next").takes_disabled
