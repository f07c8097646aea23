"""Tokens of callers' own for MCP servers, for which they have agreed: found in a store, renewed
through Envoy by one worker at a time, and kept in memory for a moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from extproc.mcp import oauth_client
from extproc.mcp.oauth_client import Refused, Registered, Tokens, Unusable, Whereabouts
from extproc.mcp.tickets import name_of, owner_of
from extproc.mcp.vault import Vault
from extproc.mcp.views import Served, View
from extproc.mcp_serving.tokens import Entered, showing
from extproc.ports import (
    Agreed,
    Agreement,
    Answered,
    Asked,
    Consents,
    ConsentsUnavailable,
    McpPeers,
    ServiceUnavailable,
)
from extproc.principal import Principal
from extproc.verdict import Deny
from gateway import names
from gateway.mcp import Consent, Mcp
from gateway.mcp_auth import callback_url, client_metadata, client_url

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 5.0
_KEPT_SECONDS: Final = 2.0
"""How long a worker believes that nothing has changed in the store."""
_METADATA_SECONDS: Final = 300.0
_LEASE_SECONDS: Final = 15.0
"""Longer than it takes to renew tokens."""
_OTHERS_SECONDS: Final = 8.0
"""How long another worker is waited for."""
_PAUSE_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 0.5
"""How often it is looked whether somebody has agreed."""
_FRESH_SECONDS: Final = 30.0
"""So young, a token that was renewed is not renewed again, though its server refuses it."""
_REVOKE_SECONDS: Final = 5.0
"""How often it is looked whether somebody has ended something."""
_WRITES: Final = 3
_MOST_KEPT: Final = 10_000
_UNKNOWN_CLIENT: Final = "invalid_client"
_GONE: Final = frozenset({"invalid_grant"})
"""What a refresh token is answered with that is good no more (RFC 6749 §5.2)."""

_T = TypeVar("_T")
_V = TypeVar("_V")

_Key: TypeAlias = tuple[str, str]
"""Server and owner."""


class _Kept(Struct):
    token: str
    until: float


class NoToken(Exception):
    """Whether there is a token cannot be said now. Its text names no secret."""


class Connections:
    """Of all servers that want their callers' consent. `clock` gives seconds since 1970."""

    def __init__(
        self,
        mcp: Mcp,
        vault: Vault,
        store: Consents,
        peers: McpPeers,
        clock: Callable[[], float],
    ) -> None:
        self._mcp = mcp
        self.by_server = {each.name: each.consent for each in mcp.servers if each.consent}
        self.vault = vault
        self.store = store
        self.clock = clock
        self._paths = {each.name: each.path for each in mcp.servers}
        self._clients: dict[str, Registered] = {}
        self._peers = peers
        self._known: OrderedDict[_Key, _Kept] = OrderedDict()
        self._shown: OrderedDict[str, _Key] = OrderedDict()
        """Whose a token is."""
        self._renewing: dict[_Key, asyncio.Future[str | None]] = {}
        self._where: dict[str, tuple[float, Whereabouts]] = {}
        self._revoke_at = 0.0
        self._revoking: asyncio.Future[None] | None = None

    # who comes in

    def is_for(self, view: View) -> bool:
        """Whether a server of the view wants consent."""
        return not self.by_server.keys().isdisjoint(view.servers)

    def enter(
        self, entered: Entered, principal: Principal | None
    ) -> Entered | Deny | Awaitable[Entered | Deny]:
        """With a token for each server for which the caller has agreed; the others are left out.
        At once where all are known."""
        wanted = [each for each in entered.view.servers.values() if each.is_personal]
        if principal is None:
            return self._fitted(entered, dict.fromkeys((each.name for each in wanted), _UNKNOWN))
        owner, found = owner_of(principal), dict[str, str | Deny | None]()
        for each in wanted:
            token = self._remembered((each.name, owner))
            if token is None:
                return self._entered_later(entered, wanted, owner)
            found[each.name] = token
        return self._fitted(entered, found)

    async def _entered_later(
        self, entered: Entered, wanted: list[Served], owner: str
    ) -> Entered | Deny:
        self._revoke_soon()
        found = await asyncio.gather(*(self._token_or_deny(each.name, owner) for each in wanted))
        return self._fitted(
            entered, {each.name: said for each, said in zip(wanted, found, strict=True)}
        )

    async def _token_or_deny(self, server: str, owner: str) -> str | Deny | None:
        try:
            return await self.token(server, owner)
        except NoToken as error:
            logger.warning("no token for the MCP server %s: %s", server, error)
            return Deny(503, "consent_unavailable", f"there is no token for '{server}' now")

    def _fitted(self, entered: Entered, found: Mapping[str, str | Deny | None]) -> Entered | Deny:
        view = entered.view
        servers, tokens, unconnected = dict(view.servers), dict(entered.tokens), dict[str, Served]()
        is_alone = len(servers) == 1
        for name, each in found.items():
            served = servers[name]
            if isinstance(each, Deny):
                if is_alone:
                    return each
                del servers[name]
            elif each is None:
                unconnected[name] = servers.pop(name)
            else:
                tokens[name] = shown = f"Bearer {each}"
                # what it refuses keeps nothing of the others from its caller
                is_required = served.is_required and is_alone
                servers[name] = replace(showing(served, shown), is_required=is_required)
        return Entered(replace(view, servers=servers), tokens, unconnected)

    # tokens

    async def token(self, server: str, owner: str) -> str | None:
        """The caller's; None: they have to agree. Raises `NoToken`."""
        key = (server, owner)
        known = self._remembered(key)
        if known is not None:
            return known
        try:
            kept = await self.store.find(owner, server)
            tokens = self._opened(owner, server, kept)
            if kept is None or tokens is None:
                return None
            if not tokens.renew or self.clock() < tokens.renew:
                return self._remember(key, tokens)
            return await self._renewed_once(key, kept, tokens)
        except ConsentsUnavailable as error:
            raise NoToken(str(error)) from error

    async def waited(self, server: str, owner: str, seconds: float) -> str | None:
        """The same, once the caller has agreed; None: not within that time. Raises `NoToken`."""
        for _ in range(round(seconds / _LOOK_SECONDS)):
            found = await self.token(server, owner)
            if found is not None:
                return found
            await asyncio.sleep(_LOOK_SECONDS)
        return await self.token(server, owner)

    async def replaced(self, server: str, owner: str, refused: str) -> str | None:
        """Another in the place of one that the server takes no more; None: the caller has to agree
        anew. Raises `NoToken`."""
        key = (server, owner)
        self._known.pop(key, None)
        try:
            kept = await self.store.find(owner, server)
            tokens = self._opened(owner, server, kept)
            if kept is None or tokens is None:
                return None
            if tokens.access != refused:
                return self._remember(key, tokens)
            if self.clock() - tokens.renewed < _FRESH_SECONDS:
                raise NoToken("the server refuses a token that was given a moment ago")
            if not tokens.refresh:
                await self.store.drop(owner, server, kept.version)
                logger.info("the MCP server %s takes a caller's token no more", server)
                return None
            return await self._renewed_once(key, kept, replace(tokens, expires=1.0))
        except ConsentsUnavailable as error:
            raise NoToken(str(error)) from error

    def whose(self, token: str) -> _Key | None:
        """The server and the owner of a token that was shown."""
        return self._shown.get(token)

    async def agreed(self, server: str, owner: str, who: str, tokens: Tokens) -> None:
        """Keep what a caller has agreed to. Raises `ConsentsUnavailable`."""
        await self.store.keep(self._agreement(server, owner, who, tokens))
        self._known.pop((server, owner), None)

    def _agreement(self, server: str, owner: str, who: str, tokens: Tokens) -> Agreement:
        sealed = self.vault.seal(msgspec.msgpack.encode(tokens), f"{owner}\n{server}")
        return Agreement(owner, server, who, sealed, int(tokens.expires))

    def _opened(self, owner: str, server: str, kept: Agreed | None) -> Tokens | None:
        if kept is None:
            return None
        said = self.vault.open(kept.sealed, f"{owner}\n{server}")
        if said is None:
            logger.warning(
                "a token for the MCP server %s is sealed with a secret that is gone", server
            )
            return None
        return _tokens.decode(said)

    def _remembered(self, key: _Key) -> str | None:
        kept = self._known.get(key)
        return None if kept is None or self.clock() >= kept.until else kept.token

    def _remember(self, key: _Key, tokens: Tokens) -> str:
        until = self.clock() + _KEPT_SECONDS
        until = min(until, tokens.renew) if tokens.renew else until
        _put(self._known, key, _Kept(tokens.access, until))
        _put(self._shown, tokens.access, key)
        return tokens.access

    # renewing

    async def _renewed_once(self, key: _Key, kept: Agreed, tokens: Tokens) -> str | None:
        running = self._renewing.get(key)
        if running is None:
            running = asyncio.ensure_future(self._renewed(key, kept, tokens))
            self._renewing[key] = running
            running.add_done_callback(lambda _: self._renewing.pop(key, None))
        return await asyncio.shield(running)

    async def _renewed(self, key: _Key, kept: Agreed, tokens: Tokens) -> str | None:
        """By this worker, or by another that is at it already."""
        server, owner = key
        is_good = self.clock() < tokens.expires
        if not tokens.refresh:
            if is_good:
                return self._remember(key, replace(tokens, renew=tokens.expires))
            await self.store.drop(owner, server, kept.version)
            return None
        until = self.clock() + _OTHERS_SECONDS
        while not await self.store.lease(owner, server, kept.version, _LEASE_SECONDS):
            found = await self.store.find(owner, server)
            if found is None:
                return None
            if found.version != kept.version:
                others = self._opened(owner, server, found)
                return None if others is None else self._remember(key, others)
            if is_good:
                return tokens.access
            if self.clock() > until:
                raise NoToken("another worker renews it, and does not come to an end")
            await asyncio.sleep(_PAUSE_SECONDS)
        return await self._asked_anew(key, kept, tokens, is_good=is_good)

    async def _asked_anew(
        self, key: _Key, kept: Agreed, tokens: Tokens, *, is_good: bool
    ) -> str | None:
        """The lease is ours. What is given is written before it is used: the server may take the
        old refresh token no more."""
        server, owner = key
        try:
            where = await self.where(server)
            of = await self.client(server, where)
            asked = oauth_client.refresh_request(of, where, tokens.refresh)
            answer = await self.ask(server, asked)
            found = oauth_client.read_tokens(answer, self.clock(), tokens)
        except Refused as error:
            if error.error in _GONE:
                await self.store.drop(owner, server, kept.version)
                logger.info("a caller's consent for the MCP server %s has ended", server)
                return None
            await self.store.free(owner, server, kept.version)
            await self.refused_client(server, error)
            raise NoToken(f"it is refused: {error}") from None
        except (Unusable, ServiceUnavailable) as error:
            await self.store.free(owner, server, kept.version)
            if is_good:
                return tokens.access
            raise NoToken(str(error)) from None
        agreement = self._agreement(server, owner, "", found)
        if not await self._written(agreement, kept.version):
            return None  # it was ended meanwhile
        return self._remember(key, found)

    async def _written(self, agreement: Agreement, version: int) -> bool:
        for left in reversed(range(_WRITES)):
            try:
                return await self.store.renew(agreement, version)
            except ConsentsUnavailable:
                if not left:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")

    # what operators have ended

    def _revoke_soon(self) -> None:
        """Once in a while, as requests come."""
        now = self.clock()
        if now >= self._revoke_at and self._revoking is None:
            self._revoke_at = now + _REVOKE_SECONDS
            self._revoking = asyncio.ensure_future(self.revoke_ended())
            self._revoking.add_done_callback(self._revoked)

    def _revoked(self, done: asyncio.Future[None]) -> None:
        self._revoking = None
        if not done.cancelled() and (error := done.exception()) is not None:
            logger.warning("what was ended of MCP servers is not revoked: %s", error)

    async def revoke_ended(self) -> None:
        """Tell authorization servers, and forget it. Raises `ConsentsUnavailable`."""
        for each in await self.store.ended(_LEASE_SECONDS):
            self._known.pop((each.server, each.owner), None)
            said = self.vault.open(each.sealed, f"{each.owner}\n{each.server}")
            if said is not None and each.server in self.by_server:
                await self._revoke(each.server, _tokens.decode(said))
            await self.store.drop(each.owner, each.server, each.version)

    async def _revoke(self, server: str, tokens: Tokens) -> None:
        try:
            where = await self.where(server)
            of = await self.client(server, where)
            asked = oauth_client.revocations(of, where, tokens)
            statuses = [(await self.ask(server, each)).status for each in asked]
        except (Unusable, ServiceUnavailable) as error:
            logger.warning("a token for the MCP server %s is not revoked: %s", server, error)
            return
        if any(each != 200 for each in statuses):
            logger.warning("a token for the MCP server %s is not revoked: %s", server, statuses)

    # asking

    async def where(self, server: str) -> Whereabouts:
        """Where its authorization server is asked. Raises `Unusable`, `ServiceUnavailable`."""
        of = self.by_server[server]
        if not of.is_discovered:
            return Whereabouts(of.authorize_url, of.token_path, of.revoke_path)
        known = self._where.get(server)
        if known is not None and self.clock() < known[0]:
            return known[1]
        await self._check_issuer(server, of)
        status = 0
        for asked in oauth_client.metadata_requests(of.issuer):
            answer = await self.ask(server, asked)
            if answer.status == 200:
                found = oauth_client.read_metadata(answer.body, of)
                self._where[server] = (self.clock() + _METADATA_SECONDS, found)
                return found
            status = answer.status
        raise Unusable(f"its metadata is a {status}")

    async def client(self, server: str, where: Whereabouts) -> Consent:
        """Who asks there: who is written down, else the document that the gateway shows, else whom
        it registers. Raises `Unusable`, `ServiceUnavailable`, `ConsentsUnavailable`."""
        of = self.by_server[server]
        if of.client_id:
            return of
        if where.takes_documents and self._mcp.consent_url.startswith("https://"):
            shown = Registered(client_url(self._mcp, server))
            return oauth_client.as_registered(of, shown)
        client = self._clients.get(server)
        if client is None or 0 < client.expires <= self.clock():
            client = self._clients[server] = await self._registered(server, where)
        return oauth_client.as_registered(of, client)

    async def _registered(self, server: str, where: Whereabouts) -> Registered:
        """By this worker, or by another before."""
        name = self._client_name(server)
        before = await self.store.client(name)
        said = None if before is None else self.vault.open(before, name)
        known = None if said is None else _registered.decode(said)
        if known is not None and not 0 < known.expires <= self.clock():
            return known
        if not where.register_path:
            raise Unusable("the gateway cannot register itself there: write a client")
        method = oauth_client.method_of(where)
        metadata = client_metadata(self._mcp, server, method)
        answer = await self.ask(server, oauth_client.registration(where, metadata))
        made = oauth_client.read_registered(answer, method)
        sealed = self.vault.seal(msgspec.msgpack.encode(made), name)
        kept = await self.store.keep_client(name, sealed, before)
        if kept != sealed:  # another worker was quicker: there is one client
            said = self.vault.open(kept, name)
            made = made if said is None else _registered.decode(said)
        return made

    async def refused_client(self, server: str, why: Refused) -> None:
        """Whoever the gateway has registered is known there no more: it registers anew, next."""
        if why.error == _UNKNOWN_CLIENT and self._clients.pop(server, None) is not None:
            await self.store.drop_client(self._client_name(server))

    def _client_name(self, server: str) -> str:
        """What the store calls the client: another, where it would have to be another."""
        said = (server, self.by_server[server].issuer, callback_url(self._mcp, server))
        return name_of("\n".join(("client", *said)))

    async def _check_issuer(self, server: str, of: Consent) -> None:
        """What the server itself says of where its tokens are given, if it says so."""
        cluster = names.service_cluster(names.mcp_service(server))
        for asked in oauth_client.resource_requests(self._paths[server]):
            answer = await self._peers.ask(cluster, asked, _PATIENCE_SECONDS)
            if answer.status == 200:
                if not oauth_client.names_issuer(answer.body, of.issuer):
                    raise Unusable(f"the server takes no tokens of {of.issuer!r}")
                return

    async def ask(self, server: str, asked: Asked) -> Answered:
        """Its authorization server. Raises `ServiceUnavailable`."""
        cluster = names.service_cluster(names.mcp_consent_service(server))
        return await self._peers.ask(cluster, asked, _PATIENCE_SECONDS)


