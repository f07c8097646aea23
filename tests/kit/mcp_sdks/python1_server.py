"""A server by the Python SDK 1.x: python1_server.py PORT, or `sse PORT`, or `stdio`."""

from __future__ import annotations

import sys
from typing import Any

from mcp.server.fastmcp import Context, FastMCP
from mcp.types import SamplingMessage, TextContent
from pydantic import BaseModel


class Name(BaseModel):
    name: str


def built(port: int) -> FastMCP:
    server = FastMCP("python1", port=port, log_level="ERROR")

    @server.tool()
    def add(a: int, b: int) -> dict[str, int]:
        """Adds."""
        return {"total": a + b}

    @server.tool()
    async def sample(prompt: str, ctx: Context[Any, Any, Any]) -> str:
        """Asks the client's model."""
        question = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
        answer: Any = await ctx.session.create_message([question], max_tokens=10)
        return f"the model said: {answer.content.text}"

    @server.tool()
    async def greet(ctx: Context[Any, Any, Any]) -> str:
        """Asks the user for a name."""
        answer: Any = await ctx.elicit("what is your name?", Name)
        return f"hello {answer.data.name}"

    @server.tool()
    async def roots(ctx: Context[Any, Any, Any]) -> str:
        """Lists the client's roots."""
        return ", ".join(str(each.uri) for each in (await ctx.session.list_roots()).roots)

    @server.tool()
    async def progress(steps: int, ctx: Context[Any, Any, Any]) -> str:
        """Reports each step."""
        for step in range(1, steps + 1):
            await ctx.report_progress(step, steps)
        return f"python1 took {steps} steps"

    return server


if __name__ == "__main__":
    *_kind, _port = sys.argv[1:]
    _transport: Any = "sse" if _kind else "stdio" if _port == "stdio" else "streamable-http"
    built(0 if _port == "stdio" else int(_port)).run(_transport)
