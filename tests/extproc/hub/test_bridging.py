"""Calls between clients and servers of different eras; servers behind a listener as Envoy's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from extproc.hub import bridging, edge, web
from extproc.hub.bridging import Bridges
from extproc.hub.web import Reply, Request
from extproc.mcp import ids, rounds
from extproc.mcp.rounds import Envelope
from extproc.mcp.views import Served
from gateway import names
from tests.kit.in_a_loop import until

KEY = "a number that no server knows"
OLD, NEW = "2025-11-25", "2026-07-28"
ASK = {"method": "elicitation/create", "params": {"message": "?"}}


class Far:
    """A server: a function says what it answers to each message."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answers: Callable[[Any], Reply] = lambda _: Reply(202)
        self.gone = 0
        """How often a stream of its was left."""
        self.more: asyncio.Queue[Any] = asyncio.Queue()
        """What it says further on its stream; None ends it."""

    async def answer(self, request: Request) -> Reply:
        message = json.loads(request.body)
        assert request.headers["x-one"] == "1"
        assert request.headers["mcp-protocol-version"] in (OLD, NEW)
        assert "authorization" not in request.headers
        self.asked.append(message)
        return self.answers(message)

    def stream(self) -> Reply:
        return web.events(self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            while (said := await self.more.get()) is not None:
                yield event(said)
        except (asyncio.CancelledError, GeneratorExit):
            self.gone += 1
            raise


def event(message: Any) -> bytes:
    return b"data: %s\n\n" % json.dumps({"jsonrpc": "2.0", **message}).encode()


def result(identity: Any, **said: Any) -> Reply:
    return web.json(json.dumps({"jsonrpc": "2.0", "id": identity, "result": said}).encode())


def request(revision: str, message: Any, binding: str = "ann") -> Request:
    """As Envoy sends it on; `revision`: of the server."""
    envelope = Envelope("a", revision, KEY if revision == NEW else "", binding)
    headers = {
        names.MCP_ROUNDS_HEADER: rounds.encode(envelope),
        "mcp-protocol-version": revision,
        "accept": "application/json, text/event-stream",
        "authorization": "Bearer secret",
    }
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return Request("POST", names.HUB_ROUNDS, "", headers, body)


def call(identity: Any = 1, **params: Any) -> dict[str, Any]:
    return {"id": identity, "method": "tools/call", "params": {"name": "x", **params}}


Scene = Callable[[Far, Bridges], Awaitable[Any]]


def play(folder: Path, scene: Scene) -> Any:
    async def whole() -> Any:
        far, address = Far(), f"unix:{folder / 's'}"
        numbers = iter(range(100))
        bridges = Bridges(address, lambda: f"call{next(numbers)}")
        headers = (("x-one", "1"),)
        bridges.take({"a": Served("a", "service/mcp/a", "/mcp", headers, True, 1.0)})
        listener = edge.listening(address)
        async with edge.serving(edge.application(far, 1 << 20), listener), asyncio.timeout(20):
            try:
                return await scene(far, bridges)
            finally:
                await bridges.close()
                far.more.put_nowait(None)

    return asyncio.run(whole())


class Reading:
    """What comes back, message by message."""

    def __init__(self, reply: Reply) -> None:
        assert not isinstance(reply.body, bytes), reply.body
        self.body = reply.body

    async def next(self) -> Any:
        piece = await anext(self.body)
        assert piece.startswith(b"data: "), piece
        return json.loads(piece.removeprefix(b"data: "))

    async def leave(self) -> None:
        await self.body.aclose()  # type: ignore[attr-defined]  # it is a generator


async def until_so(is_so: Callable[[], bool]) -> None:
    async def question() -> bool:
        return is_so()

    await until(question)


async def replied(bridges: Bridges, message: Any, revision: str = NEW) -> Any:
    reply = await bridges.answer(request(revision, message))
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body) if reply.body else None


# --- a client with a session, a server without ---------------------------------------------


def asking(**more: Any) -> dict[str, Any]:
    return {"resultType": "input_required", "requestState": "s", **more}


