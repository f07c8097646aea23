"""HTTP edge for operators: health, status, the compiled configuration, budgets. Read-only.

Answers only to host names it knows, so that a page in the operator's browser cannot reach it by
rebinding its own name to 127.0.0.1; sends no CORS headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
PROBE_PREFIX = "/healthz/"
"""Asked by orchestrators under the address of a pod; tells nothing that is worth protecting."""


@dataclass(frozen=True, slots=True)
class View:
    """What the API shows; each is asked anew for every request."""

    missing: Callable[[], Awaitable[tuple[str, ...]]]
    """What is not yet there; empty: ready."""
    status: Callable[[], Mapping[str, object]]
    compiled: Callable[[], str]
    """The compiled configuration as YAML, without secrets."""
    counters: Callable[[], Sequence[Mapping[str, object]]]
    """The ledger's counters; may block."""


class OnlyKnownHosts:
    """Refuses requests whose Host header names somebody else."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_allowed(scope):
            await JSONResponse({"error": "unknown host"}, status_code=421)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        if scope["path"].startswith(PROBE_PREFIX):
            return True
        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return len(named) == 1 and without_port(named[0]) in self._hosts


def without_port(host: str) -> str:
    """The host of a Host header, lower case: `[::1]:15000` → `[::1]`."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() and not name.endswith(":") else host.lower()


def admin_app(view: View, hosts: frozenset[str] = frozenset()) -> Starlette:
    """The API over `view`; `hosts` are further names that it answers to."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        missing = await view.missing()
        if missing:
            answer = {"status": "not ready", "missing": list(missing)}
            return JSONResponse(answer, status_code=503)
        return JSONResponse({"status": "ready"})

    async def status(request: Request) -> Response:
        return JSONResponse(dict(view.status()))

    async def config(request: Request) -> Response:
        return PlainTextResponse(view.compiled(), media_type="application/yaml")

    async def budgets(request: Request) -> Response:
        rows = await asyncio.to_thread(view.counters)
        return JSONResponse({"counters": [dict(row) for row in rows]})

    routes = (
        Route("/healthz/live", live),
        Route("/healthz/ready", ready),
        Route("/api/status", status),
        Route("/api/config", config),
        Route("/api/budgets", budgets),
    )
    guard = Middleware(OnlyKnownHosts, hosts=LOCAL_HOSTS | hosts)
    return Starlette(routes=routes, middleware=[guard])
