"""What callers have agreed to at MCP servers, over HTTP, for whoever has the token: whose it is,
and its end. Docs: docs/mcp.md, "Consent of each user".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xds_server.admin.asked import guarded, said, who
from xds_server.consents.desk import ConsentStore
from xds_server.consents.rows import ConsentsUnavailable


class Ending(msgspec.Struct, forbid_unknown_fields=True):
    """What is ended."""

    server: str
    id: str
    """Or what it begins with."""


def mcp_consent_routes(store: ConsentStore, token: str) -> Sequence[Route]:
    """The routes over a store; each asks for the token."""

    async def connections(_: Request) -> Response:
        try:
            found = await asyncio.to_thread(store.all)
        except ConsentsUnavailable as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        return JSONResponse({"connections": [msgspec.to_builtins(each) for each in found]})

    async def disconnect(request: Request) -> Response:
        asked = await said(request, Ending)
        try:
            found = await asyncio.to_thread(store.end, asked.server, asked.id, who(request))
        except ConsentsUnavailable as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        if isinstance(found, str):
            return JSONResponse({"error": found}, status_code=409)
        return JSONResponse(msgspec.to_builtins(found))

    return (
        Route("/api/mcp/connections", guarded(connections, token), methods=["GET"]),
        Route("/api/mcp/disconnect", guarded(disconnect, token), methods=["POST"]),
    )
