"""A websocket under a budget, piece by piece: what is booked and when, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from envoy_api import message
from websockets.frames import Opcode

from extproc.events import (
    CONTINUE,
    Action,
    Finish,
    Forward,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Watch,
)
from extproc.exchange import Exchange
from extproc.ports import Charge, Exhausted, Ledger, LedgerUnavailable, Level, Reservation, Spent
from extproc.program import Program, build
from extproc.protocols.websocket import text
from gateway.config.load import load
from gateway.resolve import resolve
from tests.extproc.protocols.test_websocket import frame
from tests.kit.memory_ledger import MemoryLedger

ProcessingResponse: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
NOW = datetime(2026, 11, 25, 23, 59, tzinfo=UTC)
TODAY = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())
TOMORROW = TODAY + 86_400
YAML = """
llm:
  providers:
    a: {type: openai, url: "http://a.example/v1", key: sk-a}
    b: {type: openai, url: "http://b.example/v1", key: sk-b}
  models:
    live: {failover: [a/live, b/live]}
    nameless: a/nameless
    gratis: a/gratis
  prices:
    a/live: {input: 1, output: 2, audio_input: 5, audio_output: 10}
    b/live: {input: 2, output: 4, audio_input: 10, audio_output: 20}
    whisper-1: {second: 0.001}
    tokens-1: {input: 3, output: 3}
    gratis: {input: 0, output: 0}
