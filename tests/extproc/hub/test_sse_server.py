"""A server of HTTP with SSE: its stream says where to post, and all answers come on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from extproc.hub import sse_server
from extproc.hub.envelope import Message
from extproc.hub.far_stream import NoStream
from extproc.hub.links import CannotConnect, Link
from extproc.hub.sse_server import SseServer, endpoint_of
from extproc.ports import Answered, Asked, ServiceUnavailable
from tests.kit.in_a_loop import in_a_loop

SERVER = SseServer("old", "http://old.example:9000", "/mcp/sse", (("x-a", "b"),))
ENDPOINT = b"event: endpoint\ndata: /messages?session=1\n\n"


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("/messages?session=1", "/messages?session=1"),
        ("messages", "/mcp/messages"),
        ("?session=1", "/mcp/sse?session=1"),
        ("http://old.example:9000/m", "/m"),
        ("http://OLD.example:9000", "/"),
        (" /m\n", "/m"),
    ],
)
def test_where_to_post_is_read_as_a_link_on_a_page_is(said: str, path: str) -> None:
    assert endpoint_of(SERVER, said) == path


@pytest.mark.parametrize(
    "said",
    [
        "http://other.example:9000/m",
        "http://old.example/m",
        "https://old.example:9000/m",
        "//other.example/m",
        "http://old.example:9000@other.example/m",
        "http://[",
        "file:///m",
    ],
)
def test_nothing_is_posted_to_another_origin(said: str) -> None:
    with pytest.raises(CannotConnect, match="another origin"):
        endpoint_of(SERVER, said)


def test_the_port_of_a_scheme_need_not_be_said() -> None:
    server = SseServer("old", "https://old.example", "/sse", ())
    assert endpoint_of(server, "https://old.example:443/m") == "/m"


@dataclass(slots=True)
class Ways:
    """The server, as a test plays it."""

    said: asyncio.Queue[bytes | Exception | None] = field(default_factory=asyncio.Queue)
    asked: list[Asked] = field(default_factory=list)
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 202
    may_take: asyncio.Event = field(default_factory=asyncio.Event)
    is_closed: bool = False

    async def stream(self, path: str, headers: tuple[tuple[str, str], ...]) -> AsyncIterator[bytes]:
        assert path == SERVER.path
        self.headers = headers
        try:
            while (piece := await self.said.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.is_closed = True

    async def post(self, asked: Asked, timeout_seconds: float) -> Answered:
        await self.may_take.wait()
        self.asked.append(asked)
        if not self.status:
            raise ServiceUnavailable("gone")
        return Answered(self.status, {}, b"")


class Listener:
    """What is heard."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Any] = asyncio.Queue()

    def heard(self, _: Message, text: bytes) -> None:
        self.told.put_nowait(json.loads(text))

    def ended(self, reason: str) -> None:
        self.told.put_nowait(reason)

    async def room(self) -> None:
        """There always is."""


async def opened() -> tuple[Ways, Listener, Link]:
    ways, listener = Ways(), Listener()
    ways.may_take.set()
    ways.said.put_nowait(b"")
    ways.said.put_nowait(ENDPOINT[:9])
    ways.said.put_nowait(ENDPOINT[9:])
    return ways, listener, await sse_server.connect(SERVER, ways, listener)


@in_a_loop
async def test_messages_are_posted_where_the_stream_says_and_answers_come_on_it() -> None:
    ways, listener, link = await opened()
    assert ways.headers == (("accept", "text/event-stream"), ("x-a", "b"))
    link.send(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    ways.said.put_nowait(b": ping\n\nevent: message\ndata: junk\n\n")
    ways.said.put_nowait(b'event: message\ndata: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n')
    assert await listener.told.get() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    (asked,) = ways.asked
    assert (asked.method, asked.path) == ("POST", "/messages?session=1")
    assert asked.headers == (("content-type", "application/json"), ("x-a", "b"))
    await link.close()
    assert ways.is_closed


@in_a_loop
async def test_messages_are_posted_in_order() -> None:
    ways, _, link = await opened()
    ways.may_take.clear()
    for number in range(5):
        link.send(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}' % number)
    await asyncio.sleep(0)
    ways.may_take.set()
    for _ in range(50):  # whatever can happen now has happened then
        await asyncio.sleep(0)
    assert [json.loads(each.body)["id"] for each in ways.asked] == list(range(5))
    await link.close()


@pytest.mark.parametrize(("status", "said"), [(404, "status 404"), (0, "gone")])
@in_a_loop
async def test_a_request_that_is_not_taken_is_answered_with_an_error(
    status: int, said: str
) -> None:
    ways, listener, link = await opened()
    ways.status = status
    link.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    link.send(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    told = await listener.told.get()
    assert (told["id"], told["error"]["code"]) == (1, -32603)
    assert told["error"]["message"] == f"server old does not take a message: {said}"
    await link.close()


@pytest.mark.parametrize(
    ("end", "reason"), [(None, "its stream has ended"), (NoStream(0, "it broke"), "it broke")]
)
@in_a_loop
async def test_the_end_of_the_stream_is_the_end(end: Exception | None, reason: str) -> None:
    ways, listener, link = await opened()
    ways.said.put_nowait(end)
    assert await listener.told.get() == f"server old: {reason}"
    await link.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, "its stream has ended"),
        (NoStream(401, "status 401"), "status 401"),
        (b"event: endpoint\ndata: http://evil.example/\n\n", "another origin"),
    ],
)
@in_a_loop
async def test_without_a_place_to_post_there_is_no_way(
    said: bytes | Exception | None, reason: str
) -> None:
    ways, listener = Ways(), Listener()
    ways.said.put_nowait(said)
    with pytest.raises(CannotConnect, match=reason):
        await sse_server.connect(SERVER, ways, listener)
    assert listener.told.empty()
    assert ways.is_closed
