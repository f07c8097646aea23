"""Answers that have to come in time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import pytest

from extproc.events import (
    CONTINUE,
    Action,
    ChangeHeaders,
    Direct,
    Finish,
    Flow,
    Replace,
    RequestBody,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Show,
    Watch,
)
from extproc.mcp_exchange.flowing import FlowingAnswer
from tests.kit.mcp_exchange import Fake, call, fakes, opened, played, program, request

STREAM, JSON = {"content-type": "text/event-stream"}, {"content-type": "application/json"}
EVENT = b'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'


class Talk:
    """It reads the answer where it says how its headers are changed."""

    is_over = False
    timeout_seconds = 1.0

    def __init__(self, action: Action = CONTINUE, piece: Action | None = None) -> None:
        self.action, self.piece = action, piece
        self.read: list[ResponseBody] = []
        self.given_up = 0

    def on_response(self, event: ResponseHeaders) -> Action:
        return self.action

    def give_up(self) -> None:
        self.given_up += 1

    def on_answer(self, event: ResponseBody) -> Action:
        self.read.append(event)
        return self.piece or Replace(event.body.upper())


def answer(talk: Talk, now: list[float], seconds: float | None = 1.0) -> FlowingAnswer:
    flowing = FlowingAnswer(talk, lambda: now[0])  # type: ignore[arg-type]
    flowing.sent(b"7", seconds)
    return flowing


def awaited(found: Any) -> Any:
    assert isinstance(found, Awaitable)

    async def whole() -> Any:
        return await found

    return asyncio.run(whole())


def begin(flowing: FlowingAnswer, head: dict[str, str] = STREAM) -> Any:
    return flowing.on_event(ResponseHeaders(200, "", headers=head))


def error(event: bytes) -> Any:
    return json.loads(event.partition(b"data: ")[2])


def test_a_stream_of_which_nothing_came_in_time_is_answered_with_504() -> None:
    now, talk = [0.0], Talk()
    flowing = answer(talk, now)
    waiting = begin(flowing)
    now[0] = 0.9
    late = awaited(waiting)
    assert talk.given_up == 1
    assert isinstance(late, Respond)
    assert late.status == 504
    assert json.loads(late.body)["id"] == 7
    assert flowing.is_over
    assert flowing.on_event(ResponseBody(EVENT, False)) == Flow()


def test_a_stream_that_has_begun_ends_with_an_error() -> None:
    now = [0.0]
    flowing = answer(Talk(), now)
    waiting = begin(flowing)
    assert flowing.on_event(ResponseBody(EVENT, False)) == Flow(ChangeHeaders(()), EVENT)
    now[0] = 0.9
    late = awaited(waiting)
    assert isinstance(late, Flow)
    assert late.head is None
    assert late.is_end
    assert error(late.body) == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {
            "code": -32603,
            "message": "the MCP server did not answer in time",
            "data": {"code": "server_timeout"},
        },
    }


def test_in_the_midst_of_an_event_nothing_is_said() -> None:
    now = [0.0]
    flowing = answer(Talk(), now)
    waiting = begin(flowing)
    flowing.on_event(ResponseBody(EVENT[:-1], False))
    now[0] = 2.0
    assert awaited(waiting) == Flow()
    assert not flowing.is_over


def test_in_what_is_coded_nothing_is_said() -> None:
    now = [0.0]
    flowing = answer(Talk(), now)
    waiting = begin(flowing, {**STREAM, "content-encoding": "gzip"})
    flowing.on_event(ResponseBody(b"\x1f\x8b\n\n", False))
    now[0] = 2.0
    assert awaited(waiting) == Flow()
    assert not flowing.is_over


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_events_end_with_empty_lines_however_they_are_cut(end: bytes) -> None:
    now = [0.0]
    flowing = answer(Talk(), now)
    waiting = begin(flowing)
    for byte in b"data: x" + end:
        flowing.on_event(ResponseBody(bytes([byte]), False))
    now[0] = 2.0
    assert awaited(waiting).is_end


def test_what_comes_in_time_is_not_touched() -> None:
    async def whole() -> list[Any]:
        flowing = answer(Talk(), [0.0])
        waiting = asyncio.ensure_future(begin(flowing))
        await asyncio.sleep(0)
        said: list[Any] = [flowing.on_event(ResponseBody(EVENT, False))]
        said.append(flowing.on_event(ResponseBody(EVENT, True)))
        assert flowing.is_over
        return [*said, await waiting]

    first, last, waited = asyncio.run(whole())
    assert first == Flow(ChangeHeaders(()), EVENT)
    assert last == Flow(None, EVENT, True)
    assert waited == Flow()


def test_who_leaves_is_not_waited_for() -> None:
    async def whole() -> Any:
        flowing = answer(Talk(), [0.0], 600.0)
        waiting = asyncio.ensure_future(begin(flowing))
        await asyncio.sleep(0)
        flowing.on_close()
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(whole()) == Flow()


def test_what_is_read_is_read_on_its_way() -> None:
    watched = Watch((("x", "1"),), ("content-length",))
    flowing = answer(Talk(watched), [0.0], None)
    assert begin(flowing) == Flow(ChangeHeaders((("x", "1"),), ("content-length",)))
    assert flowing.on_event(ResponseBody(b"a", False)) == Flow(None, b"A")
    assert flowing.on_event(ResponseBody(b"b", True)) == Flow(None, b"B", True)
    assert flowing.is_over


def test_trailers_go_on_behind_the_last_of_it() -> None:
    talk = Talk(Watch())
    flowing = answer(talk, [0.0], None)
    begin(flowing, JSON)
    flowing.on_event(ResponseBody(b"a", False))
    last = flowing.on_event(ResponseEnd(None))
    assert last == Flow(trailers=ChangeHeaders(()))
    assert talk.read[-1] == ResponseBody(b"", True)
    assert flowing.is_over


def test_what_is_to_be_cut_ends_with_what_is_said_of_it() -> None:
    flowing = answer(Talk(Watch(), Finish(b"data: {}\n\n", "x")), [0.0], None)
    begin(flowing)
    ended = flowing.on_event(ResponseBody(b"a", False))
    assert isinstance(ended, Flow)
    assert ended.is_end
    assert ended.body == b"data: {}\n\n"


def test_what_is_answered_instead_is_answered() -> None:
    said = Respond(502, (), b"", "x")
    flowing = answer(Talk(said), [0.0])
    assert begin(flowing) == said
    assert flowing.is_over


def test_a_plain_answer_waits_for_nothing() -> None:
    flowing = answer(Talk(), [0.0])
    assert begin(flowing, JSON) == Flow(ChangeHeaders(()))
    assert flowing.on_event(ResponseBody(b"{}", False)) == Flow(None, b"{}")
    assert flowing.on_event(ResponseBody(b"", True)) == Flow(None, b"", True)
    assert flowing.is_over
    ended = answer(Talk(), [0.0])
    assert ended.on_event(ResponseHeaders(202, "", is_end=True)) == Flow(ChangeHeaders(()))
    assert ended.is_over


@pytest.mark.parametrize(("seconds", "given_up"), [(0.5, 0), (1.0, 1)])
def test_where_nothing_was_said_envoy_answers_and_the_server_is_told(
    seconds: float, given_up: int
) -> None:
    now, talk = [0.0], Talk()
    flowing = answer(talk, now)
    now[0] = seconds
    head = flowing.on_event(ResponseHeaders(504, "", headers=JSON))
    assert head == Flow(ChangeHeaders(()))
    assert talk.given_up == given_up


TIMED = """
mcp:
  servers:
    a: {url: "http://a.example/mcp", tools: {slow: {timeout: 1s}}}
    b: {url: "http://b.example/mcp"}
