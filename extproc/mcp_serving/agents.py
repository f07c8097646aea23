"""The list of A2A agents as an MCP server: one tool, `search_agents`.

What it can do, it says as REST APIs do (`apis.py`); who may see which agents depends on the caller.
"""

from __future__ import annotations

from typing import Final

import msgspec

from extproc.a2a import finding
from extproc.a2a.registry import Registry, View
from extproc.mcp import jsonrpc
from extproc.mcp.messages import Message
from extproc.mcp.openapi.answers import MODERN
from extproc.protocols import json_spans
from gateway.openapi.values import Api, Operation

TOOL: Final = finding.TOOL


def described() -> Api:
    """The server, as it is described to clients."""
    said = finding.definition()
    schema = msgspec.json.encode(said["inputSchema"]).decode()
    tool = Operation(TOOL, "GET", "/", "", said["title"], said["description"], input_schema=schema)
    about = "Finds A2A agents of this gateway by what they do."
    return Api("Agents", "1", about, operations=(tool,))


def called(message: Message, revision: str, registry: Registry, view: View) -> bytes:
    """The answer to a call of the tool."""
    result = finding.result(registry, view, message.arguments)
    if revision >= MODERN:
        result = json_spans.replace(result, {"resultType": b'"complete"'})
    return jsonrpc.result(message.raw_id, result)
