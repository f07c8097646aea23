"""Sampling and thinking, as each family of models takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.bedrock.inference import betas_of
from extproc.llm.bedrock.requests import decode_request, encode_request
from extproc.llm.dialect import Call
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    Choice,
    Effort,
    Message,
    Part,
    Reasoning,
    Request,
    Role,
    Sampling,
    Signature,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from gateway.model import Dialect
from tests.kit import bedrock

SONNET_4_5 = "anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS_4_6 = "anthropic.claude-opus-4-6-v1"
OPUS_4_7 = "us.anthropic.claude-opus-4-7"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
GPT = "openai.gpt-oss-120b-1:0"
LLAMA = "meta.llama3-1-70b-instruct-v1:0"
ASK = (Message(Role.USER, (Text("why?"),)),)


def encoded(model: str, **fields: Any) -> tuple[dict[str, Any], frozenset[Feature]]:
    losses = Losses()
    body = encode_request(Request(model, fields.pop("messages", ASK), **fields), losses)
    assert bedrock.faults(body) == ""
    document = json.loads(body)
    del document["messages"]
    return document, losses.features


def thinking(kind: str, **more: object) -> dict[str, object]:
    return {"additionalModelRequestFields": {"thinking": {"type": kind, **more}}}


def test_all_that_every_model_takes() -> None:
    sampling = Sampling(temperature=0.5)
    document, lost = encoded(LLAMA, sampling=sampling, max_output_tokens=9, stop=("a", "", "b"))
    assert document == {
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "stopSequences": ["a", "b"]}
    }
    assert not lost


def test_a_temperature_above_one_is_one() -> None:
    document, lost = encoded(LLAMA, sampling=Sampling(temperature=1.5))
    assert document == {"inferenceConfig": {"temperature": 1.0}}
    assert lost == {Feature.TEMPERATURE}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (SONNET_4_5, {"top_k": 5}),
        (NOVA_2, {"inferenceConfig": {"topK": 5}}),
        ("cohere.command-r-v1:0", {"k": 5}),
    ],
)
def test_top_k_stands_where_the_model_has_it(model: str, fields: dict[str, object]) -> None:
    document, lost = encoded(model, sampling=Sampling(top_k=5))
    assert document == {"additionalModelRequestFields": fields}
    assert not lost


def test_what_no_model_takes_is_lost() -> None:
    sampling = Sampling(top_k=5, seed=7, presence_penalty=0.5)
    document, lost = encoded(LLAMA, sampling=sampling)
    assert document == {}
    assert lost == {Feature.TOP_K, Feature.SEED, Feature.PENALTIES}


def test_claude_takes_one_of_temperature_and_top_p() -> None:
    document, lost = encoded(SONNET_4_5, sampling=Sampling(temperature=0.5, top_p=0.5))
    assert document == {"inferenceConfig": {"temperature": 0.5}}
    assert lost == {Feature.TOP_P}


def test_newer_claudes_take_no_sampling() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.5, top_k=5)
    document, lost = encoded(OPUS_4_7, sampling=sampling)
    assert document == {}
    assert lost == {Feature.TEMPERATURE, Feature.TOP_P, Feature.TOP_K}


@pytest.mark.parametrize(
    ("effort", "budget"), [(Effort.LOW, 1024), (Effort.MEDIUM, 2048), (Effort.MAX, 16384)]
)
def test_an_effort_is_a_budget_to_older_claudes(effort: Effort, budget: int) -> None:
    document, lost = encoded(SONNET_4_5, reasoning=Reasoning(effort))
    assert document == thinking("enabled", budget_tokens=budget)
    assert not lost


def test_a_budget_stays_below_the_limit() -> None:
    reasoning = Reasoning(budget_tokens=8000)
    document, lost = encoded(SONNET_4_5, reasoning=reasoning, max_output_tokens=3000)
    assert document["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 2999
    assert lost == {Feature.REASONING_BUDGET}


def test_without_room_there_are_no_thoughts() -> None:
    document, lost = encoded(SONNET_4_5, reasoning=Reasoning(Effort.HIGH), max_output_tokens=1024)
    assert document == {"inferenceConfig": {"maxTokens": 1024}}
    assert lost == {Feature.REASONING_EFFORT}


def test_who_thinks_takes_no_temperature() -> None:
    sampling = Sampling(temperature=0.5, top_k=5)
    document, lost = encoded(SONNET_4_5, reasoning=Reasoning(Effort.LOW), sampling=sampling)
    assert document == thinking("enabled", budget_tokens=1024)
    assert lost == {Feature.TEMPERATURE, Feature.TOP_K}


@pytest.mark.parametrize(("top_p", "is_taken"), [(0.97, True), (0.9, False)])
def test_who_thinks_takes_a_top_p_near_one(top_p: float, is_taken: bool) -> None:
    document, lost = encoded(
        SONNET_4_5, reasoning=Reasoning(Effort.LOW), sampling=Sampling(top_p=top_p)
    )
    assert ("inferenceConfig" in document) is is_taken
    assert (Feature.TOP_P in lost) is not is_taken


def test_newer_claudes_think_adaptively() -> None:
    reasoning = Reasoning(Effort.XHIGH, is_shown=True)
    document, lost = encoded(OPUS_4_7, reasoning=reasoning)
    assert document == {
        **thinking("adaptive", display="summarized"),
        "outputConfig": {"effort": "xhigh"},
    }
    assert not lost


def test_a_budget_is_an_effort_to_newer_claudes() -> None:
    document, lost = encoded(OPUS_4_7, reasoning=Reasoning(budget_tokens=2000))
    assert document["outputConfig"] == {"effort": "medium"}
    assert lost == {Feature.REASONING_BUDGET}


def test_claude_4_6_takes_budgets_and_efforts() -> None:
    by_budget, nothing = encoded(OPUS_4_6, reasoning=Reasoning(budget_tokens=2000))
    assert by_budget == thinking("enabled", budget_tokens=2000)
    by_effort, lost = encoded(OPUS_4_6, reasoning=Reasoning(Effort.XHIGH))
    assert by_effort == {**thinking("adaptive"), "outputConfig": {"effort": "high"}}
    assert (nothing, lost) == (frozenset(), {Feature.REASONING_EFFORT})


def test_nobody_thinks_who_must_call_a_tool() -> None:
    document, lost = encoded(
        OPUS_4_6,
        reasoning=Reasoning(Effort.HIGH),
        tools=(Tool("f"),),
        tool_choice=Choice.REQUIRED,
    )
    assert "additionalModelRequestFields" not in document
    assert lost == {Feature.REASONING_EFFORT}


def called(*before: Part) -> tuple[Message, ...]:
    """A call in the middle of the assistant's turn, after these."""
    return (
        *ASK,
        Message(Role.ASSISTANT, (*before, ToolCall("c", "f", "{}"))),
        Message(Role.USER, (ToolResult("c", "f", (Text("1"),)),)),
    )


