"""Tools that are searched for instead of listed: `search_tools`, and `call_tool` for what it finds.

Ranked by the words of names, titles, descriptions and parameters. The index is made once for a
list. A client that calls only what is listed calls what it found by `call_tool`, which is the
same call in another form: policies see the tool itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from extproc.mcp import messages
from extproc.mcp.jsonrpc import INVALID_PARAMS, Fault
from extproc.mcp.lists import Allowed, Listing, Shown
from extproc.mcp.messages import Message
from extproc.mcp.naming import Target
from extproc.protocols import json_spans
from extproc.ranking import Ranking, in_order
from gateway.globs import is_like
from gateway.mcp import OWN_TOOLS

SEARCH, CALL = OWN_TOOLS
MOST_FOUND: Final = 50

_USUALLY_FOUND: Final = 10
_NAME, _TITLE, _PARAMETER, _DESCRIPTION = 4.0, 3.0, 1.5, 1.0
_COMPLETE: Final = b',"resultType":"complete"'
"""What newer clients are told of each result."""
_OWN: Final = Target("", "")

_SEARCH_TOOL: Final = {
    "name": SEARCH,
    "title": "Search tools",
    "description": (
        "Finds tools by what they do. Only a few tools are listed: search for the others in a few "
        "words, such as 'create a calendar event', then call what was found by its name, directly "
        f"or with {CALL}."
    ),
    "inputSchema": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What the tool should do, in a few words."},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_FOUND,
                "default": _USUALLY_FOUND,
                "description": "How many tools to find at most.",
            },
        },
        "required": ["query"],
    },
    "annotations": {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False},
}
_CALL_TOOL: Final = {
    "name": CALL,
    "title": "Call a tool",
    "description": f"Calls a tool that {SEARCH} found, with arguments that its schema allows.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The name of the tool, as it was found."},
            "arguments": {"type": "object", "description": "The arguments of the tool."},
        },
        "required": ["name"],
    },
}


class _Tool(Struct, frozen=True):
    """What is read of an entry."""

    title: object = None
    description: object = None
    inputSchema: object = None


_reader = msgspec.json.Decoder(_Tool)


class ToolIndex:
    """The words of a list of tools."""

    __slots__ = ("_entries", "_names", "_ranking")

    def __init__(self, entries: Sequence[Shown]) -> None:
        self._entries = tuple(entries)
        self._names = {each.name: position for position, each in enumerate(entries)}
        self._ranking = Ranking(map(_texts, entries))

    def search(
        self, query: str, limit: int = _USUALLY_FOUND, is_allowed: Allowed | None = None
    ) -> tuple[Shown, ...]:
        """Tools that have a word of the query, the best first; of equals, in the order listed."""
        scores = self._ranking.scores(query)
        exact = self._names.get(query.strip())
        if exact is not None:
            scores[exact] = math.inf
        found: list[Shown] = []
        for position in in_order(scores):
            entry = self._entries[position]
            if is_allowed is None or is_allowed(entry.target):
                found.append(entry)
                if len(found) == limit:
                    break
        return tuple(found)


def lazy(of: Listing, pinned: Collection[str]) -> Listing:
    """Our own tools, and of the list those that are pinned: globs over names that clients know."""
    kept = (each for each in of.entries if is_like(pinned, each.name))
    return Listing(of.kind, (*own_tools(), *kept), of.ttl_ms, of.is_public)


def own_tools() -> tuple[Shown, ...]:
    """Entries of a list. Their target has no server: whoever filters it lets them through."""
    return tuple(
        Shown(_OWN, str(tool["name"]), msgspec.json.encode(tool))
        for tool in (_SEARCH_TOOL, _CALL_TOOL)
    )


def is_own(target: Target) -> bool:
    """Whether an entry is ours, and no server's."""
    return target == _OWN


def searched(
    index: ToolIndex, message: Message, is_allowed: Allowed | None, is_modern: bool
) -> bytes:
    """The result of a call of `search_tools`, in JSON: tools as `tools/list` would tell them."""
    query = message.arguments.get("query")
    limit = message.arguments.get("limit", _USUALLY_FOUND)
    if not isinstance(query, str) or not query.strip():
        return _failed("'query' must be a text", is_modern)
    if type(limit) is not int or not 1 <= limit <= MOST_FOUND:
        return _failed(f"'limit' must be a number from 1 to {MOST_FOUND}", is_modern)
    found = json_spans.array(each.text for each in index.search(query, limit, is_allowed))
    tools = b'{"tools":%s}' % found
    text = msgspec.json.encode(tools.decode())
    return b'{"content":[{"type":"text","text":%s}],"structuredContent":%s,"isError":false%s}' % (
        text,
        tools,
        _COMPLETE if is_modern else b"",
    )


def unwrapped(message: Message) -> Message | Fault:
    """A call of `call_tool` as a call of the tool itself, with all else that the client said."""
    name, arguments = message.arguments.get("name"), message.arguments.get("arguments", {})
    if not isinstance(name, str) or not name:
        return message.fault(INVALID_PARAMS, f"{CALL} needs the name of a tool", 200)
    if not isinstance(arguments, dict):
        return message.fault(INVALID_PARAMS, "the arguments of a tool are an object", 200)
    if name == CALL:
        return message.fault(INVALID_PARAMS, f"{CALL} does not call itself", 200)
    said = json_spans.value_at(message.body, ("params", "arguments", "arguments")) or b"{}"
    changes = {messages.NAME: messages.text(name), ("params", "arguments"): said}
    inner = messages.read(messages.rewritten(message.body, changes))
    return inner if isinstance(inner, Message) else message.fault(INVALID_PARAMS, "no call", 200)


def or_own(is_allowed: Allowed | None) -> Allowed | None:
    """The same filter, which lets our own tools through; None: everything."""
    if is_allowed is None:
        return None
    return lambda target: is_own(target) or is_allowed(target)


def _failed(reason: str, is_modern: bool) -> bytes:
    """A result that tells a model what it did wrong, as the specification asks of tools."""
    text = msgspec.json.encode(reason)
    end = _COMPLETE if is_modern else b""
    return b'{"content":[{"type":"text","text":%s}],"isError":true%s}' % (text, end)


def _texts(entry: Shown) -> list[tuple[object, float]]:
    """The texts of a tool, and how much a word of each counts."""
    tool = _reader.decode(entry.text)
    return [
        (entry.name, _NAME),
        (tool.title, _TITLE),
        (tool.description, _DESCRIPTION),
        *_parameters(tool.inputSchema),
    ]


def _parameters(schema: object) -> list[tuple[object, float]]:
    """Names and descriptions of parameters."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return []
    described = [each for each in properties.values() if isinstance(each, dict)]
    return [
        (" ".join(properties), _PARAMETER),
        *((each.get("description"), _DESCRIPTION / 2) for each in described),
    ]
