"""The authorization server that MCP clients find at the gateway: asked through Envoy, and put right
where MCP clients expect something else. Nobody has to be known here: clients come to be."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from extproc.events import CONTINUE, Action, Respond
from extproc.mcp import authorization_server as at
from extproc.mcp.authorization_server import Broken, Endpoints
from extproc.ports import Answered, Asked, McpPeers, ServiceUnavailable
from gateway import names
from gateway.mcp import AuthorizationProxy, Mcp, McpAuth
from gateway.mcp_auth import SERVER_METADATA, endpoints_path

_Clock: TypeAlias = Callable[[], float]
_Later: TypeAlias = Awaitable[Action]

logger = logging.getLogger(__name__)

_CLUSTER: Final = names.service_cluster(names.MCP_AUTHORIZATION)
_KEPT_SECONDS: Final = 300.0
_PATIENCE_SECONDS: Final = 4.0
"""Envoy waits for five."""
_MOST_BYTES: Final = 65536
_OPEN: Final = (("access-control-allow-origin", "*"),)
_JSON: Final = (("content-type", "application/json"), *_OPEN)
_SECRET: Final = (*_JSON, ("cache-control", "no-store"), ("pragma", "no-cache"))
"""Of answers that are one client's (RFC 6749 §5.1)."""
_FORM: Final = "application/x-www-form-urlencoded"
_DETAILS: Final = "dragoman_mcp_authorization"


class Front:
    """Of one server. The clock gives seconds that never go back."""

    def __init__(
        self, mcp: Mcp, auth: McpAuth, of: AuthorizationProxy, peers: McpPeers, clock: _Clock
    ) -> None:
        self._of = of
        self._url = auth.url
        self._below = endpoints_path(mcp)
        self._peers = peers
        self._clock = clock
        self._found: tuple[float, Endpoints] | None = None

    def is_at(self, path: str) -> bool:
        """Whether something of it is at a path."""
        return _is_below(path, self._below) or self._is_metadata(path)

    def on_headers(
        self, method: str, path: str, headers: Mapping[str, str], *, is_end: bool
    ) -> Action | _Later:
        """Metadata and authorization are asked for by GET; the rest has a body."""
        if method == "GET" and self._is_metadata(path):
            return self._told(self._metadata())
        what, _, query = path.partition("?")
        end = what.removeprefix(self._below)
        if method == "GET" and end == at.AUTHORIZE and self._has_authorize:
            return self._told(self._authorize(query))
        if method == "POST" and not is_end and self._takes(end):
            return CONTINUE
        return _fault(404, "invalid_request", "there is nothing here")

    def on_body(self, path: str, headers: Mapping[str, str], body: bytes) -> Action | _Later:
        """A client that registers, or wants a token."""
        if len(body) > _MOST_BYTES:
            return _fault(413, "invalid_request", "this is too long")
        end = path.partition("?")[0].removeprefix(self._below)
        if end == at.TOKEN:
            return self._told(self._token(headers, body))
        if not self._of.client_id:
            return self._told(self._relay(body))
        answer = at.registered(body, self._of)
        if isinstance(answer, str):
            return _fault(400, "invalid_client_metadata", answer)
        return Respond(201, _SECRET, answer, _DETAILS)

    @property
    def _has_authorize(self) -> bool:
        return self._of.strips_resource or bool(self._of.audience)

    def _takes(self, end: str) -> bool:
        of = self._of
        if end == at.REGISTER:
            return bool(of.client_id) or of.relays_registration
        return end == at.TOKEN and (of.strips_resource or bool(of.client_secret))

    def _is_metadata(self, path: str) -> bool:
        return any(_is_below(path, each) for each in SERVER_METADATA)

    async def _told(self, answer: _Later) -> Action:
        try:
            return await answer
        except (Broken, ServiceUnavailable) as error:
            logger.warning("the authorization server is of no use: %s", error)
            return _fault(502, "temporarily_unavailable", "the authorization server is of no use")

    async def _endpoints(self) -> Endpoints:
        now = self._clock()
        if self._found is not None and now - self._found[0] < _KEPT_SECONDS:
            return self._found[1]
        answer = await self._ask("GET", self._of.metadata_path, (), b"")
        if answer.status != 200:
            raise Broken(f"its metadata is a {answer.status}")
        found = at.read(answer.body)
        self._found = (now, found)
        return found

    async def _metadata(self) -> Action:
        own = f"{self._url}{self._below}"
        body = at.changed(await self._endpoints(), self._of, self._url, own)
        return Respond(200, _JSON, body, _DETAILS)

    async def _authorize(self, query: str) -> Action:
        endpoint = (await self._endpoints()).url("authorization_endpoint")
        location = at.authorization(query, self._of, endpoint)
        return Respond(302, (("location", location), ("cache-control", "no-store")), b"", _DETAILS)

    async def _relay(self, body: bytes) -> Action:
        found = await self._endpoints()
        path = found.path("registration_endpoint", self._of.authority)
        answer = await self._ask("POST", path, (("content-type", "application/json"),), body)
        return _passed(answer)

    async def _token(self, headers: Mapping[str, str], body: bytes) -> Action:
        if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            return _fault(400, "invalid_request", "must be a form")
        try:
            form = at.token_request(body, self._of)
        except ValueError:
            return _fault(400, "invalid_request", "must be a form")
        path = (await self._endpoints()).path("token_endpoint", self._of.authority)
        shown = headers.get("authorization", "")
        head = [("content-type", _FORM)]
        if shown[:6].lower() == "basic ":  # a client of its own
            head.append(("authorization", shown))
        return _passed(await self._ask("POST", path, tuple(head), form))

    async def _ask(
        self, method: str, path: str, head: tuple[tuple[str, str], ...], body: bytes
    ) -> Answered:
        asked = Asked(method, path, (("accept", "application/json"), *head), body)
        return await self._peers.ask(_CLUSTER, asked, _PATIENCE_SECONDS)


def front(mcp: Mcp, peers: McpPeers, clock: _Clock) -> Front | None:
    """None: there is none, or Envoy passes it on as it is."""
    auth = mcp.auth
    if auth is None or auth.proxy is None or not auth.proxy.is_changed:
        return None
    return Front(mcp, auth, auth.proxy, peers, clock)


def _passed(answer: Answered) -> Respond:
    """As the server says it, and so that pages can read it."""
    kind = answer.headers.get("content-type", "application/json")
    head = (("content-type", kind), *_SECRET[1:])
    return Respond(answer.status, head, answer.body, _DETAILS)


def _fault(status: int, error: str, why: str) -> Respond:
    """In the words of OAuth (RFC 6749 §5.2, RFC 7591 §3.2.2)."""
    body = msgspec.json.encode({"error": error, "error_description": why})
    return Respond(status, _SECRET, body, _DETAILS)


def _is_below(path: str, prefix: str) -> bool:
    what = path.partition("?")[0]
    return what == prefix or what.startswith(f"{prefix}/")
