"""What a response says that it used, and what its tools used beside it.

https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage; `tool_usage`
is separate from `usage`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from extproc.llm.counts import count, reported
from extproc.llm.lenient import mapping, objects, string
from extproc.llm.openai_responses.drawing import DRAWING
from gateway.usage import Drawing, Usage

USAGE_MEMBER = "usage"
TIER_MEMBER = "service_tier"
"""Of a response, beside its usage."""
TOOLS_MEMBERS = ("tool_usage", "tools")
"""The same, of tools: what they used, and which they were."""
DEFAULT_DRAWER = "gpt-image-2.6-sunburst"
"""The model that draws where nobody names one."""

_SEARCH = "web_search"
"""How the types of tools begin that search the web."""


def usage_of(document: Mapping[str, object]) -> Usage | None:
    """Of a `usage` object; None when it counts nothing."""
    read, written = count(document, "input_tokens"), count(document, "output_tokens")
    if not read and not written:
        return None
    details_in = mapping(document, "input_tokens_details")
    details_out = mapping(document, "output_tokens_details")
    return Usage(
        read,
        written,
        cached_input_tokens=count(details_in, "cached_tokens"),
        cache_write_tokens=count(details_in, "cache_write_tokens"),
        reasoning_tokens=count(details_out, "reasoning_tokens"),
        audio_input_tokens=count(details_in, "audio_tokens"),
        image_input_tokens=count(details_in, "image_tokens"),
        audio_output_tokens=count(details_out, "audio_tokens"),
        image_output_tokens=count(details_out, "image_tokens"),
        reported=reported(document),
    )


def usage_in(response: Mapping[str, object]) -> Usage | None:
    """Of a response, with the service tier that stands beside its usage."""
    document = response.get(USAGE_MEMBER)
    usage = usage_of(document) if type(document) is dict else None
    tier = response.get(TIER_MEMBER)
    if usage is not None and tier and type(tier) is str:
        usage = replace(usage, service_tier=tier)
    return usage_with_tools(usage, response)


def usage_with_tools(usage: Usage | None, response: Mapping[str, object]) -> Usage | None:
    """With what tools used, as far as these members of a response tell it."""
    told = mapping(response, "tool_usage")
    searches = count(mapping(told, "web_search"), "num_requests")
    drawn = _drawn(mapping(told, "image_gen"))
    if not searches and drawn is None:
        return usage
    drawing = None if drawn is None else Drawing(_drawer(response.get("tools")), drawn)
    used = usage or Usage(0, 0)
    said = tuple((f"tool_usage.{name}", number) for name, number in _reported(told))
    return replace(used, searches=searches, drawing=drawing, reported=used.reported + said)


def are_tools_told(request: Mapping[str, object]) -> bool:
    """Whether the answer to a request may tell what tools used, beside its usage."""
    if request.get("prompt") is not None:  # which may bring tools
        return True
    items = request.get("input")
    brought = [each for each in objects(items) if each.get("type") == "additional_tools"]
    tools = [tool for each in (request, *brought) for tool in objects(each.get("tools"))]
    return any(string(tool, "type").startswith((DRAWING, _SEARCH)) for tool in tools)


def _drawn(told: Mapping[str, object]) -> Usage | None:
    read, written = count(told, "input_tokens"), count(told, "output_tokens")
    if not read and not written:
        return None
    details_in = mapping(told, "input_tokens_details")
    details_out = mapping(told, "output_tokens_details")
    again = mapping(told, "cached_tokens_details")
    images, cached = count(details_in, "image_tokens"), count(again, "cached_image_tokens")
    return Usage(
        read,
        written,
        cached_input_tokens=count(told, "cached_tokens"),
        image_input_tokens=max(0, images - cached),
        image_output_tokens=count(details_out, "image_tokens") if details_out else written,
    )


def _drawer(tools: object) -> str:
    """The model of the tool that draws."""
    drawers = [each for each in objects(tools) if each.get("type") == DRAWING]
    return next(filter(None, (string(each, "model") for each in drawers)), DEFAULT_DRAWER)


def _reported(told: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    for tool in told:
        for name, number in reported(mapping(told, tool)):
            yield f"{tool}.{name}", number


def usage_object(usage: Usage) -> dict[str, object]:
    """The `usage` of a response."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
