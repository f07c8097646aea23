"""What servers without sessions want to know, as requests to clients that have one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from extproc.hub import asks, in_rounds
from extproc.hub.bridging import Bridges
from extproc.hub.web import Reply
from extproc.mcp import ids
from tests.kit.mcp_bridges import (
    ASK,
    KEY,
    NEW,
    Far,
    Reading,
    call,
    play,
    replied,
    request,
    result,
    until_so,
)


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
    monkeypatch.setattr(in_rounds, "MOST_ROUNDS", 2)

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


def cancelled(*identity: Any) -> dict[str, Any]:
    params = {"requestId": identity[0]} if identity else {}
    return {"method": "notifications/cancelled", "params": params}


@pytest.mark.parametrize("note", [cancelled(1), cancelled()])
@pytest.mark.parametrize("is_asking", [False, True])
def test_a_call_that_is_cancelled_ends(tmp_path: Path, is_asking: bool, note: Any) -> None:
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
        assert await replied(bridges, note) == (202, None)
        with pytest.raises(StopAsyncIteration):
            await following
        if not is_asking:
            await until_so(lambda: far.gone == 1)

    play(tmp_path, scene)


def wants(**questions: Any) -> dict[str, Any]:
    return asking(inputRequests=questions)


@pytest.mark.parametrize(
    "question",
    [
        {"method": "roots/list"},
        {"method": "ping"},
        {"method": "elicitation/create", "params": {"mode": "url", "url": "x", "message": "?"}},
    ],
)
def test_what_the_client_does_not_offer_it_is_not_asked(tmp_path: Path, question: Any) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: result(message["id"], **wants(who=question))
        last = await Reading(await bridges.answer(request(NEW, call()))).next()
        assert last["error"]["message"].endswith("which the client does not offer")
        assert len(far.asked) == 1

    play(tmp_path, scene)


@pytest.mark.parametrize("odd", [{}, {"inputRequests": {f"k{each}": ASK for each in range(33)}}])
def test_what_cannot_be_asked_ends_the_call(tmp_path: Path, odd: Any) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        said = {"resultType": "input_required", **odd}
        far.answers = lambda message: result(message["id"], **said)
        last = await Reading(await bridges.answer(request(NEW, call()))).next()
        assert (last["id"], last["error"]["code"]) == (1, -32603)

    play(tmp_path, scene)


def test_only_the_first_answer_to_a_question_counts(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: (
            result(message["id"], **wants(one=ASK, two=ASK))
            if len(far.asked) == 1
            else result(message["id"], said=message["params"]["inputResponses"])
        )
        reading = Reading(await bridges.answer(request(NEW, call())))
        own = [ids.inward((await reading.next())["id"], KEY.encode()) for _ in range(2)]
        one, two = (found[1] for found in own if found is not None)
        await replied(bridges, {"id": one, "result": {"n": 1}})
        await replied(bridges, {"id": one, "result": {"n": 2}})
        await replied(bridges, {"id": f"{one}x", "result": {"n": 3}})
        await replied(bridges, {"id": two, "result": {"n": 4}})
        last = await reading.next()
        assert last["result"]["said"] == {"one": {"n": 1}, "two": {"n": 4}}

    play(tmp_path, scene)


def test_what_asks_in_a_stream_all_the_same_is_left_out(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda _: far.stream()
        far.more.put_nowait({"id": 5, **ASK})
        far.more.put_nowait({"id": 1, "result": {}})
        last = await Reading(await bridges.answer(request(NEW, call()))).next()
        assert last["result"] == {}

    play(tmp_path, scene)


def test_who_thinks_too_long_gets_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asks, "PATIENCE_SECONDS", 0.01)

    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: result(message["id"], **wants(who=ASK))
        reading = Reading(await bridges.answer(request(NEW, call())))
        await reading.next()
        assert "the client does not answer" in (await reading.next())["error"]["message"]

    play(tmp_path, scene)


def test_who_waits_hears_that_we_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asks, "KEEP_ALIVE_SECONDS", 0.01)

    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda _: far.stream()
        reading = Reading(await bridges.answer(request(NEW, call())))
        assert await anext(reading.body) == b": keep-alive\n\n"  # the server works
        far.more.put_nowait({"id": 1, "result": wants(who=ASK)})
        while (piece := await anext(reading.body)).startswith(b":"):
            pass
        assert b"elicitation/create" in piece
        assert await anext(reading.body) == b": keep-alive\n\n"  # the person thinks
        await reading.leave()

    play(tmp_path, scene)


@pytest.mark.parametrize(("limit", "most"), [("MOST_CALLS", 1), ("MOST_BYTES", 300)])
def test_so_many_calls_are_open_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(in_rounds, limit, most)

    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda message: result(message["id"], **wants(who=ASK))
        reading = Reading(await bridges.answer(request(NEW, call())))
        await reading.next()
        status, refused = await replied(bridges, call(2))
        assert (status, refused["id"], refused["error"]["code"]) == (503, 2, -32603)
        await reading.leave()
        again = Reading(await bridges.answer(request(NEW, call(3))))
        assert (await again.next())["method"] == "elicitation/create"
        await again.leave()

    play(tmp_path, scene)


def test_who_leaves_before_there_is_an_answer_ends_the_call(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        begun, gone = asyncio.Event(), asyncio.Event()

        async def slow() -> Any:
            try:
                yield b"{"
                begun.set()
                await asyncio.Event().wait()
            finally:
                gone.set()

        far.answers = lambda _: Reply(200, slow(), {"content-type": "application/json"})
        asking_ = asyncio.ensure_future(bridges.answer(request(NEW, call())))
        await begun.wait()
        asking_.cancel()
        await gone.wait()

    play(tmp_path, scene)
