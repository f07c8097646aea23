"""What servers ask in the stream of a session, in the midst of a call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from extproc.hub import asks, unasked, web
from extproc.hub.bridging import Bridges
from extproc.hub.web import Reply
from extproc.mcp.messages import Message, read
from tests.kit.mcp_bridges import (
    ASK,
    OLD,
    Far,
    Reading,
    call,
    event,
    play,
    request,
    result,
    until_so,
)


class Streams:
    """A server that asks in the stream of the session."""

    def __init__(self, far: Far) -> None:
        self.far = far
        self.opened = 0
        self.closed = 0
        self.asked: list[asyncio.Queue[Any]] = []
        """Of each stream, what it asks."""
        far.taken_up = self._open
        far.answers = lambda said: far.stream() if "method" in said else Reply(202)

    def _open(self, last_event: str) -> Reply:
        assert last_event == ""
        self.opened += 1
        self.asked.append(asyncio.Queue())
        return web.events(self._stream(self.asked[-1]))

    async def _stream(self, asked: asyncio.Queue[Any]) -> Any:
        try:
            yield b": open\n\n"
            while True:
                yield event(await asked.get())
        finally:
            self.closed += 1


async def begun(
    bridges: Bridges, identity: int = 1, session: str = "s", binding: str = "ann", **params: Any
) -> Reading:
    message = call(identity, **params)
    return Reading(await bridges.answer(request(OLD, message, binding, session)))


async def left(reading: Reading) -> None:
    """Its client reads, and goes."""
    waiting = asyncio.ensure_future(reading.next())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    await reading.leave()


def test_a_question_there_is_of_the_one_call_that_is_under_way(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        streams = Streams(far)
        reading = await begun(bridges)
        assert streams.opened == 1
        streams.asked[0].put_nowait({"method": "notifications/tools/list_changed"})
        streams.asked[0].put_nowait({"id": 9, **ASK})
        asked = (await reading.next())["result"]
        assert asked["inputRequests"] == {"input": ASK}
        given = {"requestState": asked["requestState"], "inputResponses": {"input": {"a": 1}}}
        reading = await begun(bridges, 2, **given)
        assert far.asked[-1] == {"jsonrpc": "2.0", "id": 9, "result": {"a": 1}}
        far.more.put_nowait({"id": 1, "result": {}})
        assert (await reading.next())["id"] == 2
        await until_so(lambda: streams.closed == 1)
        assert streams.opened == 1

    play(tmp_path, scene)


async def asked_of(reading: Reading) -> Any:
    return (await reading.next())["result"]


def test_of_several_calls_of_one_caller_each_is_asked_something_else(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        streams = Streams(far)
        readings = [await begun(bridges, each) for each in (1, 2)]
        assert streams.opened == 1
        for identity in (7, 8):
            streams.asked[0].put_nowait({"id": identity, **ASK})
        states = [(await asked_of(each))["requestState"] for each in readings]
        for number, state in enumerate(states):
            given = {"inputResponses": {"input": {"to": number}}, "requestState": state}
            readings[number] = await begun(bridges, 3 + number, **given)
        answers = {each["id"]: each["result"] for each in far.asked if "result" in each}
        assert answers == {8: {"to": 0}, 7: {"to": 1}}  # the latest call was asked first
        for each in readings:
            await left(each)

    play(tmp_path, scene)


async def errors(far: Far, *of: int) -> list[str]:
    """What the server is told in answer to these questions."""

    def told() -> dict[int, str]:
        return {each["id"]: each["error"]["message"] for each in far.asked if "error" in each}

    await until_so(lambda: told().keys() >= {*of})
    return [told()[each] for each in of]


def test_what_no_client_answers_is_an_error_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asks, "PATIENCE_SECONDS", 0.05)

    async def scene(far: Far, bridges: Bridges) -> None:
        streams = Streams(far)
        reading = await begun(bridges)
        for identity in (7, 8):  # the second waits for the first
            streams.asked[0].put_nowait({"id": identity, **ASK})
        assert "inputRequests" in await asked_of(reading)
        assert await errors(far, 7, 8) == [
            "the client gave no answer",
            "the call is over, and nobody can be asked",
        ]
        await until_so(lambda: far.asked[-1].get("method") == "notifications/cancelled")

    play(tmp_path, scene)


def test_what_waits_behind_a_call_that_ends_is_asked_of_another(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        streams = Streams(far)
        first, last = await begun(bridges, 1), await begun(bridges, 2)
        for identity in (6, 7, 8):  # the last call's, the first's, and the last's once more
            streams.asked[0].put_nowait({"id": identity, **ASK})
        states = [(await asked_of(each))["requestState"] for each in (last, first)]
        bridges._parked._give_up(states[0])  # its client has not come back for ten minutes
        assert await errors(far, 6) == ["the client gave no answer"]
        given = {"inputResponses": {"input": {}}, "requestState": states[1]}
        again = await begun(bridges, 3, **given)
        state = (await asked_of(again))["requestState"]
        given = {"inputResponses": {"input": {"a": 1}}, "requestState": state}
        again = await begun(bridges, 4, **given)
        assert far.asked[-1] == {"jsonrpc": "2.0", "id": 8, "result": {"a": 1}}
        await left(again)

    play(tmp_path, scene)


def test_where_callers_are_not_known_several_calls_are_asked_nothing(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        streams = Streams(far)
        one, two = [await begun(bridges, binding="") for _ in range(2)]
        other = await begun(bridges, session="another", binding="")
        assert streams.opened == 2
        for each in streams.asked:
            each.put_nowait({"id": 9, **ASK})
        reading = asyncio.ensure_future(other.next())
        await until_so(lambda: "error" in far.asked[-1])
        assert far.asked[-1]["id"] == 9
        assert "several calls are under way" in far.asked[-1]["error"]["message"]
        assert "inputRequests" in (await reading)["result"]
        for each in (one, two):
            await left(each)
        await until_so(lambda: streams.closed == 1)

    play(tmp_path, scene)


def test_pings_are_answered(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        streams = Streams(far)
        reading = await begun(bridges)
        streams.asked[0].put_nowait({"id": 9, "method": "ping"})
        await until_so(lambda: far.asked[-1].get("id") == 9)
        assert far.asked[-1]["result"] == {}
        await left(reading)

    play(tmp_path, scene)


def test_where_there_is_no_such_stream_calls_go_on(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda said: result(said["id"], ok=True)
        reply = await bridges.answer(request(OLD, call(), session="s"))
        assert reply.status == 200

    play(tmp_path, scene)


def test_a_stream_that_does_not_begin_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unasked, "BEGIN_SECONDS", 0.01)

    async def scene(far: Far, bridges: Bridges) -> None:
        far.answers = lambda said: result(said["id"], ok=True)
        held = asyncio.Event()
        answer = far.answer

        async def slow(asked: Any) -> Reply:
            if asked.method == "GET":
                await held.wait()
            return await answer(asked)

        far.answer = slow  # type: ignore[method-assign]
        reply = await bridges.answer(request(OLD, call(), session="s"))
        assert reply.status == 200
        held.set()

    play(tmp_path, scene)


def test_a_stream_that_ends_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unasked, "_AGAIN_SECONDS", 0.01)

    async def scene(far: Far, bridges: Bridges) -> None:
        opened = []

        async def once() -> Any:
            opened.append(1)
            yield event({"id": 9, **ASK}) if len(opened) == 2 else b": x\n\n"

        far.answers = lambda said: far.stream() if "method" in said else Reply(202)
        far.taken_up = lambda _: web.events(once())
        reading = await begun(bridges)
        assert "inputRequests" in (await reading.next())["result"]

    play(tmp_path, scene)


def test_who_listens_already_tells_of_questions(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        far.taken_up = lambda _: Reply(409)
        far.answers = lambda said: far.stream() if "method" in said else Reply(202)
        reading = await begun(bridges)
        question = read(event({"id": 9, **ASK}).removeprefix(b"data: "))
        assert isinstance(question, Message)
        await bridges.heard("a", "another", question)
        await bridges.heard("a", "s", question)
        assert "inputRequests" in (await reading.next())["result"]
        assert len(far.asked) == 1

    play(tmp_path, scene)


def test_a_server_without_such_streams_is_not_asked_each_time(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        asked: list[str] = []

        def refuse(last_event: str) -> Reply:
            asked.append(last_event)
            return Reply(405)

        far.taken_up = refuse
        far.answers = lambda said: result(said["id"], ok=True)
        for number in range(3):
            reply = await bridges.answer(request(OLD, call(number), "ann", f"s{number}"))
            assert reply.status == 200
        assert asked == [""]

    play(tmp_path, scene)
