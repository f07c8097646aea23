"""The HTTP server of the hub, asked by a real client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from extproc.hub import edge
from extproc.hub.asking import Question, ask
from extproc.hub.driver import WayOut
from extproc.hub.web import Reply, Request, events
from tests.kit.in_a_loop import in_a_loop


@dataclass(frozen=True, slots=True)
class Site:
    """Answers as a test says."""

    respond: Callable[[Request], Awaitable[Reply]]

    async def answer(self, request: Request) -> Reply:
        return await self.respond(request)


@contextlib.asynccontextmanager
async def client(
    respond: Callable[[Request], Awaitable[Reply]], body_bytes: int = 1000
) -> AsyncIterator[httpx.AsyncClient]:
    listener = edge.listening("127.0.0.1:0")
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with (
        edge.serving(Site(respond), body_bytes, listener),
        httpx.AsyncClient(
            base_url=url, trust_env=False, timeout=10, http1=False, http2=True
        ) as asking,
    ):
        yield asking


@contextlib.asynccontextmanager
async def way(respond: Callable[[Request], Awaitable[Reply]]) -> AsyncIterator[WayOut]:
    """For who hangs up: httpx resets no stream."""
    listener = edge.listening("127.0.0.1:0")
    made = WayOut(f"127.0.0.1:{listener.getsockname()[1]}")
    async with edge.serving(Site(respond), 1000, listener):
        yield made
        made.close()


@in_a_loop
async def test_a_request_is_whole_and_so_is_its_reply() -> None:
    async def respond(request: Request) -> Reply:
        words = f"{request.method} {request.path} {request.query} {request.headers['x-a']}"
        return Reply(201, words.encode() + request.body, {"x-b": "2"})

    async with client(respond) as asking:
        answer = await asking.post("/a%20b?c=d", content=b"!", headers={"X-A": "1"})
        assert (answer.status_code, answer.text) == (201, "POST /a b c=d 1!")
        assert (answer.headers["x-b"], answer.headers["content-length"]) == ("2", "16")
        assert "server" not in answer.headers


@in_a_loop
async def test_a_body_that_is_too_large_is_refused() -> None:
    async def respond(request: Request) -> Reply:
        raise AssertionError

    async with client(respond) as asking:
        assert (await asking.post("/", content=b"x" * 1001)).status_code == 413


@in_a_loop
async def test_a_mistake_of_ours_is_a_500_and_harms_nobody_else() -> None:
    async def respond(request: Request) -> Reply:
        raise ValueError

    async with client(respond) as asking:
        assert (await asking.get("/")).status_code == 500
        assert (await asking.get("/")).status_code == 500


@in_a_loop
async def test_pieces_come_as_they_are_made_and_who_hangs_up_closes_them() -> None:
    more, closed = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"data: 1\n\n"
            await more.wait()
            yield b"data: 2\n\n"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def respond(request: Request) -> Reply:
        return events(pieces())

    async with way(respond) as asking, asyncio.timeout(10):
        answer = await ask(asking, Question("GET", "/", ()))
        assert answer.headers["content-type"] == "text/event-stream"
        assert await answer.next() == b"data: 1\n\n"
        more.set()
        assert await answer.next() == b"data: 2\n\n"
        assert not closed.is_set()
        answer.close()
        await closed.wait()


@in_a_loop
async def test_who_does_not_read_is_waited_for() -> None:
    made = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield b"x" * 10_000

    async def respond(request: Request) -> Reply:
        return events(pieces())

    async with way(respond) as asking, asyncio.timeout(10):
        answer = await ask(asking, Question("GET", "/", ()))
        other = await ask(asking, Question("GET", "/", ()))
        assert len(await other.body(1_000_000)) == 1_000_000
        assert 100 < made < 120  # of the one that is not read, what its window and ours take
        assert len(await answer.body(1_000_000)) == 1_000_000


@in_a_loop
async def test_who_hangs_up_before_the_answer_calls_it_off() -> None:
    begun, called_off = asyncio.Event(), asyncio.Event()

    async def respond(request: Request) -> Reply:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            called_off.set()
        raise AssertionError

    async with way(respond) as asking, asyncio.timeout(10):
        task = asyncio.ensure_future(ask(asking, Question("GET", "/", ())))
        await begun.wait()
        task.cancel()
        await called_off.wait()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_the_owner_alone_may_use_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    path.touch()  # left behind by one that died
    mask = os.umask(0)
    try:
        with contextlib.closing(edge.listening(f"unix:{path}")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(str(path))
    finally:
        os.umask(mask)
