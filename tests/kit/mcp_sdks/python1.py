"""One conversation by the Python SDK 1.x: python1.py URL KIND CALL…"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client


async def sample(_context: Any, asked: types.CreateMessageRequestParams) -> Any:
    content: Any = asked.messages[0].content
    text = types.TextContent(type="text", text=content.text.upper())
    return types.CreateMessageResult(role="assistant", model="loud", content=text)


async def elicit(_context: Any, _asked: types.ElicitRequestParams) -> Any:
    return types.ElicitResult(action="accept", content={"name": "Ann"})


async def roots(_context: Any) -> Any:
    return types.ListRootsResult(roots=[types.Root(uri="file:///home/ann")])  # type: ignore[arg-type]


async def main(url: str, kind: str, *calls: str) -> None:
    opened = sse_client(url) if kind == "sse" else streamable_http_client(url)
    said: dict[str, Any] = {"tools": [], "texts": [], "steps": 0}

    async def step(*_: Any) -> None:
        said["steps"] += 1

    async with (
        opened as (read, write, *_),
        ClientSession(
            read,
            write,
            sampling_callback=sample,
            elicitation_callback=elicit,
            list_roots_callback=roots,
        ) as session,
    ):
        await session.initialize()
        said["tools"] = [tool.name for tool in (await session.list_tools()).tools]
        for call in calls:
            asked = json.loads(call)
            result: Any = await session.call_tool(
                asked["name"], asked["arguments"], progress_callback=step
            )
            said["texts"].append(result.content[0].text)
    print(json.dumps(said))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
