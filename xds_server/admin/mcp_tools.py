"""Tools of MCP servers over HTTP, for whoever has the token: which have changed, and that they may.
Docs: docs/mcp.md, "Tools that change".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xds_server.admin.asked import guarded, said, who
from xds_server.tool_pins import Pinned, PinsUnavailable, ToolPinStore


class Approval(msgspec.Struct, forbid_unknown_fields=True):
    """What is approved."""

    server: str
    tool: str
    digest: str = ""
    """What it has to begin with."""


def mcp_tool_routes(store: ToolPinStore, token: str) -> Sequence[Route]:
    """The routes over a store; each asks for the token."""

    async def tools(_: Request) -> Response:
        try:
            found = await asyncio.to_thread(store.all)
        except PinsUnavailable as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        return JSONResponse({"tools": [_shown(each) for each in found]})

    async def approve(request: Request) -> Response:
        asked = await said(request, Approval)
        try:
            found = await asyncio.to_thread(
                store.approve, asked.server, asked.tool, asked.digest, who(request)
            )
        except PinsUnavailable as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        if isinstance(found, str):
            return JSONResponse({"error": found}, status_code=409)
        return JSONResponse({"server": found.server, "tool": found.tool, "digest": found.seen})

    return (
        Route("/api/mcp/tools", guarded(tools, token), methods=["GET"]),
        Route("/api/mcp/approve", guarded(approve, token), methods=["POST"]),
    )


def _shown(pinned: Pinned) -> dict[str, object]:
    return {
        "server": pinned.server,
        "tool": pinned.tool,
        "state": pinned.state,
        "since": pinned.since,
        "digest": pinned.seen,
        "definition": _definition(pinned.seen_text),
        "approved_digest": pinned.known,
        "approved_definition": _definition(pinned.known_text),
    }


def _definition(text: str) -> object:
    return msgspec.json.decode(text) if text else None
