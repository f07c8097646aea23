"""Requests in no dialect, as requests of the Responses API.

https://platform.openai.com/docs/api-reference/responses/create. Nothing is stored behind the
client's back, so reasoning comes sealed, for the client to bring back.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_responses.drawing import DRAWING, drawing_tool
from extproc.llm.openai_responses.item_writer import instructions_in, items_of, short
from extproc.llm.openai_responses.requests import LOGPROBS
from extproc.llm.openai_responses.response_object import TIERS
from extproc.llm.request import Choice, Effort, JsonFormat, Reasoning, Request, Tool
from extproc.llm.strict_schemas import is_strict
from extproc.protocols import json_spans

ENCRYPTED = "reasoning.encrypted_content"
"""In `include`."""
FEWEST_OUTPUT_TOKENS = 16
"""OpenAI refuses fewer."""
UNREASONING = ("gpt-3.5", "gpt-4", "gpt-5-chat", "chatgpt-")
"""How names of OpenAI's models begin that refuse to be asked for sealed reasoning."""

_BUDGETS: tuple[tuple[int, Effort], ...] = (
    (0, Effort.NONE),
    (1024, Effort.LOW),
    (2048, Effort.MEDIUM),
)
"""The most tokens of each effort; more is `high`, the most that every model takes."""
_MODES: Mapping[Choice, str] = {
    Choice.AUTO: "auto",
    Choice.NONE: "none",
    Choice.REQUIRED: "required",
}


def encode_request(request: Request, losses: Losses) -> bytes:
    """The body of a request; what it cannot say is added to the losses."""
    for feature in request.extras:
        losses.lose(feature, feature.value)
    _lose_settings(request, losses)
    instructions = instructions_in(request.messages)
    messages = request.messages[1:] if instructions else request.messages
    include = [] if _is_unreasoning(request.model) else [ENCRYPTED]
    document: dict[str, object] = {"model": request.model}
    if instructions:
        document["instructions"] = instructions
    document["input"] = items_of(messages, losses)
    tools = [_tool(tool, losses) for tool in request.tools]
    if request.image_output is not None:
        tools.append(drawing_tool(request.image_output, losses))
    if tools:
        document["tools"] = tools
    if request.tool_choice is not None:
        document["tool_choice"] = _choice(request.tool_choice, request.tool_name)
    elif request.image_output is not None and request.image_output.is_required:
        document["tool_choice"] = {"type": DRAWING}
    if request.reasoning is not None:
        _add_reasoning(document, request.reasoning, losses)
    if request.logprobs is not None:
        include.append(LOGPROBS)
        document["top_logprobs"] = request.logprobs
    _add_settings(document, request, losses)
    _add_text(document, request)
    if include:
        document["include"] = include
    document["store"] = False
    if request.is_stream:
        document["stream"] = True
    return json_spans.encode(document)


def _lose_settings(request: Request, losses: Losses) -> None:
    sampling = request.sampling
    if request.stop:
        losses.lose(Feature.STOP, "stop")
    if request.choices > 1:
        losses.lose(Feature.CHOICES, "choices")
    if sampling.top_k is not None:
        losses.lose(Feature.TOP_K, "top_k")
    if sampling.seed is not None:
        losses.lose(Feature.SEED, "seed")
    if sampling.presence_penalty is not None or sampling.frequency_penalty is not None:
        losses.lose(Feature.PENALTIES, "penalties")
    if request.betas:
        losses.lose(Feature.BETAS, "anthropic_beta")


def _add_settings(document: dict[str, object], request: Request, losses: Losses) -> None:
    sampling = request.sampling
    if request.is_parallel is not None:
        document["parallel_tool_calls"] = request.is_parallel
    if request.max_output_tokens is not None:
        if request.max_output_tokens < FEWEST_OUTPUT_TOKENS:
            losses.lose(Feature.MAX_OUTPUT_TOKENS, "max_output_tokens")
        document["max_output_tokens"] = max(request.max_output_tokens, FEWEST_OUTPUT_TOKENS)
    if sampling.temperature is not None:
        document["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        document["top_p"] = sampling.top_p
    if request.user:
        document["safety_identifier"] = short(request.user)
    if request.metadata:
        document["metadata"] = request.metadata
    if request.service_tier:
        if request.service_tier in TIERS:
            document["service_tier"] = request.service_tier
        else:
            losses.lose(Feature.SERVICE_TIER, "service_tier")
    if request.cache_key:
        document["prompt_cache_key"] = short(request.cache_key)


def _add_reasoning(document: dict[str, object], reasoning: Reasoning, losses: Losses) -> None:
    asked: dict[str, object] = {}
    effort = reasoning.effort
    if effort is None and reasoning.budget_tokens is not None:
        budget = reasoning.budget_tokens
        losses.lose(Feature.REASONING_BUDGET, "reasoning.budget_tokens")
        effort = next((effort for most, effort in _BUDGETS if budget <= most), Effort.HIGH)
    if effort is not None:
        asked["effort"] = effort.value
    if reasoning.is_shown:
        asked["summary"] = "auto"
    if asked:
        document["reasoning"] = asked


def _add_text(document: dict[str, object], request: Request) -> None:
    text: dict[str, object] = {}
    if request.format is not None:
        text["format"] = _format(request.format)
    if request.verbosity:
        text["verbosity"] = request.verbosity
    if text:
        document["text"] = text


def _format(wanted: JsonFormat) -> dict[str, object]:
    if wanted.schema is None:
        return {"type": "json_object"}
    form: dict[str, object] = {
        "type": "json_schema",
        "name": wanted.name,
        "schema": wanted.schema,
    }
    if wanted.description:
        form["description"] = wanted.description
    if wanted.is_strict is not None:
        form["strict"] = wanted.is_strict and is_strict(wanted.schema)
    return form


def _tool(tool: Tool, losses: Losses) -> dict[str, object]:
    """Strict only where that was said: here, unlike elsewhere, it is what silence means."""
    if tool.cache is not None:
        losses.lose(Feature.CACHE_MARKS, "tools[].cache")
    function: dict[str, object] = {
        "type": "function",
        "name": tool.name,
        "parameters": tool.parameters,
        "strict": tool.is_strict is True and is_strict(tool.parameters),
    }
    if tool.is_strict and not function["strict"]:
        losses.lose(Feature.STRICT_TOOLS, f"tools ({tool.name})")
    if tool.description:
        function["description"] = tool.description
    return function


def _choice(choice: Choice, name: str) -> object:
    mode = _MODES.get(choice)
    return {"type": "function", "name": name} if mode is None else mode


def _is_unreasoning(model: str) -> bool:
    """Names may have a prefix: `openai/gpt-4.1`, `ft:gpt-4.1:team`."""
    return model.rpartition("/")[2].removeprefix("ft:").startswith(UNREASONING)
