"""What calls of MCP servers take of limits and budgets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.events import Action, Direct, RequestBody, Respond, ResponseHeaders, Show
from extproc.mcp.headers import META_CAPABILITIES
from tests.kit.far_limiter import FarLimiter
from tests.kit.mcp_exchange import (
    KEYED,
    META,
    MODERN,
    ONE,
    TWO,
    Fake,
    call,
    error,
    fakes,
    opened,
    played,
    program,
    request,
    set_headers,
)
from tests.kit.memory_ledger import MemoryLedger

BODY = RequestBody(b"")
ANN = "Bearer sk-ann"
LIMITS = """
limits:
  - {name: calls, for: {mcp: "*"}, requests: 1/day}
"""


@pytest.fixture
def limiter(tmp_path: Path) -> Iterator[MappedLimiter]:
    made = MappedLimiter(tmp_path, None, lambda: 10**12, rows=1024)
    yield made
    made.close()


def refused(action: Action, code: str) -> Respond:
    assert isinstance(action, Respond), action
    assert (action.status, error(action)["data"]["code"]) == (429, code)
    return action


def test_calls_of_each_server_are_limited_and_talk_is_not(limiter: MappedLimiter) -> None:
    of = program(TWO + LIMITS, fakes(Fake("a"), Fake("b")), limiter)
    session = opened(of)

    def said(message: object) -> Action:
        return played(of, mcp_session_id=session).post(message)

    assert isinstance(said(call("a__echo")), Direct)
    denied = refused(said(call("a__echo")), "rate_limit_exceeded")
    assert any(name == "retry-after" for name, _ in denied.headers)
    assert isinstance(said(call("b__echo")), Direct)
    for _ in range(3):
        assert isinstance(said(request("tools/list")), Respond)


def test_a_call_counts_once_however_often_its_client_is_asked(limiter: MappedLimiter) -> None:
    """Of a client without sessions; its call waits in the hub, by a state that the hub gave."""
    of = program(TWO + LIMITS, fakes(Fake("a"), Fake("b", is_modern=True)), limiter)

    def said(tool: str, capabilities: object, **more: object) -> Action:
        meta = {**META, META_CAPABILITIES: capabilities}
        head = {"mcp_protocol_version": MODERN, "mcp_method": "tools/call", "mcp_name": tool}
        return played(of, **head).post(request("tools/call", name=tool, _meta=meta, **more))

    asked, ours = {"elicitation": {}}, {"inputResponses": {}, "requestState": "dmr.0123"}
    assert isinstance(said("a__echo", asked), Direct)
    for _ in range(2):
        assert isinstance(said("a__echo", asked, **ours), Direct)
    refused(said("a__echo", asked), "rate_limit_exceeded")
    refused(said("a__echo", asked, requestState="another's"), "rate_limit_exceeded")
    refused(said("a__echo", {}, **ours), "rate_limit_exceeded")  # it does not go by the hub
    assert isinstance(said("b__echo", asked, **ours), Direct)
    refused(said("b__echo", asked, **ours), "rate_limit_exceeded")  # nor does this


def test_who_calls_is_told_where_limits_stand(limiter: MappedLimiter) -> None:
    action = played(program(ONE + LIMITS, limiter=limiter)).post(call("x"))
    assert isinstance(action, Direct)
    assert [(each.limit, each.remaining) for each in action.told] == [(1, 0)]


def test_limits_of_several_machines_are_waited_for(limiter: MappedLimiter) -> None:
    of = program(ONE + LIMITS, limiter=FarLimiter(limiter))
    assert isinstance(played(of).post(call("x")), Direct)
    refused(played(of).post(call("x")), "rate_limit_exceeded")
    assert isinstance(played(of).post(request("ping")), Direct)


def test_what_is_open_at_once_is_counted_until_it_is_over(limiter: MappedLimiter) -> None:
    at_once = "\nlimits: [{name: open, for: {mcp: a}, concurrent: 1}]\n"
    of = program(ONE + at_once, limiter=limiter)
    first = played(of)
    assert first.begin() == Show(is_to_the_end=True)
    assert isinstance(first.say(RequestBody(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')), Direct)
    open_call = played(of)
    assert isinstance(open_call.post(call("x")), Direct)
    open_call.say(ResponseHeaders(200, ""))
    assert not open_call.exchange.is_over
    refused(played(of).post(call("x")), "rate_limit_exceeded")
    open_call.exchange.on_close()
    assert isinstance(played(of).post(call("x")), Direct)


PRICED = """
mcp:
  servers:
    a:
      url: "http://a.example/mcp"
      tools: {dear: {price: 1}, "*": {price: 0.25}}
budgets: [{name: tools, for: {key: "*", mcp: a}, limit: 2 USD, per: day}]
"""


def test_calls_that_have_a_price_are_paid() -> None:
    ledger = MemoryLedger()
    of = program(PRICED + KEYED, ledger=ledger)

    def called(tool: str) -> Action:
        one = played(of, authorization=ANN)
        action = one.post(call(tool))
        one.exchange.on_close()
        return action

    assert isinstance(called("dear"), Direct)
    for _ in range(4):
        assert isinstance(called("cheap"), Direct)
    denied = refused(called("cheap"), "budget_exhausted")
    assert b"2 of 2 USD spent" in denied.body
    assert isinstance(played(of, authorization=ANN).post(request("tools/list")), Direct)


def test_what_a_call_may_cost_is_held_while_it_is_open() -> None:
    of = program(PRICED + KEYED)
    first = [played(of, authorization=ANN) for _ in range(2)]
    for each in first:
        assert isinstance(each.post(call("dear")), Direct)
    refused(played(of, authorization=ANN).post(call("cheap")), "budget_exhausted")


def test_a_rule_that_denies_costs_nothing() -> None:
    rule = "authorize: [{name: no, for: {mcp: a}, deny: 'mcp.tool == \"dear\"'}]"
    ledger = MemoryLedger()
    of = program(PRICED + KEYED + rule, ledger=ledger)
    for _ in range(5):
        assert isinstance(played(of, authorization=ANN).post(call("dear")), Respond)
    assert isinstance(played(of, authorization=ANN).post(call("cheap")), Direct)


TERMS = """
mcp:
  servers:
    a:
      url: "http://a.example/mcp"
      tools:
        slow: {timeout: 1500ms}
        safe: {retries: 2}
"""


def test_envoy_is_told_how_long_to_wait_and_how_often_to_try() -> None:
    of = program(TERMS)
    slow = set_headers(BODY, played(of).post(call("slow")))
    assert slow["x-envoy-upstream-rq-timeout-ms"] == "1500"
    assert "x-envoy-max-retries" not in slow
    safe = set_headers(BODY, played(of).post(call("safe")))
    assert safe["x-envoy-max-retries"] == "2"
    assert safe["x-envoy-retry-on"].startswith("gateway-error")
    other = set_headers(BODY, played(of).post(call("other")))
    assert not any(name.startswith("x-envoy") for name in other)


def test_what_is_counted_comes_in_no_batch(limiter: MappedLimiter) -> None:
    of = program(ONE + LIMITS, limiter=limiter)
    refused_batch = played(of).post([call("x"), call("y")])
    assert error(refused_batch)["message"].endswith("send it alone")
    assert isinstance(played(of).post([request("ping", 1), request("ping", 2)]), Direct)
    priced = played(program(PRICED)).post([call("dear")])
    assert error(priced)["code"] == -32600
