"""How an answer is drawn and how much the model thinks, in Bedrock's fields and the model's own.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html.
What stands in `additionalModelRequestFields` differs from model to model (`models`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from extproc.llm.anthropic.elsewhere import BETAS, betas_in
from extproc.llm.bedrock.models import (
    BUDGETS,
    SMALLEST_BUDGET,
    Family,
    Thinks,
    Traits,
    effort_of,
    is_off,
)
from extproc.llm.lenient import mapping, objects
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import Choice, Effort, Reasoning, Request, Sampling

_TEMPERATURE_LIMIT = 1.0
_LEAST_TOP_P_OF_THOUGHT = 0.95
_CLAUDE_EFFORTS: Mapping[Effort, str] = {
    Effort.MINIMAL: "low",
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
    Effort.XHIGH: "xhigh",
    Effort.MAX: "max",
}
_THREE_EFFORTS: Mapping[Effort, str] = {
    **_CLAUDE_EFFORTS,
    Effort.XHIGH: "high",
    Effort.MAX: "high",
}
_EFFORTS: Mapping[str, Effort] = {each.value: each for each in Effort}
_MODEL_SAMPLING = frozenset({"top_k", "k", "seed", "presence_penalty", "frequency_penalty"})


@dataclass(slots=True)
class Draft:
    """A request that is being written."""

    traits: Traits
    losses: Losses
    body: dict[str, object]
    model_fields: dict[str, object]
    """`additionalModelRequestFields`."""


@dataclass(slots=True)
class Drawn:
    """What a request says of all this."""

    sampling: Sampling
    reasoning: Reasoning | None
    max_output_tokens: int | None
    stop: tuple[str, ...]
    is_parallel: bool | None
    betas: tuple[str, ...]
    extras: list[Feature]


def decode_inference(document: Mapping[str, object]) -> Drawn:
    """Of a request in this dialect."""
    config = mapping(document, "inferenceConfig")
    fields = mapping(document, "additionalModelRequestFields")
    nova = mapping(fields, "inferenceConfig")
    extras: list[Feature] = []
    known = {*_MODEL_SAMPLING, *_REASONING_FIELDS, "inferenceConfig", "tool_choice", BETAS}
    if not known.issuperset(fields) or not {"topK"}.issuperset(nova):
        extras.append(Feature.OTHER)
    sampling = Sampling(
        temperature=_number(config, "temperature"),
        top_p=_number(config, "topP"),
        top_k=_integer(fields, "top_k") or _integer(fields, "k") or _integer(nova, "topK"),
        presence_penalty=_number(fields, "presence_penalty"),
        frequency_penalty=_number(fields, "frequency_penalty"),
        seed=_integer(fields, "seed"),
    )
    stop = config.get("stopSequences")
    is_alone = mapping(fields, "tool_choice").get("disable_parallel_tool_use")
    return Drawn(
        sampling,
        _decode_reasoning(mapping(document, "outputConfig"), fields),
        _integer(config, "maxTokens"),
        tuple(each for each in (stop if isinstance(stop, list) else ()) if isinstance(each, str)),
        not is_alone if isinstance(is_alone, bool) else None,
        betas_in(fields),
        extras,
    )


_REASONING_FIELDS = (
    "thinking",
    "reasoning_config",
    "reasoningConfig",
    "reasoning_effort",
    "output_config",
)


def _decode_reasoning(
    output: Mapping[str, object], fields: Mapping[str, object]
) -> Reasoning | None:
    nova = mapping(fields, "reasoningConfig")
    thinking = mapping(fields, "thinking") or mapping(fields, "reasoning_config") or nova
    words: Sequence[object] = (
        output.get("effort"),
        mapping(fields, "output_config").get("effort"),
        fields.get("reasoning_effort"),
        nova.get("maxReasoningEffort"),
    )
    effort = next(
        (_EFFORTS[each] for each in words if isinstance(each, str) and each in _EFFORTS), None
    )
    kind = thinking.get("type")
    if kind == "disabled":
        effort = Effort.NONE
    if kind is None and effort is None:
        return None
    display = thinking.get("display")
    is_shown = None if display is None else display != "omitted"
    return Reasoning(effort, _integer(thinking, "budget_tokens"), is_shown)


def betas_of(document: Mapping[str, object]) -> tuple[str, ...]:
    """What a request in this dialect asks for of Anthropic's betas."""
    return betas_in(mapping(document, "additionalModelRequestFields"))


