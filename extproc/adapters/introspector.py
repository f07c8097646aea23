"""Asks authorization servers about tokens (RFC 7662), and remembers what they said for a while.

What is remembered is found by a keyed hash of the token, which is worth nothing outside this
process; the token itself is not kept.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec

from extproc.ports import (
    Asked,
    Introspected,
    IntrospectionUnavailable,
    McpPeers,
    ServiceUnavailable,
)
from gateway import names
from gateway.identity import INTROSPECTION_SERVICE, ClientAuth, Introspection

logger = logging.getLogger(__name__)

_CLUSTER = names.service_cluster(INTROSPECTION_SERVICE)
_FORM = "application/x-www-form-urlencoded"
_LARGEST_ANSWER = 1 << 16
_decoder = msgspec.json.Decoder(dict[str, object])


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is asked at once, and kept."""

    most_asked: int = 64
    most_known: int = 10_000
    """Active tokens, and as many that are not."""
    tries: int = 2
    most_servers: int = 4
    """That are known: of this program, and of those before it that still run."""


class RemoteIntrospector:
    """Lives on an event loop. Connections, TLS and retries are Envoy's."""

    def __init__(
        self, way: McpPeers, clock: Callable[[], float], bounds: Bounds | None = None
    ) -> None:
        """`way`: through Envoy; `clock` gives Unix seconds."""
        self._way = way
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._key = secrets.token_bytes(32)
        self._active: dict[bytes, tuple[Introspected, float]] = {}
        """And until when it is believed, Unix seconds."""
        self._inactive: dict[bytes, float] = {}
        self._running: dict[bytes, asyncio.Task[Introspected | None]] = {}
        self._servers: dict[Introspection, _Server] = {}
        self._is_in_trouble = False

    def look_up(
        self, token: str, where: Introspection
    ) -> Introspected | asyncio.Future[Introspected | None] | None:
        """None: it is not active. Raises IntrospectionUnavailable, also when awaited."""
        server = self._servers.get(where) or self._server(where)
        name = hashlib.blake2b(token.encode(), key=self._key, salt=server.salt, digest_size=16)
        key, now = name.digest(), self._clock()
        known = self._active.get(key)
        if known is not None and known[1] > now:
            return known[0]
        if self._inactive.get(key, 0.0) > now:
            return None
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= self._bounds.most_asked:
                raise IntrospectionUnavailable("too many tokens are asked about")
            running = asyncio.ensure_future(self._ask(key, token, where, server))
            self._running[key] = running
        return asyncio.shield(running)  # several may wait for it, and one of them leave

    async def close(self) -> None:
        """Nobody is asked any more."""
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _server(self, where: Introspection) -> _Server:
        while len(self._servers) >= self._bounds.most_servers:
            del self._servers[next(iter(self._servers))]
        server = self._servers[where] = _Server(where, self._way)
        return server

    async def _ask(
        self, key: bytes, token: str, where: Introspection, server: _Server
    ) -> Introspected | None:
        try:
            async with asyncio.timeout(where.timeout_seconds):
                claims = await self._tried(token, server)
        except TimeoutError:
            raise self._trouble(f"no answer within {where.timeout_seconds:g} s") from None
        except IntrospectionUnavailable as error:
            raise self._trouble(str(error)) from None
        finally:
            del self._running[key]
        if self._is_in_trouble:
            self._is_in_trouble = False
            logger.warning("tokens can be asked about again")
        now, most = self._clock(), self._bounds.most_known
        self._active.pop(key, None)
        if claims is None:
            _make_room(self._inactive, key, most)
            self._inactive[key] = now + where.cache_inactive_seconds
            return None
        found, until = Introspected(claims), now + where.cache_seconds
        expires = claims.get("exp")
        if isinstance(expires, int | float):
            until = min(until, expires)
        _make_room(self._active, key, most)
        self._active[key] = (found, until)
        return found

    async def _tried(self, token: str, server: _Server) -> dict[str, object] | None:
        """Asked again where there was no answer: asking changes nothing."""
        for _ in range(self._bounds.tries - 1):
            try:
                return await server.ask(token)
            except _TryAgain:
                continue
        return await server.ask(token)

    def _trouble(self, why: str) -> IntrospectionUnavailable:
        if not self._is_in_trouble:
            self._is_in_trouble = True
            logger.error("tokens cannot be asked about: %s", why)
        return IntrospectionUnavailable(why)


class _TryAgain(IntrospectionUnavailable):
    """Another try may do better."""


class _Server:
    """One authorization server, as one client sees it."""

    def __init__(self, where: Introspection, way: McpPeers) -> None:
        self.salt = secrets.token_bytes(16)
        """Tells apart what servers say of equal tokens."""
        self._where = where
        self._way = way

    async def ask(self, token: str) -> dict[str, object] | None:
        """What it says of an active token; None: it is not active."""
        where = self._where
        try:
            answer = await self._way.ask(_CLUSTER, _asked(token, where), where.timeout_seconds)
        except ServiceUnavailable as error:
            raise _TryAgain(str(error)) from None
        if answer.status >= 500:
            raise _TryAgain(f"the server answered {answer.status}")
        if answer.status != 200:  # of a token that is not active, too, it is 200 (§2.2)
            raise IntrospectionUnavailable(f"the server answered {answer.status}")
        if len(answer.body) > _LARGEST_ANSWER:
            raise IntrospectionUnavailable("the answer is too large")
        try:
            said = _decoder.decode(answer.body)
        except msgspec.MsgspecError:
            raise IntrospectionUnavailable("the server answered no json object") from None
        is_active = said.get("active")
        if not isinstance(is_active, bool):
            raise IntrospectionUnavailable("the server does not say whether it is active")
        return said if is_active else None


def _asked(token: str, where: Introspection) -> Asked:
    fields = {"token": token, "token_type_hint": "access_token"}
    headers = [("accept", "application/json"), ("content-type", _FORM)]
    if where.client_auth is ClientAuth.BASIC:
        headers.append(("authorization", _basic(where.client_id, where.client_secret)))
    elif where.client_auth is ClientAuth.POST:
        fields["client_id"] = where.client_id
        if where.client_secret:
            fields["client_secret"] = where.client_secret
    return Asked("POST", where.path, tuple(headers), urlencode(fields).encode())


def _basic(user: str, password: str) -> str:
    """Both are encoded as in forms first (RFC 6749 §2.3.1)."""
    pair = f"{quote_plus(user)}:{quote_plus(password)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _make_room(memory: dict[bytes, Any], key: bytes, most: int) -> None:
    """The oldest goes where there is none."""
    if len(memory) >= most and key not in memory:
        del memory[next(iter(memory))]
