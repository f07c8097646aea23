"""Requests of 2026-07-28: one process for all, and the other era's servers say so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from extproc.hub.offered import Offered
from extproc.hub.terms import Terms
from extproc.hub.web import Reply
from tests.kit.in_a_loop import in_a_loop
from tests.kit.mcp_links import (
    META,
    Answer,
    Events,
    FakeLink,
    FakeServer,
    initialize,
    post,
    said,
    with_sessions,
    without_sessions,
)

TERMS = Terms()
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


class World:
    """A server, offered."""

    def __init__(self, answer: Answer = without_sessions, terms: Terms = TERMS) -> None:
        self.now = 0.0
        self.server = FakeServer(answer)
        self.offered = Offered("one", self.server.connect, terms, lambda: self.now)

    async def ask(self, method: str, id: Any = None, **params: Any) -> Reply:
        return await self.offered.answer(post(method, id, params={"_meta": META, **params}))

    @property
    def link(self) -> FakeLink:
        return self.server.links[-1]


@in_a_loop
async def test_all_requests_go_to_one_server_and_each_gets_its_own_answer() -> None:
    world = World()
    replies = await asyncio.gather(*(world.ask("tools/list", 1) for _ in range(3)))
    assert [said(each) for each in replies] == [
        {"jsonrpc": "2.0", "id": 1, "result": {"asked": "tools/list"}}
    ] * 3
    assert len(world.server.links) == 1
    methods = [each["method"] for each in world.link.sent]
    assert methods == ["server/discover", *["tools/list"] * 3]
    assert "mcp-session-id" not in replies[0].headers


@pytest.mark.parametrize(
    ("code", "status"), [(-32601, 404), (-32020, 400), (-32021, 400), (-32022, 400), (-32602, 200)]
)
@in_a_loop
async def test_errors_have_the_status_that_their_clients_read(code: int, status: int) -> None:
    def answer(link: FakeLink, message: dict[str, Any]) -> None:
        if message["method"] == "server/discover":
            without_sessions(link, message)
        else:
            link.say(id=message["id"], error={"code": code, "message": "no"})

    reply = await World(answer).ask("tools/call", 1)
    assert reply.status == status
    assert said(reply)["error"]["code"] == code


@in_a_loop
async def test_a_server_of_the_other_era_makes_its_clients_fall_back() -> None:
    world = World(with_sessions)
    for _ in range(2):
        reply = await world.ask("tools/list", 1)
        assert reply.status == 400
        assert said(reply)["error"]["code"] == -32600  # none that means that era
    assert len(world.server.links) == 1
    assert world.link.is_closed
    reply = await world.offered.answer(initialize())
    assert said(reply)["result"]["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("is_silent", [True, False])
@in_a_loop
async def test_so_does_one_that_is_silent_or_dies_but_it_is_asked_again(is_silent: bool) -> None:
    world = World(terms=Terms(start_seconds=0.02))
    world.server.answer = lambda link, _: None if is_silent else link.die()
    assert (await world.ask("tools/list", 1)).status == 400
    world.server.answer = without_sessions
    world.now = 60.0
    assert (await world.ask("tools/list", 1)).status == 200


@in_a_loop
async def test_one_that_names_the_revisions_it_knows_is_of_this_era() -> None:
    def answer(link: FakeLink, message: dict[str, Any]) -> None:
        link.say(id=message["id"], error={"code": -32022, "message": "no", "data": {"n": 1}})

    reply = await World(answer).ask("tools/list", 1)
    assert (reply.status, said(reply)["error"]["data"]) == (400, {"n": 1})


@in_a_loop
async def test_progress_comes_on_the_stream_of_its_request_without_ids() -> None:
    world = World()
    meta = {**META, "progressToken": "mine"}
    asking = asyncio.ensure_future(
        world.offered.answer(post("wait", 1, params={"_meta": meta, "name": "slow"}))
    )
    await asyncio.sleep(0.01)
    token = world.link.sent[-1]["params"]["_meta"]["progressToken"]
    assert token != "mine"
    progress = {"progressToken": token, "progress": 1}
    world.link.say(method="notifications/progress", params=progress)
    events = Events.of(await asking)
    id, message = await events.next()
    assert (id, message["params"]["progressToken"]) == ("", "mine")
    world.link.say(id=world.link.sent[-1]["id"], result={})
    assert [each["id"] for each in await events.rest()] == [1]


@in_a_loop
async def test_who_hangs_up_calls_off_whether_a_stream_has_begun_or_not() -> None:
    world = World()
    asking = asyncio.ensure_future(world.ask("wait", 1))
    await asyncio.sleep(0.01)
    ours = world.link.sent[-1]["id"]
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert world.link.sent[-1]["method"] == "notifications/cancelled"
    assert world.link.sent[-1]["params"]["requestId"] == ours

    asking = asyncio.ensure_future(world.ask("wait", 2, notifications={}))
    await asyncio.sleep(0.01)
    ours = world.link.sent[-1]["id"]
    world.link.say(method="notifications/acknowledged", params={"_meta": {SUBSCRIPTION: ours}})
    events = Events.of(await asking)
    _, message = await events.next()
    assert message["params"]["_meta"] == {SUBSCRIPTION: 2}
    await events.hang_up()
    assert world.link.sent[-1]["params"]["requestId"] == ours


@in_a_loop
async def test_what_was_asked_of_a_server_that_dies_is_answered_and_the_next_starts_it() -> None:
    world = World()
    asking = asyncio.ensure_future(world.ask("wait", 1))
    await asyncio.sleep(0.01)
    world.link.die("server one: it ended with status 1")
    assert said(await asking)["error"]["message"] == "server one: it ended with status 1"
    assert (await world.ask("tools/list", 2)).status == 200
    assert len(world.server.links) == 2


@in_a_loop
async def test_a_notification_is_passed_on() -> None:
    world = World()
    assert (await world.ask("notifications/something")).status == 202
    assert world.link.sent[-1]["method"] == "notifications/something"
