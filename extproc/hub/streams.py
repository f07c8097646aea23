"""The events of one stream, kept so that it can be taken up again: `Last-Event-ID`.

What is kept is bounded. An event's id is `STREAM-NEXT`: where reading goes on.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

KEEP_ALIVE = b": keep-alive\n\n"


class Lost(LookupError):
    """What comes next after an event is kept no more."""


@dataclass(slots=True)
class Stream:
    """Messages in order, of which the last are kept."""

    number: int
    limit_bytes: int
    is_answer_alone: bool = False
    """Its client takes an answer in one piece, and nothing before."""
    is_ended: bool = False
    """The last event was its last: the answer that it was for."""
    wake: Callable[[], None] | None = None
    """Called at each event, and at the end, while somebody reads."""
    reads_from: int = 0
    """The number of the event that who reads will take next."""
    _events: deque[bytes] = field(default_factory=deque)
    _first: int = 0
    _size: int = 0

    @property
    def end(self) -> int:
        """The number that the next event will have."""
        return self._first + len(self._events)

    @property
    def size(self) -> int:
        """Of what is kept, in bytes."""
        return self._size

    @property
    def is_read(self) -> bool:
        return self.wake is not None

    @property
    def is_congested(self) -> bool:
        """Who reads is far behind: more than is kept."""
        return self.is_read and self._size > self.limit_bytes and self.reads_from < self.end

    def add(self, message: bytes) -> None:
        """One event more. What was read goes when there is too much, and what nobody reads."""
        self._events.append(message)
        self._size += len(message)
        self._forget()
        self._tell()

    def finish(self) -> None:
        """There will be no more."""
        self.is_ended = True
        self._tell()

    def take(self) -> list[tuple[int, bytes]]:
        """What is new for who reads, with numbers. Raises `Lost`."""
        if self.reads_from < self._first:
            raise Lost(f"what came after event {self.number}-{self.reads_from} is kept no more")
        start = self.reads_from - self._first
        taken = [
            (self._first + place, self._events[place]) for place in range(start, len(self._events))
        ]
        self.reads_from = self.end
        self._forget()
        return taken

    def _forget(self) -> None:
        while self._size > self.limit_bytes and len(self._events) > 1:
            if self.is_read and self._first >= self.reads_from:
                return
            self._size -= len(self._events.popleft())
            self._first += 1

    def _tell(self) -> None:
        if self.wake is not None:
            self.wake()


def event(stream: int, number: int, message: bytes) -> bytes:
    """One event as it is sent. A message is of one line."""
    return b"event: message\nid: %d-%d\ndata: %b\n\n" % (stream, number + 1, message)


def unnumbered(message: bytes) -> bytes:
    """One event of a stream that cannot be taken up again."""
    return b"event: message\ndata: %b\n\n" % message


def priming(stream: int) -> bytes:
    """What a stream begins with since 2025-11-25: an id to come back with, and no data."""
    return b"id: %d-0\ndata: \n\n" % stream


def event_id(text: str) -> tuple[int, int]:
    """The stream, and the number of the event that comes next. Raises `ValueError`."""
    stream, _, number = text.partition("-")
    if not all(each.isascii() and each.isdigit() for each in (stream, number)):
        raise ValueError(f"no event id of ours: {text}")
    return int(stream), int(number)
