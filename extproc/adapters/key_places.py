"""The keys of whichever ledger the configuration names: where budgets are, there are keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from extproc.adapters.key_directory import KeyDirectory
from extproc.adapters.key_tables import KeyReader
from extproc.adapters.misses import Missed, uncounted
from gateway.ledger_place import LedgerKind, LedgerPlace

LEFT_SECONDS = 60.0
"""After so long, keys of a ledger that is no longer named are let go of."""


class KeyPlaces:
    """All directories of a worker."""

    def __init__(
        self,
        local: KeyDirectory,
        clock: Callable[[], float],
        left_seconds: float = LEFT_SECONDS,
    ) -> None:
        self._local = local
        self.missed: Missed = uncounted
        """Told of what servers do not answer."""
        self._clock = clock
        self._left_seconds = left_seconds
        self._loop = asyncio.get_running_loop()
        self._open: dict[LedgerPlace, KeyDirectory] = {LedgerPlace(): local}
        self._current = LedgerPlace()
        self._closing: set[asyncio.Task[None]] = set()

    def at(self, place: LedgerPlace, stale_seconds: float) -> KeyDirectory:
        """The keys of this ledger, from any thread; the store is asked when they are.

        `stale_seconds`: for how long a server may give no answer; a file has none to wait for.
        """
        before, self._current = self._current, place
        if place not in self._open:
            self._open[place] = KeyDirectory(reader_at(place), self._clock, self._loop)
        found = self._open[place]
        if found is not self._local:
            found.stale_seconds = stale_seconds
        found.missed = self.missed
        if before not in (place, LedgerPlace()):
            self._loop.call_soon_threadsafe(
                self._loop.call_later, self._left_seconds, self._leave, before
            )
        return found

    async def close(self) -> None:
        """Tell the last uses, and let go of all."""
        if self._closing:
            await asyncio.wait(self._closing)
        for each in self._open.values():
            await each.close()

    def _leave(self, place: LedgerPlace) -> None:
        if place != self._current and (directory := self._open.pop(place, None)) is not None:
            task = self._loop.create_task(directory.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def reader_at(place: LedgerPlace) -> KeyReader:
    """A worker's way to the keys on a server; nothing is asked yet.

    A driver takes a tenth of a second to load, so only the one that is used is.
    """
    if place.kind is LedgerKind.POSTGRES:
        from extproc.adapters.postgres_keys import PostgresKeys  # noqa: PLC0415

        return PostgresKeys(place)
    from extproc.adapters.redis_keys import RedisKeys  # noqa: PLC0415

    return RedisKeys(place)
