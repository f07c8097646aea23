"""What several machines know of MCP sessions: which have ended, and when others were last used.

Requests ask the file of their machine alone. Each process tells a server what it has noted, and
notes in the file what others have told: of ended sessions at once, looking for them twice a second;
of uses now and then. While the server is away, each machine knows what it knew.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from extproc.adapters.session_board import MappedSessionBoard, name_of
from extproc.adapters.sharing import Rhythm, Sharing
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.model import Gateway

KEPT_SECONDS: Final = 86_400
"""How long a server knows of a session."""
OVERLAP_MILLISECONDS: Final = 5_000
"""What was told before the last visit, but could not be seen by then; and jumps of clocks."""
MOST_HEARD: Final = 200_000
"""Sessions, of each kind, at one visit: the latest."""
USES_SECONDS: Final = 10.0
"""Between two times that uses are told and heard of, at most."""
_RHYTHM: Final = Rhythm()
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
        rhythm: Rhythm = _RHYTHM,
        uses_seconds: float = USES_SECONDS,
    ) -> None:
        self._local, self._clock = local, clock
        self._find_server = find_server
        self._uses_seconds = uses_seconds
        self._used: set[int] = set()
        self._ended: set[int] = set()
        self._idle_seconds = math.inf
        self._sharing = Sharing("MCP sessions", self._visitor, rhythm)

    def use(self, number: str, now: int, idle_seconds: float) -> bool:
        is_open = self._local.use(number, now, idle_seconds)
        if is_open and self._sharing.is_on and len(self._used) < _MOST_UNTOLD:
            self._used.add(name_of(number))
            self._idle_seconds = min(self._idle_seconds, idle_seconds)
        return is_open

    def end(self, number: str, now: int) -> None:
        self._local.end(number, now)
        if self._sharing.is_on and len(self._ended) < _MOST_UNTOLD:
            self._ended.add(name_of(number))
            self._sharing.hurry()

    def follow(self, place: LedgerPlace) -> None:
        """From now on share with others by this ledger, from any thread; one that is a file is
        shared with nobody."""
        self._sharing.follow(place)

    async def close(self) -> None:
        """Tell what is left, and let go of the server."""
        await self._sharing.close()

    def _visitor(self, place: LedgerPlace) -> _Visitor:
        return _Visitor(self, self._find_server(place))

    @property
    def between_uses_seconds(self) -> float:
        """How often uses are told and heard of."""
        return min(self._uses_seconds, self._idle_seconds / _IDLE_SHARE)

    def taken(self, used_since: int, ended_since: int, *, has_uses: bool) -> Told:
        """What there is to tell; it is on its way then."""
        ended, self._ended = tuple(self._ended), set()
        used: tuple[int, ...] = ()
        if has_uses:
            used, self._used = tuple(self._used), set()
        return Told(used, ended, used_since, ended_since)

    def taken_back(self, told: Told) -> None:
        """It was not told."""
        self._used.update(told.used)
        self._ended.update(told.ended)

    async def learn(self, heard: Heard) -> None:
        """What others tell."""
        now = int(self._clock())
        rows = [
            *((name, at, False) for name, at in heard.used),
            *((name, at, True) for name, at in heard.ended),
        ]
        for count, (name, at, is_over) in enumerate(rows, 1):
            self._local.note(name, now - max(heard.now - at, 0) // 1000, is_over=is_over)
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)


class _Visitor:
    """Of one server."""

    def __init__(self, board: SharedSessionBoard, server: SessionServer) -> None:
        self._board, self._server = board, server
        self._used_since = self._ended_since = _EVERYTHING
        self._uses_told = -math.inf

    async def visit(self) -> None:
        board, now = self._board, asyncio.get_running_loop().time()
        has_uses = now >= self._uses_told + board.between_uses_seconds
        used_since = self._used_since if has_uses else NOT_ASKED
        told = board.taken(used_since, self._ended_since, has_uses=has_uses)
        try:
            heard = await self._server.visit(told)
        except BaseException:
            board.taken_back(told)
            raise
        await board.learn(heard)
        self._ended_since = heard.now - OVERLAP_MILLISECONDS
        if has_uses:
            self._used_since, self._uses_told = self._ended_since, now

    async def leave(self) -> None:
        told = self._board.taken(NOT_ASKED, NOT_ASKED, has_uses=True)
        if told.used or told.ended:
            await self._server.visit(told)

    async def close(self) -> None:
        await self._server.close()