"""


@pytest.mark.parametrize(("path", "tool"), [("/mcp/a", "slow"), ("/mcp", "a__slow")])
def test_a_call_of_such_a_tool_flows(path: str, tool: str) -> None:
    of = program(TIMED, fakes(Fake("a"), Fake("b")))
    session = opened(of) if path == "/mcp" else "s-1"
    one = played(of, path, mcp_session_id=session)
    assert one.begin() == Show(is_flowing=True)
    direct = one.say(RequestBody(json.dumps(call(tool)).encode()))
    assert isinstance(direct, Direct)
    assert dict(direct.set_headers)["x-envoy-upstream-rq-timeout-ms"] == "1000"
    assert not one.exchange.is_over
    assert not one.exchange.let_go()
    late = one.say(ResponseHeaders(200, "", headers=STREAM))
    assert isinstance(late, Respond)
    assert late.status == 504
    assert json.loads(late.body)["id"] == 1
    assert one.exchange.is_over


def test_a_server_alone_is_let_go_where_nothing_has_to_come_in_time() -> None:
    of = program(TIMED)
    one = played(of, "/mcp/a")
    assert one.begin() == Show(is_flowing=True)
    one.say(RequestBody(json.dumps(request("tools/list")).encode()))
    assert one.exchange.is_over
    assert played(of, "/mcp/b").begin() == CONTINUE
    stream = played(of, "/mcp/a", method="GET")
    assert isinstance(stream.begin(is_end=True), Direct)
