"""Requests by Envoy's inner listener: a server of a test stands in its place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from extproc.hub.asking import NoAnswer, Question, ask
from tests.kit.in_a_loop import in_a_loop


@contextlib.asynccontextmanager
async def server(*said: bytes, is_open: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Its address, and what it was asked; it says these pieces, and hangs up unless `is_open`."""
    asked: list[bytes] = []
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        for piece in said:
            writer.write(piece)
            await writer.drain()
        if is_open:
            asked.append(await reader.read(100))
            hung_up.set()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        host, port = listening.sockets[0].getsockname()
        yield f"{host}:{port}", asked
        if is_open:
            await asyncio.wait_for(hung_up.wait(), 10)


GET = Question("GET", "/mcp", (("host", "gateway.example"), ("x-a", "b")))


@in_a_loop
async def test_an_answer_has_a_status_headers_and_a_body() -> None:
    head = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n"
    async with server(head, b"no", b"pe") as (address, asked):
        answer = await ask(address, GET)
        assert (answer.status, answer.headers["content-type"]) == (404, "text/plain")
        assert await answer.body(10) == b"nope"
        await answer.close()
    assert asked[0] == b"GET /mcp HTTP/1.1\r\nhost: gateway.example\r\nx-a: b\r\n\r\n"


@in_a_loop
async def test_a_post_has_its_length() -> None:
    async with server(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n") as (address, asked):
        answer = await ask(address, Question("POST", "/mcp", GET.headers, b"12345"))
        assert (answer.status, await answer.body(10)) == (202, b"")
        await answer.close()
    assert b"content-length: 5\r\n" in asked[0]


@in_a_loop
async def test_pieces_come_as_they_are_said_and_who_closes_hangs_up() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with server(head, b"3\r\none\r\n", is_open=True) as (address, asked):
        answer = await ask(address, GET)
        pieces = answer.pieces()
        assert await anext(pieces) == b"one"
        await answer.close()
    assert asked[1] == b""


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 ", b"junk\r\n\r\n"])
@in_a_loop
async def test_what_is_no_answer_is_told(said: bytes) -> None:
    async with server(said) as (address, _):
        with pytest.raises(NoAnswer):
            await ask(address, GET)


@in_a_loop
async def test_an_answer_that_breaks_off_is_none() -> None:
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n123") as (address, _):
        answer = await ask(address, GET)
        with pytest.raises(NoAnswer):
            await answer.body(10)


@in_a_loop
async def test_an_answer_may_have_so_many_bytes() -> None:
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345") as (address, _):
        answer = await ask(address, GET)
        with pytest.raises(NoAnswer, match="more than 4 bytes"):
            await answer.body(4)
        await answer.close()


@in_a_loop
async def test_nobody_there_is_told() -> None:
    with pytest.raises(NoAnswer, match="not open"):
        await ask("unix:/no/such.sock", GET)
