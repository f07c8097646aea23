"""What is said of the tools of MCP servers: what they are called, and which are listed."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

from gateway.config.block import Block, refusal
from gateway.config.scalars import Globs, Text
from gateway.mcp import OWN_TOOLS

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def _tool(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise refusal(
            "must be the name of a tool", "letters, digits, '_', '-' and '.', at most 128"
        )
    if value in OWN_TOOLS:
        raise refusal("is the name of a tool of the gateway's own")
    return value


ToolName: TypeAlias = Annotated[str, AfterValidator(_tool), WithJsonSchema({"type": "string"})]


class McpToolBlock(Block):
    """What clients are told of a tool instead of what its server says."""

    name: ToolName | None = None
    """What clients call it, without any prefix. By its server's name it is then unknown; rules see
    that as before."""
    description: Text | None = None
    """What it does."""


class McpSearchBlock(Block):
    """Tools are searched for: instead of all of them, `search_tools` is listed, which finds tools
    by words, and `call_tool`, for clients that call only what is listed."""

    pinned: Globs = ()
    """Tools that are listed all the same, by the names that clients know: `github__search_*`."""
