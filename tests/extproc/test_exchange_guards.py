"""An exchange whose guards ask services: with the request, beside it, and about the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from extproc.events import (
    CONTINUE,
    Action,
    Forward,
    Replace,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Watch,
)
from extproc.exchange import Exchange
from extproc.inquiring import Inquirer
from extproc.policies.remote.words import Stamp
from extproc.ports import Posted, Returned
from extproc.program import build
from gateway import names
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2030, 1, 1, tzinfo=UTC)
YAML = """
llm:
  providers: {a: {type: openai, url: "http://a.example/v1", key: k}}
  models: {m: a/m}
guardrails: [{type: webhook, name: own, url: "http://g.example/"%s}]
"""
HEADERS = RequestHeaders(
    {":method": "POST", ":path": "/v1/chat/completions", "x-request-id": "r"}, False
)
ANSWERED = ResponseHeaders(
    200, names.provider_cluster("a"), "via_upstream", headers={"content-type": "application/json"}
)


class Gate:
    """A service that answers when it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.is_asked = asyncio.Event()
        self.is_given_up = asyncio.Event()

    async def post(self, service: str, posted: Posted, timeout_seconds: float) -> Returned:
        texts = [each["text"] for each in json.loads(posted.body)["texts"]]
        self.is_asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.is_given_up.set()
            raise
        verdict = "block" if any("bad" in text for text in texts) else "pass"
        return Returned(200, json.dumps({"verdict": verdict}).encode())


def exchange(gate: Gate, fields: str = "") -> Exchange:
    config = load(YAML % fields, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    program = build(
        resolve(config),
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=1,
        inquirer=Inquirer(gate, lambda: Stamp("m", 1)),
    )
    return Exchange(program, NOW)


def body(text: str, **fields: Any) -> RequestBody:
    messages = [{"role": "user", "content": text}]
    return RequestBody(json.dumps({"model": "m", "messages": messages, **fields}).encode())


async def said(action: Action | Awaitable[Action]) -> Action:
    return await action if isinstance(action, Awaitable) else action


def run(play: Callable[[Gate], Awaitable[None]]) -> None:
    async def played() -> None:
        async with asyncio.timeout(10):
            await play(Gate())

    asyncio.run(played())


def test_a_request_waits_for_the_services_of_its_guards() -> None:
    async def play(gate: Gate) -> None:
        made = exchange(gate)
        await said(made.on_event(HEADERS))
        action = made.on_event(body("fine"))
        assert isinstance(action, Awaitable)
        waiting = asyncio.ensure_future(said(action))
        await gate.is_asked.wait()
        assert not waiting.done()
        gate.may_answer.set()
        assert isinstance(await waiting, Forward)
        assert made.is_over  # nothing of the answer matters

    run(play)


def test_a_request_goes_on_beside_its_guard_and_its_answer_waits() -> None:
    async def play(gate: Gate) -> None:
        made = exchange(gate, ", parallel: true")
        await said(made.on_event(HEADERS))
        assert isinstance(made.on_event(body("fine")), Forward)
        assert not made.is_over
        assert not made.let_go()  # Envoy alone would not wait
        action = made.on_event(ANSWERED)
        assert isinstance(action, Awaitable)
        waiting = asyncio.ensure_future(said(action))
        await gate.is_asked.wait()
        assert not waiting.done()
        gate.may_answer.set()
        assert await waiting is CONTINUE
        assert made.is_over

    run(play)


def test_an_answer_is_refused_when_a_guard_beside_its_request_objects() -> None:
    async def play(gate: Gate) -> None:
        made = exchange(gate, ", parallel: true")
        await said(made.on_event(HEADERS))
        await said(made.on_event(body("bad")))
        gate.may_answer.set()
        refused = await said(made.on_event(ANSWERED))
        assert isinstance(refused, Respond)
        assert refused.status == 400
        assert made.denied is not None

    run(play)


def test_an_error_of_a_provider_waits_as_well() -> None:
    async def play(gate: Gate) -> None:
        made = exchange(gate, ", parallel: true")
        await said(made.on_event(HEADERS))
        await said(made.on_event(body("bad")))
        gate.may_answer.set()
        refused = await said(made.on_event(replace(ANSWERED, status=500)))
        assert isinstance(refused, Respond)
        assert refused.status == 400

    run(play)


def test_nobody_is_asked_any_more_when_the_client_has_gone() -> None:
    async def play(gate: Gate) -> None:
        made = exchange(gate, ", parallel: true")
        await said(made.on_event(HEADERS))
        await said(made.on_event(body("fine")))
        await gate.is_asked.wait()
        made.on_close()
        await gate.is_given_up.wait()

    run(play)


def test_what_follows_a_piece_that_waits_waits_too() -> None:
    async def play(gate: Gate) -> None:
        made = exchange(gate, ", phase: response, window: 5")
        await said(made.on_event(HEADERS))
        await said(made.on_event(body("hello", stream=True)))
        headers = replace(ANSWERED, headers={"content-type": "text/event-stream"})
        assert isinstance(made.on_event(headers), Watch)
        delta = {"choices": [{"index": 0, "delta": {"content": "It is fine. "}}]}
        piece = b"data: " + json.dumps(delta).encode() + b"\n\n"
        order: list[str] = []

        async def heard(name: str, action: Action | Awaitable[Action]) -> Action:
            found = await said(action)
            order.append(name)
            return found

        tasks = [
            asyncio.ensure_future(heard("piece", made.on_event(ResponseBody(piece, False)))),
            asyncio.ensure_future(
                heard("end", made.on_event(ResponseBody(b"data: [DONE]\n\n", False)))
            ),
            asyncio.ensure_future(heard("trailers", made.on_event(ResponseEnd(None)))),
        ]
        await gate.is_asked.wait()
        assert order == []
        gate.may_answer.set()
        first, second, third = await asyncio.gather(*tasks)
        assert order == ["piece", "end", "trailers"]
        assert isinstance(first, Replace)
        assert first.body == piece
        assert isinstance(second, Replace)
        assert third is CONTINUE

    run(play)
