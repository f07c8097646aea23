"""MCP servers that cost next to nothing: `python -m benchmarks.load.mcp_server PORT TOOLS`.

All at one port: each path is a server of its own with so many tools, whose calls are answered with
the same JSON; a GET is a stream that stays open, and says nothing but a comment.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, cast

import uvloop

_CALLED = {"content": [{"type": "text", "text": "The quick brown fox jumps. " * 8}]}
_SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What is looked for, in plain words."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
    },
    "required": ["query"],
}
_CAPABILITIES = {"tools": {"listChanged": True}}
_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    b"3\r\n:\n\n\r\n"
)
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
_OVER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def _tools(count: int) -> list[dict[str, Any]]:
    words = "Finds what is looked for among all the things that are here, and says where it is."
    return [
        {"name": f"tool_{number}", "description": words, "inputSchema": _SCHEMA}
        for number in range(count)
    ]


class Server(asyncio.Protocol):
    """Reads requests with a content-length, one after the other."""

    def __init__(self, count: int) -> None:
        self._results = {
            "tools/list": json.dumps({"tools": _tools(count)}),
            "tools/call": json.dumps(_CALLED),
        }
        self._sessions = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own type
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            self._transport.write(self._answer(head, body))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"get "):
            return _STREAM
        if head.startswith(b"delete "):
            return _OVER
        message = json.loads(body)
        if "id" not in message:
            return _ACCEPTED
        method, more = message["method"], ""
        if method == "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "bench", "version": "1"}
            result = json.dumps(
                {"protocolVersion": version, "capabilities": _CAPABILITIES, "serverInfo": info}
            )
            self._sessions += 1
            more = f"mcp-session-id: {id(self):032x}{self._sessions}\r\n"
        else:
            result = self._results.get(method, "{}")
        said = f'{{"jsonrpc":"2.0","id":{json.dumps(message["id"])},"result":{result}}}'.encode()
        return (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{more}"
            f"content-length: {len(said)}\r\n\r\n"
        ).encode() + said


async def serve(port: int, count: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(count), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