class WithConsent:
    """The way to MCP servers: asked once more with another token, where one is refused."""

    __slots__ = ("_by_cluster", "_connections", "_peers")

    def __init__(
        self, peers: McpPeers, connections: Connections, by_cluster: Mapping[str, str]
    ) -> None:
        """`by_cluster`: names of servers."""
        self._peers = peers
        self._connections = connections
        self._by_cluster = by_cluster

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        """Raises `ServiceUnavailable`."""
        answer = await self._peers.ask(cluster, asked, timeout_seconds)
        if answer.status != 401 or cluster not in self._by_cluster:
            return answer
        token = dict(asked.headers).get("authorization", "").removeprefix("Bearer ")
        key = self._connections.whose(token)
        if key is None:
            return answer
        try:
            other = await self._connections.replaced(*key, token)
        except NoToken as error:
            raise ServiceUnavailable(str(error)) from error
        if other is None:
            return answer
        kept = (each for each in asked.headers if each[0] != "authorization")
        again = replace(asked, headers=(*kept, ("authorization", f"Bearer {other}")))
        return await self._peers.ask(cluster, again, timeout_seconds)


def connections(
    mcp: Mcp, vault: Vault, store: Consents, peers: McpPeers, clock: Callable[[], float]
) -> Connections | None:
    """None: no server wants consent."""
    return Connections(mcp, vault, store, peers, clock) if mcp.asks_for_consent else None


_registered = msgspec.msgpack.Decoder(Registered)
_tokens = msgspec.msgpack.Decoder(Tokens)
_UNKNOWN: Final = Deny(401, "missing_credential", "nobody is known whose consent it could be")


def _put(kept: OrderedDict[_T, _V], key: _T, value: _V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _MOST_KEPT:
        kept.popitem(last=False)
