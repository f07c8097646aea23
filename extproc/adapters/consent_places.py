"""What callers have agreed to, wherever the configuration keeps it: where budgets are, consents
are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from extproc.adapters.sqlite_consents import SqliteConsents
from extproc.ports import Agreed, Agreement, Consents, Ended
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.model import Gateway

LEFT_SECONDS = 60.0
"""After so long, a server that is no longer named is let go of."""


class RemoteConsents(Consents, Protocol):
    """On a server."""

    async def close(self) -> None:
        """Let go of the server."""


def server_at(place: LedgerPlace) -> RemoteConsents:
    """A worker's way to a server; nothing is asked yet.

    A driver takes a tenth of a second to load, so only the one that is used is.
    """
    if place.kind is LedgerKind.POSTGRES:
        from extproc.adapters.postgres_consents import PostgresConsents  # noqa: PLC0415

        return PostgresConsents(place)
    from extproc.adapters.redis_consents import RedisConsents  # noqa: PLC0415

    return RedisConsents(place)


def consents_at(gateway: Gateway) -> LedgerPlace:
    """Where they are kept, and logins with them."""
    is_asked = gateway.mcp.asks_for_consent or bool(gateway.identity.kept_logins)
    return gateway.ledger if is_asked else LedgerPlace()


class ConsentPlaces:
    """A worker's consents, on its event loop."""

    def __init__(
        self,
        local: SqliteConsents,
        find_server: Callable[[LedgerPlace], RemoteConsents] = server_at,
        left_seconds: float = LEFT_SECONDS,
    ) -> None:
        self._local, self._find_server = local, find_server
        self._left_seconds = left_seconds
        self._loop = asyncio.get_running_loop()
        self._open: dict[LedgerPlace, RemoteConsents] = {}
        self._current = LedgerPlace()
        self._closing: set[asyncio.Task[None]] = set()

    def follow(self, place: LedgerPlace) -> None:
        """From now on keep them there, from any thread."""
        before, self._current = self._current, place
        if place != LedgerPlace() and place not in self._open:
            self._open[place] = self._find_server(place)
        if before not in (place, LedgerPlace()):
            self._loop.call_soon_threadsafe(
                self._loop.call_later, self._left_seconds, self._leave, before
            )

    async def find(self, owner: str, server: str) -> Agreed | None:
        return await self._there.find(owner, server)

    async def keep(self, agreement: Agreement) -> None:
        await self._there.keep(agreement)

    async def lease(self, owner: str, server: str, version: int, seconds: float) -> bool:
        return await self._there.lease(owner, server, version, seconds)

    async def renew(self, agreement: Agreement, version: int) -> bool:
        return await self._there.renew(agreement, version)

    async def free(self, owner: str, server: str, version: int) -> None:
        await self._there.free(owner, server, version)

    async def drop(self, owner: str, server: str, version: int) -> bool:
        return await self._there.drop(owner, server, version)

    async def ended(self, seconds: float) -> Sequence[Ended]:
        return await self._there.ended(seconds)

    async def client(self, name: str) -> bytes | None:
        return await self._there.client(name)

    async def keep_client(self, name: str, sealed: bytes, before: bytes | None) -> bytes:
        return await self._there.keep_client(name, sealed, before)

    async def drop_client(self, name: str) -> None:
        await self._there.drop_client(name)

    async def begin(self, name: str, sealed: bytes, until: int, once: str) -> bool:
        return await self._there.begin(name, sealed, until, once)

    async def take(self, name: str) -> bytes | None:
        return await self._there.take(name)

    async def note(self, name: str, sealed: bytes, until: int) -> None:
        await self._there.note(name, sealed, until)

    async def noted(self, name: str) -> bytes | None:
        return await self._there.noted(name)

    async def close(self) -> None:
        """Let go of all."""
        if self._closing:
            await asyncio.wait(self._closing)
        for each in self._open.values():
            await each.close()
        self._local.close()

    @property
    def _there(self) -> Consents:
        return self._open.get(self._current) or self._local

    def _leave(self, place: LedgerPlace) -> None:
        if place != self._current and (server := self._open.pop(place, None)) is not None:
            task = self._loop.create_task(server.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
