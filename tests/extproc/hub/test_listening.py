"""One server's stream for one client, as its stream tells; through sockets: `test_joined.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from extproc.edges.stream import Ear, Fields
from extproc.hub import listening
from extproc.hub.driver import NoWay
from extproc.hub.listening import Listening
from extproc.hub.silent import Silent
from extproc.hub.subscriptions import Subscription, Told
from extproc.mcp.messages import Message
from extproc.mcp.streams import Upward
from extproc.mcp.upward import Origin
from extproc.mcp.views import Served
from tests.kit.in_a_loop import in_a_loop, until

NEWS = b'id: 7\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
OK: Fields = ((":status", "200"), ("content-type", "text/event-stream"))


class Opened:
    """A stream."""

    def __init__(self) -> None:
        self.taken = 0
        self.is_reset = False

    def consumed(self, size: int) -> None:
        self.taken += size

    def reset(self) -> None:
        self.is_reset = True


class World:
    """Way, surroundings and client at once."""

    def __init__(self, revision: str = "2025-06-18", *, is_there: bool = True) -> None:
        self.is_there = is_there
        self.opened: list[Opened] = []
        self.asked_with: list[dict[str, str]] = []
        self.said = b""
        self.reads = True
        self.subscription: Subscription | None = None
        self.way: Any = self
        self.silent = Silent()
        self.asks: list[tuple[str, str, object]] = []
        self.back: list[str] = []
        self.begun_with: list[bool] = []
        """Of each who read the stream, whether another did before."""
        self.listening = Listening(self, self, "a", ("s-1", revision))

    async def open(self, fields: Fields, body: bytes, ear: Ear) -> Opened:
        self.asked_with.append(dict(fields))
        if not self.is_there:
            raise NoWay("nobody is there")
        self.opened.append(Opened())
        return self.opened[-1]

    def served(self, name: str) -> Served | None:
        return Served(name, f"service/mcp/{name}", "/mcp", (), True, 1.0)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self.work = asyncio.ensure_future(work)

    async def asked(self, name: str, session: str, message: Message) -> None:
        self.asks.append((name, session, message.id))

    def token(self, name: str) -> str:
        return "Bearer t"

    def upward(self, name: str, *, has_begun: bool) -> Upward | Told:
        self.begun_with.append(has_begun)
        if self.subscription is not None:
            return Told(self.subscription, name)
        return Upward(Origin(name), has_begun=has_begun)

    def say(self, said: bytes) -> bool:
        self.said += said
        return self.reads

    def is_back(self, name: str) -> None:
        self.back.append(name)

    async def begun(self, times: int = 1) -> Opened:
        if times == 1:
            self.listening.begin()
        await until(self._has_asked(times))
        return self.opened[-1]

    def _has_asked(self, times: int) -> Any:
        async def has() -> bool:
            return len(self.opened) == times

        return has


@in_a_loop
async def test_a_server_is_asked_for_its_stream_and_told_who_listens() -> None:
    world = World()
    await world.begun()
    (asked,) = world.asked_with
    assert (asked[":method"], asked[":path"]) == ("GET", "/mcp")
    assert (asked["mcp-session-id"], asked["authorization"]) == ("s-1", "Bearer t")


@in_a_loop
async def test_a_server_waits_while_the_client_does_not_read() -> None:
    world = World()
    stream = await world.begun()
    world.listening.headed(OK)
    world.reads = False
    world.listening.received(NEWS)
    assert (stream.taken, b"a/7" in world.said) == (0, True)
    world.listening.relieved()
    assert stream.taken == len(NEWS)
    world.reads = True
    world.listening.received(NEWS)
    assert stream.taken == 2 * len(NEWS)


@in_a_loop
async def test_nobody_reads_a_stream_that_says_nothing() -> None:
    world = World()
    await world.begun()
    world.listening.headed(OK)
    for piece in (b":\n\n", NEWS[:20], NEWS[20:], NEWS):
        world.listening.received(piece)
    assert world.said.count(b"id: a/7") == 2
    assert world.begun_with == [False, True, True]  # each but the rest of what was cut


@in_a_loop
async def test_a_stream_that_ends_is_begun_when_its_server_says() -> None:
    world = World()
    await world.begun()
    world.listening.headed(OK)
    world.listening.received(b"retry: 5\n" + NEWS)
    world.listening.ended()
    await world.begun(2)
    assert world.asked_with[1]["last-event-id"] == "7"


@in_a_loop
async def test_what_cannot_be_reached_is_left_alone_for_longer_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "AGAIN_SECONDS", 0.01)
    world = World(is_there=False)
    world.listening.begin()

    async def has_tried() -> bool:
        return len(world.asked_with) == 3

    began = asyncio.get_running_loop().time()
    await until(has_tried)
    assert asyncio.get_running_loop().time() - began >= 0.02 + 0.04
    world.listening.close()


@pytest.mark.parametrize("status", ["404", "405"])
@in_a_loop
async def test_who_has_no_such_stream_is_not_asked_again(status: str) -> None:
    world = World()
    stream = await world.begun()
    world.listening.headed(((":status", status),))
    assert stream.is_reset
    await asyncio.sleep(0)
    assert len(world.opened) == 1


@pytest.mark.parametrize("status", ["200", "404"])
@in_a_loop
async def test_a_server_that_was_away_is_said_to_be_back(
    monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(listening, "AGAIN_SECONDS", 0.01)
    world = World()
    await world.begun()
    world.listening.headed(OK)
    world.listening.broke("it was reset", is_unseen=False)
    await world.begun(2)
    world.listening.headed(((":status", "503"),))
    await world.begun(3)
    assert world.back == []
    world.listening.headed(OK if status == "200" else ((":status", status),))
    assert world.back == ["a"]
    assert world.listening.is_over is (status == "404")
    world.listening.close()


@in_a_loop
async def test_a_server_that_ends_its_stream_was_not_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "AGAIN_SECONDS", 0.01)
    world = World()
    await world.begun()
    world.listening.headed(OK)
    world.listening.ended()
    await world.begun(2)
    world.listening.headed(OK)
    assert world.back == []
    world.listening.close()


@in_a_loop
async def test_who_goes_leaves_the_stream_and_begins_none() -> None:
    world = World()
    stream = await world.begun()
    world.listening.close()
    assert stream.is_reset
    other = World()
    other.listening.begin()
    other.listening.close()
    await asyncio.sleep(0.01)
    assert other.opened == []


@in_a_loop
async def test_an_event_without_end_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(world, "upward", lambda name, has_begun: Upward(Origin(name), 100))
    stream = await world.begun()
    world.listening.headed(OK)
    world.listening.received(b"data: " + b"x" * 200)
    assert stream.is_reset


@in_a_loop
async def test_what_a_server_asks_a_client_without_sessions_is_told_on() -> None:
    world = World()
    world.subscription = Subscription(b"1", {}, {})
    await world.begun()
    world.listening.headed(OK)
    world.listening.received(b'data: {"jsonrpc":"2.0","id":5,"method":"ping"}\n\n')

    async def was_told() -> bool:
        return world.asks == [("a", "s-1", 5)]

    await until(was_told)


@in_a_loop
async def test_a_server_without_sessions_is_asked_for_what_a_client_subscribes_to() -> None:
    world = World("2026-07-28")
    world.listening.begin()
    await asyncio.sleep(0)
    assert world.asked_with == []  # it says nothing unasked
    world.subscription = Subscription(b"1", {"toolsListChanged": True}, {})
    await world.begun()
    assert world.asked_with[0]["mcp-method"] == "subscriptions/listen"
