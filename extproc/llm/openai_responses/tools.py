"""The tools of the Responses API: functions, free-text tools that become functions, and choices.

https://platform.openai.com/docs/api-reference/responses/create#responses_create-tools. A custom
tool takes a text; elsewhere it is a function with one argument, whose calls are told as the tool's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from msgspec import Struct
from msgspec.structs import replace as replace_fields

from extproc.llm.faults import Unfit, wrong_type
from extproc.llm.fields import (
    boolean,
    mapping,
    objects,
    required_string,
    string,
    unsupported,
)
from extproc.llm.losses import Feature
from extproc.llm.openai_responses.drawing import DRAWING, image_output
from extproc.llm.openai_responses.items import CUSTOM_INPUT
from extproc.llm.request import Choice, ImageOutput, Tool

_FUNCTION = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM = frozenset({"type", "name", "description", "format"})
_OWN = ("function", "custom")
_MODES: Mapping[str, Choice] = {
    "auto": Choice.AUTO,
    "none": Choice.NONE,
    "required": Choice.REQUIRED,
}
CUSTOM_PARAMETERS: Mapping[str, object] = {
    "type": "object",
    "properties": {CUSTOM_INPUT: {"type": "string"}},
    "required": [CUSTOM_INPUT],
    "additionalProperties": False,
}
"""Of the function that stands for a custom tool."""


class Tools(Struct, frozen=True):
    """What may be called, and what must be."""

    tools: tuple[Tool, ...]
    choice: Choice | None
    name: str = ""
    image_output: ImageOutput | None = None


def tools_of(document: Mapping[str, object], extras: dict[Feature, None]) -> tuple[Tool, ...]:
    """The client's own; those that OpenAI runs are added to the extras."""
    found: list[Tool] = []
    for index, tool in enumerate(objects(document, "tools")):
        where = f"tools[{index}]."
        kind = required_string(tool, "type", where)
        if kind == "function":
            found.append(_function(tool, where, extras))
        elif kind == "custom":
            found.append(_custom(tool, where, extras))
        elif kind != DRAWING:
            extras[Feature.PROVIDER_TOOLS] = None
    return tuple(found)


def tools_in(document: Mapping[str, object], extras: dict[Feature, None]) -> Tools:
    """The tools of a request, what is to be drawn, and what `tool_choice` makes of them."""
    tools = tools_of(document, extras)
    drawing = image_output(document, extras)
    value = document.get("tool_choice")
    if value == {"type": DRAWING} and drawing is not None:
        return Tools(tools, None, image_output=replace(drawing, is_required=True))
    chosen = choose(value, tools, extras)
    if drawing is None or chosen.choice is Choice.NONE:
        return chosen
    if chosen.choice is Choice.REQUIRED and not tools:  # there is no other
        return Tools((), None, image_output=replace(drawing, is_required=True))
    return replace_fields(chosen, image_output=drawing)


def choose(value: object, tools: tuple[Tool, ...], extras: dict[Feature, None]) -> Tools:
    """What `tool_choice` makes of the tools."""
    if value is None:
        return Tools(tools, None)
    if type(value) is str:
        mode = _MODES.get(value)
        if mode is None:
            raise unsupported("tool_choice", value)
        return Tools(tools, mode)
    if type(value) is not dict:
        raise Unfit(wrong_type(dict, value, "tool_choice"))
    kind = required_string(value, "type", "tool_choice.")
    if kind in _OWN:
        return Tools(tools, Choice.NAMED, required_string(value, "name", "tool_choice."))
    if kind == "allowed_tools":
        return _allowed(value, tools, extras)
    extras[Feature.PROVIDER_TOOLS] = None
    return Tools(tools, None)


def custom_names(document: Mapping[str, object]) -> frozenset[str]:
    """Of the custom tools of a client's request: calls of them are told in their own form."""
    tools = document.get("tools")
    if type(tools) is not list:
        return frozenset()
    names = [
        tool.get("name") for tool in tools if type(tool) is dict and tool.get("type") == "custom"
    ]
    return frozenset(name for name in names if type(name) is str)


def _function(tool: Mapping[str, object], where: str, extras: dict[Feature, None]) -> Tool:
    if any(name not in _FUNCTION and value for name, value in tool.items()):
        extras[Feature.OTHER] = None
    return Tool(
        required_string(tool, "name", where),
        string(tool, "description", where),
        mapping(tool, "parameters", where),
        boolean(tool, "strict", where),
    )


def _custom(tool: Mapping[str, object], where: str, extras: dict[Feature, None]) -> Tool:
    if any(name not in _CUSTOM and value for name, value in tool.items()):
        extras[Feature.OTHER] = None
    description = string(tool, "description", where)
    form = mapping(tool, "format", where) or {}
    if form.get("type", "text") != "text":
        extras[Feature.CUSTOM_TOOLS] = None
        syntax = string(form, "syntax", f"{where}format.")
        definition = string(form, "definition", f"{where}format.")
        description = f"{description}\n\nThe input fits this {syntax} grammar:\n{definition}"
    name = required_string(tool, "name", where)
    return Tool(name, description.strip(), CUSTOM_PARAMETERS)


def _allowed(
    value: Mapping[str, object], tools: tuple[Tool, ...], extras: dict[Feature, None]
) -> Tools:
    """The others are not offered: a model that cannot call them need not read of them."""
    where = "tool_choice."
    mode = required_string(value, "mode", where)
    choice = _MODES.get(mode)
    if choice is None:
        raise unsupported(f"{where}mode", mode)
    names: set[str] = set()
    for index, tool in enumerate(objects(value, "tools", where)):
        inner = f"{where}tools[{index}]."
        kind = required_string(tool, "type", inner)
        if kind in _OWN:
            names.add(required_string(tool, "name", inner))
        elif kind != DRAWING:
            extras[Feature.PROVIDER_TOOLS] = None
    return Tools(tuple(tool for tool in tools if tool.name in names), choice)
