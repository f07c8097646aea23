"""What keeps pages in an operator's browser away from the admin API.

A page can send requests to 127.0.0.1: under a name of its own that it has led there (rebinding), or
from its own origin, without seeing the answer. The first is told by the Host header, the second by
what browsers add and a page cannot change.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
PROBE_PREFIX = "/healthz/"
"""Asked by orchestrators under the address of a pod; tells nothing that is worth protecting."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
JSON = "application/json"
"""A page needs the permission of the other side to send it to another origin."""


class OnlyKnownHosts:
    """Refuses requests whose Host header names somebody else."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_allowed(scope):
            await _refusal(421, "unknown host")(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        if scope["path"].startswith(PROBE_PREFIX):
            return True
        named = values(scope["headers"], b"host")
        return len(named) == 1 and without_port(named[0]) in self._hosts


class NoForeignChanges:
    """Refuses requests that change something unless they are JSON, and from no other site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in READING:
            refusal = reason_against(scope["headers"])
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def reason_against(headers: Iterable[tuple[bytes, bytes]]) -> Response | None:
    """The refusal of a change that is asked for with these headers; `None`: it may be made."""
    headers = tuple(headers)
    sites = values(headers, b"sec-fetch-site")
    if any(site not in ("same-origin", "none") for site in sites):
        return _refusal(403, "asked for by another site")
    hosts = values(headers, b"host")
    if any(origin.partition("://")[2] not in hosts for origin in values(headers, b"origin")):
        return _refusal(403, "asked for by another origin")
    kinds = [kind.partition(";")[0].strip().lower() for kind in values(headers, b"content-type")]
    if kinds != [JSON]:
        return _refusal(415, f"the content-type must be {JSON}")
    return None


def values(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """What a header says, each time that it stands there."""
    return [value.decode("latin-1") for name, value in headers if name == wanted]


def without_port(host: str) -> str:
    """The host of a Host header, lower case: `[::1]:15000` → `[::1]`."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() and not name.endswith(":") else host.lower()


def _refusal(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status_code=status)
