"""Messages requests: https://docs.claude.com/en/api/messages, in and out of the canonical form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from extproc.llm import faults
from extproc.llm.anthropic.blocks import Blocks, mark_of
from extproc.llm.anthropic.effort import reasoning_of
from extproc.llm.anthropic.elsewhere import BETAS, VERSION, betas_in
from extproc.llm.dialect import Call
from extproc.llm.faults import Unfit
from extproc.llm.fields import integer, number, strings
from extproc.llm.losses import Feature
from extproc.llm.request import (
    CacheMark,
    Choice,
    Document,
    Image,
    JsonFormat,
    Message,
    Part,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from extproc.verdict import Deny

_ROLES: Mapping[str, Role] = {each.value: each for each in Role}
_CHOICES: Mapping[str, Choice] = {
    "auto": Choice.AUTO,
    "none": Choice.NONE,
    "any": Choice.REQUIRED,
    "tool": Choice.NAMED,
}
_TOOL_FIELDS: Final = frozenset(
    {"type", "name", "description", "input_schema", "strict", "cache_control"}
)
_TIERS: Mapping[str, str] = {"standard_only": "default"}
"""What the canonical form calls as OpenAI does."""
_KNOWN: Final = frozenset(
    {
        BETAS,
        VERSION,
        "cache_control",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
_EXTRAS: Mapping[str, Feature] = {
    "compaction": Feature.STORED_STATE,
    "container": Feature.PROVIDER_TOOLS,
    "mcp_servers": Feature.PROVIDER_TOOLS,
}
"""Other fields whose loss is more than one of something unknown."""


def decode_request(call: Call) -> Request | Deny:
    """Of a document that `MessagesReading` has accepted."""
    try:
        return _request(call)
    except Unfit as fault:
        return fault.deny


def _request(call: Call) -> Request:
    document = call.document
    blocks = Blocks()
    messages = _messages(document, blocks)
    tools = _tools(document, blocks.extras)
    choice, name, is_parallel = _choice(document)
    user = _user(document, blocks.extras)
    answer_format = _format(document, blocks.extras)
    for key, value in document.items():
        if key not in _KNOWN and value is not None and value != []:
            blocks.extras[_EXTRAS.get(key, Feature.OTHER)] = None
    tier = document.get("service_tier")
    return Request(
        call.model,
        messages,
        is_stream=call.is_stream,
        tools=tools,
        tool_choice=choice,
        tool_name=name,
        is_parallel=is_parallel,
        max_output_tokens=call.max_output_tokens,
        sampling=Sampling(
            number(document, "temperature"),
            number(document, "top_p"),
            integer(document, "top_k"),
        ),
        stop=strings(document, "stop_sequences"),
        format=answer_format,
        reasoning=reasoning_of(document),
        user=user,
        service_tier=_TIERS.get(tier, tier) if type(tier) is str else "",
        betas=betas_in(document),
        extras=tuple(blocks.extras),
    )


def _messages(document: Mapping[str, object], blocks: Blocks) -> tuple[Message, ...]:
    found: list[Message] = []
    system = blocks.parts(document.get("system"), "system")
    if system:
        found.append(Message(Role.SYSTEM, tuple(system)))
    said = document.get("messages")
    for index, message in enumerate(said if type(said) is list else ()):
        role = _ROLES.get(message["role"])
        if role is None:
            raise Unfit(faults.wrong_value(f"messages[{index}].role", "must be user or assistant"))
        parts = blocks.parts(message["content"], f"messages[{index}].content")
        if parts:
            found.append(Message(role, tuple(parts)))
    mark = mark_of(document)
    if mark is not None and found:
        last = found[-1]
        found[-1] = dataclasses.replace(last, parts=_with_last_marked(last.parts, mark))
    return tuple(found)


def _with_last_marked(parts: tuple[Part, ...], mark: CacheMark) -> tuple[Part, ...]:
    """Anthropic puts the mark of a request on the last block that can have one."""
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if isinstance(part, Text | Image | Document | ToolCall | ToolResult):
            if part.cache is not None:
                return parts
            new = dataclasses.replace(part, cache=mark)
            return (*parts[:index], new, *parts[index + 1 :])
    return parts


def _tools(document: Mapping[str, object], extras: dict[Feature, None]) -> tuple[Tool, ...]:
    tools = document.get("tools")
    if tools is None:
        return ()
    if type(tools) is not list:
        raise Unfit(faults.wrong_type(list, tools, "tools"))
    found: list[Tool] = []
    for index, tool in enumerate(tools):
        if type(tool) is not dict:
            raise Unfit(faults.wrong_type(dict, tool, f"tools[{index}]"))
        if tool.get("type") not in (None, "custom"):
            extras[Feature.PROVIDER_TOOLS] = None
            continue
        name, schema = tool.get("name"), tool.get("input_schema")
        description, strict = tool.get("description"), tool.get("strict")
        if type(name) is not str:
            raise Unfit(faults.not_a(str, tool, "name", f"tools[{index}]."))
        if type(schema) is not dict:
            raise Unfit(faults.not_a(dict, tool, "input_schema", f"tools[{index}]."))
        if not tool.keys() <= _TOOL_FIELDS:
            extras[Feature.OTHER] = None
        found.append(
            Tool(
                name,
                description if type(description) is str else "",
                schema,
                strict if type(strict) is bool else None,
                mark_of(tool),
            )
        )
    return tuple(found)


def _choice(document: Mapping[str, object]) -> tuple[Choice | None, str, bool | None]:
    """Which tools, the one that is named, and whether several at once."""
    said = document.get("tool_choice")
    if said is None:
        return None, "", None
    if type(said) is not dict:
        raise Unfit(faults.wrong_type(dict, said, "tool_choice"))
    kind, name, single = said.get("type"), said.get("name"), said.get("disable_parallel_tool_use")
    choice = _CHOICES.get(kind) if type(kind) is str else None
    if choice is None:
        raise Unfit(faults.wrong_value("tool_choice.type", "must be auto, any, tool or none"))
    if choice is Choice.NAMED and type(name) is not str:
        raise Unfit(faults.not_a(str, said, "name", "tool_choice."))
    return (
        choice,
        name if choice is Choice.NAMED and type(name) is str else "",
        not single if type(single) is bool else None,
    )


def _user(document: Mapping[str, object], extras: dict[Feature, None]) -> str:
    metadata = document.get("metadata")
    if type(metadata) is not dict:
        return ""
    if not metadata.keys() <= {"user_id"}:
        extras[Feature.OTHER] = None
    user = metadata.get("user_id")
    return user if type(user) is str else ""


def _format(document: Mapping[str, object], extras: dict[Feature, None]) -> JsonFormat | None:
    """In `output_config`, or where it was at first."""
    config = document.get("output_config")
    said: object = None
    if config is not None:
        if type(config) is not dict:
            raise Unfit(faults.wrong_type(dict, config, "output_config"))
        if not config.keys() <= {"effort", "format"}:
            extras[Feature.OTHER] = None
        said = config.get("format")
    where = "output_config.format"
    if said is None:
        said, where = document.get("output_format"), "output_format"
    if said is None:
        return None
    if type(said) is not dict:
        raise Unfit(faults.wrong_type(dict, said, where))
    schema = said.get("schema")
    if said.get("type") != "json_schema":
        raise Unfit(faults.wrong_value(f"{where}.type", "must be json_schema"))
    if type(schema) is not dict:
        raise Unfit(faults.not_a(dict, said, "schema", f"{where}."))
    return JsonFormat(schema, is_strict=True)
