"""Clients of HTTP with SSE: each message becomes a request of Streamable HTTP, and all that is
answered comes on their stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from extproc.hub.asking import Answer, NoAnswer, Question
from extproc.hub.sse_clients import Paths, SseClients
from extproc.hub.web import Reply, Request
from gateway import names
from tests.kit.in_a_loop import in_a_loop
from tests.kit.mcp_links import Events, said

BACK = "service/gateway/default"
BROUGHT = {
    "host": "gateway.example",
    "authorization": "Bearer k-ann",
    "x-own": "1",
    "x-forwarded-for": "10.0.0.9",
    "content-length": "7",
    "mcp-session-id": "made up",
    names.MCP_SSE_HEADER: BACK,
}
SESSION = {"mcp-session-id": "s-1"}


@pytest.mark.parametrize(
    ("path", "found"),
    [("/sse", "/mcp"), ("/sse/one", "/mcp/one"), ("/ssed", None), ("/mcp", None), ("/", None)],
)
def test_each_path_stands_for_one_of_streamable_http(path: str, found: str | None) -> None:
    assert Paths("/sse", "/mcp").of(path) == found


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for each in pieces:
        yield each


class Told(Answer):
    """An answer whose pieces a test makes."""

    def __init__(
        self, status: int, headers: Mapping[str, str], pieces: AsyncIterator[bytes]
    ) -> None:
        super().__init__()
        self.status = status
        self.headers = headers
        self._said = pieces

    async def next(self) -> bytes | None:
        return await anext(self._said, None)


def whole(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    text = b"" if body is None else json.dumps(body).encode()
    return Told(status, {"content-type": "application/json", **(headers or {})}, _pieces(text))


def streamed(*messages: Any, id: str = "") -> Answer:
    told = [b"id: %b\ndata: %b\n\n" % (id.encode(), json.dumps(each).encode()) for each in messages]
    return Told(200, {"content-type": "text/event-stream"}, _pieces(*told))


class World:
    """A gateway that answers as a test says, by method of HTTP or of MCP."""

    def __init__(self, **answers: Callable[[], Answer]) -> None:
        self.asked: list[Question] = []
        self.answers: dict[str, Callable[[], Answer]] = {
            "initialize": lambda: whole(200, self.initialized(), SESSION),
            "notifications/initialized": lambda: whole(202),
            "GET": lambda: whole(405),
            "DELETE": lambda: whole(200),
            **answers,
        }
        self.clients = SseClients(self._ask)

    @staticmethod
    def initialized() -> Any:
        return {"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": "2024-11-05"}}

    async def _ask(self, question: Question) -> Answer:
        self.asked.append(question)
        method = question.method
        if method == "POST":
            method = json.loads(question.body).get("method", "answer")
        return self.answers[method]()

    async def open(self) -> tuple[Events, str]:
        """A stream, and the query by which is posted."""
        request = Request("GET", "/sse/one", "", BROUGHT)
        events = Events.of(await self.clients.answer(request, "/mcp/one"))
        piece = (await anext(events.pieces)).decode()
        assert piece.startswith("event: endpoint\ndata: /sse/one?session=")
        return events, piece.strip().rpartition("?")[2]

    async def post(self, query: str, message: Any, path: str = "/mcp/one") -> Reply:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        request = Request("POST", "/sse/one", query, BROUGHT, body)
        return await self.clients.answer(request, path)

    async def ask(self, query: str, method: str, id: Any = None) -> Reply:
        message = {"jsonrpc": "2.0", "method": method}
        return await self.post(query, message if id is None else {**message, "id": id})

    async def begin(self) -> tuple[Events, str]:
        """A stream with a session."""
        events, query = await self.open()
        assert (await self.ask(query, "initialize", 0)).status == 202
        assert (await events.next())[1] == self.initialized()
        assert (await self.ask(query, "notifications/initialized")).status == 202
        return events, query


@in_a_loop
async def test_messages_have_what_the_client_brings_and_the_session_that_it_knows_nothing_of() -> (
    None
):
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}
    world = World(**{"tools/list": lambda: whole(200, answer)})
    events, query = await world.begin()
    assert (await world.ask(query, "tools/list", 1)).status == 202
    assert (await events.next())[1] == answer
    first, *_, last = [each for each in world.asked if each.method == "POST"]
    assert (first.path, dict(first.headers).get("mcp-session-id")) == ("/mcp/one", None)
    assert dict(last.headers) == {
        "host": "gateway.example",
        "authorization": "Bearer k-ann",
        "x-own": "1",
        "accept": "application/json, text/event-stream",
        "mcp-session-id": "s-1",
        "mcp-protocol-version": "2024-11-05",
        names.SERVICE_HEADER: BACK,
    }
    await events.hang_up()
    await world.clients.close()


@in_a_loop
async def test_events_of_an_answer_and_what_is_said_unasked_come_on_the_one_stream() -> None:
    question = {"jsonrpc": "2.0", "id": "one/i:1", "method": "sampling/createMessage"}
    answer = {"jsonrpc": "2.0", "id": 1, "result": {}}
    changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    world = World(**{"tools/call": lambda: streamed(question, answer)})
    unasked = [streamed(changed, id="one/7"), whole(404)]
    world.answers["GET"] = lambda: unasked.pop(0)
    events, query = await world.begin()
    assert (await events.next())[1] == changed
    await world.ask(query, "tools/call", 1)
    assert [(await events.next())[1] for _ in range(2)] == [question, answer]
    assert await events.rest() == []  # the session is over: its client begins anew
    listening = [each for each in world.asked if each.method == "GET"]
    assert [dict(each.headers).get("last-event-id") for each in listening] == [None, "one/7"]
    assert dict(listening[0].headers)["authorization"] == "Bearer k-ann"


@in_a_loop
async def test_what_is_refused_is_refused_as_it_was() -> None:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "who?"}}
    world = World()
    world.answers["initialize"] = lambda: whole(401, error, {"www-authenticate": "Bearer x"})
    _, query = await world.open()
    reply = await world.ask(query, "initialize", 0)
    assert (reply.status, said(reply)) == (401, error)
    assert reply.headers["www-authenticate"] == "Bearer x"


@in_a_loop
async def test_a_session_that_is_over_ends_the_stream() -> None:
    world = World(**{"tools/list": lambda: whole(404, {"error": {}})})
    events, query = await world.begin()
    assert (await world.ask(query, "tools/list", 1)).status == 404
    assert await events.rest() == []
    assert (await world.ask(query, "tools/list", 1)).status == 404


@in_a_loop
async def test_a_gateway_that_does_not_answer_is_a_503() -> None:
    def fails() -> Answer:
        raise NoAnswer("nobody is there")

    world = World(initialize=fails)
    _, query = await world.open()
    reply = await world.ask(query, "initialize", 0)
    assert (reply.status, said(reply)["id"]) == (503, 0)


@in_a_loop
async def test_a_request_whose_answer_breaks_off_is_answered_with_an_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b": begun\n\n"
        raise NoAnswer("it broke off")

    stream = {"content-type": "text/event-stream"}
    world = World(**{"tools/call": lambda: Told(200, stream, broken())})
    events, query = await world.begin()
    await world.ask(query, "tools/call", 5)
    _, told = await events.next()
    assert (told["id"], told["error"]["code"]) == (5, -32603)


@pytest.mark.parametrize(
    ("query", "path"), [("", "/mcp/one"), ("session=x", "/mcp/one"), ("{}", "/mcp/two")]
)
@in_a_loop
async def test_nothing_is_posted_to_a_stream_that_is_not_there(query: str, path: str) -> None:
    world = World()
    _, own = await world.open()
    reply = await world.post(query.format(own), {"jsonrpc": "2.0", "method": "x"}, path)
    assert reply.status == 404
    assert world.asked == []


@in_a_loop
async def test_what_is_no_message_is_refused() -> None:
    world = World()
    _, query = await world.open()
    assert (await world.post(query, b"{")).status == 400
    reply = await world.clients.answer(Request("PUT", "/sse/one", query, BROUGHT), "/mcp/one")
    assert reply.status == 405


@in_a_loop
async def test_who_hangs_up_ends_the_session_and_what_it_waits_for() -> None:
    waiting, called_off = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield b""
        finally:
            called_off.set()

    stream = {"content-type": "text/event-stream"}
    world = World(**{"tools/call": lambda: Told(200, stream, endless())})
    events, query = await world.begin()
    await world.ask(query, "tools/call", 5)
    async with asyncio.timeout(10):
        await waiting.wait()
        await events.hang_up()
        await called_off.wait()
        await world.clients.close()
    last = world.asked[-1]
    assert (last.method, dict(last.headers)["mcp-session-id"]) == ("DELETE", "s-1")
    assert (await world.ask(query, "ping", 6)).status == 404


@in_a_loop
async def test_who_has_too_much_open_is_refused() -> None:
    async def endless() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    stream = {"content-type": "text/event-stream"}
    world = World(**{"tools/call": lambda: Told(200, stream, endless())})
    events, query = await world.begin()
    statuses = [(await world.ask(query, "tools/call", id)).status for id in range(150)]
    assert statuses[0] == 202
    assert statuses[-1] == 429
    with contextlib.suppress(asyncio.CancelledError):
        await events.hang_up()
    await world.clients.close()
