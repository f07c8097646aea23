"""The limiter of whichever ledger the configuration names."""

from __future__ import annotations

import asyncio
import secrets

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.adapters.misses import Missed, uncounted
from extproc.adapters.shared_limiter import SharedLimiter
from extproc.adapters.shared_rates import RateServer
from extproc.ports import Limiter
from gateway.ledger_place import LedgerKind, LedgerPlace

LEFT_SECONDS = 3600.0
"""After so long, a server that is no longer named is let go of: calls may yet be corrected."""


class LimiterPlaces:
    """All limiters of a worker."""

    def __init__(
        self, local: MappedLimiter, worker: str, left_seconds: float = LEFT_SECONDS
    ) -> None:
        self._local = local
        self.missed: Missed = uncounted
        """Told of what servers do not answer."""
        self._worker = worker
        self._left_seconds = left_seconds
        self._loop = asyncio.get_running_loop()
        self._open: dict[LedgerPlace, SharedLimiter] = {}
        self._current = LedgerPlace()
        self._closing: set[asyncio.Task[None]] = set()

    def at(self, place: LedgerPlace) -> Limiter:
        """That of this ledger, from any thread; a server is asked when something is counted."""
        before, self._current = self._current, place
        if before not in (place, LedgerPlace()):
            self._loop.call_soon_threadsafe(
                self._loop.call_later, self._left_seconds, self._leave, before
            )
        if place.kind is LedgerKind.SQLITE:
            return self._local
        if place not in self._open:
            made = open_limiter(place, self._worker, self._local, self._loop)
            made.missed = self.missed
            self._open[place] = made
        return self._open[place]

    async def close(self) -> None:
        """Tell what is left, and give all places back."""
        for each in self._open.values():
            await each.close()
        if self._closing:
            await asyncio.wait(self._closing)
        self._local.close()

    def _leave(self, place: LedgerPlace) -> None:
        if place != self._current and (limiter := self._open.pop(place, None)) is not None:
            task = self._loop.create_task(limiter.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def open_limiter(
    place: LedgerPlace, worker: str, local: MappedLimiter, loop: asyncio.AbstractEventLoop
) -> SharedLimiter:
    """A worker's limiter on a server, on this loop; nothing is asked yet."""
    return SharedLimiter(
        server_at(place),
        f"{worker}-{secrets.token_hex(4)}",
        local,
        loop,
        answer_seconds=place.answer_seconds,
        is_strict=place.are_limits_strict,
    )


def server_at(place: LedgerPlace) -> RateServer:
    """A worker's way to the rates on a server; nothing is asked yet.

    A driver takes a tenth of a second to load, so only the one that is used is.
    """
    if place.kind is LedgerKind.POSTGRES:
        from extproc.adapters.postgres_rates import PostgresRates  # noqa: PLC0415

        return PostgresRates(place)
    from extproc.adapters.redis_rates import RedisRates  # noqa: PLC0415

    return RedisRates(place)
