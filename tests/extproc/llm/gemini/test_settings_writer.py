"""What Gemini is told beside the conversation, and what it cannot be told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.genai import types

from extproc.llm.gemini import settings_writer as writer
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    CacheMark,
    Choice,
    Effort,
    Image,
    JsonFormat,
    Message,
    Reasoning,
    Remote,
    Request,
    Role,
    Sampling,
    Tool,
)

PLAIN = Request("gemini-2.5-flash", ())


def test_a_request_that_sets_nothing_says_nothing() -> None:
    losses = Losses()
    assert writer.generation_config(PLAIN, losses) == {}
    assert writer.tools(PLAIN, losses) == []
    assert writer.tool_config(PLAIN, losses) is None
    assert writer.service_tier(PLAIN, losses) is None
    writer.lose_the_rest(PLAIN, losses)
    assert losses.features == frozenset()


def test_everything_has_its_field() -> None:
    request = replace(
        PLAIN,
        sampling=Sampling(0.0, 0.9, 40, 0.5, -0.5, 7),
        max_output_tokens=100,
        choices=2,
        stop=("a", "b"),
        format=JsonFormat({"type": "object"}),
        logprobs=3,
        reasoning=Reasoning(budget_tokens=50, is_shown=True),
    )
    losses = Losses()
    said = writer.generation_config(request, losses)
    read = types.GenerationConfig.model_validate(said)
    assert losses.features == frozenset()
    assert (read.temperature, read.top_p, read.top_k) == (0.0, 0.9, 40)
    assert (read.presence_penalty, read.frequency_penalty, read.seed) == (0.5, -0.5, 7)
    assert (read.candidate_count, read.max_output_tokens) == (2, 100)
    assert (read.response_logprobs, read.logprobs) == (True, 3)
    assert read.response_json_schema == {"type": "object"}
    assert said["thinkingConfig"] == {"thinkingBudget": 50, "includeThoughts": True}


def test_limits_of_the_api_are_losses() -> None:
    losses = Losses()
    request = replace(PLAIN, stop=tuple("abcdef"), logprobs=21)
    said = writer.generation_config(request, losses)
    assert (said["stopSequences"], said["logprobs"]) == (tuple("abcde"), 20)
    assert losses.features == {Feature.STOP, Feature.LOGPROBS}


def test_models_that_cannot_think_are_not_told_to() -> None:
    losses = Losses()
    request = Request("gemini-2.0-flash", (), reasoning=Reasoning(Effort.LOW, 5))
    assert writer.generation_config(request, losses) == {}
    assert losses.features == {Feature.REASONING_EFFORT, Feature.REASONING_BUDGET}


def test_a_budget_beyond_what_the_model_takes_is_a_loss() -> None:
    losses = Losses()
    request = replace(PLAIN, reasoning=Reasoning(budget_tokens=99_999))
    assert writer.generation_config(request, losses) == {
        "thinkingConfig": {"thinkingBudget": 24576}
    }
    assert losses.features == {Feature.REASONING_BUDGET}


@pytest.mark.parametrize(
    ("choice", "strict", "config"),
    [
        (None, (None, None), None),
        (None, (True, True), {"mode": "VALIDATED"}),
        (Choice.AUTO, (False, None), {"mode": "AUTO"}),
        (Choice.AUTO, (True, True), {"mode": "VALIDATED"}),
        (Choice.NONE, (True, True), {"mode": "NONE"}),
        (Choice.REQUIRED, (True, None), {"mode": "ANY"}),
        (Choice.NAMED, (None, None), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_how_tools_are_chosen(
    choice: Choice | None, strict: tuple[bool | None, ...], config: dict[str, object] | None
) -> None:
    losses = Losses()
    tools = tuple(Tool(name, is_strict=each) for name, each in zip("fg", strict, strict=True))
    request = replace(PLAIN, tools=tools, tool_choice=choice, tool_name="f")
    said = writer.tool_config(request, losses)
    assert said == (None if config is None else {"functionCallingConfig": config})
    assert losses.features == frozenset()
    types.ToolConfig.model_validate(said or {})


def test_some_strict_tools_are_not_all() -> None:
    losses = Losses()
    request = replace(PLAIN, tools=(Tool("f"), Tool("g", is_strict=True)))
    assert writer.tool_config(request, losses) is None
    assert losses.features == {Feature.STRICT_TOOLS}


def test_functions_are_declared_with_json_schema() -> None:
    losses = Losses()
    tool = Tool("f", "d", {"type": "object", "$schema": "x"}, cache=CacheMark())
    said = writer.tools(replace(PLAIN, tools=(tool,), is_parallel=False), losses)
    assert said == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}}
            ]
        }
    ]
    assert losses.features == {Feature.CACHE_MARKS, Feature.PARALLEL_CALLS}


def images(*details: str) -> Request:
    parts = tuple(Image(Remote("https://a"), detail) for detail in details)
    return replace(PLAIN, messages=(Message(Role.USER, parts),))


def test_images_have_one_resolution() -> None:
    losses = Losses()
    assert writer.generation_config(images("low", "low"), losses) == {
        "mediaResolution": "MEDIA_RESOLUTION_LOW"
    }
    assert writer.generation_config(images("auto", ""), losses) == {}
    assert losses.features == frozenset()
    assert writer.generation_config(images("low", "high"), losses) == {}
    assert losses.features == {Feature.IMAGE_DETAIL}


def test_service_tiers() -> None:
    losses = Losses()
    said = [
        writer.service_tier(replace(PLAIN, service_tier=tier), losses)
        for tier in ("auto", "default", "flex", "priority", "scale")
    ]
    assert said == [None, "standard", "flex", "priority", None]
    assert losses.features == {Feature.SERVICE_TIER}


def test_what_has_no_field_is_lost() -> None:
    losses = Losses()
    request = replace(
        PLAIN,
        verbosity="low",
        user="u",
        metadata={"a": "b"},
        cache_key="k",
        extras=(Feature.PREDICTION,),
    )
    writer.lose_the_rest(request, losses)
    assert losses.features == {
        Feature.VERBOSITY,
        Feature.USER,
        Feature.METADATA,
        Feature.CACHE_KEY,
        Feature.PREDICTION,
    }
