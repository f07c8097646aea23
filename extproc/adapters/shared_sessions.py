"""What several machines know of MCP sessions: which have ended, and when others were last used.

Requests ask the file of their machine alone. Each process tells a server what it has noted, and
notes in the file what others have told: of ended sessions at once, looking for them twice a second;
of uses now and then. While the server is away, each machine knows what it knew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from extproc.adapters.session_board import MappedSessionBoard, name_of
from extproc.ports import LedgerUnavailable
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.model import Gateway

logger = logging.getLogger(__name__)

KEPT_SECONDS: Final = 86_400
"""How long a server knows of a session."""
OVERLAP_MILLISECONDS: Final = 5_000
"""What was told before the last visit, but could not be seen by then; and jumps of clocks."""
MOST_HEARD: Final = 200_000
"""Sessions, of each kind, at one visit: the latest."""
_EVERYTHING: Final = 0
NOT_ASKED: Final = -1
_MOST_UNTOLD: Final = 100_000
_AT_ONCE: Final = 500
"""Rows that are noted before somebody else's turn comes."""
_IDLE_SHARE: Final = 4
"""A session is known to be used within this part of the time after which it would be over."""


class Told(NamedTuple):
    """What one process tells, and asks. Sessions are named by 64 bits."""

    used: Sequence[int]
    ended: Sequence[int]
    used_since: int
    """Milliseconds by the server's clock; `NOT_ASKED`."""
    ended_since: int


class Heard(NamedTuple):
    """What the server answers."""

    now: int
    """Milliseconds by its clock."""
    used: Sequence[tuple[int, int]]
    """Name, and when."""
    ended: Sequence[tuple[int, int]]


class SessionServer(Protocol):
    """Where all tell. Raises LedgerUnavailable."""

    async def visit(self, told: Told) -> Heard:
        """Tell, then hear."""

    async def close(self) -> None:
        """Let go of the server."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a server is visited."""

    poll_seconds: float = 0.4
    uses_seconds: float = 10.0
    """Between two times that uses are told and heard of."""
    away_seconds: float = 2.0
    """After it gave no answer."""


def server_at(place: LedgerPlace) -> SessionServer:
    """A process's way to a server; nothing is asked yet.

    A driver takes a tenth of a second to load, so only the one that is used is.
    """
    if place.kind is LedgerKind.POSTGRES:
        from extproc.adapters.postgres_sessions import PostgresSessions  # noqa: PLC0415

        return PostgresSessions(place)
    from extproc.adapters.redis_sessions import RedisSessions  # noqa: PLC0415

    return RedisSessions(place)


def sessions_at(gateway: Gateway) -> LedgerPlace:
    """Where sessions are shared, if anywhere."""
    return gateway.ledger if gateway.mcp.servers else LedgerPlace()


class SharedSessionBoard:
    """A process's board, which lives on its event loop; `clock` gives seconds since 1970."""

    def __init__(
        self,
        local: MappedSessionBoard,
        clock: Callable[[], float],
        find_server: Callable[[LedgerPlace], SessionServer] = server_at,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._local = local
        self._clock = clock
        self._find_server = find_server
        self._rhythm = rhythm or Rhythm()
        self._loop = asyncio.get_running_loop()
        self._place = LedgerPlace()
        self._visiting: asyncio.Task[None] | None = None
        self._used: set[int] = set()
        self._ended: set[int] = set()
        self._news = asyncio.Event()
        self._idle_seconds = math.inf
        self._is_in_trouble = False

    def use(self, number: str, now: int, idle_seconds: float) -> bool:
        is_open = self._local.use(number, now, idle_seconds)
        if is_open and self._visiting is not None and len(self._used) < _MOST_UNTOLD:
            self._used.add(name_of(number))
            self._idle_seconds = min(self._idle_seconds, idle_seconds)
        return is_open

    def end(self, number: str, now: int) -> None:
        self._local.end(number, now)
        if self._visiting is not None and len(self._ended) < _MOST_UNTOLD:
            self._ended.add(name_of(number))
            self._news.set()

    def follow(self, place: LedgerPlace) -> None:
        """From now on share with others by this ledger, from any thread; one that is a file is
        shared with nobody."""
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
            self._visiting = self._loop.create_task(self._share(self._find_server(place)))
            self._visiting.add_done_callback(_complain_of_faults)

    async def _share(self, server: SessionServer) -> None:
        """Until cancelled."""
        try:
            await self._visit_again_and_again(server)
        finally:
            with contextlib.suppress(LedgerUnavailable, TimeoutError):
                async with asyncio.timeout(1.0):  # what comes last is told all the same
                    if self._ended or self._used:
                        await server.visit(self._taken(NOT_ASKED, NOT_ASKED, has_uses=True))
            await server.close()

    async def _visit_again_and_again(self, server: SessionServer) -> None:
        ended_since = used_since = _EVERYTHING
        uses_told = -math.inf
        while True:
            has_uses = self._loop.time() >= uses_told + self._uses_seconds()
            told = self._taken(
                used_since if has_uses else NOT_ASKED, ended_since, has_uses=has_uses
            )
            pause = self._rhythm.poll_seconds
            try:
                heard = await server.visit(told)
            except LedgerUnavailable as error:
                self._taken_back(told)
                self._complain(error)
                pause = self._rhythm.away_seconds
            except asyncio.CancelledError:
                self._taken_back(told)
                raise
            else:
                self._is_well()
                await self._learn(heard)
                ended_since = heard.now - OVERLAP_MILLISECONDS
                if has_uses:
                    used_since, uses_told = ended_since, self._loop.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()

    def _uses_seconds(self) -> float:
        return min(self._rhythm.uses_seconds, self._idle_seconds / _IDLE_SHARE)

    async def _learn(self, heard: Heard) -> None:
        now = int(self._clock())
        rows = [
            *((name, at, False) for name, at in heard.used),
            *((name, at, True) for name, at in heard.ended),
        ]
        for count, (name, at, is_over) in enumerate(rows, 1):
            self._local.note(name, now - max(heard.now - at, 0) // 1000, is_over=is_over)
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _taken(self, used_since: int, ended_since: int, *, has_uses: bool) -> Told:
        """What there is to tell; it is on its way then."""
        self._news.clear()
        ended, self._ended = tuple(self._ended), set()
        used: tuple[int, ...] = ()
        if has_uses:
            used, self._used = tuple(self._used), set()
        return Told(used, ended, used_since, ended_since)

    def _taken_back(self, told: Told) -> None:
        self._used.update(told.used)
        self._ended.update(told.ended)

    def _complain(self, error: LedgerUnavailable) -> None:
        if not self._is_in_trouble:
            self._is_in_trouble = True
            logger.warning("MCP sessions are not shared with other machines: %s", error)

    def _is_well(self) -> None:
        if self._is_in_trouble:
            self._is_in_trouble = False
            logger.warning("MCP sessions are shared with other machines again")


def _complain_of_faults(done: asyncio.Task[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        logger.error("MCP sessions are not shared any more, by a fault of ours", exc_info=error)
