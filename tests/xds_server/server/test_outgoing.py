"""Room for so many bytes: who gets it when, and who gives it back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from xds_server.server.outgoing import Outgoing

SECONDS = 5
EVER = 3_600.0


def played(play: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(SECONDS):
            await play()

    asyncio.run(run())


class Writer:
    """One stream that writes, for as long as it is told to."""

    def __init__(self, outgoing: Outgoing, size: int) -> None:
        self.has_room = asyncio.Event()
        self._end = asyncio.Event()
        self.task = asyncio.ensure_future(self._write(outgoing, size))

    async def _write(self, outgoing: Outgoing, size: int) -> None:
        async with outgoing.room(size):
            self.has_room.set()
            await self._end.wait()

    async def end(self) -> None:
        self._end.set()
        await self.task


async def rest() -> None:
    """Whatever can happen now has happened."""
    for _ in range(5):
        await asyncio.sleep(0)


def with_room(writers: list[Writer]) -> list[bool]:
    return [writer.has_room.is_set() for writer in writers]


def test_there_is_room_for_so_many_bytes_and_the_next_is_who_came_next() -> None:
    async def play() -> None:
        outgoing = Outgoing(10, EVER)
        writers = [Writer(outgoing, size) for size in (6, 4, 5, 1)]
        await rest()
        assert with_room(writers) == [True, True, False, False]  # the last would fit, but must wait
        await writers[1].end()
        await rest()
        assert with_room(writers) == [True, True, False, False]
        await writers[0].end()
        await rest()
        assert with_room(writers) == [True] * 4
        for writer in writers[2:]:
            await writer.end()

    played(play)


def test_what_is_larger_than_all_room_goes_alone() -> None:
    async def play() -> None:
        outgoing = Outgoing(10, EVER)
        writers = [Writer(outgoing, size) for size in (1, 100, 1)]
        await rest()
        assert with_room(writers) == [True, False, False]
        await writers[0].end()
        await rest()
        assert with_room(writers) == [True, True, False]
        await writers[1].end()
        await rest()
        assert with_room(writers) == [True, True, True]
        await writers[2].end()

    played(play)


def test_who_has_had_its_room_for_long_gives_it_back_once() -> None:
    async def play() -> None:
        outgoing = Outgoing(10, 0.01)
        writers = [Writer(outgoing, 10) for _ in range(3)]
        await writers[2].has_room.wait()  # nobody has ended
        for writer in writers:
            await writer.end()
        patient = [Writer(outgoing, 6), Writer(outgoing, 6)]
        await rest()
        assert with_room(patient) == [True, False]
        for writer in patient:
            await writer.end()

    played(play)


@pytest.mark.parametrize("is_granted", [False, True])
def test_who_gives_up_takes_no_room(is_granted: bool) -> None:
    """Also when its turn has come at that very moment."""

    async def play() -> None:
        outgoing = Outgoing(10, EVER)
        async with AsyncExitStack() as room:
            await room.enter_async_context(outgoing.room(10))
            second, third = [Writer(outgoing, 10) for _ in range(2)]
            await rest()
            if is_granted:
                await room.aclose()
            assert not second.has_room.is_set()
            second.task.cancel()
            await rest()
            assert second.task.cancelled()
            assert third.has_room.is_set() == is_granted
        await rest()
        assert third.has_room.is_set()
        await third.end()

    played(play)


def test_a_write_that_fails_gives_its_room_back() -> None:
    async def play() -> None:
        outgoing = Outgoing(10, EVER)
        async with AsyncExitStack() as stack:
            with pytest.raises(ZeroDivisionError):
                async with outgoing.room(10):
                    raise ZeroDivisionError
            await stack.enter_async_context(outgoing.room(10))

    played(play)
