"""Top-ups and resets of budgets over HTTP, for whoever has the token. Docs: docs/budgets.md."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xds_server.admin.asked import answer, guarded, number, said, who
from xds_server.budgets.desk import Desk, Reset, TopUp


def budget_routes(desk: Desk, token: str) -> Sequence[Route]:
    """The routes over a desk; each asks for the token."""

    async def top_up(request: Request) -> Response:
        asked = await said(request, TopUp)
        return answer(await asyncio.to_thread(desk.top_up, asked, who(request)))

    async def reset(request: Request) -> Response:
        asked = await said(request, Reset)
        return answer(await asyncio.to_thread(desk.reset, asked, who(request)))

    async def log(request: Request) -> Response:
        before, budget = number(request, "before"), request.query_params.get("budget", "")
        return JSONResponse(await asyncio.to_thread(desk.log, before, budget))

    return (
        Route("/api/budgets/top-up", guarded(top_up, token), methods=["POST"]),
        Route("/api/budgets/reset", guarded(reset, token), methods=["POST"]),
        Route("/api/budget-log", guarded(log, token), methods=["GET"]),
    )
