"""`/api/keys`: virtual keys over HTTP, for whoever has the token. Docs: docs/keys.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.virtual_keys import to_json
from xds_server.admin.bodies import TooLong, body_of
from xds_server.admin.token import is_shown
from xds_server.keys.desk import KEEP, Desk, Refused, Told
from xds_server.keys.store import KeysUnavailable

LIMIT_BYTES = 4 << 20
"""Of a body: an import is many keys."""
WHO_HEADER = "x-dragoman-user"
"""Who asks, for the log: whoever has the token is believed."""
_LONGEST_WHO = 64
_CHALLENGE = {"www-authenticate": "Bearer"}

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
_Body = TypeVar("_Body")


class _Rotate(msgspec.Struct, forbid_unknown_fields=True):
    keep: str = KEEP


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Import(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[object]


class _Unread(Exception):
    """The body is not what it should be."""

    def __init__(self, status: int, error: str) -> None:
        self.answer = JSONResponse({"error": error}, status_code=status)


def key_routes(desk: Desk, token: str) -> Sequence[Route]:
    """The routes over a desk; each asks for the token."""
    guarded = partial(_guarded, token=token)
    one = "/api/keys/{ref}"
    return (
        Route("/api/keys", guarded(_list(desk)), methods=["GET"]),
        Route("/api/keys", guarded(_create(desk)), methods=["POST"]),
        Route(one, guarded(_show(desk)), methods=["GET"]),
        Route(one, guarded(_change(desk)), methods=["PATCH"]),
        Route(one, guarded(_delete(desk)), methods=["DELETE"]),
        Route(f"{one}/rotate", guarded(_rotate(desk)), methods=["POST"]),
        Route(f"{one}/revoke", guarded(_revoke(desk)), methods=["POST"]),
        Route("/api/key-log", guarded(_log(desk)), methods=["GET"]),
        Route("/api/key-export", guarded(_export(desk)), methods=["GET"]),
        Route("/api/key-import", guarded(_import(desk)), methods=["POST"]),
    )


def _guarded(endpoint: Endpoint, token: str) -> Endpoint:
    async def asked(request: Request) -> Response:
        if not is_shown(request, token):
            error = "needs the token of the state directory, as authorization: Bearer"
            return JSONResponse({"error": error}, status_code=401, headers=_CHALLENGE)
        try:
            return await endpoint(request)
        except _Unread as unread:
            return unread.answer
        except KeysUnavailable as error:
            return JSONResponse({"error": str(error)}, status_code=503)

    return asked


def _list(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = request.query_params
        holder = {name: asked[name] for name in ("team", "user") if name in asked}
        return JSONResponse(await asyncio.to_thread(desk.page, asked.get("after", ""), holder))

    return endpoint


def _create(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        said = await _said(request, object)
        return _answer(await asyncio.to_thread(desk.create, said, _who(request)), 201)

    return endpoint


def _show(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return _answer(await asyncio.to_thread(desk.show, _ref(request)))

    return endpoint


def _change(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        said = await _said(request, object)
        return _answer(await asyncio.to_thread(desk.change, _ref(request), said, _who(request)))

    return endpoint


def _delete(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return _answer(await asyncio.to_thread(desk.delete, _ref(request), _who(request)))

    return endpoint


def _rotate(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        keep = (await _said(request, _Rotate)).keep
        return _answer(await asyncio.to_thread(desk.rotate, _ref(request), keep, _who(request)))

    return endpoint


def _revoke(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        await _said(request, _Nothing)
        return _answer(await asyncio.to_thread(desk.revoke, _ref(request), _who(request)))

    return endpoint


def _log(desk: Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        before, ref = request.query_params.get("before", ""), request.query_params.get("key", "")
        if before and not (before.isascii() and before.isdigit() and len(before) < 19):
            raise _Unread(400, f"before: not a number: {before}")
        return JSONResponse(await asyncio.to_thread(desk.log, int(before) if before else None, ref))

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
        keys = (await _said(request, _Import)).keys
        return _answer(await asyncio.to_thread(desk.import_, keys, _who(request)))

    return endpoint


async def _said(request: Request, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await body_of(request, LIMIT_BYTES) or b"{}", type=kind)
    except TooLong:
        raise _Unread(413, f"longer than {LIMIT_BYTES} bytes") from None
    except msgspec.DecodeError as error:
        raise _Unread(400, f"the body: {error}") from error


def _ref(request: Request) -> str:
    return str(request.path_params["ref"])


def _who(request: Request) -> str:
    named = request.headers.get(WHO_HEADER, "")
    is_plain = 0 < len(named) <= _LONGEST_WHO and named.isascii() and named.isprintable()
    peer = request.client.host if request.client else "?"
    return f"{named if is_plain else 'admin'}@{peer}"


def _answer(told: Told | Refused, status: int = 200) -> Response:
    if isinstance(told, Refused):
        problems = [str(each) for each in told.problems]
        body = {"error": "; ".join(problems), "problems": problems}
        return JSONResponse(body, status_code=told.status)
    return JSONResponse(told, status_code=status)
