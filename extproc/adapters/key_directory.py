"""Keys that were looked up, in memory; a thread asks the store for others, and what has changed.

What is in memory is believed for as long as somebody has looked for changes within a second, which
happens ten times a second while keys are asked for. docs/decisions/0017-virtual-keys.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extproc.adapters.key_tables import KeyTables, Reading
from extproc.keys import HeldKey, KeysUnavailable

logger = logging.getLogger(__name__)

_IDLE_POLLS = 20
"""Without a question; then nobody looks until the next."""
_EVERYTHING = 1 << 62
"""Later than any change: what is not in memory cannot have changed there."""


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
    return KeyDirectory(lambda: KeyTables(path, busy_seconds), thread, clock)


class KeyDirectory:
    """One worker's view of the keys. Lives on the event loop; `clock` gives Unix seconds."""

    def __init__(
        self,
        connect: Callable[[], KeyTables],
        thread: ThreadPoolExecutor,
        clock: Callable[[], float],
        bounds: Bounds | None = None,
    ) -> None:
        self._bounds = bounds or Bounds()
        self._connect = connect
        self._thread = thread
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._tables: KeyTables | None = None
        self._known: dict[str, HeldKey] = {}
        self._unknown: dict[str, None] = {}
        """Ids that there are not."""
        self._last = _EVERYTHING
        """The last change that is known."""
        self._believed_until = 0.0
        self._waiting: dict[str, asyncio.Future[HeldKey | None]] = {}
        self._visit: Future[Reading] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._used: set[str] = set()
        self._uses_due = self._loop.time() + self._bounds.uses_seconds
        self._idle_polls = 0
        self._is_in_trouble = self._is_closed = False

    def find(self, id: str) -> HeldKey | asyncio.Future[HeldKey | None] | None:
        """At once when it is in memory, and what is there can be believed."""
        self._idle_polls = 0
        if self._loop.time() <= self._believed_until:
            found = self._known.get(id)
            if found is not None:
                return found
            if id in self._unknown:
                return None
        return self._look_up(id)

    def look_again(self, id: str) -> asyncio.Future[HeldKey | None]:
        """As it is in the store."""
        return self._look_up(id)

    def note_use(self, id: str) -> None:
        """It is told to the store some time later."""
        self._used.add(id)

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
        used = sorted(self._used)
        try:
            await self._loop.run_in_executor(self._thread, self._leave, used)
        except KeysUnavailable as error:
            logger.warning("when keys were last used is not told: %s", error)
        finally:
            self._thread.shutdown()

    # On the event loop

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
            used, self._used = sorted(self._used), set()
        visit = _Visit(tuple(self._waiting), self._last, used, now)
        self._visit = self._thread.submit(self._look, visit)
        self._visit.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._end, visit, done)
        )

    def _end(self, visit: _Visit, done: Future[Reading]) -> None:
        self._visit = None
        waiting = [(id, self._waiting.pop(id, None)) for id in visit.ids]
        error = done.exception()
        if error is None:
            self._learn(visit, done.result())
        elif isinstance(error, KeysUnavailable):
            self._complain(error)
        else:
            logger.error("keys cannot be looked up", exc_info=error)
        for id, future in waiting:
            if future is None or future.done():
                continue
            if error is None:
                future.set_result(self._known.get(id))
            else:
                future.set_exception(KeysUnavailable(str(error)))
                future.exception()  # whoever asked may have left
        if self._waiting:
            self._begin()
        self._arm()

    def _learn(self, visit: _Visit, reading: Reading) -> None:
        if self._is_in_trouble:
            self._is_in_trouble = False
            logger.warning("keys can be looked up again")
        if reading.last < visit.since != _EVERYTHING:  # another file, or an older one
            self._known.clear()
            self._unknown.clear()
        for id in reading.changed:
            self._known.pop(id, None)
            self._unknown.pop(id, None)
        for id in visit.ids:
            key = reading.keys.get(id)
            if key is None:
                _keep(self._unknown, id, None, self._bounds.most_unknown)
            else:
                _keep(self._known, id, HeldKey(key), self._bounds.most_known)
        self._last = reading.last
        self._believed_until = visit.began + self._bounds.believed_seconds

    def _complain(self, error: KeysUnavailable) -> None:
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

    # In the thread

    def _look(self, visit: _Visit) -> Reading:
        if self._tables is None:
            self._tables = self._connect()
        reading = self._tables.read(visit.ids, visit.since)
        if visit.used:
            try:
                self._tables.note_uses(visit.used, int(self._clock()))
            except KeysUnavailable as error:
                logger.warning("when keys were last used is not told: %s", error)
        return reading

    def _leave(self, used: Sequence[str]) -> None:
        if self._tables is not None:
            try:
                if used:
                    self._tables.note_uses(used, int(self._clock()))
            finally:
                self._tables.close()


def _keep(memory: dict[str, Any], id: str, value: object, most: int) -> None:
    """The oldest goes where there is no room."""
    if len(memory) >= most and id not in memory:
        del memory[next(iter(memory))]
    memory[id] = value
