"""The list of agents as a tool of MCP: a model finds an agent for what it has to do.

https://modelcontextprotocol.io/specification/2025-11-25/server/tools. The arguments are those of
the list's URL; mistakes are told as the result of the tool, so that the model can mend them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from extproc.a2a.registry import MOST_FOUND, Misasked, Query, Registry, View, read_query

TOOL: Final = "search_agents"

_PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "query": ("q", "What the agent should do, in a few words."),
    "skill": ("skill", "The id or the name of a skill that it must have."),
    "tag": ("tag", "A tag that a skill of it must have."),
    "input": ("input", "A media type that it must take, such as image/png or text/*."),
    "output": ("output", "A media type that it must give."),
    "page": ("pageToken", "The nextPageToken of the page before."),
}
_LIMIT: Final = "limit"
_USUALLY_FOUND: Final = 10


def definition() -> dict[str, Any]:
    """The tool, as `tools/list` tells it."""
    properties: dict[str, Any] = {
        name: {"type": "string", "description": description}
        for name, (_, description) in _PARAMETERS.items()
    }
    properties[_LIMIT] = {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_FOUND,
        "default": _USUALLY_FOUND,
        "description": "How many agents to find at most.",
    }
    return {
        "name": TOOL,
        "title": "Search agents",
        "description": (
            "Finds A2A agents by what they do: their addresses, skills and media types. Without "
            "arguments, lists all."
        ),
        "inputSchema": {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        },
        "annotations": {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False},
    }


def query_of(arguments: Mapping[str, object]) -> Query:
    """What a call of the tool looks for. `Misasked`: it is none."""
    pairs: list[tuple[str, str]] = []
    for name, value in arguments.items():
        if name == _LIMIT:
            if type(value) is not int:
                raise Misasked(f"{_LIMIT!r} must be a number")
            continue
        if name not in _PARAMETERS:
            raise Misasked(f"no argument {name[:64]!r}; known: {', '.join(_PARAMETERS)}, {_LIMIT}")
        if not isinstance(value, str):
            raise Misasked(f"{name!r} must be a text")
        pairs.append((_PARAMETERS[name][0], value))
    pairs.append(("pageSize", str(arguments.get(_LIMIT, _USUALLY_FOUND))))
    return read_query(urlencode(pairs))


def result(registry: Registry, view: View, arguments: Mapping[str, object]) -> bytes:
    """The result of a call, in JSON: a page of the list, or what the model did wrong."""
    try:
        page, _ = registry.search(query_of(arguments), view)
    except Misasked as error:
        text = msgspec.json.encode(str(error))
        return b'{"content":[{"type":"text","text":%s}],"isError":true}' % text
    text = msgspec.json.encode(page.decode())
    return b'{"content":[{"type":"text","text":%s}],"structuredContent":%s,"isError":false}' % (
        text,
        page,
    )
