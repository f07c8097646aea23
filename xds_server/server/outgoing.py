"""The bytes that are being written at once, over all streams: who has more to write waits its turn.

gRPC keeps a copy of a response until the client's connection has taken it. Without a limit, a
thousand clients that come at once cost a thousand responses.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outgoing:
    """Room for so many bytes, given in the order in which it is asked for.

    Whoever has had its room for `patience_seconds` gives it back, though its response is not yet
    taken: clients that do not read hold what they hold, but do not keep the others waiting.
    """

    limit_bytes: int
    patience_seconds: float
    _taken: int = 0
    _waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)

    @asynccontextmanager
    async def room(self, size_bytes: int) -> AsyncIterator[None]:
        """Room for a response, while it is written. One that is larger than all room goes alone."""
        size = min(size_bytes, self.limit_bytes)
        await self._granted(size)
        grant = _Grant(self, size)
        impatience = asyncio.get_running_loop().call_later(self.patience_seconds, grant.end)
        try:
            yield
        finally:
            impatience.cancel()
            grant.end()

    async def _granted(self, size: int) -> None:
        if not self._waiting and self._fits(size):
            self._taken += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._go_on()
            else:  # it has come at this very moment
                self.give_back(size)
            raise

    def give_back(self, size: int) -> None:
        self._taken -= size
        self._go_on()

    def _fits(self, size: int) -> bool:
        return self._taken + size <= self.limit_bytes

    def _go_on(self) -> None:
        """Whoever waits has its turn, as far as there is room."""
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if not self._fits(size):
                    return
                self._taken += size
                turn.set_result(None)
            self._waiting.popleft()


@dataclass(slots=True)
class _Grant:
    """Room that is given back once."""

    outgoing: Outgoing
    size: int

    def end(self) -> None:
        size, self.size = self.size, 0
        if size:
            self.outgoing.give_back(size)
