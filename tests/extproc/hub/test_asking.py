"""Requests by Envoy's inner listener: the hub's own server stands in its place."""

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

GET = Question("GET", "/mcp?a=b", (("host", "gateway.example"), ("x-a", "b")))


class Site:
    """Answers everything with the same."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[Request] = []

    async def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.reply


@contextlib.asynccontextmanager
async def server(reply: Reply) -> AsyncIterator[tuple[WayOut, list[Request]]]:
    """The way to it, and what it was asked."""
    listener = edge.listening("127.0.0.1:0")
    host, port = listener.getsockname()
    site, way = Site(reply), WayOut(f"{host}:{port}")
    async with edge.serving(site, 1 << 20, listener), asyncio.timeout(10):
        yield way, site.asked
        way.close()


@in_a_loop
async def test_an_answer_has_a_status_headers_and_a_body() -> None:
    async with server(Reply(404, b"nope", {"content-type": "text/plain"})) as (way, asked):
        answer = await ask(way, GET)
        assert (answer.status, answer.headers["content-type"]) == (404, "text/plain")
        assert await answer.body(10) == b"nope"
        answer.close()
    (request,) = asked
    assert (request.method, request.path, request.query) == ("GET", "/mcp", "a=b")
    assert request.headers == {"host": "gateway.example", "x-a": "b"}


@in_a_loop
async def test_a_post_has_its_length() -> None:
    async with server(Reply(202)) as (way, asked):
        answer = await ask(way, Question("POST", "/mcp", GET.headers, b"12345"))
        assert (answer.status, await answer.body(10)) == (202, b"")
        answer.close()
    assert (asked[0].body, asked[0].headers["content-length"]) == (b"12345", "5")


@in_a_loop
async def test_pieces_come_as_they_are_said_and_who_closes_hangs_up() -> None:
    closed = asyncio.Event()

    async def said() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with server(Reply(200, said())) as (way, _):
        answer = await ask(way, GET)
        assert await anext(answer.pieces()) == b"one"
        answer.close()
        assert await answer.next() is None
        await closed.wait()


@in_a_loop
async def test_what_is_no_answer_is_told() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, asyncio.timeout(10):
        host, port = listening.sockets[0].getsockname()
        with pytest.raises(NoAnswer):
            await ask(WayOut(f"{host}:{port}"), GET)


@in_a_loop
async def test_an_answer_may_have_so_many_bytes() -> None:
    async with server(Reply(200, b"12345")) as (way, _):
        answer = await ask(way, GET)
        with pytest.raises(NoAnswer, match="more than 4 bytes"):
            await answer.body(4)
        answer.close()


@in_a_loop
async def test_a_large_body_comes_whole_both_ways() -> None:
    large = bytes(range(256)) * 12_000

    class Echo(Site):
        async def answer(self, request: Request) -> Reply:
            return Reply(200, request.body)

    listener = edge.listening("127.0.0.1:0")
    host, port = listener.getsockname()
    way = WayOut(f"{host}:{port}")
    async with edge.serving(Echo(Reply(200)), 4 << 20, listener), asyncio.timeout(20):
        answer = await ask(way, Question("POST", "/", (), large))
        assert await answer.body(4 << 20) == large
        way.close()


@in_a_loop
async def test_nobody_there_is_told() -> None:
    with pytest.raises(NoAnswer, match="not open"):
        await ask(WayOut("unix:/no/such.sock"), GET)
