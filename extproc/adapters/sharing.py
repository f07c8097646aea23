"""What machines that share a ledger on a server tell each other beside it: visited again and again,
while the configuration names such a ledger. No request waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from extproc.ports import LedgerUnavailable
from gateway.ledger_place import LedgerKind, LedgerPlace

logger = logging.getLogger(__name__)

LEAVE_SECONDS = 1.0
"""For the last words."""


class Visitor(Protocol):
    """Of one server."""

    async def visit(self) -> None:
        """Tell, and hear. Raises LedgerUnavailable."""

    async def leave(self) -> None:
        """Tell what is left. Raises LedgerUnavailable."""

    async def close(self) -> None:
        """Let go of the server."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a server is visited."""

    poll_seconds: float = 0.4
    away_seconds: float = 2.0
    """After it gave no answer."""


class Sharing:
    """Lives on an event loop."""

    def __init__(self, what: str, begin: Callable[[LedgerPlace], Visitor], rhythm: Rhythm) -> None:
        """`what` is shared, for the log."""
        self._what, self._begin, self._rhythm = what, begin, rhythm
        self._loop = asyncio.get_running_loop()
        self._place = LedgerPlace()
        self._visiting: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._is_in_trouble = False

    @property
    def is_on(self) -> bool:
        """Whether somebody is told."""
        return self._visiting is not None

    def hurry(self) -> None:
        """There is something to tell now."""
        self._news.set()

    def follow(self, place: LedgerPlace) -> None:
        """From now on by this ledger, from any thread; one that is a file is shared with nobody."""
        self._loop.call_soon_threadsafe(self._follow, place)

    async def close(self) -> None:
        """Tell what is left, and let go of the server."""
        visiting, self._visiting = self._visiting, None
        if visiting is not None:
            visiting.cancel()
            await asyncio.wait([visiting])

    def _follow(self, place: LedgerPlace) -> None:
        if place == self._place:
            return
        self._place = place
        if self._visiting is not None:
            self._visiting.cancel()
            self._visiting = None
        if place.kind is not LedgerKind.SQLITE:
            self._visiting = self._loop.create_task(self._share(self._begin(place)))
            self._visiting.add_done_callback(self._complain_of_faults)

    async def _share(self, visitor: Visitor) -> None:
        """Until cancelled."""
        try:
            while True:
                self._news.clear()
                pause = await self._visited(visitor)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._news.wait()
        finally:
            try:
                with contextlib.suppress(LedgerUnavailable, TimeoutError):
                    async with asyncio.timeout(LEAVE_SECONDS):
                        await visitor.leave()
            finally:
                await visitor.close()

    async def _visited(self, visitor: Visitor) -> float:
        """How long to wait then, in seconds."""
        try:
            await visitor.visit()
        except LedgerUnavailable as error:
            if not self._is_in_trouble:
                self._is_in_trouble = True
                logger.warning("%s are not shared with other machines: %s", self._what, error)
            return self._rhythm.away_seconds
        if self._is_in_trouble:
            self._is_in_trouble = False
            logger.warning("%s are shared with other machines again", self._what)
        return self._rhythm.poll_seconds

    def _complain_of_faults(self, done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            text = "%s are not shared any more, by a fault of ours"
            logger.error(text, self._what, exc_info=error)
