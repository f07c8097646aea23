"""A canonical request said to Claude: https://docs.claude.com/en/api/messages."""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.anthropic import schemas
from extproc.llm.anthropic.effort import Thought, thought
from extproc.llm.anthropic.elsewhere import BETAS
from extproc.llm.anthropic.models import Abilities, abilities
from extproc.llm.anthropic.turns import (
    Block,
    Conversation,
    begun_and_ended,
    calls_without_thinking,
    conversation,
    goes_on_without_thinking,
    marked,
)
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import Choice, Request, Sampling, Tool
from extproc.protocols import json_spans

ANSWER_IN_JSON = "Answer with one JSON object and nothing else."
"""What is said to a model of which any JSON object is wanted: there is no setting for it."""

_CHOICES: Mapping[Choice, str] = {
    Choice.AUTO: "auto",
    Choice.NONE: "none",
    Choice.REQUIRED: "any",
    Choice.NAMED: "tool",
}
_TIERS: Mapping[str, str] = {
    "auto": "auto",
    "default": "standard_only",
    "standard": "standard_only",
}
_LEAST_TOP_P_THINKING = 0.95


def encode_request(request: Request, losses: Losses) -> bytes:
    """For Anthropic, who reads of betas in a header."""
    return json_spans.encode(_document(request, losses))


def encode_request_with_betas(request: Request, losses: Losses) -> bytes:
    """For who reads of them in the body."""
    document = _document(request, losses)
    if request.betas:
        document[BETAS] = request.betas
    return json_spans.encode(document)


def _document(request: Request, losses: Losses) -> dict[str, object]:
    for feature in request.extras:
        losses.lose(feature, feature.value)
    if request.image_output is not None:
        losses.lose_images(has_form=request.image_output.has_form)
    able = abilities(request.model)
    said = conversation(request.messages, losses)
    thinking = thought(
        request.reasoning,
        request.max_output_tokens,
        able,
        losses,
        is_hindered=_is_thinking_hindered(request, said, able),
    )
    turns = begun_and_ended(said.turns, takes_prefill=able.takes_prefill)
    document: dict[str, object] = {
        "model": request.model,
        "max_tokens": thinking.max_tokens,
        "messages": [{"role": role, "content": _content(blocks)} for role, blocks in turns],
    }
    if request.is_stream:
        document["stream"] = True
    _say_system(document, said.system, request)
    _say_output(document, thinking, request)
    if request.tools:
        _say_tools(document, request)
    _say_sampling(document, request.sampling, able, thinking, losses)
    _say_stop(document, request.stop, losses)
    if request.user:
        document["metadata"] = {"user_id": request.user}
    if request.service_tier:
        tier = _TIERS.get(request.service_tier)
        if tier is None:
            losses.lose(Feature.SERVICE_TIER, "service_tier")
        else:
            document["service_tier"] = tier
    _lose_the_rest(request, losses)
    return document


def _is_thinking_hindered(request: Request, said: Conversation, able: Abilities) -> bool:
    """By a call that must be made, or by what was begun without thinking."""
    if request.tools and request.tool_choice in (Choice.REQUIRED, Choice.NAMED):
        return True
    if able.takes_prefill and goes_on_without_thinking(said.turns):
        return True
    return not able.takes_adaptive and calls_without_thinking(said.turns)


def _content(blocks: list[Block]) -> object:
    """One text that bears no mark is said as a string."""
    if len(blocks) == 1 and len(blocks[0]) == 2 and blocks[0]["type"] == "text":
        return blocks[0]["text"]
    return blocks


def _say_system(document: dict[str, object], system: list[Block], request: Request) -> None:
    if request.format is not None and request.format.schema is None:
        system = [*system, {"type": "text", "text": ANSWER_IN_JSON}]
    if system:
        document["system"] = _content(system)


def _say_output(document: dict[str, object], thinking: Thought, request: Request) -> None:
    if thinking.thinking is not None:
        document["thinking"] = thinking.thinking
    output: dict[str, object] = {}
    if thinking.effort is not None:
        output["effort"] = thinking.effort.value
    if request.format is not None and request.format.schema is not None:
        schema = schemas.closed(request.format.schema)
        output["format"] = {"type": "json_schema", "schema": schema}
    if output:
        document["output_config"] = output


def _say_tools(document: dict[str, object], request: Request) -> None:
    document["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is None and request.is_parallel is None:
        return
    kind = request.tool_choice or Choice.AUTO
    choice: dict[str, object] = {"type": _CHOICES[kind]}
    if kind is Choice.NAMED:
        choice["name"] = request.tool_name
    if request.is_parallel is not None and kind is not Choice.NONE:
        choice["disable_parallel_tool_use"] = not request.is_parallel
    document["tool_choice"] = choice


def _tool(tool: Tool) -> Block:
    said: Block = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    schema = tool.parameters or {}
    shaped = schema if schema.get("type") == "object" else _object(schema)
    said["input_schema"] = schemas.closed(shaped) if tool.is_strict else shaped
    if tool.is_strict is not None:
        said["strict"] = tool.is_strict
    return marked(said, tool.cache)


def _object(schema: Mapping[str, object]) -> dict[str, object]:
    """Anthropic wants it said."""
    return {**schema, "type": "object", "properties": schema.get("properties", {})}


def _say_sampling(
    document: dict[str, object],
    sampling: Sampling,
    able: Abilities,
    thinking: Thought,
    losses: Losses,
) -> None:
    temperature, top_p, top_k = sampling.temperature, sampling.top_p, sampling.top_k
    is_free = able.takes_sampling and not thinking.is_on  # else, 1 is what it is anyway
    if temperature is not None:
        if is_free:
            document["temperature"] = min(temperature, 1)
        if temperature > 1 or not (is_free or temperature == 1):
            losses.lose(Feature.TEMPERATURE, "sampling.temperature")
    if top_p is not None:
        if (
            able.takes_sampling
            and (able.takes_two_samplers or "temperature" not in document)
            and (not thinking.is_on or top_p >= _LEAST_TOP_P_THINKING)
        ):
            document["top_p"] = top_p
        else:
            losses.lose(Feature.TOP_P, "sampling.top_p")
    if top_k is not None:
        if is_free:
            document["top_k"] = top_k
        else:
            losses.lose(Feature.TOP_K, "sampling.top_k")
    if sampling.presence_penalty is not None or sampling.frequency_penalty is not None:
        losses.lose(Feature.PENALTIES, "sampling.penalties")
    if sampling.seed is not None:
        losses.lose(Feature.SEED, "sampling.seed")


def _say_stop(document: dict[str, object], stop: tuple[str, ...], losses: Losses) -> None:
    """Anthropic takes none of white space alone."""
    said = [sequence for sequence in stop if sequence.strip()]
    if said:
        document["stop_sequences"] = said
    if len(said) < len(stop):
        index = next(index for index, sequence in enumerate(stop) if not sequence.strip())
        losses.lose(Feature.STOP, f"stop[{index}]")


def _lose_the_rest(request: Request, losses: Losses) -> None:
    if request.choices != 1:
        losses.lose(Feature.CHOICES, "choices")
    if request.logprobs is not None:
        losses.lose(Feature.LOGPROBS, "logprobs")
    if request.verbosity:
        losses.lose(Feature.VERBOSITY, "verbosity")
    if request.metadata:
        losses.lose(Feature.METADATA, "metadata")
    if request.cache_key:
        losses.lose(Feature.CACHE_KEY, "cache_key")
