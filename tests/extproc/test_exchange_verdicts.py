"""Whatever refuses a request, or masks what it says, is counted: by whom, and as what."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from extproc.audits import Audits, Trail
from extproc.events import (
    Action,
    Finish,
    RequestBody,
    RequestHeaders,
    ResponseBody,
    ResponseHeaders,
)
from extproc.exchange import Exchange
from extproc.program import build
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.counted import Counted
from tests.kit.memory_ledger import MemoryLedger

YAML = """
identity: {api_keys: {keys: [{name: ann, key: k-ann, team: red}, {name: bob, key: k-bob}]}}
llm:
  providers: {a: {type: openai, url: "http://a.example/v1", key: sk-a}}
  models: {ma: a/ma, mb: a/mb, mc: a/mc}
authorize:
  - {name: no-bob, for: {key: bob}, deny: "true"}
  - {name: to-c, for: {model: mc}, allow: principal.team == "blue"}
  - {name: too, for: {model: mc}, allow: "false"}
guardrails:
  - {type: regex, name: secrets, patterns: ["sk-[a-z]{8}"], action: block}
  - {type: regex, name: mail, patterns: ["[a-z]+@[a-z]+"], action: mask}
  - {type: regex, name: words, patterns: ["forbidden"], phase: response, action: block}
budgets:
  - {name: red, for: {team: red, model: mb}, limit: 10 tokens, per: day}
"""


class Written:
    """A log in memory."""

    def __init__(self) -> None:
        self.is_blocked = False
        self.verdicts: list[object] = []

    def put(self, record: Mapping[str, object]) -> None:
        self.verdicts.append(record["verdict"])


class Told:
    """One exchange after the other, and what is counted of them."""

    def __init__(self, *, is_all: bool = False) -> None:
        config = load(YAML, file="test.yaml", environment={})
        assert not isinstance(config, tuple), config
        self.tally = Counted()
        self.log = Written()
        self.program = build(
            resolve(config),
            "1",
            ledger=MemoryLedger(),
            choose=lambda: 0.0,
            created=7,
            audits=Audits(self.tally, Trail(self.log, "1", is_all)),
        )

    def ask(self, *, key: str = "k-ann", said: str = "hi", **fields: Any) -> Exchange:
        exchange = Exchange(self.program, datetime(2026, 11, 25, 12, tzinfo=UTC))
        headers = {
            ":method": "POST",
            ":path": "/v1/chat/completions",
            "authorization": f"Bearer {key}",
        }
        body = {"model": "ma", "messages": [{"role": "user", "content": said}], **fields}
        act(exchange, RequestHeaders(headers, False))
        if exchange.denied is None:
            act(exchange, RequestBody(json.dumps(body).encode()))
        return exchange


def act(exchange: Exchange, event: Any) -> Action:
    action = exchange.on_event(event)
    assert not isinstance(action, Awaitable)
    return action


@pytest.mark.parametrize(
    ("asked", "counted"),
    [
        ({"key": "k-eve"}, ("identity", "", "deny", "invalid_api_key")),
        ({"key": "k-bob"}, ("rule", "no-bob", "deny", "permission_denied")),
        ({"model": "mc"}, ("rule", "to-c, too", "deny", "permission_denied")),
        ({"said": "sk-abcdefgh"}, ("guard", "secrets", "deny", "content_policy_violation")),
        ({"said": "ann@example"}, ("guard", "mail", "mask", "")),
        ({"model": "mb"}, ("budget", "red", "deny", "budget_exhausted")),
        ({"model": "none"}, ("request", "", "deny", "model_not_found")),
        ({"messages": 3}, ("request", "", "deny", "invalid_type")),
    ],
)
def test_a_verdict_is_counted_with_who_gave_it(
    asked: dict[str, Any], counted: tuple[str, ...]
) -> None:
    told = Told()
    told.ask(**asked)
    assert told.tally.enforced == {counted: 1}


def test_what_passes_is_not_counted() -> None:
    told = Told()
    assert told.ask().denied is None
    assert not told.tally.enforced


def answered(exchange: Exchange, kind: str, *pieces: str) -> Action:
    plan = exchange.plan
    assert plan is not None
    headers = {"content-type": kind}
    action = act(exchange, ResponseHeaders(200, plan.tries[0].cluster, "via_upstream", 1, headers))
    for place, piece in enumerate(pieces, 1):
        action = act(exchange, ResponseBody(piece.encode(), place == len(pieces)))
    exchange.on_close()
    return action


def test_an_answer_that_is_refused_is_counted() -> None:
    told = Told()
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "forbidden"}}]}
    answered(told.ask(), "application/json", json.dumps(answer))
    wanted = {("guard", "words", "deny", "content_policy_violation"): 1}
    assert told.tally.enforced == wanted


def test_a_stream_that_is_cut_is_counted_once() -> None:
    told = Told()
    chunk = {"choices": [{"index": 0, "delta": {"content": "forbidden, and more " * 20}}]}
    piece = f"data: {json.dumps(chunk)}\n\n"
    action = answered(told.ask(stream=True), "text/event-stream", piece)
    assert isinstance(action, Finish)
    wanted = {("guard", "words", "deny", "content_policy_violation"): 1}
    assert told.tally.enforced == wanted


def test_an_answer_that_cannot_be_read_is_counted() -> None:
    told = Told()
    answered(told.ask(), "application/json", "{")
    assert told.tally.enforced == {("answer", "", "deny", "unreadable_answer"): 1}


def test_what_passes_is_written_down_once() -> None:
    told = Told(is_all=True)
    told.ask()
    told.ask(key="k-bob")
    assert told.log.verdicts == ["pass", "deny"]
    exchange = Exchange(told.program, datetime(2026, 11, 25, 12, tzinfo=UTC))
    headers = {":method": "GET", ":path": "/v1/models", "authorization": "Bearer k-ann"}
    act(exchange, RequestHeaders(headers, True))
    assert told.log.verdicts == ["pass", "deny", "pass"]


def test_denials_alone_are_written_down_otherwise() -> None:
    told = Told()
    told.ask()
    told.ask(key="k-bob")
    assert told.log.verdicts == ["deny"]


def test_requests_are_refused_while_nothing_can_be_written_down() -> None:
    told = Told()
    told.log.is_blocked = True
    denied = told.ask().denied
    assert denied is not None
    assert (denied.status, denied.code) == (503, "audit_unavailable")
    assert told.tally.enforced == {("gateway", "", "deny", "audit_unavailable"): 1}
    told.log.is_blocked = False
    assert told.ask().denied is None
