"""One request and its response, message by message, on the real policies and a ledger in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from envoy_api import message

from extproc.events import (
    CONTINUE,
    Action,
    Forward,
    Other,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Strip,
)
from extproc.exchange import Exchange
from extproc.plan import Steering
from extproc.ports import Charge, Exhausted, Ledger, Reservation, Spent
from extproc.program import Program, build
from gateway import names
from gateway.config.load import load
from gateway.resolve import resolve
from gateway.usage import Usage
from tests.kit.memory_ledger import MemoryLedger

Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
YAML = """
identity: {api_keys: {keys: [{name: ann, key: k-ann, team: red}, {name: bob, key: k-bob}]}}
llm:
  providers:
    a: {type: openai, url: "http://a.example/v1", key: sk-a}
    b: {type: openai, url: "http://b.example/v1", key: sk-b}
  models:
    pair: {failover: [a/ma, b/mb]}
    ma: a/ma
    hidden: {provider: a, model: mh, listed: false}
  prices: {ma: {input: 1, output: 2}, mb: {input: 1, output: 2}}
routes: [{name: docs, match: {path: {prefix: /docs}}, backend: "http://d.example"}]
authorize:
  - {name: no-bob, for: {key: bob}, deny: 'llm.model == "pair"'}
guardrails:
  - {type: regex, name: secrets, patterns: ["sk-[a-z]{8}"], action: block}
  - {type: regex, name: mail, patterns: ["[a-z]+@[a-z]+"], action: mask}
budgets:
  - {name: red, for: {team: red}, limit: 10000 tokens, per: day}
