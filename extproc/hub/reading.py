"""Streams as replies: one answer as JSON, or events as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from extproc.hub import streams
from extproc.hub.streams import Lost, Stream

KEEP_ALIVE_SECONDS = 30.0
JSON_SECONDS = 0.5
"""An answer that takes longer comes on a stream, which can be taken up again."""


class Reader:
    """Who reads a stream, one at a time: a new one takes the place of an old one."""

    def __init__(self, stream: Stream, relieved: Callable[[], None]) -> None:
        """`relieved` is called when something was read, and at the end."""
        self.stream = stream
        self._relieved = relieved
        self._news = asyncio.Event()
        self._wake = self._news.set
        before = stream.wake
        stream.wake = self._wake
        if before is not None:
            before()  # it sees that it is not asked any more

    @property
    def is_replaced(self) -> bool:
        return self.stream.wake is not self._wake

    async def wait(self, seconds: float) -> bool:
        """Whether there may be news within the time."""
        if self._is_behind():
            return True
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        return self._news.is_set()

    async def wait_for_end(self) -> None:
        """Returns when the stream has all its events, or has another reader."""
        while not (self.stream.is_ended or self.is_replaced):
            self._news.clear()
            await self._news.wait()

    def _is_behind(self) -> bool:
        stream = self.stream
        return stream.is_ended or stream.reads_from < stream.end or self.is_replaced

    def take(self) -> list[tuple[int, bytes]]:
        """What is new. Raises `Lost`."""
        taken = self.stream.take()
        self._relieved()
        return taken

    def close(self) -> None:
        """Nobody reads any more."""
        if not self.is_replaced:
            self.stream.wake = None
        self._relieved()


@dataclass(frozen=True, slots=True)
class Form:
    """How a stream is told."""

    is_numbered: bool
    """Its events have ids, so that it can be taken up again."""
    is_primed: bool
    """It begins with an event that has an id alone."""


async def events(
    reader: Reader, form: Form, closed: Callable[[], None], first: list[tuple[int, bytes]]
) -> AsyncIterator[bytes]:
    """A stream from where its reader stands, behind what was taken of it already.

    `closed` is called at the end, also when the client goes away.
    """
    number = reader.stream.number
    try:
        if form.is_primed:
            yield streams.priming(number)
        taken = first
        while True:
            for place, message in taken:
                if form.is_numbered:
                    yield streams.event(number, place, message)
                else:
                    yield streams.unnumbered(message)
            if reader.is_replaced:
                return
            if reader.stream.is_ended and reader.stream.reads_from == reader.stream.end:
                return
            if not await reader.wait(KEEP_ALIVE_SECONDS):
                yield streams.KEEP_ALIVE
            if reader.is_replaced:
                return
            taken = reader.take()
    except Lost:  # what is missing cannot be said: the client sees that the stream breaks off
        return
    finally:
        reader.close()
        closed()
