"""Connections of the hub: how many there are, and what becomes of those that end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from extproc.hub import edge
from extproc.hub.asking import NoAnswer, Question, ask
from extproc.hub.driver import WayOut
from extproc.hub.web import Reply, Request
from tests.kit.in_a_loop import in_a_loop

GET = Question("GET", "/", ())


class Endless:
    """A site whose answers begin, and do not end."""

    async def answer(self, request: Request) -> Reply:
        return Reply(200, self._said())

    async def _said(self) -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def way() -> AsyncIterator[WayOut]:
    listener = edge.listening("127.0.0.1:0")
    made = WayOut(f"127.0.0.1:{listener.getsockname()[1]}")
    async with edge.serving(Endless(), 1000, listener), asyncio.timeout(20):
        yield made
        made.close()


@in_a_loop
async def test_few_connections_have_many_streams() -> None:
    async with way() as asking:
        held = await asyncio.gather(*(ask(asking, GET) for _ in range(300)))
        assert [await each.next() for each in held] == [b"one"] * 300
        assert asking.connections == 2
        asking.close()
        with pytest.raises(NoAnswer, match="broke off"):
            await held[0].next()


@in_a_loop
async def test_a_connection_that_was_closed_is_replaced() -> None:
    async with way() as asking:
        first = await ask(asking, GET)
        assert await first.next() == b"one"
        asking.close()
        second = await ask(asking, GET)
        assert await second.next() == b"one"
        with pytest.raises(NoAnswer):
            await first.next()


@in_a_loop
async def test_a_server_that_stops_breaks_what_does_not_end() -> None:
    listener = edge.listening("127.0.0.1:0")
    asking = WayOut(f"127.0.0.1:{listener.getsockname()[1]}")
    async with asyncio.timeout(20):
        async with edge.serving(Endless(), 1000, listener):
            answer = await ask(asking, GET)
            assert await answer.next() == b"one"
        with pytest.raises(NoAnswer):
            await answer.next()
        with pytest.raises(NoAnswer, match="not open"):
            await ask(asking, GET)
