"""Streams whose bytes nobody here has seen: how many there were is told after their end.

Envoy tells so in its access log, of streams that were cut, and of some that ended well
(docs/decisions/0015). That log may reach another worker than the one that waits, and before or
after its call has ended; so all of them look at one board.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from extproc.llm.stream_sizes import StreamSizes
from extproc.ports import Board, Later

LOOK_SECONDS = 0.1
MOST_LOOKS = 10
"""Then nothing will be told any more."""
MOST_WAITING = 10_000

_NUMBERS = 1 << 64


class Mark(Struct, frozen=True):
    """What a stream is called in the log."""

    number: int
    """Nobody can guess it: what is told of a stream is booked."""
    is_sampled: bool
    """It is told of, however it ends."""


class _Wait(Struct, frozen=True):
    told: Callable[[int], None]
    silent: Callable[[], object]
    looks_until: int


class CutStreams:
    """Those of one worker."""

    def __init__(self, board: Board, later: Later, first: int) -> None:
        """`later` calls after so many seconds; `first` is a number that nobody can guess."""
        self.sizes = StreamSizes()
        self._board = board
        self._later = later
        self._next = first % _NUMBERS
        self._waiting: dict[int, _Wait] = {}
        self._looks = 0
        self._is_looking = False

    def mark(self, provider: str, model: str) -> Mark:
        """For a stream of this target."""
        number = self._next
        self._next = (number + 1) % _NUMBERS
        return Mark(number, self.sizes.is_due(provider, model))

    def wait(self, mark: Mark, told: Callable[[int], None], silent: Callable[[], object]) -> None:
        """The stream has ended: one of both is called, with the bytes that were sent of it, or when
        nobody has told them."""
        sent_bytes = self._board.take(mark.number)
        if sent_bytes is not None:
            told(sent_bytes)
        elif len(self._waiting) >= MOST_WAITING:
            silent()
        else:
            self._waiting[mark.number] = _Wait(told, silent, self._looks + MOST_LOOKS)
            self._look_later()

    def tell(self, number: int, sent_bytes: int) -> None:
        """Told of a stream, which may be another worker's, or may not have ended here yet."""
        found = self._waiting.pop(number, None)
        if found is None:
            self._board.put(number, sent_bytes)
        else:
            found.told(sent_bytes)

    def give_up(self) -> None:
        """This worker ends: what was not told by now is not waited for."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.silent()

    def _look_later(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._is_looking = False
        self._looks += 1
        for number, each in tuple(self._waiting.items()):
            sent_bytes = self._board.take(number)
            if sent_bytes is not None:
                del self._waiting[number]
                each.told(sent_bytes)
            elif each.looks_until <= self._looks:
                del self._waiting[number]
                each.silent()
        if self._waiting:
            self._look_later()


def alone() -> CutStreams:
    """For a worker that no log reaches: nobody is waited for."""
    return CutStreams(_Nothing(), _at_once, 0)


class _Nothing:
    def put(self, name: int, number: int) -> None:
        pass

    def take(self, name: int) -> int | None:
        return None


def _at_once(_seconds: float, what: Callable[[], None]) -> None:
    what()
