"""A session: where each message of its server goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.hub.envelope import Message, read
from extproc.hub.session import Limits, Refused, Session
from extproc.hub.streams import Stream, event

LIMITS = Limits(requests=10, buffer_bytes=1000)
CALL = {"method": "tools/call", "params": {"name": "slow"}}


class World:
    """A session, and what its server was sent."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.sent: list[Any] = []
        self.session = Session(self._send, limits)

    def _send(self, _: Message, text: bytes) -> None:
        assert b"\n" not in text
        self.sent.append(json.loads(text))

    def post(self, *, is_answer_alone: bool = False, **fields: Any) -> Stream | None:
        text = json.dumps({"jsonrpc": "2.0", **fields}, indent=1).encode()
        return self.session.post(read(text), text, is_answer_alone=is_answer_alone)

    def ask(self, id: int | str, token: int | str | None = None, **fields: Any) -> Stream:
        params = {} if token is None else {"params": {"_meta": {"progressToken": token}}}
        stream = self.post(id=id, **{**CALL, **params, **fields})
        assert stream is not None
        return stream

    def say(self, **fields: Any) -> None:
        text = json.dumps({"jsonrpc": "2.0", **fields}).encode()
        self.session.deliver(read(text), text)

    def initialize(self, revision: str = "2025-11-25") -> None:
        self.ask(0, method="initialize")
        self.say(id=0, result={"protocolVersion": revision})


def heard(stream: Stream) -> list[Any]:
    return [json.loads(text) for _, text in stream.take()]


def test_an_answer_ends_the_stream_of_its_request() -> None:
    world = World()
    first, second = world.ask(1), world.ask("1")
    world.say(id="1", result={"b": 1})
    assert heard(second) == [{"jsonrpc": "2.0", "id": "1", "result": {"b": 1}}]
    assert (first.is_ended, second.is_ended) == (False, True)
    assert [each["id"] for each in world.sent] == [1, "1"]


def test_progress_goes_to_the_request_that_has_its_token() -> None:
    world = World()
    first, second = world.ask(1, token="a"), world.ask(2, token=7)
    world.say(method="notifications/progress", params={"progressToken": "a", "progress": 1})
    world.say(method="notifications/progress", params={"progressToken": 7, "progress": 2})
    assert [each["params"]["progress"] for each in heard(first)] == [1]
    assert [each["params"]["progress"] for each in heard(second)] == [2]


def test_a_servers_request_goes_to_the_last_open_one_else_to_the_stream_of_its_own() -> None:
    world = World()
    world.say(id=9, method="ping")
    first, second = world.ask(1), world.ask(2)
    world.say(id=10, method="sampling/createMessage", params={})
    assert heard(first) == []
    assert [each["id"] for each in heard(second)] == [10]
    assert [each["id"] for each in heard(world.session.reading(None))] == [9]
    assert world.post(id=10, result={"ok": True}) is None
    assert world.sent[-1] == {"jsonrpc": "2.0", "id": 10, "result": {"ok": True}}


def test_who_takes_an_answer_alone_gets_nothing_before_it() -> None:
    world = World()
    alone = world.post(id=1, is_answer_alone=True, **CALL)
    assert alone is not None
    world.say(method="notifications/message", params={"data": "x"})
    assert heard(alone) == []
    assert len(heard(world.session.reading(None))) == 1


def test_a_request_that_its_client_calls_off_is_over() -> None:
    world = World()
    stream = world.ask(1, token="t")
    assert world.post(method="notifications/cancelled", params={"requestId": 1}) is None
    assert stream.is_ended
    assert heard(stream) == []
    world.say(id=1, result={})  # too late
    assert heard(stream) == []
    assert world.ask(1) is not stream