def test_older_claudes_go_on_as_they_began() -> None:
    sealed = Thinking("hm", Signature("s", Dialect.BEDROCK))
    reasoning = Reasoning(budget_tokens=2000)
    document, lost = encoded(SONNET_4_5, reasoning=reasoning, messages=called(sealed))
    assert "thinking" in document["additionalModelRequestFields"]
    assert not lost
    document, lost = encoded(SONNET_4_5, reasoning=reasoning, messages=called())
    assert "additionalModelRequestFields" not in document
    assert lost == {Feature.REASONING_BUDGET}
    answered = (*called(), Message(Role.ASSISTANT, (Text("1"),)), *ASK)
    assert not encoded(SONNET_4_5, reasoning=reasoning, messages=answered)[1]


def test_newer_claudes_go_on_adaptively() -> None:
    document, lost = encoded(OPUS_4_6, reasoning=Reasoning(budget_tokens=2000), messages=called())
    assert document["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}
    assert lost == {Feature.REASONING_BUDGET}


def test_who_thinks_unasked_is_kept_from_it_for_a_forced_call() -> None:
    document, lost = encoded(
        "anthropic.claude-sonnet-5", tools=(Tool("f"),), tool_choice=Choice.REQUIRED
    )
    assert document["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}
    assert not lost


def test_a_temperature_of_one_is_none() -> None:
    reasoning, sampling = Reasoning(Effort.LOW), Sampling(temperature=1)
    assert not encoded(SONNET_4_5, reasoning=reasoning, sampling=sampling)[1]
    assert not encoded(OPUS_4_7, sampling=sampling)[1]


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (SONNET_4_5, None),
        ("anthropic.claude-sonnet-5", {"thinking": {"type": "disabled"}}),
        (NOVA_2, {"reasoningConfig": {"type": "disabled"}}),
        (LLAMA, None),
    ],
)
def test_no_thoughts_are_wanted(model: str, fields: object) -> None:
    document, lost = encoded(model, reasoning=Reasoning(Effort.NONE))
    assert document.get("additionalModelRequestFields") == fields
    assert not lost


