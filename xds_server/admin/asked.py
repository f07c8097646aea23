"""Requests to the admin API that need its token: who asks, what is said, what is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from xds_server.admin.bodies import TooLong, body_of
from xds_server.admin.token import is_shown
from xds_server.budgets.store import BudgetsUnavailable
from xds_server.keys.desk import Refused, Told
from xds_server.keys.store import KeysUnavailable

LIMIT_BYTES = 4 << 20
"""Of a body: an import is many keys."""
WHO_HEADER = "x-dragoman-user"
"""Who asks, for the log: whoever has the token is believed."""
_LONGEST_WHO = 64
_LONGEST_NUMBER = 18
_CHALLENGE = {"www-authenticate": "Bearer"}

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
_Body = TypeVar("_Body")


class Unread(Exception):
    """The request is not what it should be."""

    def __init__(self, status: int, error: str) -> None:
        self.answer = JSONResponse({"error": error}, status_code=status)


def guarded(endpoint: Endpoint, token: str) -> Endpoint:
    """For those alone who show the token; what cannot be asked at the moment is a 503."""

    async def asked(request: Request) -> Response:
        if not is_shown(request, token):
            error = "needs the token of the state directory, as authorization: Bearer"
            return JSONResponse({"error": error}, status_code=401, headers=_CHALLENGE)
        try:
            return await endpoint(request)
        except Unread as unread:
            return unread.answer
        except (KeysUnavailable, BudgetsUnavailable) as error:
            return JSONResponse({"error": str(error)}, status_code=503)

    return asked


async def said(request: Request, kind: type[_Body]) -> _Body:
    """The body, as this type; Unread, where it is none."""
    try:
        return msgspec.json.decode(await body_of(request, LIMIT_BYTES) or b"{}", type=kind)
    except TooLong:
        raise Unread(413, f"longer than {LIMIT_BYTES} bytes") from None
    except msgspec.DecodeError as error:
        raise Unread(400, f"the body: {error}") from error


def number(request: Request, name: str) -> int | None:
    """A parameter of the query; None: it is not there. Unread, where it is no number."""
    text = request.query_params.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise Unread(400, f"{name}: not a number: {text}")
    return int(text) if text else None


def who(request: Request) -> str:
    named = request.headers.get(WHO_HEADER, "")
    is_plain = 0 < len(named) <= _LONGEST_WHO and named.isascii() and named.isprintable()
    peer = request.client.host if request.client else "?"
    return f"{named if is_plain else 'admin'}@{peer}"


def answer(told: Told | Refused, status: int = 200) -> Response:
    if isinstance(told, Refused):
        problems = [str(each) for each in told.problems]
        body = {"error": "; ".join(problems), "problems": problems}
        return JSONResponse(body, status_code=told.status)
    return JSONResponse(told, status_code=status)
