"""What is read off the names of models."""

from __future__ import annotations

import pytest
from google.genai import types

from extproc.llm.gemini.generations import can_think, effort_of, is_before_3, thinking_config
from extproc.llm.request import Effort, Reasoning


@pytest.mark.parametrize(
    ("model", "is_before"),
    [
        ("gemini-2.5-flash", True),
        ("models/gemini-1.5-pro", True),
        ("gemini-3-pro-preview", False),
        ("gemini-3.1-flash-lite", False),
        ("gemini-flash-latest", False),
        ("gemma-3-27b-it", True),
        ("4711", True),
    ],
)
def test_generations(model: str, is_before: bool) -> None:
    assert is_before_3(model) is is_before


def test_who_cannot_think() -> None:
    assert not can_think("gemini-2.0-flash")
    assert not can_think("gemma-3-27b-it")
    assert can_think("gemini-2.5-flash")
    assert can_think("gemini-3-pro")


@pytest.mark.parametrize(
    ("reasoning", "model", "config"),
    [
        (Reasoning(Effort.HIGH), "gemini-3-pro", {"thinkingLevel": "high"}),
        (Reasoning(Effort.MINIMAL), "gemini-3-flash", {"thinkingLevel": "minimal"}),
        (Reasoning(Effort.MEDIUM), "gemini-2.5-flash", {"thinkingBudget": 2048}),
        (Reasoning(Effort.NONE), "gemini-2.5-flash", {"thinkingBudget": 0}),
        (Reasoning(budget_tokens=777), "gemini-3-pro", {"thinkingBudget": 777}),
        (Reasoning(budget_tokens=99_999), "gemini-2.5-pro", {"thinkingBudget": 32768}),
        (Reasoning(budget_tokens=1), "gemini-2.5-flash-lite", {"thinkingBudget": 512}),
        (Reasoning(), "gemini-2.5-pro", {"thinkingBudget": -1}),
        (Reasoning(is_shown=True), "gemini-3-pro", {"includeThoughts": True}),
        (
            Reasoning(Effort.LOW, is_shown=False),
            "gemini-3-pro",
            {"thinkingLevel": "low", "includeThoughts": False},
        ),
    ],
)
def test_what_models_are_told(reasoning: Reasoning, model: str, config: dict[str, object]) -> None:
    said, is_whole = thinking_config(reasoning, model, None)
    assert said == config
    assert is_whole
    types.ThinkingConfig.model_validate(said)


@pytest.mark.parametrize(
    ("effort", "model", "config"),
    [
        (Effort.NONE, "gemini-3-pro", {"thinkingLevel": "low"}),
        (Effort.NONE, "gemini-3-flash", {"thinkingLevel": "minimal"}),
        (Effort.MAX, "gemini-3-flash", {"thinkingLevel": "high"}),
        (Effort.NONE, "gemini-2.5-pro", {"thinkingBudget": 128}),
    ],
)
def test_what_cannot_be_said_is_said_roughly(
    effort: Effort, model: str, config: dict[str, object]
) -> None:
    assert thinking_config(Reasoning(effort), model, None) == (config, False)


def test_thoughts_leave_room_for_the_answer() -> None:
    said, _ = thinking_config(Reasoning(Effort.HIGH), "gemini-2.5-flash", 1000)
    assert said == {"thinkingBudget": 999}


def test_levels_are_read_in_either_case() -> None:
    assert effort_of("LOW") is effort_of("low") is Effort.LOW
    assert effort_of("most") is None