def encode_inference(request: Request, draft: Draft) -> None:
    """Into the draft: the limit, the sampling, the stop sequences and the thinking.

    The messages are in it already.
    """
    if request.betas and draft.traits.family is Family.CLAUDE:
        draft.model_fields[BETAS] = request.betas
    elif request.betas:
        draft.losses.lose(Feature.BETAS, BETAS)
    refused = _encode_reasoning(request, draft)
    config: dict[str, object] = {}
    if request.max_output_tokens is not None:
        config["maxTokens"] = request.max_output_tokens
    _encode_sampling(request.sampling, refused, config, draft)
    if stop := [each for each in request.stop if each]:
        config["stopSequences"] = stop
    if config:
        draft.body["inferenceConfig"] = config


def _encode_sampling(
    sampling: Sampling, refused: frozenset[Feature], config: dict[str, object], draft: Draft
) -> None:
    """`refused` by the model, while it thinks as it was told to."""
    losses, traits = draft.losses, draft.traits
    if not traits.takes_sampling:
        refused = frozenset({Feature.TEMPERATURE, Feature.TOP_P, Feature.TOP_K})
    temperature, top_p = sampling.temperature, sampling.top_p
    if temperature is not None:
        is_refused = Feature.TEMPERATURE in refused and temperature != _TEMPERATURE_LIMIT
        if temperature > _TEMPERATURE_LIMIT or is_refused:  # who takes none is at the limit
            losses.lose(Feature.TEMPERATURE, "temperature")
        if Feature.TEMPERATURE not in refused:
            config["temperature"] = min(temperature, _TEMPERATURE_LIMIT)
    if top_p is not None:
        is_second = "temperature" in config and not traits.takes_both_samplings
        if Feature.TOP_P in refused or is_second:
            losses.lose(Feature.TOP_P, "top_p")
        else:
            config["topP"] = top_p
    if sampling.top_k is not None:
        _encode_top_k(sampling.top_k, refused, draft)
    if sampling.presence_penalty or sampling.frequency_penalty:
        losses.lose(Feature.PENALTIES, "presence_penalty")
    if sampling.seed is not None:
        losses.lose(Feature.SEED, "seed")


def _encode_top_k(top_k: int, refused: frozenset[Feature], draft: Draft) -> None:
    family = draft.traits.family
    if Feature.TOP_K in refused:
        draft.losses.lose(Feature.TOP_K, "top_k")
    elif family is Family.CLAUDE:
        draft.model_fields["top_k"] = top_k
    elif family is Family.COHERE:
        draft.model_fields["k"] = top_k
    elif family is Family.NOVA:
        draft.model_fields["inferenceConfig"] = {"topK": top_k}
    else:
        draft.losses.lose(Feature.TOP_K, "top_k")


_NOTHING: frozenset[Feature] = frozenset()
_WHILE_THINKING = frozenset({Feature.TEMPERATURE, Feature.TOP_K})


def _encode_reasoning(request: Request, draft: Draft) -> frozenset[Feature]:
    """What of the sampling the model then refuses."""
    reasoning, traits = request.reasoning, draft.traits
    is_hindered = traits.family is Family.CLAUDE and _is_hindered(request, draft)
    if reasoning is None:
        if is_hindered and traits.must_be_told_not_to and not traits.always_thinks:
            draft.model_fields["thinking"] = {"type": "disabled"}
        return _NOTHING
    if is_off(reasoning):
        _encode_off(reasoning, draft)
        return _NOTHING
    if traits.thinks is Thinks.NEVER or is_hindered:
        _lose(reasoning, draft)
        if traits.must_be_told_not_to and not traits.always_thinks:
            draft.model_fields["thinking"] = {"type": "disabled"}
        return _NOTHING
    if traits.thinks is Thinks.BY_EFFORT:
        return _encode_effort(request, reasoning, draft)
    if traits.thinks is Thinks.BY_BUDGET:
        is_by_budget = True
    else:
        is_by_budget = (
            traits.thinks is Thinks.BY_BUDGET_OR_ADAPTIVE
            and reasoning.budget_tokens is not None
            and not _calls_without_thinking(draft)
        )
    if not is_by_budget:
        _encode_adaptive(reasoning, draft)
    elif not _encode_budget(request, reasoning, draft):
        return _NOTHING
    top_p = request.sampling.top_p
    if top_p is not None and top_p < _LEAST_TOP_P_OF_THOUGHT:
        return _WHILE_THINKING | {Feature.TOP_P}
    return _WHILE_THINKING