def test_a_stream_that_its_server_calls_off_ends_without_an_answer() -> None:
    world = World()
    stream = world.ask("listen", method="subscriptions/listen")
    tagged = {"_meta": {"io.modelcontextprotocol/subscriptionId": "listen"}}
    other = world.ask(2)
    world.say(method="notifications/tools/list_changed", params=tagged)
    world.say(method="notifications/cancelled", params={"requestId": "listen"})
    assert [each["method"] for each in heard(stream)] == ["notifications/tools/list_changed"]
    assert stream.is_ended
    assert heard(other) == []


def test_an_id_in_use_and_one_request_too_many_are_refused_and_harm_nothing() -> None:
    world = World(Limits(requests=2, buffer_bytes=1000))
    world.ask(1)
    with pytest.raises(Refused, match="with this id") as refused:
        world.ask(1)
    assert refused.value.status == 400
    world.ask(2)
    with pytest.raises(Refused) as refused:
        world.ask(3)
    assert refused.value.status == 429
    assert [each["id"] for each in world.sent] == [1, 2]
    world.say(id=1, result={})
    world.ask(3)


def test_a_server_that_dies_answers_what_is_open_and_ends_the_session() -> None:
    world = World()
    stream, standalone = world.ask(1), world.session.reading(None)
    world.session.end("it ended with status 1")
    (answer,) = heard(stream)
    assert (answer["id"], answer["error"]["code"]) == (1, -32603)
    assert answer["error"]["message"] == "it ended with status 1"
    assert standalone.is_ended
    for attempt in (lambda: world.ask(2), lambda: world.session.reading(None)):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.status == 404


def test_any_stream_is_taken_up_again_where_it_broke_off() -> None:
    world = World()
    world.initialize()
    stream = world.ask(1, token="t")
    for step in range(3):
        world.say(method="notifications/progress", params={"progressToken": "t", "progress": step})
    world.say(id=1, result={})
    number, place = stream.number, 0
    id = event(number, place, b"").split(b"\n")[1].removeprefix(b"id: ").decode()
    again = world.session.reading(id)
    assert again is stream
    assert [each.get("params", {}).get("progress") for each in heard(again)] == [1, 2, None]


@pytest.mark.parametrize("id", ["99-0", "0-5", "x", "1-99"])
def test_an_event_that_is_not_kept_is_refused(id: str) -> None:
    world = World()
    world.ask(1)
    with pytest.raises(Refused) as refused:
        world.session.reading(id)
    assert refused.value.status == 400


def test_streams_that_are_over_are_kept_for_a_while() -> None:
    world = World(Limits(requests=10, buffer_bytes=1000, kept_streams=2))
    numbers = []
    for id in range(5):
        numbers.append(world.ask(id).number)
        world.say(id=id, result={})
    with pytest.raises(Refused):
        world.session.reading(f"{numbers[0]}-0")
    assert len(heard(world.session.reading(f"{numbers[-1]}-0"))) == 1


def test_the_revision_is_what_the_server_agreed_to() -> None:
    world = World()
    assert not world.session.is_primed
    world.initialize("2025-06-18")
    assert (world.session.revision, world.session.is_primed) == ("2025-06-18", False)
    world = World()
    world.initialize("2025-11-25")
    assert world.session.is_primed


def test_it_is_busy_while_it_waits_for_an_answer_or_is_read() -> None:
    world = World()
    assert not world.session.is_busy
    world.ask(1)
    assert world.session.is_busy
    world.say(id=1, result={})
    assert not world.session.is_busy
    world.session.reading(None).wake = lambda: None
    assert world.session.is_busy


def test_streams_that_are_over_are_kept_while_there_is_room() -> None:
    world = World(Limits(requests=10, buffer_bytes=100, kept_streams=10))
    numbers = []
    for id in range(5):
        numbers.append(world.ask(id).number)
        world.say(id=id, result={"x": "y" * 80})
    world.ask(9)
    with pytest.raises(Refused):
        world.session.reading(f"{numbers[2]}-0")
    assert len(heard(world.session.reading(f"{numbers[-1]}-0"))) == 1
