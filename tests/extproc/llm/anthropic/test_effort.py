from __future__ import annotations

import pytest

from extproc.llm.anthropic.effort import (
    BUDGETS,
    DEFAULT_MAX_TOKENS,
    Thought,
    reasoning_of,
    thought,
)
from extproc.llm.anthropic.models import abilities
from extproc.llm.faults import Unfit
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import Effort, Reasoning

OLD, BOTH, NEW, ALWAYS = (
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "claude-sonnet-5",
    "claude-opus-5-5",
)


def said(
    reasoning: Reasoning | None,
    model: str,
    limit: int | None = None,
    *,
    is_hindered: bool = False,
) -> tuple[Thought, set[Feature]]:
    losses = Losses()
    found = thought(reasoning, limit, abilities(model), losses, is_hindered=is_hindered)
    return found, set(losses.features)


@pytest.mark.parametrize(
    ("document", "reasoning"),
    [
        ({}, None),
        ({"output_config": {"format": {}}}, None),
        ({"output_config": {"effort": "xhigh"}}, Reasoning(Effort.XHIGH)),
        ({"output_config": {"effort": "hyper"}}, None),
        ({"thinking": {"type": "disabled"}}, Reasoning(None, 0)),
        ({"thinking": {"type": "between_tools"}}, Reasoning(None, 0)),
        ({"thinking": {"type": "adaptive"}}, Reasoning()),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            Reasoning(is_shown=False),
        ),
        (
            {
                "thinking": {"type": "enabled", "budget_tokens": 5000, "display": "summarized"},
                "output_config": {"effort": "low"},
            },
            Reasoning(Effort.LOW, 5000, True),
        ),
    ],
)
def test_what_a_client_says_of_thinking_is_read(
    document: dict[str, object], reasoning: Reasoning | None
) -> None:
    assert reasoning_of(document) == reasoning


@pytest.mark.parametrize(
    ("thinking", "param"),
    [
        ("yes", "thinking"),
        ({"type": "often"}, "thinking.type"),
        ({"type": "enabled"}, "thinking.budget_tokens"),
    ],
)
def test_what_cannot_be_said_of_thinking_is_named(thinking: object, param: str) -> None:
    with pytest.raises(Unfit) as caught:
        reasoning_of({"thinking": thinking})
    assert caught.value.deny.param == param


@pytest.mark.parametrize(("effort", "budget"), BUDGETS.items())
def test_older_models_are_given_a_budget_and_room_for_it(effort: Effort, budget: int) -> None:
    found, lost = said(Reasoning(effort), OLD)
    assert found.thinking == {"type": "enabled", "budget_tokens": budget}
    assert (found.max_tokens, found.effort, lost) == (DEFAULT_MAX_TOKENS + budget, None, set())


@pytest.mark.parametrize("model", [BOTH, NEW, ALWAYS])
@pytest.mark.parametrize("effort", [Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.MAX])
def test_newer_models_are_told_in_words(model: str, effort: Effort) -> None:
    found, lost = said(Reasoning(effort, is_shown=True), model, 3000)
    assert found == Thought(3000, {"type": "adaptive", "display": "summarized"}, effort)
    assert not lost


def test_a_word_that_a_model_does_not_have_becomes_the_next_below() -> None:
    assert said(Reasoning(Effort.XHIGH), BOTH)[0].effort is Effort.HIGH
    found, lost = said(Reasoning(Effort.MINIMAL), NEW)
    assert (found.effort, lost) == (Effort.LOW, {Feature.REASONING_EFFORT})


@pytest.mark.parametrize(
    ("budget", "effort"),
    [
        (500, Effort.LOW),
        (2048, Effort.MEDIUM),
        (5000, Effort.HIGH),
        (16383, Effort.XHIGH),
        (99999, Effort.MAX),
    ],
)
def test_a_budget_is_said_in_words_where_numbers_are_not_taken(budget: int, effort: Effort) -> None:
    found, lost = said(Reasoning(budget_tokens=budget), NEW)
    assert found.thinking == {"type": "adaptive"}
    assert (found.effort, lost) == (effort, {Feature.REASONING_BUDGET})


def test_a_budget_stays_one_where_it_is_taken() -> None:
    for model in (OLD, BOTH):
        found, lost = said(Reasoning(budget_tokens=3000), model, 9000)
        assert found == Thought(9000, {"type": "enabled", "budget_tokens": 3000})
        assert not lost


def test_a_budget_is_below_the_limit_and_above_the_least() -> None:
    found, lost = said(Reasoning(Effort.MAX), OLD, 2000)
    assert found == Thought(2000, {"type": "enabled", "budget_tokens": 1999})
    assert not lost
    found, lost = said(Reasoning(budget_tokens=10), OLD)
    assert found.thinking == {"type": "enabled", "budget_tokens": 1024}
    assert lost == {Feature.REASONING_BUDGET}
    found, lost = said(Reasoning(Effort.LOW), OLD, 1024)
    assert (found.thinking, lost) == (None, {Feature.REASONING_EFFORT})


def test_thinking_as_a_model_likes_is_asked_for_in_either_form() -> None:
    assert said(Reasoning(), NEW)[0].thinking == {"type": "adaptive"}
    assert said(Reasoning(), OLD)[0].thinking == {"type": "enabled", "budget_tokens": 4096}


@pytest.mark.parametrize("reasoning", [Reasoning(Effort.NONE), Reasoning(budget_tokens=0)])
def test_thinking_is_switched_off_where_it_can_be(reasoning: Reasoning) -> None:
    for model in (OLD, BOTH, NEW):
        found, lost = said(reasoning, model)
        assert found == Thought(DEFAULT_MAX_TOKENS, {"type": "disabled"})
        assert not found.is_on
        assert not lost
    found, lost = said(reasoning, ALWAYS)
    assert (found.thinking, found.effort) == (None, Effort.LOW)
    assert len(lost) == 1
    assert said(reasoning, "claude-3-haiku")[0] == Thought(DEFAULT_MAX_TOKENS)


def test_models_that_do_not_think_are_not_asked_to() -> None:
    found, lost = said(Reasoning(Effort.HIGH), "claude-3-5-haiku")
    assert (found.thinking, lost) == (None, {Feature.REASONING_EFFORT})


def test_a_hindrance_switches_thinking_off_and_is_a_loss() -> None:
    found, lost = said(Reasoning(Effort.HIGH), OLD, is_hindered=True)
    assert (found.thinking, lost) == (None, {Feature.REASONING_EFFORT})
    found, lost = said(Reasoning(Effort.HIGH), NEW, is_hindered=True)
    assert (found.thinking, found.effort) == ({"type": "disabled"}, Effort.HIGH)
    assert said(None, NEW, is_hindered=True)[0].thinking == {"type": "disabled"}
    assert said(None, ALWAYS, is_hindered=True)[0].thinking is None
    assert said(None, OLD, is_hindered=True)[0].thinking is None


def test_who_says_nothing_gets_the_default_and_room_for_what_thinks_unasked() -> None:
    assert said(None, OLD)[0] == Thought(DEFAULT_MAX_TOKENS)
    assert said(None, NEW)[0] == Thought(DEFAULT_MAX_TOKENS + BUDGETS[Effort.MAX])
    assert said(None, NEW, 55)[0] == Thought(55)
