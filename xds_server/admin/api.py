"""HTTP edge for operators: health, status, metrics, what is in force, budgets, and going back.

Answers only to host names it knows; sends no CORS headers. See `guards`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from xds_server.admin.bodies import TooLong, body_of
from xds_server.admin.guards import LOCAL_HOSTS, NoForeignChanges, OnlyKnownHosts
from xds_server.budgets.store import BudgetsUnavailable
from xds_server.metrics import CONTENT_TYPE

LIMIT_BYTES = 64 << 10
"""Of what is sent to us."""

Json: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a change that was asked for."""

    status: int
    body: Json


@dataclass(frozen=True, slots=True)
class View:
    """What the API shows and does; each is asked anew for every request."""

    missing: Callable[[], Awaitable[tuple[str, ...]]]
    """What is not yet there; empty: ready."""
    status: Callable[[], Json]
    compiled: Callable[[], str]
    """The compiled configuration as YAML, without secrets; may take long."""
    resources: Callable[[], Json]
    """The same for programs; may take long."""
    budgets: Callable[[], Json]
    """Where they stand; may block. BudgetsUnavailable where the ledger does not answer."""
    history: Callable[[], Json]
    """What can be gone back to, without the texts: they hold secrets, and everybody on this
    machine can ask."""
    metrics: Callable[[], bytes]
    roll_back: Callable[[str | None], Awaitable[Answer]]
    """To a version; `None`: to the file."""


class _RollBack(msgspec.Struct, forbid_unknown_fields=True):
    """Either of the two."""

    version: str | None = None
    release: bool = False


def admin_app(
    view: View, hosts: frozenset[str] = frozenset(), further: Sequence[Route] = ()
) -> Starlette:
    """The API over `view`; `hosts` are further names that it answers to, `further` what others
    answer at their paths."""
    routes = (*_probes(view), *_readings(view), *_changes(view), *further)
    guards = [Middleware(OnlyKnownHosts, hosts=LOCAL_HOSTS | hosts), Middleware(NoForeignChanges)]
    return Starlette(routes=routes, middleware=guards)


def _probes(view: View) -> Sequence[Route]:
    async def live(request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        missing = await view.missing()
        if missing:
            answer = {"status": "not ready", "missing": list(missing)}
            return JSONResponse(answer, status_code=503)
        return JSONResponse({"status": "ready"})

    return (Route("/healthz/live", live), Route("/healthz/ready", ready))


def _readings(view: View) -> Sequence[Route]:
    async def status(request: Request) -> Response:
        missing = await view.missing()
        return JSONResponse({**view.status(), "missing": list(missing)})

    async def metrics(request: Request) -> Response:
        return Response(view.metrics(), media_type=CONTENT_TYPE)

    async def config(request: Request) -> Response:
        return PlainTextResponse(
            await asyncio.to_thread(view.compiled), media_type="application/yaml"
        )

    async def resources(request: Request) -> Response:
        return JSONResponse(dict(await asyncio.to_thread(view.resources)))

    async def budgets(request: Request) -> Response:
        try:
            return JSONResponse(dict(await asyncio.to_thread(view.budgets)))
        except BudgetsUnavailable as error:
            return JSONResponse({"error": str(error)}, status_code=503)

    async def history(request: Request) -> Response:
        return JSONResponse(dict(view.history()))

    return (
        Route("/metrics", metrics),
        Route("/api/status", status),
        Route("/api/config", config),
        Route("/api/resources", resources),
        Route("/api/budgets", budgets),
        Route("/api/history", history),
    )


def _changes(view: View) -> Sequence[Route]:
    async def roll_back(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await body_of(request, LIMIT_BYTES), type=_RollBack)
        except TooLong:
            return JSONResponse({"error": f"longer than {LIMIT_BYTES} bytes"}, status_code=413)
        except msgspec.DecodeError as error:
            return JSONResponse({"error": f"the body: {error}"}, status_code=400)
        if (asked.version is None) is not asked.release:
            known = 'the body must be {"version": "…"} or {"release": true}'
            return JSONResponse({"error": known}, status_code=400)
        answer = await view.roll_back(asked.version)
        return JSONResponse(dict(answer.body), status_code=answer.status)

    return (Route("/api/rollback", roll_back, methods=["POST"]),)
