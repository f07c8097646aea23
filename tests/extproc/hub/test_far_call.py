"""A request to a server behind a listener as Envoy's, and its answer as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from extproc.hub import edge, far_call, web
from extproc.hub.asking import NoAnswer
from extproc.hub.driver import WayOut
from extproc.hub.far_call import FarCall
from extproc.hub.web import Reply, Request
from gateway import names


class Far:
    """One server."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[Request] = []

    async def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.reply


async def pieces(*said: bytes) -> AsyncIterator[bytes]:
    for each in said:
        yield each


def play(folder: Path, far: Far, scene: Callable[[FarCall], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        address = f"unix:{folder / 's'}"
        listener = edge.listening(address)
        async with edge.serving(far, 1 << 20, listener), asyncio.timeout(20):
            headers = [("mcp-session-id", "s")]
            call = await far_call.post(WayOut(address), "service/mcp/a", "/mcp", headers, b"{}")
            try:
                return await scene(call)
            finally:
                call.close()

    return asyncio.run(whole())


async def everything(call: FarCall) -> list[bytes]:
    found = []
    while (message := await call.next()) is not None:
        found.append(message)
    return found


def test_an_answer_that_is_no_stream_is_one_message(tmp_path: Path) -> None:
    far = Far(web.json(b'{"a":1}', 404))

    async def scene(call: FarCall) -> list[bytes]:
        assert (call.status, call.kind, call.is_stream) == (404, "application/json", False)
        return await everything(call)

    assert play(tmp_path, far, scene) == [b'{"a":1}']
    (asked,) = far.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/mcp", b"{}")
    assert asked.headers[names.SERVICE_HEADER] == "service/mcp/a"
    assert asked.headers["mcp-session-id"] == "s"


def test_messages_of_a_stream_come_one_by_one(tmp_path: Path) -> None:
    said = pieces(b": x\n\nid: 1\ndata: \n\ndata: 1\n\nda", b"ta: 2\n\nevent: other\ndata: 3\n\n")
    assert play(tmp_path, Far(web.events(said)), everything) == [b"1", b"2"]


def test_what_was_not_wanted_yet_comes_once_more(tmp_path: Path) -> None:
    async def scene(call: FarCall) -> list[bytes]:
        first = await call.next()
        assert first is not None
        call.unread(first)
        return await everything(call)

    assert play(tmp_path, Far(web.events(pieces(b"data: 1\n\n"))), scene) == [b"1"]


def test_nobody_there_is_told_so(tmp_path: Path) -> None:
    async def asking() -> None:
        await far_call.post(WayOut(f"unix:{tmp_path / 'none'}"), "c", "/mcp", [], b"")

    with pytest.raises(NoAnswer):
        asyncio.run(asking())


def test_an_answer_that_breaks_off_is_told_so(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        raise OSError("gone")

    async def scene(call: FarCall) -> bytes | None:
        first = await call.next()
        with pytest.raises(NoAnswer):
            await call.next()
        return first

    assert play(tmp_path, Far(web.events(broken())), scene) == b"1"


@pytest.mark.parametrize("cut", range(1, 24, 3))
def test_where_a_stream_can_be_taken_up_is_kept(tmp_path: Path, cut: int) -> None:
    text = b"id: 1\nretry: 250\ndata: 1\n\nid:x y\r\n\r\n"
    far = Far(web.events(pieces(text[:cut], text[cut:])))

    async def scene(call: FarCall) -> tuple[bytes, float]:
        assert await everything(call) == [b"1"]
        return call.last_event, call.again_seconds

    assert play(tmp_path, far, scene) == (b"x y", 0.25)


def test_a_stream_goes_on_behind_its_last_event(tmp_path: Path) -> None:
    far = Far(web.events(pieces(b"data: 2\n\n")))
    head = [("accept", "x"), ("content-type", "y"), ("mcp-session-id", "s")]

    async def scene(_: FarCall) -> list[bytes]:
        address = f"unix:{tmp_path / 's'}"
        far.reply = web.events(pieces(b"data: 3\n\n"))
        call = await far_call.take_up(WayOut(address), "service/mcp/a", "/mcp", head, b"7")
        found = await everything(call)
        call.close()
        far.reply = Reply(405)
        with pytest.raises(NoAnswer) as refused:
            await far_call.take_up(WayOut(address), "service/mcp/a", "/mcp", head, b"7")
        assert "405" in str(refused.value)
        return found

    assert play(tmp_path, far, scene) == [b"3"]
    asked = far.asked[1]
    assert (asked.method, asked.body, asked.headers["last-event-id"]) == ("GET", b"", "7")
    assert (asked.headers["accept"], asked.headers["mcp-session-id"]) == ("text/event-stream", "s")
