"""Calls for which nobody waits any more: to servers with sessions, the end of a stream does not say
so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from extproc.mcp import messages, requests
from extproc.mcp.requests import Client
from extproc.mcp.sessions import ServerSession
from extproc.mcp.views import Served
from extproc.ports import Asked

METHOD: Final = "notifications/cancelled"
LATE: Final = "it took longer than it may"
_GONE: Final = "the client has gone"

_Tell: TypeAlias = Callable[[Served, Asked], Awaitable[None]]


class CallingOff:
    """Tells servers, and keeps nobody waiting. Its tasks end with the server's answer, or its
    timeout."""

    __slots__ = ("_tell", "_telling")

    def __init__(self, tell: _Tell) -> None:
        self._tell = tell
        self._telling: set[asyncio.Future[None]] = set()

    def __call__(
        self, served: Served, session: ServerSession, raw_id: bytes, why: str = _GONE
    ) -> None:
        """`raw_id`: what the server calls the request, in JSON."""
        params = b'{"requestId":%s,"reason":%s}' % (raw_id, messages.text(why))
        told = requests.told(served, session, METHOD, params, Client())
        telling = asyncio.ensure_future(self._tell(served, told))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