@pytest.mark.parametrize("model", ["anthropic.claude-fable-5", GPT])
def test_who_always_thinks_cannot_be_kept_from_it(model: str) -> None:
    assert encoded(model, reasoning=Reasoning(Effort.NONE)) == ({}, {Feature.REASONING_EFFORT})


def test_who_never_thinks_loses_the_effort() -> None:
    assert encoded(LLAMA, reasoning=Reasoning(Effort.LOW)) == ({}, {Feature.REASONING_EFFORT})
    assert encoded(LLAMA, reasoning=Reasoning(budget_tokens=9)) == (
        {},
        {Feature.REASONING_BUDGET},
    )


def test_nova_thinks_in_three_efforts() -> None:
    document, lost = encoded(
        NOVA_2, reasoning=Reasoning(Effort.HIGH), sampling=Sampling(temperature=0.1)
    )
    assert document["additionalModelRequestFields"] == {
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}
    }
    assert lost == {Feature.TEMPERATURE}


def test_nova_thinks_less_under_a_limit() -> None:
    document, lost = encoded(NOVA_2, reasoning=Reasoning(Effort.HIGH), max_output_tokens=50)
    config = document["additionalModelRequestFields"]["reasoningConfig"]
    assert config["maxReasoningEffort"] == "medium"
    assert lost == {Feature.REASONING_EFFORT}


def test_open_models_take_an_effort() -> None:
    document, lost = encoded(GPT, reasoning=Reasoning(Effort.MEDIUM))
    assert document == {"additionalModelRequestFields": {"reasoning_effort": "medium"}}
    assert not lost


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning(None, 2000)),
        ({"reasoning_config": {"type": "enabled", "budget_tokens": 9}}, Reasoning(None, 9)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Reasoning(is_shown=False)),
        ({"thinking": {"type": "disabled"}}, Reasoning(Effort.NONE)),
        (
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
            Reasoning(Effort.LOW),
        ),
        ({"reasoning_effort": "high"}, Reasoning(Effort.HIGH)),
        ({"output_config": {"effort": "max"}}, Reasoning(Effort.MAX)),
        ({"output_config": {"effort": []}, "reasoning_effort": "?"}, None),
        ({}, None),
    ],
)
def test_every_documented_way_to_ask_for_thoughts(
    fields: dict[str, object], reasoning: Reasoning | None
) -> None:
    document = {"messages": [], "additionalModelRequestFields": fields}
    request = decode_request(Call("m", False, document, 0))
    assert isinstance(request, Request)
    assert request.reasoning == reasoning


def test_fields_that_are_not_known_are_named() -> None:
    document = {"messages": [], "additionalModelRequestFields": {"new_field": []}}
    request = decode_request(Call("m", False, document, 0))
    assert isinstance(request, Request)
    assert request.extras == (Feature.OTHER,)


def test_betas_are_for_claude_alone() -> None:
    said, lost = encoded("us.anthropic.claude-opus-4-5-v1:0", betas=("a-1",))
    assert said["additionalModelRequestFields"] == {"anthropic_beta": ["a-1"]}
    assert not lost
    said, lost = encoded("amazon.nova-pro-v1:0", betas=("a-1",))
    assert "additionalModelRequestFields" not in said
    assert lost == {Feature.BETAS}


def test_betas_are_read_from_where_they_are_written() -> None:
    document = {"messages": [], "additionalModelRequestFields": {"anthropic_beta": ["a-1", 5]}}
    request = decode_request(Call("m", False, document, 0))
    assert isinstance(request, Request)
    assert request.betas == betas_of(document) == ("a-1",)
    assert request.extras == ()
    assert betas_of({}) == ()
