"""Converse requests: read into the canonical form, and written from it.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. The body does not
say the model, nor whether the answer streams: the path does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from msgspec import Struct

from extproc.llm.anthropic import schemas
from extproc.llm.bedrock.blocks import BlockReader, cache_mark
from extproc.llm.bedrock.inference import Draft, decode_inference, encode_inference
from extproc.llm.bedrock.models import traits_of
from extproc.llm.bedrock.turns import TurnWriter, cache_point, tool_name
from extproc.llm.bedrock.words import STOP_SEQUENCE_PATH, TIERS
from extproc.llm.dialect import Call
from extproc.llm.lenient import mapping, objects, string
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    Choice,
    JsonFormat,
    Message,
    Request,
    Role,
    Tool,
    ToolCall,
)
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny

_ROLES: Mapping[str, Role] = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
}
_EXTRAS: Mapping[str, Feature] = {
    "guardrailConfig": Feature.SAFETY_SETTINGS,
    "promptVariables": Feature.STORED_STATE,
    "performanceConfig": Feature.OTHER,
    "projectIdentifier": Feature.OTHER,
}
_PATHS = "additionalModelResponseFieldPaths"
_KNOWN_PATHS = [STOP_SEQUENCE_PATH]
_KNOWN = frozenset(
    {
        _PATHS,
        "messages",
        "system",
        "inferenceConfig",
        "toolConfig",
        "additionalModelRequestFields",
        "requestMetadata",
        "serviceTier",
        "outputConfig",
    }
)
_OWN_CHOICES: Mapping[str, Choice] = {
    "auto": Choice.AUTO,
    "any": Choice.REQUIRED,
    "tool": Choice.NAMED,
    "none": Choice.NONE,
}
"""As Claude has them among its own fields."""
_NO_ARGUMENTS: Mapping[str, object] = {"type": "object", "properties": {}}
_ANSWER_IN_JSON = "Answer with one JSON object and nothing else."
_OPEN_SCHEMA: Mapping[str, object] = {"type": "object"}
_METADATA_KEY = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
_METADATA_VALUE = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_MOST_METADATA = 16


def decode_request(call: Call) -> Request | Deny:
    """Of a document that `BedrockReading.decode` has accepted."""
    document = call.document
    if "messages" not in document:  # a prompt that Bedrock keeps
        return Deny(400, "missing_required_parameter", "messages are missing", param="messages")
    reader = BlockReader()
    messages: list[Message] = []
    if system := reader.parts(document.get("system")):
        messages.append(Message(Role.SYSTEM, system))
    for index, message in enumerate(objects(document["messages"])):
        role = _ROLES.get(string(message, "role"))
        if role is None:
            where = f"messages[{index}].role"
            return Deny(400, "invalid_value", f"{where} must be user or assistant", param=where)
        messages.append(Message(role, reader.parts(message.get("content"))))
    drawn = decode_inference(document)
    tools = _decode_tools(document, reader)
    extras = reader.extras + drawn.extras
    extras += [_EXTRAS.get(name, Feature.OTHER) for name in document if name not in _KNOWN]
    if document.get(_PATHS, _KNOWN_PATHS) != _KNOWN_PATHS:
        extras.append(Feature.OTHER)
    return Request(
        model=call.model,
        messages=tuple(messages),
        is_stream=call.is_stream,
        tools=tools.tools,
        tool_choice=tools.choice,
        tool_name=tools.name,
        is_parallel=drawn.is_parallel,
        max_output_tokens=drawn.max_output_tokens,
        sampling=drawn.sampling,
        stop=drawn.stop,
        format=_decode_format(document),
        reasoning=drawn.reasoning,
        metadata=_decode_metadata(document),
        service_tier=string(mapping(document, "serviceTier"), "type"),
        betas=drawn.betas,
        extras=tuple(dict.fromkeys(extras)),
    )


class _Tools(Struct, frozen=True):
    tools: tuple[Tool, ...]
    choice: Choice | None
    name: str


def _decode_tools(document: Mapping[str, object], reader: BlockReader) -> _Tools:
    config = mapping(document, "toolConfig")
    tools: list[Tool] = []
    for entry in objects(config.get("tools")):
        spec = mapping(entry, "toolSpec")
        if spec:
            tools.append(_decode_tool(spec))
        elif "cachePoint" in entry and tools:
            last = tools[-1]
            tools[-1] = Tool(
                last.name, last.description, last.parameters, last.is_strict, cache_mark(entry)
            )
        else:
            reader.extras.append(Feature.PROVIDER_TOOLS)
    choice = mapping(config, "toolChoice")
    named = string(mapping(choice, "tool"), "name")
    if named:
        return _Tools(tuple(tools), Choice.NAMED, named)
    if "any" in choice:
        return _Tools(tuple(tools), Choice.REQUIRED, "")
    if "auto" in choice:
        return _Tools(tuple(tools), Choice.AUTO, "")
    own = mapping(mapping(document, "additionalModelRequestFields"), "tool_choice")
    name = string(own, "name")
    return _Tools(tuple(tools), _OWN_CHOICES.get(string(own, "type")), name)


def _decode_tool(spec: Mapping[str, object]) -> Tool:
    schema = mapping(spec, "inputSchema").get("json")
    strict = spec.get("strict")
    return Tool(
        string(spec, "name"),
        string(spec, "description"),
        schema if isinstance(schema, dict) else None,
        strict if isinstance(strict, bool) else None,
    )


def _decode_format(document: Mapping[str, object]) -> JsonFormat | None:
    text_format = mapping(mapping(document, "outputConfig"), "textFormat")
    wanted = mapping(mapping(text_format, "structure"), "jsonSchema")
    if not wanted:
        return None
    try:
        schema = json_spans.decode(string(wanted, "schema").encode())
    except InvalidJson:
        schema = {}
    name = string(wanted, "name") or "answer"
    return JsonFormat(schema, name, string(wanted, "description"), is_strict=True)


def _decode_metadata(document: Mapping[str, object]) -> dict[str, str] | None:
    metadata = document.get("requestMetadata")
    if not isinstance(metadata, dict):
        return None
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def encode_request(request: Request, losses: Losses) -> bytes:
    """The body for the model that the request names."""
    draft = Draft(traits_of(request.model), losses, {}, {})
    body = draft.body
    writer = TurnWriter(draft)
    writer.write(request.messages)
    body["messages"] = writer.turns
    encode_inference(request, draft)
    _encode_tools(request, draft)
    if request.format is not None:
        _encode_format(request.format, draft, writer.system)
    if writer.system:
        body["system"] = writer.system
    _encode_metadata(request, draft)
    if request.service_tier in TIERS:
        body["serviceTier"] = {"type": request.service_tier}
    elif request.service_tier not in ("", "auto"):
        losses.lose(Feature.SERVICE_TIER, "service_tier")
    _lose_the_rest(request, losses)
    if draft.model_fields:
        body["additionalModelRequestFields"] = draft.model_fields
    return json_spans.encode(body)


def _encode_tools(request: Request, draft: Draft) -> None:
    called = _called(request)
    is_forbidden = request.tool_choice is Choice.NONE
    may_forbid = draft.traits.takes_own_tool_choice
    if is_forbidden and not called:
        return  # without tools, none is called
    tools = _tool_entries(request, draft)
    if not tools:
        tools = [_tool_entry(Tool(name, parameters=_OPEN_SCHEMA)) for name in called]
        if not tools:
            return
    config: dict[str, object] = {"tools": tools}
    draft.body["toolConfig"] = config
    if is_forbidden and not may_forbid:
        draft.losses.lose(Feature.TOOL_CHOICE, "tool_choice")
    if request.is_parallel is False and not may_forbid:
        draft.losses.lose(Feature.PARALLEL_CALLS, "parallel_tool_calls")
    if may_forbid and (is_forbidden or request.is_parallel is False):
        draft.model_fields["tool_choice"] = _own_choice(request)
    elif request.tool_choice is not None and not is_forbidden and request.tools:
        config["toolChoice"] = _choice(request)


def _called(request: Request) -> list[str]:
    """The tools that were called before: Bedrock wants to know of them."""
    calls = (
        part.name
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolCall)
    )
    return list(dict.fromkeys(calls))


def _tool_entries(request: Request, draft: Draft) -> list[object]:
    entries: list[object] = []
    for index, tool in enumerate(request.tools):
        if tool_name(tool.name) != tool.name:
            draft.losses.lose(Feature.TOOLS, f"tools[{index}].name")
        if tool.is_strict and not draft.traits.takes_schemas:
            draft.losses.lose(Feature.STRICT_TOOLS, f"tools[{index}].strict")
            tool = replace(tool, is_strict=None)
        entries.append(_tool_entry(tool))
        if tool.cache is not None:
            if not draft.traits.caches_tools:
                draft.losses.lose(Feature.CACHE_MARKS, "cache_control")
            elif (point := cache_point(tool.cache, draft)) is not None:
                entries.append(point)
    return entries


def _tool_entry(tool: Tool) -> dict[str, object]:
    parameters = _NO_ARGUMENTS if tool.parameters is None else tool.parameters
    schema = schemas.closed(parameters) if tool.is_strict else parameters
    spec: dict[str, object] = {"name": tool_name(tool.name), "inputSchema": {"json": schema}}
    if tool.description:
        spec["description"] = tool.description
    if tool.is_strict:
        spec["strict"] = True
    return {"toolSpec": spec}


def _choice(request: Request) -> dict[str, object]:
    match request.tool_choice:
        case Choice.NAMED:
            return {"tool": {"name": tool_name(request.tool_name)}}
        case Choice.REQUIRED:
            return {"any": {}}
        case _:
            return {"auto": {}}


def _own_choice(request: Request) -> dict[str, object]:
    """As Claude takes it among its own fields; Bedrock refuses it beside `toolChoice`."""
    match request.tool_choice:
        case Choice.NONE:
            return {"type": "none"}
        case Choice.NAMED:
            own: dict[str, object] = {"type": "tool", "name": tool_name(request.tool_name)}
        case Choice.REQUIRED:
            own = {"type": "any"}
        case _:
            own = {"type": "auto"}
    return {**own, "disable_parallel_tool_use": True}


def _encode_format(wanted: JsonFormat, draft: Draft, system: list[Mapping[str, object]]) -> None:
    """Models that take no schema are told of it."""
    if wanted.schema is None:
        system.append({"text": _ANSWER_IN_JSON})
        return
    schema = json_spans.encode(schemas.closed(wanted.schema)).decode()
    if not draft.traits.takes_schemas:
        draft.losses.lose(Feature.JSON_SCHEMA, "response_format")
        system.append({"text": f"{_ANSWER_IN_JSON} It must fit this JSON Schema: {schema}"})
        return
    definition: dict[str, object] = {"schema": schema, "name": wanted.name}
    if wanted.description:
        definition["description"] = wanted.description
    output = draft.body.setdefault("outputConfig", {})
    if isinstance(output, dict):
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": definition}}


def _encode_metadata(request: Request, draft: Draft) -> None:
    if not request.metadata:
        return
    taken = {
        key: value
        for key, value in request.metadata.items()
        if _METADATA_KEY.fullmatch(key) and _METADATA_VALUE.fullmatch(value)
    }
    kept = dict(list(taken.items())[:_MOST_METADATA])
    if len(kept) < len(request.metadata):
        draft.losses.lose(Feature.METADATA, "metadata")
    if kept:
        draft.body["requestMetadata"] = kept


def _lose_the_rest(request: Request, losses: Losses) -> None:
    if request.choices > 1:
        losses.lose(Feature.CHOICES, "n")
    if request.logprobs is not None:
        losses.lose(Feature.LOGPROBS, "logprobs")
    for value, feature, where in (
        (request.verbosity, Feature.VERBOSITY, "verbosity"),
        (request.user, Feature.USER, "user"),
        (request.cache_key, Feature.CACHE_KEY, "prompt_cache_key"),
    ):
        if value:
            losses.lose(feature, where)
    if request.image_output is not None:
        losses.lose_images(has_form=request.image_output.has_form)
    for feature in request.extras:
        losses.lose(feature, feature.value)
