"""`/api/keys`: virtual keys over HTTP, for whoever has the token. Docs: docs/keys.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.virtual_keys import to_json
from xds_server.admin.asked import Endpoint, answer, guarded, number, said, who
from xds_server.keys.desk import KEEP, Desk


class _Rotate(msgspec.Struct, forbid_unknown_fields=True):
    keep: str = KEEP


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Import(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[object]


def key_routes(desk: Desk, token: str) -> Sequence[Route]:
    """The routes over a desk; each asks for the token."""
    ours = partial(guarded, token=token)
    one = "/api/keys/{ref}"
    return (
        Route("/api/keys", ours(_list(desk)), methods=["GET"]),
        Route("/api/keys", ours(_create(desk)), methods=["POST"]),
        Route(one, ours(_show(desk)), methods=["GET"]),
        Route(one, ours(_change(desk)), methods=["PATCH"]),
        Route(one, ours(_delete(desk)), methods=["DELETE"]),
        Route(f"{one}/rotate", ours(_rotate(desk)), methods=["POST"]),
        Route(f"{one}/revoke", ours(_revoke(desk)), methods=["POST"]),
        Route("/api/key-log", ours(_log(desk)), methods=["GET"]),
        Route("/api/key-export", ours(_export(desk)), methods=["GET"]),
        Route("/api/key-import", ours(_import(desk)), methods=["POST"]),
    )


def _list(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = request.query_params
        holder = {name: asked[name] for name in ("team", "user") if name in asked}
        return JSONResponse(await asyncio.to_thread(desk.page, asked.get("after", ""), holder))

    return endpoint


def _create(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = await said(request, object)
        return answer(await asyncio.to_thread(desk.create, asked, who(request)), 201)

    return endpoint


def _show(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return answer(await asyncio.to_thread(desk.show, _ref(request)))

    return endpoint


def _change(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = await said(request, object)
        return answer(await asyncio.to_thread(desk.change, _ref(request), asked, who(request)))

    return endpoint


def _delete(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return answer(await asyncio.to_thread(desk.delete, _ref(request), who(request)))

    return endpoint


def _rotate(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        keep = (await said(request, _Rotate)).keep
        return answer(await asyncio.to_thread(desk.rotate, _ref(request), keep, who(request)))

    return endpoint


def _revoke(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        await said(request, _Nothing)
        return answer(await asyncio.to_thread(desk.revoke, _ref(request), who(request)))

    return endpoint


def _log(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        before, ref = number(request, "before"), request.query_params.get("key", "")
        return JSONResponse(await asyncio.to_thread(desk.log, before, ref))

    return endpoint


def _export(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        keys = (to_json(key) + b"\n" for key in desk.export())
        first = await asyncio.to_thread(next, keys, b"")  # what is wrong is said before it begins

        async def lines() -> AsyncIterator[bytes]:
            yield first
            while line := await asyncio.to_thread(next, keys, b""):
                yield line

        return StreamingResponse(lines(), media_type="application/jsonl")

    return endpoint


def _import(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        keys = (await said(request, _Import)).keys
        return answer(await asyncio.to_thread(desk.import_, keys, who(request)))

    return endpoint


def _ref(request: Request) -> str:
    return str(request.path_params["ref"])
