"""A call on its way to a server of the other era."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from extproc.hub import asks
from extproc.hub.asks import Ask
from extproc.hub.web import Request
from extproc.mcp import messages
from extproc.mcp.messages import Message
from extproc.mcp.rounds import Envelope, Question
from extproc.mcp.views import Served
from tests.kit.in_a_loop import in_a_loop
from tests.kit.mcp_bridges import NEW, OLD, call


def ask(
    said: Any, revision: str = NEW, binding: str = "ann", token: str = "", **headers: str
) -> Ask:
    body = json.dumps({"jsonrpc": "2.0", **said}).encode()
    message = messages.read(body)
    assert isinstance(message, Message)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    served = Served("a", "service/mcp/a", "/mcp", (("x-one", "1"),), True, 1.0)
    request = Request("POST", "/rounds", "", named, body)
    return Ask(Envelope("a", revision, "k", binding, token), served, request, message)


def test_the_server_gets_what_is_meant_for_it() -> None:
    found = ask(call(), accept="x", mcp_name="n", traceparent="t", cookie="c", host="h")
    assert found.head == (
        ("accept", "x"),
        ("mcp-name", "n"),
        ("traceparent", "t"),
        ("x-one", "1"),
    )


def test_the_server_is_shown_what_extproc_says_of_who_calls_and_nothing_else() -> None:
    found = ask(call(), token="Bearer theirs", authorization="Bearer own")
    assert found.head == (("x-one", "1"), ("authorization", "Bearer theirs"))


def test_a_call_is_the_same_for_the_same_caller_and_name_alone() -> None:
    one = ask(call())
    assert one.same == ask(call(2, requestState="s")).same
    others = (
        ask(call(), binding="bob"),
        ask(call(name="y")),
        ask({**call(), "method": "prompts/get"}),
    )
    assert one.same not in [each.same for each in others]
    read = {"id": 1, "method": "resources/read"}
    first, second = (ask({**read, "params": {"uri": each}}) for each in "ab")
    assert first.same != second.same


def test_the_client_offers_what_it_has_declared() -> None:
    assert ask(call()).offers(Question("k", "sampling/createMessage"))
    assert not ask(call()).offers(Question("k", "roots/list"))
    assert not ask(call(_meta={})).offers(Question("k", "sampling/createMessage"))


def test_an_answer_has_the_clients_id_and_one_line() -> None:
    said = b'{"jsonrpc":"2.0",\n"id":"own","result":{"a":\r\n1}}'
    assert ask(call(7)).last(said) == (b'data: {"jsonrpc":"2.0", "id":7,"result":{"a":  1}}\n\n')
    assert b'"id":8' in ask(call(7)).last(said, b"8")
    assert b'"resultType":"complete"' in ask(call(7), OLD).last(said)
    twice = b'{"jsonrpc":"2.0","id":1,"id":2,"result":{}}'
    assert b"it cannot be read" in ask(call(7)).last(twice)


def test_an_answer_is_told_from_what_else_a_server_says() -> None:
    assert asks.is_answer(b'{"id":1,"result":{}}')
    assert asks.is_answer(b'{"id":1,"error":{}}')
    for text in (b'{"id":1,"method":"x","result":{}}', b"[]", b"", b"{}", b'{"method":"x"}'):
        assert not asks.is_answer(text)


@in_a_loop
async def test_who_waits_is_woken_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asks, "KEEP_ALIVE_SECONDS", 0.01)

    async def work() -> int:
        await asyncio.sleep(0.05)
        return 5

    found = [each async for each in asks.kept(work())]
    assert found[-1] == 5
    assert set(found[:-1]) == {None}


@in_a_loop
async def test_who_leaves_ends_what_was_waited_for() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waits = asks.kept(work())
    waiting = asyncio.ensure_future(anext(waits))
    await begun.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    await ended.wait()


def test_a_call_that_comes_again_brings_its_newer_token() -> None:
    one, again = ask(call(), mcp_session_id="s"), ask(call(), mcp_session_id="s", traceparent="t")
    one.renew(again)
    assert one.head == again.head
    one.renew(ask(call(), mcp_session_id="another"))
    assert one.session == "s"
