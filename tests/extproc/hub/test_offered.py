"""A server as one of Streamable HTTP: sessions, streams, refusals, and what becomes of them when it
dies."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from extproc.hub import reading
from extproc.hub.offered import Offered
from extproc.hub.terms import Terms
from extproc.hub.web import Reply, Request
from tests.kit.in_a_loop import in_a_loop
from tests.kit.mcp_links import (
    Events,
    FakeLink,
    FakeServer,
    initialize,
    listen,
    post,
    posted,
    said,
    with_sessions,
)

TERMS = Terms()


class World:
    """A server, offered."""

    def __init__(self, terms: Terms = TERMS, *, is_shared: bool = False) -> None:
        self.now = 0.0
        self.server = FakeServer(with_sessions)
        self.offered = Offered(
            "one", self.server.connect, terms, lambda: self.now, is_shared=is_shared
        )

    async def ask(self, request: Request) -> Reply:
        return await self.offered.answer(request)

    async def session(self, revision: str = "2025-11-25", **headers: str) -> str:
        reply = await self.ask(initialize(revision, **headers))
        assert said(reply)["result"]["protocolVersion"] == revision
        return reply.headers["mcp-session-id"]

    @property
    def link(self) -> FakeLink:
        return self.server.links[-1]


@in_a_loop
async def test_each_session_has_a_server_of_its_own_which_hears_what_its_client_brought() -> None:
    world = World()
    first, second = await world.session(x="1"), await world.session(x="2")
    assert first != second
    assert [each.headers["x"] for each in world.server.links] == ["1", "2"]
    reply = await world.ask(post("tools/list", 1, session=first))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert said(reply) == {"jsonrpc": "2.0", "id": 1, "result": {"asked": "tools/list"}}
    assert [each["method"] for each in world.server.links[0].sent] == ["initialize", "tools/list"]
    assert len(world.server.links[1].sent) == 1


@in_a_loop
async def test_notifications_and_answers_are_accepted_without_a_word() -> None:
    world = World()
    session = await world.session()
    for body in (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 9, "result": {"roots": []}},
    ):
        reply = await world.ask(posted(body, session=session))
        assert (reply.status, reply.body) == (202, b"")
        assert world.link.sent[-1] == body


@in_a_loop
async def test_what_a_server_says_before_its_answer_comes_on_a_stream_with_it() -> None:
    world = World()
    session = await world.session()
    asking = asyncio.ensure_future(world.ask(post("wait", 1, session=session)))
    await asyncio.sleep(0)
    world.link.say(id=7, method="sampling/createMessage", params={})
    events = Events.of(await asking)
    id, nothing = await events.next()
    assert (id.endswith("-0"), nothing) == (True, None)
    assert (await events.next())[1]["method"] == "sampling/createMessage"
    await world.ask(posted({"jsonrpc": "2.0", "id": 7, "result": {"ok": 1}}, session=session))
    assert world.link.sent[-1] == {"jsonrpc": "2.0", "id": 7, "result": {"ok": 1}}
    world.link.say(id=1, result={})
    assert await events.rest() == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


@in_a_loop
async def test_an_answer_that_takes_long_comes_on_a_stream_that_begins_before_it() -> None:
    world = World()
    session = await world.session("2025-06-18")
    asking = asyncio.ensure_future(world.ask(post("wait", 1, session=session)))
    events = Events.of(await asyncio.wait_for(asking, reading.JSON_SECONDS * 4))
    world.link.say(id=1, result={})
    _, message = await events.next()  # no event without data for clients of that revision
    assert message["id"] == 1


@in_a_loop
async def test_a_client_that_takes_no_streams_gets_its_answer_alone() -> None:
    world = World()
    session = await world.session()
    request = post("wait", 1, session=session, accept="application/json")
    asking = asyncio.ensure_future(world.ask(request))
    await asyncio.sleep(0)
    world.link.say(method="notifications/message", params={"data": "x"})
    world.link.say(id=1, result={"n": 1})
    assert said(await asking)["result"] == {"n": 1}
    events = Events.of(await world.ask(listen(session)))
    await events.next()
    assert (await events.next())[1]["method"] == "notifications/message"


@in_a_loop
async def test_a_stream_that_broke_off_is_taken_up_where_it_did() -> None:
    world = World()
    session = await world.session()
    asking = asyncio.ensure_future(world.ask(post("wait", 1, session=session)))
    await asyncio.sleep(0)
    world.link.say(method="notifications/message", params={"data": "a"})
    events = Events.of(await asking)
    await events.next()
    id, _ = await events.next()
    await events.hang_up()
    world.link.say(method="notifications/message", params={"data": "b"})
    world.link.say(id=1, result={})
    again = Events.of(await world.ask(listen(session, last_event_id=id)))
    rest = await again.rest()
    assert [each.get("params", {}).get("data") for each in rest] == ["b", None]
    assert not world.link.is_closed  # hanging up calls nothing off


@in_a_loop
async def test_a_second_reader_of_a_stream_takes_the_place_of_the_first() -> None:
    world = World()
    session = await world.session()
    first = Events.of(await world.ask(listen(session)))
    await first.next()
    waiting = asyncio.ensure_future(first.next())
    await asyncio.sleep(0)
    second = Events.of(await world.ask(listen(session)))
    with pytest.raises(StopAsyncIteration):
        await waiting
    await second.next()
    world.link.say(method="notifications/tools/list_changed")
    assert (await second.next())[1]["method"] == "notifications/tools/list_changed"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (post("tools/list", 1), 400, -32600),
        (post("tools/list", 1, session="nobody's"), 404, -32001),
        (post("notifications/initialized", session="nobody's"), 404, -32001),
        (listen("nobody's"), 404, -32001),
        (Request("DELETE", "/", "", {"mcp-session-id": "nobody's"}), 404, -32001),
        (Request("GET", "/", "", {"accept": "application/json"}), 406, -32600),
        (posted(b"{"), 400, -32700),
        (posted([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]), 400, -32600),
        (post("tools/list", 1, session="x", mcp_protocol_version="1999-01-01"), 400, -32600),
        (initialize(session="x"), 400, -32600),
    ],
)
def test_what_makes_no_sense_is_refused(request_: Request, status: int, code: int) -> None:
    reply = asyncio.run(World().ask(request_))
    assert reply.status == status
    assert said(reply)["error"]["code"] == code


def test_a_refusal_has_the_id_of_what_is_refused() -> None:
    reply = asyncio.run(World().ask(post("tools/list", "a", session="nobody's")))
    assert said(reply)["id"] == "a"


def test_other_methods_are_not_allowed() -> None:
    reply = asyncio.run(World().ask(Request("PUT", "/", "", {})))
    assert (reply.status, reply.headers) == (405, {"allow": "GET, POST, DELETE"})


@in_a_loop
async def test_a_session_that_is_deleted_is_gone_and_so_is_its_server() -> None:
    world = World()
    session = await world.session()
    events = Events.of(await world.ask(listen(session)))
    await events.next()
    request = Request("DELETE", "/", "", {"mcp-session-id": session})
    assert (await world.ask(request)).status == 200
    assert await events.rest() == []
    await world.offered.close()
    assert world.link.is_closed
    assert (await world.ask(post("tools/list", 1, session=session))).status == 404


@in_a_loop
async def test_a_server_that_dies_answers_with_an_error_and_then_the_session_is_gone() -> None:
    world = World()
    session = await world.session()
    asking = asyncio.ensure_future(world.ask(post("wait", 1, session=session)))
    await asyncio.sleep(0)
    world.link.die("server one: it ended with signal SIGKILL")
    reply = await asking
    assert (reply.status, said(reply)["id"]) == (200, 1)
    message = "server one: it ended with signal SIGKILL"
    assert said(reply)["error"] == {"code": -32603, "message": message}
    assert (await world.ask(post("tools/list", 2, session=session))).status == 404
    assert world.offered.sessions == 0
    assert await world.session() != session


@in_a_loop
async def test_a_server_that_does_not_start_is_left_alone_for_a_while() -> None:
    world = World()
    world.server.refuses = "server one cannot be started: no such file"
    reply = await world.ask(initialize())
    assert reply.status == 503
    assert said(reply)["error"]["message"] == world.server.refuses
    world.server.refuses = ""
    reply = await world.ask(initialize())
    assert reply.status == 503
    assert said(reply)["error"]["message"].endswith("no such file; tried again in 0.5 s")
    world.now = 1.0
    await world.session()


@in_a_loop
async def test_one_that_dies_at_the_start_says_why() -> None:
    world = World()
    world.server.answer = lambda link, message: link.die("server one: it ended with status 3")
    reply = await world.ask(initialize())
    assert reply.status == 503
    assert said(reply)["error"]["message"] == "server one: it ended with status 3"
    assert "mcp-session-id" not in reply.headers
    assert world.offered.sessions == 0


@in_a_loop
async def test_one_that_says_nothing_at_the_start_is_stopped() -> None:
    world = World(Terms(start_seconds=0.05))
    world.server.answer = lambda link, message: None
    reply = await world.ask(initialize())
    assert (reply.status, said(reply)["error"]["code"]) == (503, -32603)
    await world.offered.close()
    assert world.link.is_closed


@in_a_loop
async def test_one_that_refuses_to_be_initialized_is_stopped() -> None:
    world = World()
    error = {"code": -32602, "message": "no"}
    world.server.answer = lambda link, message: link.say(id=message["id"], error=error)
    reply = await world.ask(initialize())
    assert said(reply)["error"] == error
    assert "mcp-session-id" not in reply.headers
    await world.offered.close()
    assert world.link.is_closed


@in_a_loop
async def test_a_client_that_goes_away_while_its_server_starts_leaves_none_behind() -> None:
    world = World()
    world.server.answer = lambda link, message: None
    asking = asyncio.ensure_future(world.ask(initialize()))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await world.offered.close()
    assert world.link.is_closed
    assert world.offered.sessions == 0


@in_a_loop
async def test_so_many_sessions_and_no_more() -> None:
    world = World(Terms(sessions=1))
    session = await world.session()
    reply = await world.ask(initialize())
    assert reply.status == 503
    assert said(reply)["error"]["message"] == "server one has 1 sessions, the most it may have"
    await world.ask(Request("DELETE", "/", "", {"mcp-session-id": session}))
    await world.session()


@in_a_loop
async def test_a_session_that_nobody_uses_ends_and_one_that_is_read_does_not() -> None:
    world = World(Terms(idle_seconds=60))
    idle, read = await world.session(), await world.session()
    events = Events.of(await world.ask(listen(read)))
    await events.next()
    world.now = 100.0
    world.offered.sweep()
    assert (await world.ask(post("tools/list", 1, session=idle))).status == 404
    assert (await world.ask(post("tools/list", 1, session=read))).status == 200
    await events.hang_up()
    world.now = 150.0
    world.offered.sweep()
    assert (await world.ask(post("tools/list", 1, session=read))).status == 200
    world.now = 220.0
    world.offered.sweep()
    assert (await world.ask(post("tools/list", 1, session=read))).status == 404


@in_a_loop
async def test_a_server_waits_while_its_client_is_slow() -> None:
    world = World(Terms(buffer_bytes=100))
    session = await world.session()
    events = Events.of(await world.ask(listen(session)))
    await events.next()
    for _ in range(3):
        world.link.say(method="notifications/message", params={"data": "x" * 100})
    room = asyncio.ensure_future(world.link.ears.room())
    await asyncio.sleep(0.01)
    assert not room.done()
    for _ in range(3):
        await events.next()
    await asyncio.wait_for(room, 1)


@in_a_loop
async def test_a_shared_server_is_started_once_and_tells_each_client_its_revision() -> None:
    world = World(is_shared=True)
    first, second = await world.session(), await world.session("2025-03-26")
    assert len(world.server.links) == 1
    greeting = world.link.sent[0]
    assert greeting["method"] == "initialize"
    assert greeting["params"]["capabilities"] == {}
    for session in (first, second):
        await world.ask(post("notifications/initialized", session=session))
    assert [each["method"] for each in world.link.sent].count("notifications/initialized") == 1
    replies = [await world.ask(post("tools/list", 1, session=each)) for each in (first, second)]
    assert [said(each)["id"] for each in replies] == [1, 1]
    assert len({each["id"] for each in world.link.sent if "id" in each}) == 3


@in_a_loop
async def test_a_shared_server_that_dies_is_started_again_and_sessions_stay() -> None:
    world = World(is_shared=True)
    session = await world.session()
    await world.ask(post("resources/subscribe", 1, session=session, params={"uri": "a://b"}))
    asking = asyncio.ensure_future(world.ask(post("wait", 2, session=session)))
    await asyncio.sleep(0)
    world.link.die("server one: it ended with status 1")
    assert said(await asking)["error"]["code"] == -32603
    reply = await world.ask(post("tools/list", 3, session=session))
    assert said(reply)["result"] == {"asked": "tools/list"}
    assert len(world.server.links) == 2
    methods = [each["method"] for each in world.link.sent]
    assert methods == [
        "initialize",
        "notifications/initialized",
        "resources/subscribe",
        "tools/list",
    ]
    assert world.link.sent[2]["params"] == {"uri": "a://b"}


@in_a_loop
async def test_a_shared_server_that_does_not_start_again_refuses_and_keeps_the_session() -> None:
    world = World(is_shared=True)
    session = await world.session()
    world.link.die()
    world.server.refuses = "gone"
    reply = await world.ask(post("tools/list", 3, session=session))
    assert (reply.status, said(reply)["error"]["message"]) == (503, "gone")
    world.server.refuses = ""
    world.now = 10.0
    assert (await world.ask(post("tools/list", 3, session=session))).status == 200


@in_a_loop
async def test_a_server_that_is_taken_away_ends_what_is_open() -> None:
    for is_shared in (False, True):
        world = World(is_shared=is_shared)
        session = await world.session()
        asking = asyncio.ensure_future(world.ask(post("wait", 2, session=session)))
        await asyncio.sleep(0.01)
        await world.offered.close()
        answer = said(await asking)
        assert answer["error"]["message"] == "server one was stopped"
        assert world.link.is_closed


@in_a_loop
async def test_bad_bodies_leave_the_session_unharmed() -> None:
    world = World()
    session = await world.session()
    bodies: list[Any] = [b"", b"null", b"[]", b"\xff", b'{"jsonrpc":"2.0","id":{},"method":"x"}']
    for body in bodies:
        assert (await world.ask(posted(body, session=session))).status == 400
    assert (await world.ask(post("tools/list", 1, session=session))).status == 200
    assert json.dumps(world.link.sent).count("tools/list") == 1


@in_a_loop
async def test_a_request_that_the_server_does_not_take_can_be_sent_again() -> None:
    world = World()
    session = await world.session()
    world.link.is_congested = True
    reply = await world.ask(post("tools/list", 1, session=session))
    assert (reply.status, said(reply)["id"]) == (503, 1)
    world.link.is_congested = False
    assert (await world.ask(post("tools/list", 1, session=session))).status == 200