def _is_hindered(request: Request, draft: Draft) -> bool:
    """Claude does not think when a call is forced, nor goes on so with what it began otherwise."""
    if request.tool_choice in (Choice.REQUIRED, Choice.NAMED):
        return True
    return draft.traits.thinks is Thinks.BY_BUDGET and _calls_without_thinking(draft)


def _calls_without_thinking(draft: Draft) -> bool:
    """The last turn of the assistant is not over, and does not begin with its reasoning."""
    turns = draft.body.get("messages")
    for turn in reversed(objects(turns)):
        content = objects(turn["content"])
        if turn["role"] == "assistant":
            return "reasoningContent" not in content[0]
        if not any("toolResult" in block for block in content):
            return False
    return False


def _lose(reasoning: Reasoning, draft: Draft) -> None:
    by_budget = reasoning.budget_tokens is not None
    feature = Feature.REASONING_BUDGET if by_budget else Feature.REASONING_EFFORT
    draft.losses.lose(feature, "reasoning")


def _encode_off(reasoning: Reasoning, draft: Draft) -> None:
    traits = draft.traits
    if traits.always_thinks:
        _lose(reasoning, draft)
    elif traits.family is Family.CLAUDE and traits.must_be_told_not_to:
        draft.model_fields["thinking"] = {"type": "disabled"}
    elif traits.thinks is Thinks.BY_EFFORT:
        draft.model_fields["reasoningConfig"] = {"type": "disabled"}


def _encode_effort(request: Request, reasoning: Reasoning, draft: Draft) -> frozenset[Feature]:
    effort = effort_of(reasoning) or Effort.MEDIUM
    word = _THREE_EFFORTS[effort]
    if reasoning.budget_tokens is not None or word != effort:
        _lose(reasoning, draft)
    if draft.traits.family is Family.GPT:
        draft.model_fields["reasoning_effort"] = word
        return _NOTHING
    if word == "high" and request.max_output_tokens is not None:  # Nova refuses them together
        _lose(reasoning, draft)
        word = "medium"
    draft.model_fields["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": word}
    return frozenset({Feature.TEMPERATURE, Feature.TOP_P}) if word == "high" else _NOTHING


def _encode_adaptive(reasoning: Reasoning, draft: Draft) -> None:
    thinking: dict[str, object] = {"type": "adaptive"}
    if reasoning.is_shown is not None:
        thinking["display"] = "summarized" if reasoning.is_shown else "omitted"
    draft.model_fields["thinking"] = thinking
    effort = effort_of(reasoning)
    if effort is Effort.XHIGH and draft.traits.thinks is not Thinks.ADAPTIVELY:
        effort = Effort.HIGH
        _lose(reasoning, draft)
    if reasoning.budget_tokens is not None or effort is Effort.MINIMAL:
        _lose(reasoning, draft)
    if effort is not None:
        draft.body["outputConfig"] = {"effort": _CLAUDE_EFFORTS[effort]}


def _encode_budget(request: Request, reasoning: Reasoning, draft: Draft) -> bool:
    """False: there is no room for thoughts."""
    wanted = reasoning.budget_tokens or BUDGETS[reasoning.effort or Effort.MEDIUM]
    budget = max(wanted, SMALLEST_BUDGET)
    limit = request.max_output_tokens
    if limit is not None and budget >= limit:
        budget = limit - 1
    if budget != wanted:
        _lose(reasoning, draft)
    if budget < SMALLEST_BUDGET:
        return False
    draft.model_fields["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return True


def _number(parent: Mapping[str, object], name: str) -> float | None:
    value = parent.get(name)
    return value if type(value) is float or type(value) is int else None


def _integer(parent: Mapping[str, object], name: str) -> int | None:
    value = parent.get(name)
    return value if type(value) is int else None
