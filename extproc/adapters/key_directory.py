"""Keys that were looked up, in memory; the store is asked for others, and for what has changed.

What is in memory is believed for as long as somebody has looked for changes within a second, which
happens ten times a second while keys are asked for. A store that gives no answer may be forgiven
for longer. docs/decisions/0017-virtual-keys.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extproc.adapters.key_tables import (
    NOTHING_KNOWN,
    KeyReader,
    KeyTables,
    Reading,
    TablesInThread,
)
from extproc.adapters.misses import Missed, uncounted
from extproc.keys import HeldKey, KeysUnavailable

logger = logging.getLogger(__name__)

_IDLE_POLLS = 20
"""Without a question; then nobody looks until the next."""
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How often the store is asked, and how much is kept."""

    poll_seconds: float = 0.1
    """Between two looks at what has changed."""
    believed_seconds: float = 1.0
    """After a look; then each key waits for the next."""
    uses_seconds: float = 30.0
    """Between two times that uses are told: coarse, so that it costs next to nothing."""
    most_known: int = 100_000
    most_unknown: int = 10_000
    """Guesses have no natural end."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """What the store is asked at once."""

    ids: Sequence[str]
    since: int
    used: Sequence[str]
    began: float


def open_directory(
    path: Path, clock: Callable[[], float], *, busy_seconds: float = 1.0
) -> KeyDirectory:
    """Of the keys in this file. The file is opened when the first is asked for."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keys")
    reader = TablesInThread(lambda: KeyTables(path, busy_seconds), thread)
    return KeyDirectory(reader, clock, asyncio.get_running_loop())


