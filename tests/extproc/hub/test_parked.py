"""Requests of servers with sessions, as results that ask for input."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from extproc.hub import asks, web
from extproc.hub import parked as parked_calls
from extproc.hub.bridging import Bridges
from extproc.hub.web import Reply
from tests.kit.mcp_bridges import (
    ASK,
    OLD,
    Far,
    Reading,
    call,
    event,
    play,
    replied,
    request,
    result,
    until_so,
)


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
    far.answers = lambda message: (
        far.stream() if message.get("method") == "tools/call" else Reply(202)
    )
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
    monkeypatch.setattr(asks, "PATIENCE_SECONDS", 0.05)

    async def scene(far: Far, bridges: Bridges) -> None:
        state = await parked(far, bridges)
        await until_so(lambda: len(far.asked) == 2)
        assert far.asked[-1]["method"] == "notifications/cancelled"
        assert far.asked[-1]["params"] == {"requestId": far.asked[0]["id"]}
        status, late = await replied(bridges, call(2, requestState=state), OLD)
        assert (status, late["id"], late["result"]["isError"]) == (200, 2, True)
        assert "came too late" in late["result"]["content"][0]["text"]
        other = await bridges.answer(request(OLD, call(2, requestState=state), "bob"))
        assert other.status == 400, "whose call it was, nobody else is told"

    play(tmp_path, scene)


def test_what_waited_in_another_hub_is_not_made_anew_and_models_are_told(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        state = await parked(far, bridges)
        prefix, _, name = state.split(".")
        lost = call(2, requestState=f"{prefix}.another.{name}", inputResponses={"input": {}})
        status, said = await replied(bridges, lost, OLD)
        assert (status, said["id"]) == (200, 2)
        assert (said["result"]["isError"], said["result"]["resultType"]) == (True, "complete")
        text = said["result"]["content"][0]["text"]
        assert "the gateway was restarted" in text
        assert "call again" in text
        prompt = {**lost, "method": "prompts/get"}
        status, said = await replied(bridges, prompt, OLD)
        assert (status, said["error"]["code"]) == (400, -32602)
        assert "the gateway was restarted" in said["error"]["message"]
        assert len(far.asked) == 1, "the server is asked nothing"

    play(tmp_path, scene)


def test_a_client_that_leaves_calls_the_request_off(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: far.stream() if "id" in message else Reply(202)
        far.more.put_nowait({"method": "notifications/tools/list_changed"})
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


def test_several_clients_may_call_their_requests_the_same(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda said: result(said["id"], by=said["params"]["name"])
        one, two = await replied(bridges, call(1), OLD), await replied(bridges, call(1), OLD)
        assert one[1]["id"] == two[1]["id"] == 1
        first, second = (each["id"] for each in far.asked)
        assert first != second
        assert far.asked[0]["params"]["_meta"] == {}  # it has had its handshake

    play(tmp_path, scene)


def test_an_error_is_that_of_the_clients_request(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda said: web.json(
            json.dumps(
                {"jsonrpc": "2.0", "id": said["id"], "error": {"code": -1, "message": "no"}}
            ).encode()
        )
        status, said = await replied(bridges, call("x"), OLD)
        assert (status, said["id"], said["error"]["code"]) == (200, "x", -1)

    play(tmp_path, scene)


@pytest.mark.parametrize("token", ["new", None])
def test_progress_is_told_to_the_request_of_the_round(tmp_path: Path, token: str | None) -> None:
    def with_token(said: Any, name: str | None) -> Any:
        meta = {**said["params"]["_meta"], **({"progressToken": name} if name else {})}
        return {**said, "params": {**said["params"], "_meta": meta}}

    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda said: far.stream() if "method" in said else Reply(202)
        step = {"method": "notifications/progress", "params": {"progressToken": "old"}}
        far.more.put_nowait(step)
        far.more.put_nowait({"id": 77, **ASK})
        reading = Reading(await bridges.answer(request(OLD, with_token(call(), "old"))))
        assert (await reading.next())["params"] == {"progressToken": "old"}
        state = (await reading.next())["result"]["requestState"]
        again = call(2, requestState=state, inputResponses={"input": {}})
        far.more.put_nowait(step)
        far.more.put_nowait({"id": 1, "result": {}})
        reading = Reading(await bridges.answer(request(OLD, with_token(again, token))))
        said = await reading.next()
        if token:
            assert said["params"] == {"progressToken": "new"}
            said = await reading.next()
        assert said["id"] == 2

    play(tmp_path, scene)


def test_what_the_client_does_not_offer_the_server_is_told(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda said: far.stream() if "method" in said else Reply(202)
        far.more.put_nowait({"id": 7, "method": "roots/list"})
        far.more.put_nowait({"id": 1, "result": {}})
        last = await Reading(await bridges.answer(request(OLD, call()))).next()
        assert last["result"] == {"resultType": "complete"}
        assert (far.asked[-1]["id"], far.asked[-1]["error"]["code"]) == (7, -32601)

    play(tmp_path, scene)


def test_so_many_calls_wait_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked_calls, "MOST_WAITING", 1)

    async def scene(far: Far, bridges: Bridges) -> None:
        await parked(far, bridges)

        async def asks_too() -> Any:
            yield event({"id": 78, **ASK})
            yield event({"id": 1, "result": {}})

        far.answers = lambda said: web.events(asks_too()) if "method" in said else Reply(202)
        last = await Reading(await bridges.answer(request(OLD, call(3)))).next()
        assert last["id"] == 3
        assert far.asked[-1]["error"]["message"] == "too many calls wait for clients"

    play(tmp_path, scene)


def test_a_server_that_refuses_what_it_is_told_ends_the_call(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        state = await parked(far, bridges)
        far.answers = lambda _: Reply(404)
        again = call(2, requestState=state, inputResponses={"input": {}})
        status, said = await replied(bridges, again, OLD)
        assert (status, said["id"]) == (502, 2)
        assert "with status 404" in said["error"]["message"]
        assert (await replied(bridges, again, OLD))[0] == 400

    play(tmp_path, scene)


def test_logs_are_told_as_far_as_the_call_wants_them(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda _: far.stream()
        message = call()
        message["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = "warning"
        for level in ("info", "error"):
            far.more.put_nowait({"method": "notifications/message", "params": {"level": level}})
        reading = Reading(await bridges.answer(request(OLD, message)))
        assert (await reading.next())["params"] == {"level": "error"}
        await reading.leave()

    play(tmp_path, scene)


def test_a_stream_that_ends_is_taken_up_where_it_was(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        async def ends() -> Any:
            yield b"retry: 1\nid: 41\ndata: \n\n"
            yield b'id: 42\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'

        far.answers = lambda _: web.events(ends())
        far.taken_up = lambda last: far.stream() if last == "42" else Reply(404)
        far.more.put_nowait({"id": 1, "result": {}})
        reading = Reading(await bridges.answer(request(OLD, call())))
        assert (await reading.next())["method"].endswith("list_changed")
        while (piece := await anext(reading.body)).startswith(b":"):
            pass
        assert json.loads(piece.removeprefix(b"data: "))["id"] == 1

    play(tmp_path, scene)


def test_a_stream_that_is_not_taken_up_is_an_error(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        async def ends() -> Any:
            yield b"retry: 1\nid: 41\ndata: \n\n"

        far.answers = lambda _: web.events(ends())
        far.taken_up = lambda _: Reply(405)
        last = await Reading(await bridges.answer(request(OLD, call()))).next()
        assert "it goes on with no stream: status 405" in last["error"]["message"]
        far.taken_up = lambda _: web.events(ends())
        monkeypatch.setattr(parked_calls, "_MOST_TAKEN_UP", 2)
        reading = Reading(await bridges.answer(request(OLD, call())))
        while (piece := await anext(reading.body)).startswith(b":"):
            pass
        assert b"again and again" in piece

    with pytest.MonkeyPatch.context() as monkeypatch:
        play(tmp_path, scene)


def test_who_waits_hears_that_we_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asks, "KEEP_ALIVE_SECONDS", 0.01)

    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda said: far.stream() if "id" in said else Reply(202)
        reading = Reading(await bridges.answer(request(OLD, call())))
        assert await anext(reading.body) == b": keep-alive\n\n"
        await reading.leave()

    play(tmp_path, scene)


def test_who_leaves_before_there_is_an_answer_calls_the_request_off(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        begun = asyncio.Event()

        async def slow() -> Any:
            yield b"{"
            begun.set()
            await asyncio.Event().wait()

        far.answers = lambda said: (
            Reply(200, slow(), {"content-type": "application/json"}) if "id" in said else Reply(202)
        )
        asking = asyncio.ensure_future(bridges.answer(request(OLD, call())))
        await begun.wait()
        asking.cancel()
        await until_so(lambda: far.asked[-1]["method"] == "notifications/cancelled")
        assert far.asked[-1]["params"] == {"requestId": far.asked[0]["id"]}

    play(tmp_path, scene)