budgets: [{name: all, limit: %s USD, per: day}]
"""
FIRST = 1024 * 20_000
"""Nanodollars for a response of speech at the dearest target."""


@dataclass(slots=True)
class Talk:
    """A session, its ledger and its clock."""

    exchange: Exchange
    ledger: MemoryLedger
    clock: list[float]

    def ask(self, model: str = "live") -> Action:
        headers = {":method": "GET", ":path": f"/v1/realtime?model={model}"}
        return self.say(RequestHeaders(headers, False))

    def open(self, cluster: str = "llm/a/websocket") -> Talk:
        self.ask()
        assert self.say(ResponseHeaders(101, cluster)) == Watch()
        return self

    def say(self, event: Any) -> Action:
        action = self.exchange.on_event(event)
        assert not isinstance(action, Awaitable)
        return action

    def hear(self, *events: dict[str, Any]) -> Action:
        return self.say(ResponseBody(b"".join(map(said, events)), False))

    def stands(self, day: int = TODAY) -> tuple[int, int]:
        spent = asyncio.run(self.ledger.spent("all", day))
        return spent.settled, spent.reserved


def program(ledger: Ledger, limit: str) -> tuple[Program, list[float]]:
    config = load(YAML % limit, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    made = build(resolve(config), "1", ledger=ledger, choose=lambda: 0.0, created=7)
    clock = [100.0]
    return replace(made, clock=lambda: clock[0]), clock


def talk(limit: str = "1") -> Talk:
    ledger = MemoryLedger()
    made, clock = program(ledger, limit)
    return Talk(Exchange(made, NOW), ledger, clock)


def said(event: dict[str, Any]) -> bytes:
    return text(json.dumps(event, separators=(",", ":")).encode())


def began(number: int = 1) -> dict[str, Any]:
    return {"type": "response.created", "event_id": "e", "response": {"id": f"resp_{number}"}}


def done(read: int = 0, written: int = 0, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    response = {"status": "completed", "usage": usage if read or written else None, **more}
    return {"type": "response.done", "event_id": "e", "response": response}


def transcribed(**usage: Any) -> dict[str, Any]:
    kind = "conversation.item.input_audio_transcription.completed"
    return {"type": kind, "event_id": "e", "transcript": "hi", "usage": usage}


def transcriber(model: str) -> dict[str, Any]:
    session = {"audio": {"input": {"transcription": {"model": model}}}}
    return {"type": "session.updated", "event_id": "e", "session": session}


def ended(action: Action) -> tuple[list[dict[str, Any]], int, str]:
    """The events before the end, its code and its reason."""
    assert isinstance(action, Finish)
    events, data = [], action.body
    while data[0] == 0x81:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        events.append(json.loads(data[start : start + size]))
        data = data[start + size :]
    assert data[0] == 0x88
    assert len(data) == data[1] + 2
    return events, int.from_bytes(data[2:4], "big"), data[4:].decode()


def test_a_session_reserves_a_response_and_has_itself_shown_without_compression() -> None:
    here = talk()
    action = here.ask()
    assert isinstance(action, Forward)
    reply = ProcessingResponse.FromString(action.plan_reply)
    assert reply.mode_override.response_header_mode == 1  # SEND
    mutation = reply.request_headers.response.header_mutation
    assert list(mutation.remove_headers) == ["sec-websocket-extensions"]
    assert reply.request_headers.response.clear_route_cache
    assert not here.exchange.is_over
    assert here.stands() == (0, FIRST)


def test_a_session_that_no_budget_counts_is_not_shown() -> None:
    ledger = MemoryLedger()
    made, _ = program(ledger, "1")
    yaml = (YAML % "1").partition("budgets:")[0]
    config = load(yaml, file="test.yaml", environment={})
    assert not isinstance(config, tuple)
    without = build(resolve(config), "1", ledger=ledger, choose=lambda: 0.0, created=7)
    replies = []
    for each, model in ((made, "gratis"), (without, "gratis"), (without, "live")):
        exchange = Exchange(each, NOW)
        headers = {":method": "GET", ":path": f"/v1/realtime?model={model}"}
        action = exchange.on_event(RequestHeaders(headers, False))
        assert isinstance(action, Forward)
        assert exchange.is_over
        replies.append(action.plan_reply)
    assert replies[0] == replies[1]


def test_a_session_is_refused_when_too_little_is_left_and_when_the_model_has_no_price() -> None:
    action = talk("0.02").ask()
    assert isinstance(action, Respond)
    assert action.status == 429
    assert json.loads(action.body)["error"]["code"] == "budget_exhausted"
    action = talk().ask("nameless")
    assert isinstance(action, Respond)
    assert (action.status, json.loads(action.body)["error"]["code"]) == (403, "unpriced_model")


@pytest.mark.parametrize("status", [200, 401, 429, 503])
def test_without_an_upgrade_nothing_is_booked(status: int) -> None:
    here = talk()
    here.ask()
    assert here.say(ResponseHeaders(status, "llm/a/websocket", "via_upstream")) == CONTINUE
    assert here.exchange.is_over
    here.exchange.on_close()
    assert here.stands() == (0, 0)


def test_a_client_that_goes_away_before_the_upgrade_costs_nothing() -> None:
    here = talk()
    here.ask()
    here.exchange.on_close()
    assert here.stands() == (0, 0)


def test_what_is_told_is_booked_as_it_comes_at_the_price_of_who_answers() -> None:
    here = talk().open()
    assert here.hear({"type": "session.created", "event_id": "e", "session": {}}) == CONTINUE
    assert here.stands() == (0, FIRST)
    assert here.hear(began()) == CONTINUE
    assert here.stands() == (0, FIRST)
    assert here.hear(done(100, 50)) == CONTINUE
    assert here.stands()[0] == 100 * 1000 + 50 * 2000
    here.hear(began(), done(10, 0))
    here.exchange.on_close()
    assert here.stands() == (110 * 1000 + 50 * 2000, 0)
    other = talk().open("llm/b/websocket")
    other.hear(began(), done(100, 50))
    other.exchange.on_close()
    assert other.stands() == (100 * 2000 + 50 * 4000, 0)


def test_the_next_response_is_reserved_as_the_last_one_was() -> None:
    here = talk().open()
    here.hear(began(), done(5000, 3000))
    assert here.stands() == (5000 * 1000 + 3000 * 2000, 5000 * 2000 + 3000 * 4000)


def test_events_are_read_however_they_are_cut() -> None:
    data = said(began()) + frame(Opcode.PING, b"") + said(done(100, 50))
    for place in range(len(data) + 1):
        here = talk().open()
        for piece in (data[:place], data[place:]):
            assert here.say(ResponseBody(piece, False)) == CONTINUE
        assert here.stands()[0] == 200_000
    here = talk().open()
    for place in range(len(data)):
        here.say(ResponseBody(data[place : place + 1], False))
    assert here.stands()[0] == 200_000


def test_a_response_without_usage_costs_the_estimate_unless_it_failed() -> None:
    here = talk().open()
    here.hear(began(), done())
    assert here.stands() == (FIRST, FIRST)
    here.hear(began(), done(status="failed"))
    assert here.stands() == (FIRST, FIRST)


def test_a_response_in_flight_at_the_end_costs_the_estimate() -> None:
    here = talk().open()
    here.hear(began())
    here.exchange.on_close()
    assert here.stands() == (FIRST, 0)


def test_responses_at_the_same_time_are_reserved_and_booked_each() -> None:
    here = talk().open()
    here.hear(began(1), began(2), began(3))
    assert here.stands() == (0, 3 * FIRST)
    here.hear(done(100, 0))
    assert here.stands() == (100_000, 2 * FIRST)
    here.exchange.on_close()
    assert here.stands() == (100_000 + 2 * FIRST, 0)


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("whisper-1", {"type": "duration", "seconds": 2.0}, 2_000_000),
        ("tokens-1", {"type": "tokens", "input_tokens": 38, "output_tokens": 10}, 48 * 3000),
        ("unknown", {"type": "tokens", "input_tokens": 38, "output_tokens": 10}, 38_000 + 20_000),
        ("", {"type": "duration", "seconds": 2.0}, 20 * 5000),
    ],
)
def test_transcriptions_cost_what_their_model_costs_else_what_the_sessions_does(
    model: str, usage: dict[str, Any], cost: int
) -> None:
    here = talk().open()
    here.hear(transcriber(model), transcribed(**usage))
    assert here.stands() == (cost, FIRST)
    here.hear(began(), transcribed(**usage))
    assert here.stands() == (2 * cost, FIRST)
    here.exchange.on_close()
    assert here.stands() == (2 * cost + FIRST, 0)


def test_what_comes_in_the_next_window_is_booked_there() -> None:
    here = talk().open()
    here.clock[0] += 30
    here.hear(began(), done(100, 0))
    here.clock[0] += 60
    here.hear(began(), done(100, 0))
    assert here.stands() == (200_000, 0)
    here.hear(began(), done(7, 0))
    assert here.stands(TOMORROW)[0] == 7000


def test_a_session_ends_with_an_error_and_a_close_when_nothing_is_left() -> None:
    here = talk("0.021").open()
    last = said(done(1000, 0))
    after = said({"type": "rate_limits.updated", "event_id": "e"})
    action = here.say(ResponseBody(said(began()) + last + after, False))
    assert isinstance(action, Finish)
    assert action.details == "dragoman_budget_exhausted"
    events, code, reason = ended(action)
    assert [event["type"] for event in events] == ["response.created", "response.done", "error"]
    error = events[-1]["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "budget_exhausted")
    assert code == 1008
    assert reason.startswith("budget 'all'")
    assert here.exchange.is_over
    here.exchange.on_close()
    assert here.stands() == (1_000_000, 0)


def test_a_response_for_which_nothing_is_left_is_cut_and_costs_the_estimate() -> None:
    here = talk("0.03").open()
    assert here.hear(began(1)) == CONTINUE
    _, code, _ = ended(here.hear(began(2)))
    assert code == 1008
    here.exchange.on_close()
    assert here.stands() == (2 * FIRST, 0)


def test_a_response_in_flight_beside_one_that_ended_a_budget_costs_the_estimate() -> None:
    here = talk("0.03").open()
    here.hear(began(1), transcribed(type="tokens", input_tokens=10_000, output_tokens=0))
    assert here.exchange.is_over
    here.exchange.on_close()
    assert here.stands() == (10_000_000 + FIRST, 0)


def test_what_cannot_be_read_ends_the_session() -> None:
    here = talk().open()
    action = here.say(ResponseBody(said(began()) + b"\xc1\x05hello", False))
    events, code, _ = ended(action)
    assert [event["type"] for event in events] == ["response.created", "error"]
    assert code == 1011
    here = talk().open()
    here.say(ResponseBody(b"\x01\x01a", False))
    last = here.say(ResponseBody(b"\xc0\x01b", False))
    assert isinstance(last, Finish)
    assert (last.body, last.details) == (b"", "dragoman_unreadable_answer")


def test_a_leaving_worker_ends_the_session_where_it_can_be_said() -> None:
    here = talk().open()
    assert here.exchange.let_go() is False
    _, code, _ = ended(here.hear())
    assert code == 1012
    piece = said({"type": "response.output_audio.delta", "delta": "A" * 50})
    here = talk().open()
    here.say(ResponseBody(piece[:20], False))
    assert here.exchange.let_go() is False
    assert here.say(ResponseBody(piece[20:30], False)) == CONTINUE
    action = here.say(ResponseBody(piece[30:] + piece[:10], False))
    assert isinstance(action, Finish)
    assert action.body.startswith(piece[30:] + b"\x81")
    assert b"\x03\xf4the gateway is restarting" in action.body  # 1012
    here.exchange.on_close()
    assert here.stands() == (0, 0)


@dataclass(slots=True)
class SlowLedger:
    """Answers when it is told to, from the second call on."""

    inner: MemoryLedger
    open: asyncio.Event = field(default_factory=asyncio.Event)
    is_broken: bool = False
    is_asked: bool = False

    def reserve(
        self, charges: Sequence[Charge]
    ) -> Reservation | Exhausted | Awaitable[Reservation | Exhausted]:
        if not self.is_asked:
            self.is_asked = True
            return self.inner.reserve(charges)
        return self._later(charges)

    async def _later(self, charges: Sequence[Charge]) -> Reservation | Exhausted:
        await self.open.wait()
        if self.is_broken:
            raise LedgerUnavailable("closed")
        return self.inner.reserve(charges)

    def note(self, charges: Sequence[Charge]) -> Reservation:
        raise AssertionError

    def level(self, charge: Charge) -> Level:
        raise AssertionError

    async def remember(self, name: str, owner: str, now: int) -> None:
        raise AssertionError

    async def owner(self, name: str) -> str | None:
        raise AssertionError

    async def book_once(self, *_: Any) -> bool:
        raise AssertionError


def slowly(play: Callable[[Talk, SlowLedger], Awaitable[None]], limit: str = "1") -> None:
    async def main() -> None:
        slow = SlowLedger(MemoryLedger())
        made, clock = program(slow, limit)
        here = Talk(Exchange(made, NOW), slow.inner, clock)
        await play(here.open(), slow)

    asyncio.run(main())


def later(here: Talk, data: bytes) -> asyncio.Future[Action]:
    action = here.exchange.on_event(ResponseBody(data, False))
    assert isinstance(action, Awaitable)
    return asyncio.ensure_future(action)


def test_pieces_wait_for_those_before_them() -> None:
    async def play(here: Talk, slow: SlowLedger) -> None:
        answered: list[int] = []
        pieces = [said(began()) + said(done(100, 0)), b"", said(began()) + said(done(7, 0)), b""]
        waiting = [later(here, piece) for piece in pieces]
        for index, each in enumerate(waiting):
            each.add_done_callback(lambda _, index=index: answered.append(index))
        await asyncio.sleep(0)
        assert answered == []
        assert (await slow.inner.spent("all", TODAY)).settled == 100_000
        slow.open.set()
        assert await asyncio.gather(*waiting) == [CONTINUE] * 4
        assert answered == [0, 1, 2, 3]
        assert here.say(ResponseBody(b"", False)) == CONTINUE  # nothing waits any more
        here.exchange.on_close()
        assert await slow.inner.spent("all", TODAY) == Spent(107_000, 0)

    slowly(play)


def test_a_session_that_was_refused_later_ends_too() -> None:
    async def play(here: Talk, slow: SlowLedger) -> None:
        first, second = later(here, said(done(1000, 0))), later(here, said(done(5, 0)))
        slow.open.set()
        _, code, _ = ended(await first)
        assert code == 1008
        assert here.exchange.is_over
        assert await second == CONTINUE
        here.exchange.on_close()
        assert await slow.inner.spent("all", TODAY) == Spent(1_000_000, 0)

    slowly(play, "0.021")


def test_a_session_ends_when_the_ledger_cannot_be_asked() -> None:
    async def play(here: Talk, slow: SlowLedger) -> None:
        slow.is_broken = True
        slow.open.set()
        events, code, _ = ended(await later(here, said(done(100, 0))))
        assert (events[-1]["error"]["code"], code) == ("ledger_unavailable", 1013)

    slowly(play)


def test_what_is_reserved_after_the_end_is_given_back() -> None:
    async def play(here: Talk, slow: SlowLedger) -> None:
        waiting = later(here, said(done(100, 0)))
        await asyncio.sleep(0)
        here.exchange.on_close()
        slow.open.set()
        await waiting
        assert await slow.inner.spent("all", TODAY) == Spent(100_000, 0)

    slowly(play)


def test_the_clock_of_a_session_goes_on() -> None:
    here = talk().open()
    here.clock[0] += timedelta(hours=25).total_seconds()
    here.hear(began(), done(100, 0))
    here.hear(began(), done(100, 0))
    assert here.stands(TOMORROW + 86_400)[0] == 100_000
