"""What the MCP server of an API says of itself: `initialize`, `server/discover`, `tools/list`.

Of each revision what it knows: annotations since 2025-03-26, titles and output schemas since
2025-06-18, how long a list holds since 2026-07-28.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.openapi.values import Api, Operation

LEGACY: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN: Final = "2026-07-28"
PAGE_BYTES: Final = 1 << 20
"""A page of tools has about so much."""
_TTL_MS: Final = 60_000
_LONGEST_INSTRUCTIONS: Final = 4000
_ANNOTATED_SINCE: Final = "2025-03-26"
_TITLED_SINCE: Final = "2025-06-18"


class NoSuchCursor(ValueError):
    """No page begins there."""


def initialized(api: Api, name: str, asked: str) -> dict[str, Any]:
    """The result of `initialize`; `asked` is the client's revision."""
    revision = asked if asked in LEGACY else LEGACY[-1]
    result: dict[str, Any] = {
        "protocolVersion": revision,
        "capabilities": {"tools": {}},
        "serverInfo": server_info(api, name, revision),
    }
    if api.description:
        result["instructions"] = _instructions(api)
    return result


def discovered(api: Api, name: str) -> dict[str, Any]:
    """The result of `server/discover`."""
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": [MODERN, *reversed(LEGACY)],
        "capabilities": {"tools": {}},
        "ttlMs": _TTL_MS,
        "cacheScope": "public",
        "_meta": {"io.modelcontextprotocol/serverInfo": server_info(api, name, MODERN)},
    }
    if api.description:
        result["instructions"] = _instructions(api)
    return result


def pong(revision: str) -> dict[str, Any]:
    """The result of `ping`."""
    return {"resultType": "complete"} if revision >= MODERN else {}


def server_info(api: Api, name: str, revision: str) -> dict[str, str]:
    """Who answers."""
    info = {"name": name, "version": api.version or "0"}
    if api.title and revision >= _TITLED_SINCE:
        info["title"] = api.title
    return info


def tools(api: Api, revision: str) -> tuple[bytes, ...]:
    """Each tool as JSON, in the order of the document."""
    return tuple(msgspec.json.encode(_tool(each, revision)) for each in api.operations)


def listed(tools: tuple[bytes, ...], revision: str, cursor: str = "") -> dict[str, Any]:
    """The result of `tools/list`: one page. Raises `NoSuchCursor`."""
    start = int(cursor) if cursor.isdecimal() and len(cursor) < 9 else 0
    if cursor and not 0 < start < len(tools):
        raise NoSuchCursor(cursor)
    end, size = start, 0
    while end < len(tools) and (end == start or size + len(tools[end]) <= PAGE_BYTES):
        size += len(tools[end])
        end += 1
    result: dict[str, Any] = {"tools": [msgspec.Raw(each) for each in tools[start:end]]}
    if end < len(tools):
        result["nextCursor"] = str(end)
    if revision >= MODERN:
        result = {
            "resultType": "complete",
            **result,
            "ttlMs": _TTL_MS,
            "cacheScope": "public",
        }
    return result


def _instructions(api: Api) -> str:
    said = api.description.strip()
    return said if len(said) <= _LONGEST_INSTRUCTIONS else f"{said[:_LONGEST_INSTRUCTIONS]}…"


def _tool(operation: Operation, revision: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": operation.name}
    if operation.title and revision >= _TITLED_SINCE:
        found["title"] = operation.title
    if operation.description:
        found["description"] = operation.description
    found["inputSchema"] = msgspec.Raw(operation.input_schema.encode())
    if operation.output_schema and revision >= _TITLED_SINCE:
        found["outputSchema"] = msgspec.Raw(operation.output_schema.encode())
    if revision >= _ANNOTATED_SINCE:
        found["annotations"] = _annotations(operation)
    return found


def _annotations(operation: Operation) -> dict[str, Any]:
    """RFC 9110 §9.2 says what methods promise; APIs may not keep it, so these are hints. Of a POST
    nothing is said, and the specification's default is that it may destroy."""
    if operation.is_read_only:
        return {"readOnlyHint": True}
    found: dict[str, Any] = {"readOnlyHint": False, "idempotentHint": operation.is_idempotent}
    if operation.is_destructive:
        found["destructiveHint"] = True
    return found
