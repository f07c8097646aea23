"""The ledger that the configuration names. One that it no longer names stays open for what is
held there, for a while.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Sequence

from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.misses import Missed, uncounted
from extproc.adapters.remote_store import Patience, RemoteStore, Server
from extproc.ports import Booking, Charge, Exhausted, LedgerUnavailable, Level, Reservation
from gateway.ledger_place import LedgerKind, LedgerPlace

FLUSH_SECONDS = 0.05
VISIT_SHARE = 5
"""A visit mostly waits, so it may take a fifth of the time."""
LEFT_SECONDS = 3600.0
"""After so long, a ledger that is no longer named is closed."""

_log = logging.getLogger(__name__)


class Ledgers:
    """All ledgers of a worker; as a ledger, it is the last that was asked for."""

    def __init__(
        self, local: LeasedLedger, worker: str, left_seconds: float = LEFT_SECONDS
    ) -> None:
        self._local = local
        self.missed: Missed = uncounted
        """Told of what servers do not answer."""
        self._worker = worker
        self._left_seconds = left_seconds
        self._loop = asyncio.get_running_loop()
        self._open: dict[LedgerPlace, LeasedLedger] = {LedgerPlace(): local}
        self._current = LedgerPlace()
        self._closing: set[asyncio.Task[None]] = set()

    def at(self, place: LedgerPlace) -> LeasedLedger:
        """The ledger at this place, from now on; from any thread. It connects when it is asked."""
        before, self._current = self._current, place
        if place not in self._open:
            loop = self._loop
            self._open[place] = open_ledger(place, self._worker, loop, missed=self.missed)
        if before not in (place, LedgerPlace()):
            self._loop.call_soon_threadsafe(
                self._loop.call_later, self._left_seconds, self._leave, before
            )
        return self._open[place]

    def reserve(
        self, charges: Sequence[Charge]
    ) -> Reservation | Exhausted | Awaitable[Reservation | Exhausted]:
        return self._open[self._current].reserve(charges)

    def note(self, charges: Sequence[Charge]) -> Reservation:
        return self._open[self._current].note(charges)

    def level(self, charge: Charge) -> Level | Awaitable[Level]:
        return self._open[self._current].level(charge)

    async def remember(self, name: str, owner: str, now: int) -> None:
        await self._open[self._current].remember(name, owner, now)

    async def owner(self, name: str) -> str | None:
        return await self._open[self._current].owner(name)

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        return await self._open[self._current].book_once(name, extent, bookings, now)

    async def close(self) -> None:
        """Book everything. What a server does not take, it books as estimated in a while."""
        for task in self._closing:
            task.cancel()
        ledgers = list(self._open.values())
        self._open = {LedgerPlace(): self._local}
        self._current = LedgerPlace()
        await asyncio.gather(*(_close(each) for each in ledgers if each is not self._local))
        await self._local.close()

    def _leave(self, place: LedgerPlace) -> None:
        if place != self._current and (ledger := self._open.pop(place, None)) is not None:
            task = self._loop.create_task(_close(ledger))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _close(ledger: LeasedLedger) -> None:
    try:
        await ledger.close()
    except LedgerUnavailable as error:
        _log.warning("what is held will be booked as estimated: %s", error)


def open_ledger(
    place: LedgerPlace,
    worker: str,
    loop: asyncio.AbstractEventLoop,
    *,
    flush_seconds: float = FLUSH_SECONDS,
    missed: Missed = uncounted,
) -> LeasedLedger:
    """A worker's part of the ledger on a server, on this loop; nothing is asked yet."""
    server = _server(place)
    patience = Patience(place.answer_seconds, place.dead_seconds)
    store = RemoteStore(server, f"{worker}-{secrets.token_hex(4)}", loop, patience)
    store.missed = missed
    return LeasedLedger(
        store,
        loop,
        flush_seconds=flush_seconds,
        visit_share=VISIT_SHARE,
        is_strict=place.is_strict,
    )


def _server(place: LedgerPlace) -> Server:
    """A driver takes a tenth of a second to load, so only the one that is used is."""
    if place.kind is LedgerKind.POSTGRES:
        from extproc.adapters.postgres_server import PostgresServer  # noqa: PLC0415

        return PostgresServer(place)
    from extproc.adapters.redis_server import RedisServer  # noqa: PLC0415

    return RedisServer(place)
