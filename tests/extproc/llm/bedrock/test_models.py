"""What models take, by their ids."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from extproc.llm.bedrock.models import Family, Thinks, effort_of, is_off, traits_of
from extproc.llm.request import Effort, Reasoning


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("anthropic.claude-v2:1", Thinks.NEVER),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", Thinks.NEVER),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", Thinks.BY_BUDGET),
        ("anthropic.claude-sonnet-4-20250514-v1:0", Thinks.BY_BUDGET),
        ("global.anthropic.claude-opus-4-5-20251101-v1:0", Thinks.BY_BUDGET),
        ("anthropic.claude-opus-4-6-v1", Thinks.BY_BUDGET_OR_ADAPTIVE),
        ("us.anthropic.claude-opus-4-7", Thinks.ADAPTIVELY),
        ("anthropic.claude-sonnet-5", Thinks.ADAPTIVELY),
        ("anthropic.claude-mythos-preview", Thinks.ADAPTIVELY),
        ("anthropic.claude-fable-5-1", Thinks.ADAPTIVELY),
        ("us.amazon.nova-2-lite-v1:0", Thinks.BY_EFFORT),
        ("amazon.nova-pro-v1:0", Thinks.NEVER),
        ("openai.gpt-oss-120b-1:0", Thinks.BY_EFFORT),
        ("meta.llama3-1-70b-instruct-v1:0", Thinks.NEVER),
    ],
)
def test_how_a_model_is_asked_to_think(model: str, thinks: Thinks) -> None:
    assert traits_of(model).thinks is thinks


def test_an_arn_that_names_no_model_is_asked_for_nothing_special() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    assert traits_of(arn) == replace(traits_of("x"), family=Family.OTHER)
    assert not traits_of(arn).caches


def test_an_arn_that_names_its_model_is_known() -> None:
    arn = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-6-v1"
    assert traits_of(arn) == traits_of("anthropic.claude-opus-4-6-v1")


def test_what_claude_stopped_taking() -> None:
    assert traits_of("anthropic.claude-3-5-sonnet-20240620-v1:0").takes_both_samplings
    assert not traits_of("anthropic.claude-sonnet-4-5-20250929-v1:0").takes_both_samplings
    assert traits_of("anthropic.claude-sonnet-4-6").takes_sampling
    assert not traits_of("anthropic.claude-opus-4-8").takes_sampling


@pytest.mark.parametrize(
    ("budget", "effort"),
    [
        (1, Effort.LOW),
        (1024, Effort.LOW),
        (2048, Effort.MEDIUM),
        (4097, Effort.XHIGH),
        (8193, Effort.MAX),
    ],
)
def test_a_budget_is_an_effort_that_is_no_smaller(budget: int, effort: Effort) -> None:
    assert effort_of(Reasoning(budget_tokens=budget)) is effort


def test_no_effort_and_no_budget_is_as_the_model_likes() -> None:
    assert effort_of(Reasoning()) is None
    assert not is_off(Reasoning())
    assert is_off(Reasoning(budget_tokens=0))
    assert is_off(Reasoning(Effort.NONE))
