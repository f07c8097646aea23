"""Chat completion requests, written from the canonical form for one server.

https://platform.openai.com/docs/api-reference/chat/create. Streams are asked for their usage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_chat.conversations import Json, MessageWriter
from extproc.llm.openai_chat.servers import OPENAI, Server
from extproc.llm.openai_chat.usage import openai_tier
from extproc.llm.request import Choice, Effort, ImageOutput, JsonFormat, Reasoning, Request, Tool
from extproc.llm.strict_schemas import is_strict
from extproc.protocols import json_spans

MOST_STOPS = 4
_FEATURES: Mapping[str, Feature] = MappingProxyType(
    {
        "frequency_penalty": Feature.PENALTIES,
        "logprobs": Feature.LOGPROBS,
        "max_completion_tokens": Feature.MAX_OUTPUT_TOKENS,
        "n": Feature.CHOICES,
        "parallel_tool_calls": Feature.PARALLEL_CALLS,
        "presence_penalty": Feature.PENALTIES,
        "prompt_cache_key": Feature.CACHE_KEY,
        "reasoning_effort": Feature.REASONING_EFFORT,
        "seed": Feature.SEED,
        "service_tier": Feature.SERVICE_TIER,
        "stop": Feature.STOP,
        "temperature": Feature.TEMPERATURE,
        "top_logprobs": Feature.LOGPROBS,
        "top_p": Feature.TOP_P,
        "user": Feature.USER,
        "verbosity": Feature.VERBOSITY,
    }
)
"""What is lost with a field that a server refuses."""
_BUDGETS: tuple[tuple[int, Effort], ...] = (
    (0, Effort.NONE),
    (1024, Effort.LOW),
    (2048, Effort.MEDIUM),
)
"""The effort for a budget of up to so many tokens; beyond, `high`, which every model takes."""
_FORMAT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def encode_request(request: Request, losses: Losses, server: Server = OPENAI) -> bytes:
    """The body for this server."""
    return json_spans.encode(_document(request, losses, server))


def _document(request: Request, losses: Losses, server: Server) -> Json:
    writer = MessageWriter(server, losses)
    document: Json = {"model": request.model, "messages": writer.write(request.messages)}
    fields = _settings(request, losses)
    if request.reasoning is not None:
        fields.update(_reasoning(request.reasoning, losses, server))
    if request.tools:
        document["tools"] = [
            _tool(_strictly(tool, losses, index), writer, f"tools[{index}]")
            for index, tool in enumerate(request.tools)
        ]
        fields.update(_tool_choice(request))
    if request.sampling.top_k is not None:
        if "top_k" in server.takes:
            document["top_k"] = request.sampling.top_k
        else:
            losses.lose(Feature.TOP_K, "sampling.top_k")
    if request.format is not None:
        document["response_format"] = _format(request.format)
    if request.metadata:  # OpenAI takes it only with `store`, which nobody asked for
        losses.lose(Feature.METADATA, "metadata")
    if request.betas:
        losses.lose(Feature.BETAS, "anthropic_beta")
    if request.is_stream:
        document["stream"] = True
        fields["stream_options"] = {"include_usage": True}
    if request.image_output is not None:
        document.update(_image_output(request.image_output, losses, server))
    for feature in request.extras:
        losses.lose(feature, feature.value)
    _put(fields, document, server, losses)
    return document


def _image_output(wanted: ImageOutput, losses: Losses, server: Server) -> Json:
    config = {"aspect_ratio": wanted.aspect_ratio, "image_size": wanted.resolution}
    said = {name: value for name, value in config.items() if value}
    if "images" not in server.takes:
        losses.lose_images(has_form=wanted.has_form)
        return {}
    modalities: Json = {"modalities": ["image"] if wanted.is_required else ["image", "text"]}
    return {**modalities, "image_config": said} if said else modalities


def _put(fields: Json, document: Json, server: Server, losses: Losses) -> None:
    """The fields under the names that the server has for them."""
    names = server.names
    for field, value in fields.items():
        name = names.get(field, field)
        if name:
            document[name] = value
        elif field in _FEATURES:
            losses.lose(_FEATURES[field], field)


def _settings(request: Request, losses: Losses) -> Json:
    sampling = request.sampling
    fields: Json = {}
    for name, value in (
        ("max_completion_tokens", request.max_output_tokens),
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("presence_penalty", sampling.presence_penalty),
        ("frequency_penalty", sampling.frequency_penalty),
        ("seed", sampling.seed),
        ("n", request.choices if request.choices != 1 else None),
        ("verbosity", request.verbosity or None),
        ("user", request.user or None),
        ("prompt_cache_key", request.cache_key or None),
    ):
        if value is not None:
            fields[name] = value
    if request.stop:
        fields["stop"] = request.stop[:MOST_STOPS]
        if len(request.stop) > MOST_STOPS:
            losses.lose(Feature.STOP, f"stop[{MOST_STOPS}]")
    if request.logprobs is not None:
        fields["logprobs"] = True
        if request.logprobs:
            fields["top_logprobs"] = request.logprobs
    if request.service_tier:
        tier = openai_tier(request.service_tier)
        if tier is None:
            losses.lose(Feature.SERVICE_TIER, "service_tier")
        else:
            fields["service_tier"] = tier
    return fields


def _reasoning(reasoning: Reasoning, losses: Losses, server: Server) -> Json:
    effort, budget = reasoning.effort, reasoning.budget_tokens
    if "reasoning" in server.takes:
        said: Json = {}
        if budget:
            said["max_tokens"] = budget
        elif budget == 0:
            said["enabled"] = False
        elif effort is not None:
            said["effort"] = effort.value
        else:
            said["enabled"] = True
        if reasoning.is_shown is not None:
            said["exclude"] = not reasoning.is_shown
        return {"reasoning": said}
    if reasoning.is_shown is True and "reasoning_content" not in server.takes:
        losses.lose(Feature.REASONING_TEXT, "reasoning.is_shown")
    if effort is None and budget is not None:
        if budget:
            losses.lose(Feature.REASONING_BUDGET, "reasoning.budget_tokens")
        effort = next((word for most, word in _BUDGETS if budget <= most), Effort.HIGH)
    return {} if effort is None else {"reasoning_effort": effort.value}


def _tool(tool: Tool, writer: MessageWriter, where: str) -> Json:
    function: Json = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.is_strict is not None:
        function["strict"] = tool.is_strict
    return writer.marked({"type": "function", "function": function}, tool.cache, where)


def _strictly(tool: Tool, losses: Losses, index: int) -> Tool:
    """OpenAI refuses the request for a strict tool whose schema is open or has options."""
    if tool.is_strict and not is_strict(tool.parameters):
        losses.lose(Feature.STRICT_TOOLS, f"tools[{index}].strict")
        return replace(tool, is_strict=None)
    return tool


def _tool_choice(request: Request) -> Json:
    """Without tools, OpenAI refuses what is said of them."""
    fields: Json = {}
    if request.is_parallel is not None:
        fields["parallel_tool_calls"] = request.is_parallel
    if request.tool_choice is Choice.NAMED:
        fields["tool_choice"] = {"type": "function", "function": {"name": request.tool_name}}
    elif request.tool_choice is not None:
        fields["tool_choice"] = request.tool_choice.value
    return fields


def _format(form: JsonFormat) -> Json:
    if form.schema is None:
        return {"type": "json_object"}
    said: Json = {"name": form.name if _FORMAT_NAME.fullmatch(form.name) else "answer"}
    if form.description:
        said["description"] = form.description
    said["schema"] = form.schema
    if form.is_strict is not None:
        said["strict"] = form.is_strict and is_strict(form.schema)
    return {"type": "json_schema", "json_schema": said}