def test_what_a_server_wants_to_know_is_asked_in_the_stream_of_the_call(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        def answers(message: Any) -> Reply:
            if "inputResponses" in message["params"]:
                said = message["params"]["inputResponses"]
                return result(message["id"], resultType="complete", said=said)
            return result(message["id"], **asking(inputRequests={"who": ASK}))

        far.answers = answers
        reading = Reading(await bridges.answer(request(NEW, call())))
        question = await reading.next()
        assert question["method"] == "elicitation/create"
        assert question["params"] == {"message": "?"}
        found = ids.inward(question["id"], KEY.encode())
        assert found is not None
        server, own = found
        assert server == "a"
        given = {"id": own, "result": {"action": "accept"}}
        assert await replied(bridges, given) == (202, None)
        last = await reading.next()
        assert last["id"] == 1
        assert last["result"]["said"] == {"who": {"action": "accept"}}
        first, second = far.asked
        assert first["id"] != second["id"]
        assert second["params"]["requestState"] == "s"

    play(tmp_path, scene)


def test_an_answer_at_once_is_as_it_is(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: result(message["id"], resultType="complete")
        assert await replied(bridges, call()) == (
            200,
            {"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete"}},
        )
        far.answers = lambda _: Reply(400, b"no", {"content-type": "text/plain"})
        reply = await bridges.answer(request(NEW, call()))
        assert (reply.status, reply.body) == (400, b"no")

    play(tmp_path, scene)


def test_what_a_stream_says_before_is_told_as_it_comes(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda _: far.stream()
        reading = Reading(await bridges.answer(request(NEW, call())))
        far.more.put_nowait({"method": "notifications/progress", "params": {"progressToken": 1}})
        assert (await reading.next())["method"] == "notifications/progress"
        far.more.put_nowait({"id": 1, "result": {"resultType": "complete"}})
        assert (await reading.next())["result"] == {"resultType": "complete"}

    play(tmp_path, scene)


def test_a_server_that_only_wants_to_be_asked_again_is(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: (
            result(message["id"], **asking())
            if len(far.asked) < 3
            else result(message["id"], resultType="complete")
        )
        last = await Reading(await bridges.answer(request(NEW, call("x")))).next()
        assert (last["id"], last["result"]) == ("x", {"resultType": "complete"})

    play(tmp_path, scene)


def test_a_server_asks_only_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridging, "MOST_ROUNDS", 2)

    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: result(message["id"], **asking())
        last = await Reading(await bridges.answer(request(NEW, call()))).next()
        assert "more than 2 times" in last["error"]["message"]

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("method", "told"),
    [("elicitation/create", {"who": {"action": "cancel"}}), ("sampling/createMessage", None)],
)
def test_a_client_that_cannot_say(tmp_path: Path, method: str, told: Any) -> None:
    """Of a person the server is told; a model's failure is that of the call."""

    async def scene(far: Far, bridges: Bridges) -> None:
        wants = {"who": {"method": method}}
        far.answers = lambda message: (
            result(message["id"], **asking(inputRequests=wants))
            if len(far.asked) == 1
            else result(message["id"], said=message["params"]["inputResponses"])
        )
        reading = Reading(await bridges.answer(request(NEW, call())))
        own = ids.inward((await reading.next())["id"], KEY.encode())
        assert own is not None
        await replied(bridges, {"id": own[1], "error": {"code": -7, "message": "no"}})
        last = await reading.next()
        assert last["id"] == 1
        if told is None:
            assert last["error"] == {"code": -7, "message": "no"}
        else:
            assert last["result"]["said"] == told

    play(tmp_path, scene)


def test_answers_to_nobody_go_nowhere(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        for identity in ("round:call0:who", "round:x", 5):
            assert await replied(bridges, {"id": identity, "result": {}}) == (202, None)
        assert far.asked == []

    play(tmp_path, scene)


def test_a_client_that_leaves_ends_the_call(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda _: far.stream()
        far.more.put_nowait({"method": "notifications/message", "params": {}})
        reading = Reading(await bridges.answer(request(NEW, call())))
        await reading.next()
        await reading.leave()
        await until_so(lambda: far.gone == 1)

    play(tmp_path, scene)


def cancelled(identity: Any) -> dict[str, Any]:
    return {"method": "notifications/cancelled", "params": {"requestId": identity}}


@pytest.mark.parametrize("is_asking", [False, True])
def test_a_call_that_is_cancelled_ends(tmp_path: Path, is_asking: bool) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda _: far.stream()
        reading = Reading(await bridges.answer(request(NEW, call())))
        if is_asking:
            far.more.put_nowait({"id": 1, "result": asking(inputRequests={"who": ASK})})
        else:
            far.more.put_nowait({"method": "notifications/message", "params": {}})
        await reading.next()
        for other in (2, "1", 1.5):
            await replied(bridges, cancelled(other))
        await replied(bridges, {"method": "notifications/initialized"})
        following = asyncio.ensure_future(reading.next())
        await asyncio.sleep(0.05)
        assert not following.done()
        assert await replied(bridges, cancelled(1)) == (202, None)
        with pytest.raises(StopAsyncIteration):
            await following
        if not is_asking:
            await until_so(lambda: far.gone == 1)

    play(tmp_path, scene)


# --- a client without a session, a server with one -----------------------------------------


def test_a_request_of_a_server_becomes_a_result_that_asks_for_input(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: far.stream() if "method" in message else Reply(202)
        reading = Reading(await bridges.answer(request(OLD, call())))
        far.more.put_nowait({"method": "notifications/progress", "params": {"progressToken": 1}})
        assert (await reading.next())["method"] == "notifications/progress"
        far.more.put_nowait({"id": 77, **ASK})
        asked = (await reading.next())["result"]
        assert asked["resultType"] == "input_required"
        assert asked["inputRequests"] == {"input": ASK}
        state = asked["requestState"]
        with pytest.raises(StopAsyncIteration):
            await reading.next()
        again = call(2, requestState=state, inputResponses={"input": {"action": "accept"}})
        reading = Reading(await bridges.answer(request(OLD, again)))
        assert far.asked[-1] == {"jsonrpc": "2.0", "id": 77, "result": {"action": "accept"}}
        far.more.put_nowait({"id": 1, "result": {"content": []}})
        last = await reading.next()
        assert last["id"] == 2
        assert last["result"] == {"content": [], "resultType": "complete"}
        assert len(far.asked) == 2

    play(tmp_path, scene)


async def parked(far: Far, bridges: Bridges) -> str:
    """The state of a call that waits."""
    far.answers = lambda message: far.stream() if message.get("id") == 1 else Reply(202)
    far.more.put_nowait({"id": 77, **ASK})
    reading = Reading(await bridges.answer(request(OLD, call())))
    state = (await reading.next())["result"]["requestState"]
    assert isinstance(state, str)
    return state


def test_a_state_is_of_use_to_nobody_else_and_for_no_other_call(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        state = await parked(far, bridges)
        again = call(2, requestState=state, inputResponses={"input": {}})
        for other in (
            request(OLD, again, "bob"),
            request(OLD, {**again, "params": {**again["params"], "name": "y"}}),
            request(OLD, {**again, "method": "prompts/get"}),
            request(OLD, call(2, requestState="dmr.guessed", inputResponses={"input": {}})),
        ):
            reply = await bridges.answer(other)
            assert reply.status == 400
            assert isinstance(reply.body, bytes)
            assert json.loads(reply.body)["error"]["code"] == -32602
        assert len(far.asked) == 1

    play(tmp_path, scene)


def test_a_call_that_comes_without_an_answer_is_asked_once_more(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        state = await parked(far, bridges)
        status, again = await replied(bridges, call(2, requestState=state), OLD)
        assert (status, again["id"]) == (200, 2)
        assert again["result"]["requestState"] == state
        assert again["result"]["inputRequests"] == {"input": ASK}

    play(tmp_path, scene)


def test_who_is_not_answered_in_time_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridging, "PATIENCE_SECONDS", 0.05)

    async def scene(far: Far, bridges: Bridges) -> None:
        state = await parked(far, bridges)
        await until_so(lambda: len(far.asked) == 2)
        assert far.asked[-1]["method"] == "notifications/cancelled"
        assert far.asked[-1]["params"] == {"requestId": 1}
        reply = await bridges.answer(request(OLD, call(2, requestState=state)))
        assert reply.status == 400

    play(tmp_path, scene)


def test_a_client_that_leaves_calls_the_request_off(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: far.stream() if "id" in message else Reply(202)
        far.more.put_nowait({"method": "notifications/message", "params": {}})
        reading = Reading(await bridges.answer(request(OLD, call())))
        await reading.next()
        await reading.leave()
        await until_so(lambda: far.asked[-1]["method"] == "notifications/cancelled")

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"id": 7, "method": "ping"}, {"result": {}}),
        ({"id": "x", "method": "other/thing"}, {"error": -32601}),
    ],
)
def test_what_is_no_question_to_people_is_answered_at_once(
    tmp_path: Path, asked: Any, answer: Any
) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: far.stream() if "method" in message else Reply(202)
        far.more.put_nowait(asked)
        far.more.put_nowait({"id": 1, "result": {}})
        last = await Reading(await bridges.answer(request(OLD, call()))).next()
        assert last["result"] == {"resultType": "complete"}
        told = far.asked[-1]
        assert told["id"] == asked["id"]
        said = told["error"]["code"] if "error" in told else told["result"]
        assert said == next(iter(answer.values()))

    play(tmp_path, scene)


# --- failures ------------------------------------------------------------------------------


def test_a_stream_that_ends_too_early_is_an_error(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        for revision in (OLD, NEW):
            far.answers = lambda _: far.stream()
            far.more.put_nowait(None)
            last = await Reading(await bridges.answer(request(revision, call()))).next()
            assert (last["id"], last["error"]["code"]) == (1, -32603)

    play(tmp_path, scene)


def test_a_server_that_is_gone_is_an_error(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        bridges.take({})
        assert (await replied(bridges, call()))[0] == 502
        reply = await bridges.answer(Request("POST", names.HUB_ROUNDS, "", {}, b"{}"))
        assert reply.status == 400

    play(tmp_path, scene)

    async def alone() -> None:
        bridges = Bridges(f"unix:{tmp_path / 'none'}")
        bridges.take({"a": Served("a", "service/mcp/a", "/mcp", (), True, 1.0)})
        status, said = await replied(bridges, call())
        assert (status, said["error"]["code"]) == (502, -32603)

    asyncio.run(alone())