class KeyDirectory:
    """One worker's view of the keys. Lives on the event loop; `clock` gives Unix seconds."""

    def __init__(
        self,
        reader: KeyReader,
        clock: Callable[[], float],
        loop: asyncio.AbstractEventLoop,
        bounds: Bounds | None = None,
        stale_seconds: float = 0.0,
    ) -> None:
        self._bounds = bounds or Bounds()
        self.stale_seconds = stale_seconds
        """For how long after a look keys are believed while the store gives no answer."""
        self.missed: Missed = uncounted
        self._reader = reader
        self._clock = clock
        self._loop = loop
        self._known: dict[str, HeldKey] = {}
        self._unknown: dict[str, None] = {}
        """Ids that there are not."""
        self._last = NOTHING_KNOWN
        """The last change that is known."""
        self._believed_until = self._looked_at = _NEVER
        self._waiting: dict[str, asyncio.Future[HeldKey | None]] = {}
        self._visit: asyncio.Task[Reading] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._used: list[str] = []
        self._round = 0
        """How often uses were told: each key is noted once between two times."""
        self._uses_due = loop.time() + self._bounds.uses_seconds
        self._idle_polls = 0
        self._is_in_trouble = self._is_closed = False

    def find(self, id: str) -> HeldKey | Awaitable[HeldKey | None] | None:
        """At once when it is in memory, and what is there can be believed."""
        self._idle_polls = 0
        found = self._known.get(id)
        if self._loop.time() <= self._believed_until:
            if found is not None:
                return found
            if id in self._unknown:
                return None
        if found is None or not self.stale_seconds:
            return self._look_up(id)
        return self._look_up_or_believe(id)

    def look_again(self, id: str) -> asyncio.Future[HeldKey | None]:
        """As it is in the store."""
        return self._look_up(id)

    def note_use(self, key: HeldKey) -> None:
        """It is told to the store some time later."""
        if key.noted != self._round:
            key.noted = self._round
            self._used.append(key.id)

    async def close(self) -> None:
        """Tell the last uses, and let go of the store."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(KeysUnavailable("the worker leaves"))
        self._waiting.clear()
        if self._visit is not None:
            await asyncio.wait([self._visit])
        try:
            if self._used:
                await self._note_uses(sorted(set(self._used)))
        except KeysUnavailable as error:
            logger.warning("when keys were last used is not told: %s", error)
        finally:
            await self._reader.close()

    async def _look_up_or_believe(self, id: str) -> HeldKey | None:
        try:
            return await self._look_up(id)
        except KeysUnavailable:
            found = self._known.get(id)
            if found is None or self._loop.time() > self._looked_at + self.stale_seconds:
                raise
            return found

    def _look_up(self, id: str) -> asyncio.Future[HeldKey | None]:
        found = self._waiting.get(id)
        if found is None:
            found = self._waiting[id] = self._loop.create_future()
            if self._is_closed:
                found.set_exception(KeysUnavailable("the worker leaves"))
            else:
                self._begin()
        return asyncio.shield(found)  # several may wait for it, and one of them leave

    def _begin(self) -> None:
        """One look at a time, so that none can bring what an earlier one has found changed."""
        if self._visit is not None or self._is_closed:
            return
        now = self._loop.time()
        used: Sequence[str] = ()
        if now >= self._uses_due:
            self._uses_due = now + self._bounds.uses_seconds
            used, self._used = sorted(set(self._used)), []
            self._round += 1
        visit = _Visit(tuple(self._waiting), self._last, used, now)
        self._visit = self._loop.create_task(self._look(visit))
        self._visit.add_done_callback(lambda done: self._end(visit, done))

    def _end(self, visit: _Visit, done: asyncio.Task[Reading]) -> None:
        self._visit = None
        waiting = [(id, self._waiting.pop(id, None)) for id in visit.ids]
        error = KeysUnavailable("the worker leaves") if done.cancelled() else done.exception()
        if error is None:
            self._learn(visit, done.result())
        elif isinstance(error, KeysUnavailable):
            self._used = [*{*self._used, *visit.used}]
            self._complain(error)
        else:
            logger.error("keys cannot be looked up", exc_info=error)
        unreadable = {} if error is not None else done.result().unreadable
        for id, future in waiting:
            if future is None or future.done():
                continue
            why = str(error) if error is not None else unreadable.get(id)
            if why is None:
                future.set_result(self._known.get(id))
            else:
                future.set_exception(KeysUnavailable(why))
                future.exception()  # whoever asked may have left
        if self._waiting:
            self._begin()
        self._arm()

    def _learn(self, visit: _Visit, reading: Reading) -> None:
        if self._is_in_trouble:
            self._is_in_trouble = False
            logger.warning("keys can be looked up again")
        if reading.is_another:
            self._known.clear()
            self._unknown.clear()
        for id in reading.changed:
            self._known.pop(id, None)
            self._unknown.pop(id, None)
        for id in visit.ids:
            key = reading.keys.get(id)
            if id in reading.unreadable:
                self._known.pop(id, None)
            elif key is None:
                _keep(self._unknown, id, None, self._bounds.most_unknown)
            else:
                _keep(self._known, id, HeldKey(key), self._bounds.most_known)
        self._last = reading.last
        self._looked_at = visit.began
        self._believed_until = visit.began + self._bounds.believed_seconds

    def _complain(self, error: KeysUnavailable) -> None:
        """Until the next look, and not for longer, nobody needs to wait for another failure."""
        self.missed()
        forgiven = self._looked_at + self.stale_seconds
        a_while = self._loop.time() + self._bounds.believed_seconds
        self._believed_until = max(self._believed_until, min(forgiven, a_while))
        if not self._is_in_trouble:
            self._is_in_trouble = True
            logger.error("keys cannot be looked up: %s", error)

    def _arm(self) -> None:
        if self._timer is None and not self._is_closed:
            self._timer = self._loop.call_later(self._bounds.poll_seconds, self._poll)

    def _poll(self) -> None:
        self._timer = None
        self._idle_polls += 1
        if self._idle_polls <= _IDLE_POLLS:
            self._begin()
        elif self._used:  # the last look for a while: tell them
            self._uses_due = 0.0
            self._begin()

    async def _look(self, visit: _Visit) -> Reading:
        reading = await self._reader.read(visit.ids, visit.since)
        if visit.used:
            try:
                await self._note_uses(visit.used)
            except KeysUnavailable as error:
                logger.warning("when keys were last used is not told: %s", error)
        return reading

    async def _note_uses(self, used: Sequence[str]) -> None:
        await self._reader.note_uses(used, int(self._clock()))


def _keep(memory: dict[str, Any], id: str, value: object, most: int) -> None:
    """The oldest goes where there is no room."""
    if len(memory) >= most and id not in memory:
        del memory[next(iter(memory))]
    memory[id] = value
