"""A request whose key was made at run time: looked up, with models and budgets of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from envoy_api import message

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.authz import Authorization
from extproc.events import (
    CONTINUE,
    Action,
    Forward,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseEnd,
    ResponseHeaders,
    Strip,
)
from extproc.exchange import Exchange
from extproc.policies.authenticate import Witnesses
from extproc.ports import Limiter
from extproc.process import Process
from extproc.program import Program, build
from gateway.limits import Counted
from gateway.model import Period, Unit
from gateway.usage import Usage
from gateway.virtual_keys import OwnBudget, OwnLimit, Parts, hashed, written
from tests.kit.calls import RecordedCall
from tests.kit.gateways import gateway_of
from tests.kit.key_shelf import Shelf, stored
from tests.kit.key_store_suite import virtual_key
from tests.kit.memory_ledger import MemoryLedger

CheckRequest: Any = message("envoy.service.auth.v3.CheckRequest")
CheckResponse: Any = message("envoy.service.auth.v3.CheckResponse")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())
YAML = """
identity: {api_keys: {enabled: true}}
llm:
  providers: {a: {type: openai, url: "http://a.example/v1", key: sk-a}}
  models: {ma: a/ma, mb: a/mb}
  prices: {ma: {input: 1, output: 2}}
routes: [{name: docs, match: {path: {prefix: /docs}}, backend: "http://d.example"}]
"""
PARTS = Parts(virtual_key(1).id, "b" * 40)
SECRETS = (hashed(PARTS.secret, b"salt"),)


def program(
    shelf: Shelf, ledger: MemoryLedger | None = None, limiter: Limiter | None = None
) -> Program:
    return build(
        gateway_of(YAML),
        "1",
        ledger=ledger or MemoryLedger(),
        choose=lambda: 0.0,
        created=1,
        witnesses=Witnesses(keys=shelf),
        limiter=limiter,
    )


def shelf(is_far: bool = False, **terms: object) -> Shelf:
    return stored(virtual_key(1, secrets=SECRETS, **terms), is_far=is_far)


def say(exchange: Exchange, event: Any) -> Action:
    """What is said in the end."""

    async def main() -> Action:
        action = exchange.on_event(event)
        return await action if isinstance(action, Awaitable) else action

    return asyncio.run(main())


def headers(path: str = "/v1/chat/completions", method: str = "POST") -> RequestHeaders:
    told = {":method": method, ":path": path, "authorization": f"Bearer {written(PARTS)}"}
    return RequestHeaders(told, method == "GET")


def chat(model: str = "ma", **fields: Any) -> RequestBody:
    asked = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    return RequestBody(json.dumps(asked).encode())


def error(action: Action) -> tuple[int, str]:
    assert isinstance(action, Respond)
    return action.status, json.loads(action.body)["error"]["code"]


@pytest.mark.parametrize("is_far", [False, True])
def test_the_request_waits_for_its_key_and_goes_on(is_far: bool) -> None:
    exchange = Exchange(program(shelf(is_far)), NOW)

    async def main() -> Action:
        action = exchange.on_event(headers())
        assert isinstance(action, Awaitable) is is_far
        return await action if isinstance(action, Awaitable) else action

    assert asyncio.run(main()) == CONTINUE
    assert isinstance(say(exchange, chat()), Forward)


@pytest.mark.parametrize("is_far", [False, True])
def test_a_plain_route_waits_for_it_too_and_the_upstream_does_not_see_it(is_far: bool) -> None:
    exchange = Exchange(program(shelf(is_far)), NOW, "docs")
    assert say(exchange, headers("/docs", "GET")) == Strip(("authorization",))
    assert exchange.is_over


@pytest.mark.parametrize("is_far", [False, True])
def test_a_key_that_opens_nothing_is_refused_in_the_clients_dialect(is_far: bool) -> None:
    exchange = Exchange(program(shelf(is_far, enabled=False)), NOW)
    action = say(exchange, headers("/v1/messages"))
    assert isinstance(action, Respond)
    assert action.status == 401
    assert json.loads(action.body)["type"] == "error"


def test_keys_that_cannot_be_looked_up_let_nobody_in() -> None:
    exchange = Exchange(program(stored(is_out=True)), NOW)
    assert error(say(exchange, headers())) == (503, "keys_unavailable")


def test_a_client_that_left_meanwhile_is_forgotten() -> None:
    exchange = Exchange(program(shelf(is_far=True)), NOW)

    async def main() -> Action:
        action = exchange.on_event(headers())
        assert isinstance(action, Awaitable)
        exchange.on_close()
        return await action

    assert asyncio.run(main()) == CONTINUE


def test_only_its_models_can_be_asked_for() -> None:
    made = program(shelf(models=("ma",)))
    exchange = Exchange(made, NOW)
    say(exchange, headers())
    assert isinstance(say(exchange, chat("ma")), Forward)
    exchange = Exchange(made, NOW)
    say(exchange, headers())
    assert error(say(exchange, chat("mb"))) == (403, "model_not_allowed")
    exchange = Exchange(made, NOW)
    assert error(say(exchange, headers("/v1/files", "GET")))[0] in (403, 404)


def test_lists_of_models_have_those_alone() -> None:
    made = program(shelf(models=("m?", "ma")))

    def asked(path: str) -> Respond:
        action = say(Exchange(made, NOW), headers(path, "GET"))
        assert isinstance(action, Respond)
        return action

    assert [each["id"] for each in json.loads(asked("/v1/models").body)["data"]] == ["ma"]
    assert asked("/v1/models/ma").status == 200
    assert asked("/v1/models/mb").status == 404
    everything = json.loads(
        say(Exchange(program(shelf()), NOW), headers("/v1/models", "GET")).body  # type: ignore[union-attr]
    )
    assert len(everything["data"]) == 2


def test_its_own_budget_is_reserved_settled_and_exhausted() -> None:
    ledger = MemoryLedger()
    budget = OwnBudget(Unit.TOKENS, 200, Period.DAY)
    made = program(shelf(budgets=(budget,)), ledger)
    counter = f"key:{PARTS.id}:day|tokens"

    def spent() -> tuple[int, int]:
        found = asyncio.run(ledger.spent(counter, DAY))
        return found.settled, found.reserved

    exchange = Exchange(made, NOW)
    say(exchange, headers())
    assert isinstance(say(exchange, chat(max_tokens=50)), Forward)
    assert not exchange.is_over
    settled, reserved = spent()
    assert (settled, 50 < reserved < 100) == (0, True)
    say(exchange, ResponseHeaders(200, "llm/a"))
    say(exchange, ResponseEnd(Usage(30, 100)))
    exchange.on_close()
    assert spent() == (130, 0)
    exchange = Exchange(made, NOW)
    say(exchange, headers())
    action = say(exchange, chat(max_tokens=80))
    assert error(action) == (429, "budget_exhausted")
    assert f"key:{PARTS.id}:day" in action.body.decode()  # type: ignore[union-attr]


def test_its_own_limits_are_taken_told_corrected_and_reached(tmp_path: Path) -> None:
    limiter = MappedLimiter(tmp_path)
    limits = (OwnLimit(Counted.REQUESTS, 3, 60), OwnLimit(Counted.TOKENS, 200, 86_400))
    made = program(shelf(limits=limits), limiter=limiter)

    def asked(tokens: int) -> tuple[Exchange, Action]:
        exchange = Exchange(made, NOW)
        say(exchange, headers())
        return exchange, say(exchange, chat(max_tokens=tokens))

    exchange, action = asked(50)
    assert isinstance(action, Forward)
    told = {each.unit: (each.limit, each.remaining) for each in action.told}
    assert told["requests"] == (3, 2)
    assert told["tokens"][0] == 200
    assert 100 < told["tokens"][1] < 150
    say(exchange, ResponseHeaders(200, "llm/a"))
    say(exchange, ResponseEnd(Usage(30, 100)))
    action = asked(100)[1]
    assert error(action) == (429, "rate_limit_exceeded")
    assert isinstance(action, Respond)
    assert f"limit 'key:{PARTS.id}': 200 tokens per day" in action.body.decode()
    assert isinstance(asked(1)[1], Forward)
    plain = say(Exchange(made, NOW, "docs"), headers("/docs", "GET"))
    assert isinstance(plain, Strip)
    assert [(each.unit, each.remaining) for each in plain.told] == [("requests", 0)]
    assert error(say(Exchange(made, NOW, "docs"), headers("/docs", "GET")))[0] == 429
    limiter.close()


def test_a_place_of_its_own_is_held_until_the_answer_is_over(tmp_path: Path) -> None:
    limiter = MappedLimiter(tmp_path)
    made = program(shelf(limits=(OwnLimit(Counted.CONCURRENT, 1),)), limiter=limiter)
    first = Exchange(made, NOW, "docs")
    say(first, headers("/docs", "GET"))
    assert not first.is_over
    assert error(say(Exchange(made, NOW, "docs"), headers("/docs", "GET")))[0] == 429
    first.on_close()
    assert isinstance(say(Exchange(made, NOW, "docs"), headers("/docs", "GET")), Strip)
    limiter.close()


def test_limits_that_cannot_be_counted_refuse_the_keys_that_have_some() -> None:
    limits = (OwnLimit(Counted.REQUESTS, 3, 60),)
    made = program(shelf(limits=limits))
    exchange = Exchange(made, NOW)
    say(exchange, headers())
    assert error(say(exchange, chat())) == (503, "limits_unavailable")
    exchange = Exchange(program(shelf()), NOW)
    say(exchange, headers())
    assert isinstance(say(exchange, chat()), Forward)


def test_a_key_without_budgets_is_counted_nowhere() -> None:
    ledger = MemoryLedger()
    exchange = Exchange(program(shelf(), ledger), NOW)
    say(exchange, headers())
    say(exchange, chat())
    assert exchange.is_over
    assert asyncio.run(ledger.counters()) == []


def test_ext_authz_waits_for_it() -> None:
    process = Process(NOW.timestamp)
    process.program = program(shelf(is_far=True))

    def checked(key: str) -> Any:
        attributes = {
            "request": {"http": {"path": "/docs", "headers": {"authorization": f"Bearer {key}"}}},
            "context_extensions": {"dragoman.route": "docs"},
        }

        async def main() -> Any:
            call = RecordedCall(Authorization(process, NOW.timestamp))
            call.stream.on_message(CheckRequest(attributes=attributes).SerializeToString())
            await process.finish()
            assert (call.status, call.closings) == ((0, ""), 1)
            return CheckResponse.FromString(call.sent[-1])

        return asyncio.run(main())

    assert list(checked(written(PARTS)).ok_response.headers_to_remove) == ["authorization"]
    denied = checked(written(PARTS)[:-1] + "a").denied_response
    assert denied.status.code == 401