"""


@dataclass(slots=True)
class Conversation:
    """An exchange, with the ledger that it draws on."""

    exchange: Exchange
    ledger: MemoryLedger

    def headers(
        self, method: str = "POST", path: str = "/v1/chat/completions", **more: str
    ) -> Action:
        headers = {":method": method, ":path": path, "authorization": "Bearer k-ann"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        return self.say(RequestHeaders(headers, method == "GET"))

    def body(self, **fields: Any) -> Action:
        request = {"model": "pair", "messages": [{"role": "user", "content": "hi"}], **fields}
        return self.say(RequestBody(json.dumps(request).encode()))

    def say(self, event: Any) -> Action:
        action = self.exchange.on_event(event)
        assert not isinstance(action, Awaitable)
        return action

    def settled(self) -> int:
        return asyncio.run(self.ledger.spent(COUNTER, DAY_START)).settled

    def reserved(self) -> int:
        return asyncio.run(self.ledger.spent(COUNTER, DAY_START)).reserved


COUNTER = "red|tokens|team=red"
DAY_START = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())


def program(ledger: Ledger, yaml: str = YAML) -> Program:
    config = load(yaml, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    return build(resolve(config), "1", ledger=ledger, choose=lambda: 0.0, created=7)


@pytest.fixture
def conversation() -> Conversation:
    ledger = MemoryLedger()
    return Conversation(Exchange(program(ledger), NOW), ledger)


def refused(action: Action) -> tuple[int, str]:
    assert isinstance(action, Respond)
    return action.status, json.loads(action.body)["error"]["code"]


def forwarded(action: Action) -> Any:
    assert isinstance(action, Forward)
    assert action.body is not None
    return json.loads(action.body)


def test_a_request_is_planned_under_the_name_that_the_provider_knows(
    conversation: Conversation,
) -> None:
    assert conversation.headers() == CONTINUE
    action = conversation.body(x_unknown=[1, 2])
    assert forwarded(action) == {
        "model": "ma",
        "messages": [{"role": "user", "content": "hi"}],
        "x_unknown": [1, 2],
    }
    assert isinstance(action, Forward)
    plan = Response.FromString(action.plan_reply).dynamic_metadata[names.PLAN_NAMESPACE]
    assert len(plan["priority_groups"]) == 2


def test_a_body_that_needs_no_change_is_not_sent_back(conversation: Conversation) -> None:
    conversation.headers()
    action = conversation.body(model="ma")
    assert isinstance(action, Forward)
    assert action.body is None


@pytest.mark.parametrize(
    ("method", "path", "more", "expected"),
    [
        ("POST", "/v1/chat/completions", {"authorization": "Bearer x"}, (401, "invalid_api_key")),
        (
            "POST",
            "/v1/chat/completions",
            {"content_encoding": "rot13"},
            (415, "unsupported_encoding"),
        ),
        ("GET", "/v1/chat/completions", {}, (405, "method_not_allowed")),
        ("POST", "/v1/nothing", {}, (404, "unknown_url")),
        ("GET", "/v1/models/nope", {}, (404, "model_not_found")),
    ],
)
def test_what_headers_show_to_be_wrong_is_refused_before_the_body(
    conversation: Conversation,
    method: str,
    path: str,
    more: dict[str, str],
    expected: tuple[int, str],
) -> None:
    assert refused(conversation.headers(method, path, **more)) == expected


def test_a_request_that_promises_no_body_is_refused(conversation: Conversation) -> None:
    headers = {":method": "POST", ":path": "/v1/chat/completions", "authorization": "Bearer k-ann"}
    assert refused(conversation.say(RequestHeaders(headers, True))) == (400, "invalid_json")


def test_models_are_answered_from_the_program(conversation: Conversation) -> None:
    action = conversation.headers("GET", "/v1/models")
    assert isinstance(action, Respond)
    listed = json.loads(action.body)["data"]
    assert [model["id"] for model in listed] == ["pair", "ma"]
    assert {model["created"] for model in listed} == {7}
    found = conversation.headers("GET", "/v1/models/hidden")
    assert isinstance(found, Respond)
    assert json.loads(found.body)["id"] == "hidden"


def test_a_plain_route_keeps_the_credential_from_its_upstream() -> None:
    exchange = Exchange(program(MemoryLedger()), NOW, "docs")
    headers = {":method": "GET", ":path": "/v1/models", "authorization": "Bearer k-ann"}
    assert exchange.on_event(RequestHeaders(headers, True)) == Strip(("authorization",))
    assert exchange.is_over


def test_a_route_that_this_program_does_not_know_is_refused() -> None:
    exchange = Exchange(program(MemoryLedger()), NOW, "newer")
    action = exchange.on_event(RequestHeaders({":method": "GET", ":path": "/x"}, True))
    assert isinstance(action, Respond)
    assert (action.status, json.loads(action.body)["error"]["code"]) == (503, "not_ready")


def test_json_in_strings_that_goes_too_deep_is_refused(conversation: Conversation) -> None:
    deep = "1"
    for _ in range(5):
        deep = json.dumps([deep])
    conversation.headers()
    action = conversation.body(messages=[{"role": "user", "content": deep}])
    assert refused(action) == (400, "too_deep")


def test_a_body_beyond_the_listeners_limit_is_refused() -> None:
    exchange = Exchange(program(MemoryLedger()), NOW, limit_bytes=100)
    action = exchange.on_event(RequestBody(b'{"model":"ma","messages":[]' + b" " * 99 + b"}"))
    assert isinstance(action, Respond)
    assert (action.status, json.loads(action.body)["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("name", ["", " ", "ma ", "m\ta", "m\u2028", "m" * 257])
def test_what_no_model_can_be_called_is_refused(conversation: Conversation, name: str) -> None:
    conversation.headers()
    assert refused(conversation.body(model=name)) == (400, "invalid_value")


def test_the_call_is_over_when_nothing_is_left_to_learn(conversation: Conversation) -> None:
    conversation.headers()
    conversation.body()
    assert not conversation.exchange.is_over
    conversation.say(ResponseHeaders(200, "llm/a"))
    assert not conversation.exchange.is_over
    conversation.say(ResponseHeaders(500, "llm/a"))
    assert conversation.exchange.is_over


def test_the_call_is_over_with_the_plan_when_nothing_is_held(conversation: Conversation) -> None:
    conversation.headers(authorization="Bearer k-bob")
    conversation.body(model="ma")
    assert conversation.exchange.is_over


def test_an_unknown_model_is_refused(conversation: Conversation) -> None:
    conversation.headers()
    assert refused(conversation.body(model="nope")) == (404, "model_not_found")


def test_rules_are_asked_with_the_model(conversation: Conversation) -> None:
    conversation.headers(authorization="Bearer k-bob")
    assert refused(conversation.body()) == (403, "permission_denied")


def test_what_a_guard_blocks_reserves_nothing(conversation: Conversation) -> None:
    conversation.headers()
    action = conversation.body(messages=[{"role": "user", "content": "use sk-abcdefgh"}])
    assert refused(action) == (400, "content_policy_violation")
    assert (conversation.settled(), conversation.reserved()) == (0, 0)


def test_what_a_guard_masks_is_not_forwarded(conversation: Conversation) -> None:
    conversation.headers()
    body = forwarded(conversation.body(messages=[{"role": "user", "content": "ask ann@home"}]))
    assert body["messages"] == [{"role": "user", "content": "ask [redacted]"}]
    assert body["model"] == "ma"


def test_a_call_is_settled_by_what_the_provider_reports(conversation: Conversation) -> None:
    conversation.headers()
    conversation.body(max_tokens=100)
    assert conversation.reserved() > 100
    assert conversation.say(ResponseHeaders(200, "llm/a")) == CONTINUE
    assert conversation.say(ResponseEnd(Usage(5, 7))) == CONTINUE
    assert (conversation.settled(), conversation.reserved()) == (12, 0)
    conversation.exchange.on_close()
    assert (conversation.settled(), conversation.reserved()) == (12, 0)


@pytest.fixture
def steered() -> Conversation:
    """With an Envoy that reads neither plans nor usage."""
    ledger = MemoryLedger()
    return Conversation(Exchange(program(ledger), NOW, steering=Steering.HEADER), ledger)


def test_where_plans_are_not_read_no_client_chooses_a_cluster(steered: Conversation) -> None:
    assert steered.headers(x_dragoman_plan="llm/b") == Strip((names.PLAN_HEADER,))
    action = steered.body()
    assert isinstance(action, Forward)
    answer = Response.FromString(action.plan_reply).request_body.response
    values = {each.header.key: each.header.raw_value for each in answer.header_mutation.set_headers}
    assert values[names.PLAN_HEADER] == b"plan/a>b"


@pytest.mark.parametrize(("attempt", "price"), [(1, 5 * 1000 + 7 * 2000), (2, 5 * 3000 + 7 * 4000)])
def test_a_call_costs_what_the_try_that_answered_costs(attempt: int, price: int) -> None:
    ledger = MemoryLedger()
    yaml = YAML.replace("mb: {input: 1, output: 2}", "mb: {input: 3, output: 4}")
    made = program(ledger, yaml.replace("10000 tokens", "1 USD"))
    conversation = Conversation(Exchange(made, NOW, steering=Steering.HEADER), ledger)
    conversation.headers()
    conversation.body()
    conversation.say(ResponseHeaders(200, "plan/a>b", "", attempt))
    conversation.say(
        ResponseBody(b'{"usage":{"prompt_tokens":5,"completion_tokens":7}}', is_end=True)
    )
    assert asyncio.run(ledger.spent("red|team=red", DAY_START)) == Spent(price, 0)
    assert conversation.exchange.is_over


def test_an_answer_that_is_shown_is_settled_with_its_last_piece(steered: Conversation) -> None:
    steered.headers()
    steered.body(stream=True)
    steered.say(ResponseHeaders(200, "plan/a>b", "", 1))
    pieces = (b'data: {"usage":{"prompt_tokens":5,', b'"completion_tokens":7}}\n\n', b"data: [DO")
    for piece in pieces:
        assert steered.say(ResponseBody(piece, is_end=False)) == CONTINUE
        assert not steered.exchange.is_over
        assert steered.settled() == 0
    assert steered.say(ResponseBody(b"NE]\n\n", is_end=False)) == CONTINUE
    assert (steered.settled(), steered.reserved()) == (12, 0)
    assert steered.exchange.is_over


@pytest.mark.parametrize("is_end", [False, True])
def test_an_answer_that_is_shown_and_says_nothing_costs_its_estimate(
    steered: Conversation, is_end: bool
) -> None:
    steered.headers()
    steered.body()
    reserved = steered.reserved()
    steered.say(ResponseHeaders(200, "plan/a>b", "", 1))
    steered.say(ResponseBody(b'{"choices":[', is_end=is_end))
    assert steered.exchange.is_over == is_end
    steered.exchange.on_close()
    assert (steered.settled(), steered.reserved()) == (reserved, 0)


def test_a_stream_is_asked_for_its_usage_when_a_budget_needs_it(
    conversation: Conversation,
) -> None:
    conversation.headers()
    body = forwarded(conversation.body(stream=True, stream_options={"include_obfuscation": False}))
    assert body["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_a_stream_without_a_budget_is_left_as_it_is(conversation: Conversation) -> None:
    conversation.headers(authorization="Bearer k-bob")
    action = conversation.body(model="ma", stream=True)
    assert isinstance(action, Forward)
    assert action.body is None


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_a_provider_that_refuses_costs_nothing(conversation: Conversation, status: int) -> None:
    conversation.headers()
    conversation.body()
    conversation.say(ResponseHeaders(status, "llm/a"))
    conversation.exchange.on_close()
    assert (conversation.settled(), conversation.reserved()) == (0, 0)


@pytest.mark.parametrize(
    ("details", "is_paid"),
    [
        ("via_upstream", False),
        ("no_healthy_upstream", False),
        ("upstream_reset_before_response_started{remote_connection_failure|refused}", False),
        ("ext_proc_error_gRPC_error_14", False),
        ("lua_response", False),
        ("upstream_per_try_idle_timeout", True),
        ("upstream_reset_before_response_started{connection_termination}", True),
    ],
)
def test_a_provider_that_may_have_worked_is_paid_though_envoy_answered(
    conversation: Conversation, details: str, is_paid: bool
) -> None:
    conversation.headers()
    conversation.body()
    reserved = conversation.reserved()
    conversation.say(ResponseHeaders(504, "llm/a", details))
    assert (conversation.settled(), conversation.reserved()) == (reserved * is_paid, 0)


def test_a_worker_that_leaves_books_the_estimate_of_what_streams(
    conversation: Conversation,
) -> None:
    conversation.headers()
    conversation.body()
    reserved = conversation.reserved()
    assert not conversation.exchange.let_go()
    conversation.say(ResponseHeaders(200, "llm/a", "via_upstream"))
    assert conversation.exchange.let_go()
    assert (conversation.settled(), conversation.reserved()) == (reserved, 0)


@pytest.mark.parametrize("events", [[], [ResponseHeaders(200, "llm/a")]])
def test_an_answer_that_breaks_off_costs_its_estimate(
    conversation: Conversation, events: list[Any]
) -> None:
    conversation.headers()
    conversation.body(max_tokens=100)
    reserved = conversation.reserved()
    for event in events:
        conversation.say(event)
    conversation.exchange.on_close()
    assert (conversation.settled(), conversation.reserved()) == (reserved, 0)


def test_all_choices_are_reserved_for(conversation: Conversation) -> None:
    conversation.headers()
    conversation.body(max_tokens=100, n=8)
    assert conversation.reserved() >= 800


def test_an_exhausted_budget_is_refused_with_its_name(conversation: Conversation) -> None:
    conversation.headers()
    action = conversation.body(max_tokens=20_000)
    assert refused(action) == (429, "budget_exhausted")
    assert isinstance(action, Respond)
    assert b"red" in action.body
    assert "retry-after" in dict(action.headers)


def test_messages_that_ask_nothing_are_passed(conversation: Conversation) -> None:
    assert conversation.say(Other("request_trailers")) == CONTINUE


class SlowLedger:
    """Answers when told to."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Reservation | Exhausted] = asyncio.Future()

    def reserve(self, charges: list[Charge]) -> Awaitable[Reservation | Exhausted]:
        return self.answer


class Recorded:
    """A reservation that tells what became of it."""

    def __init__(self) -> None:
        self.end = ""

    def settle(self, amounts: Any) -> None:
        self.end = self.end or "settled"

    def release(self) -> None:
        self.end = self.end or "released"


@pytest.mark.parametrize("is_abandoned", [False, True])
def test_a_ledger_that_takes_its_time_is_awaited(is_abandoned: bool) -> None:
    async def scenario() -> tuple[Action, str]:
        ledger, reservation = SlowLedger(), Recorded()
        exchange = Exchange(program(ledger), NOW)  # type: ignore[arg-type]
        conversation = Conversation(exchange, MemoryLedger())
        conversation.headers()
        body = b'{"model":"pair","messages":[{"role":"user","content":"hi"}]}'
        action = exchange.on_event(RequestBody(body))
        assert isinstance(action, Awaitable)
        if is_abandoned:
            exchange.on_close()
        ledger.answer.set_result(reservation)
        return await action, reservation.end

    action, end = asyncio.run(scenario())
    assert (isinstance(action, Forward), end) == ((not is_abandoned), "released" * is_abandoned)
