"""Tokens of callers' own for MCP servers: asked for through Envoy, and kept by each worker until
shortly before they expire."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from extproc.mcp import exchange
from extproc.mcp.exchange import Granted, Refused, Unusable
from extproc.mcp.views import Served, View
from extproc.ports import Answered, Asked, McpPeers, ServiceUnavailable
from extproc.principal import Kind, Principal
from extproc.verdict import Deny
from gateway import names
from gateway.mcp import Mcp, TokenExchange

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 4.0
_MOST_KEPT: Final = 10_000
_LONGEST_SECONDS: Final = 3600.0
"""A token is not kept longer, whatever it says: its subject's may be withdrawn."""
_MARGIN: Final = 0.1
"""Of its life: so much earlier it is asked for anew, and at most a minute."""
_MOST_MARGIN_SECONDS: Final = 60.0
_BEARER: Final = "bearer "
_AUTHORIZATION: Final = "authorization"
_WITH_TOKENS: Final = frozenset({Kind.JWT, Kind.INTROSPECTION})

_Key: TypeAlias = tuple[str, bytes]


NOBODY: Final[Mapping[str, Served]] = MappingProxyType({})


class Entered(Struct, frozen=True):
    """A view as one caller finds it."""

    view: View
    """Its servers are asked with the caller's tokens."""
    tokens: Mapping[str, str]
    """What each is shown, by server: `Bearer …`."""
    unconnected: Mapping[str, Served] = NOBODY
    """Servers that are not in the view, since the caller has to agree first."""


class Exchanger:
    """Of all servers that want tokens of callers' own. The clock gives seconds that never go
    back."""

    def __init__(
        self, by_server: Mapping[str, TokenExchange], peers: McpPeers, clock: Callable[[], float]
    ) -> None:
        self._by_server = by_server
        self._peers = peers
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[_Key, tuple[str, float]] = OrderedDict()
        """Tokens, and until when they are good."""
        self._running: dict[_Key, asyncio.Future[str | Deny]] = {}

    def is_for(self, view: View) -> bool:
        """Whether a server of the view wants one."""
        return not self._by_server.keys().isdisjoint(view.servers)

    def forget(self, servers: Iterable[str], headers: Mapping[str, str]) -> None:
        """A server takes a token no more: the next request asks for another."""
        for server in servers:
            self._kept.pop(self._key_of(server, bearer(headers)), None)

    def _key_of(self, server: str, subject: str) -> _Key:
        digest = hashlib.blake2b(subject.encode("utf-8", "backslashreplace"), key=self._key)
        return server, digest.digest()

    def enter(
        self, view: View, principal: Principal | None, headers: Mapping[str, str]
    ) -> Entered | Deny | Awaitable[Entered | Deny]:
        """With a token for each server that wants one; at once where all are kept. Optional servers
        for which there is none are left out."""
        wanted = [each for each in view.servers.values() if each.name in self._by_server]
        if principal is None or principal.kind not in _WITH_TOKENS:
            return self._fitted(view, wanted, [_needed(each.name) for each in wanted])
        subject = bearer(headers)
        kept: list[str | Deny] = []
        for each in wanted:
            token = self._known(self._key_of(each.name, subject))
            if token is None:
                return self._entered_later(view, wanted, subject)
            kept.append(token)
        return self._fitted(view, wanted, kept)

    async def _entered_later(
        self, view: View, wanted: Sequence[Served], subject: str
    ) -> Entered | Deny:
        found = await asyncio.gather(*(self._token(each.name, subject) for each in wanted))
        return self._fitted(view, wanted, found)

    def _fitted(
        self, view: View, wanted: Sequence[Served], found: Sequence[str | Deny]
    ) -> Entered | Deny:
        servers, tokens = dict(view.servers), dict[str, str]()
        for served, each in zip(wanted, found, strict=True):
            if isinstance(each, Deny):
                if served.is_required or len(servers) == 1:
                    return each
                del servers[served.name]
            else:
                tokens[served.name] = shown = f"Bearer {each}"
                servers[served.name] = showing(served, shown)
        return Entered(replace(view, servers=servers), tokens)

    def _known(self, key: _Key) -> str | None:
        kept = self._kept.get(key)
        if kept is None or self._clock() >= kept[1]:
            return None
        self._kept.move_to_end(key)
        return kept[0]

    async def _token(self, server: str, subject: str) -> str | Deny:
        key = self._key_of(server, subject)
        if (known := self._known(key)) is not None:
            return known
        running = self._running.get(key)
        if running is None:
            running = asyncio.ensure_future(self._fetched(server, key, subject))
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(running)

    async def _fetched(self, server: str, key: _Key, subject: str) -> str | Deny:
        try:
            granted = await self._granted(server, subject)
        except Refused as error:
            logger.warning("no token for the MCP server %s: %s", server, error)
            reason = f"no token is given for the server '{server}': {error}"
            return Deny(403, "token_refused", reason)
        except (Unusable, ServiceUnavailable) as error:
            logger.warning("no token for the MCP server %s: %s", server, error)
            reason = f"the authorization server of '{server}' is of no use"
            return Deny(502, "token_unavailable", reason)
        margin = min(_MARGIN * granted.seconds, _MOST_MARGIN_SECONDS)
        seconds = min(granted.seconds - margin, _LONGEST_SECONDS)
        self._kept[key] = (granted.token, self._clock() + seconds)
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return granted.token

    async def _granted(self, server: str, subject: str) -> Granted:
        of = self._by_server[server]
        first = await self._ask(names.mcp_token_service(server), exchange.exchange(of, subject))
        granted = exchange.read(first, is_assertion=of.assertion is not None)
        if of.assertion is None:
            return granted
        asked = exchange.assertion(of.assertion, granted.token)
        return exchange.read(await self._ask(names.mcp_assertion_service(server), asked))

    async def _ask(self, service: str, asked: Asked) -> Answered:
        return await self._peers.ask(names.service_cluster(service), asked, _PATIENCE_SECONDS)


def exchanger(mcp: Mcp, peers: McpPeers, clock: Callable[[], float]) -> Exchanger | None:
    """None: no server wants tokens of callers' own."""
    found = {each.name: each.exchange for each in mcp.servers if each.exchange is not None}
    return Exchanger(found, peers, clock) if found else None


def _needed(server: str) -> Deny:
    reason = f"the server '{server}' is asked with a token of the caller's own: bring one"
    return Deny(403, "token_needed", reason)


def bearer(headers: Mapping[str, str]) -> str:
    """The token that the caller has brought."""
    said = (headers[name] for name in names.CREDENTIAL_HEADERS if name in headers)
    for value in said:
        is_bearer = value[: len(_BEARER)].lower() == _BEARER
        return (value[len(_BEARER) :] if is_bearer else value).strip()
    return ""


def showing(served: Served, token: str) -> Served:
    """The server, asked with a token of the caller's own."""
    kept = (each for each in served.headers if each[0] != _AUTHORIZATION)
    return replace(served, headers=(*kept, (_AUTHORIZATION, token)))
