"""What an exchange takes of limits, and gives back, however it ends; on a real limiter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from extproc.adapters.mapped_limiter import MappedLimiter
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
from extproc.ports import Limiter
from extproc.program import Program, build
from extproc.told import Told
from gateway.config.load import load
from gateway.resolve import resolve
from gateway.usage import Usage
from tests.kit.far_limiter import FarLimiter
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = 10**9
YAML = """
identity:
  api_keys: {keys: [{name: ann, key: k-ann}, {name: bob, key: k-bob}, {name: eve, key: k}]}
llm:
  providers: {a: {type: openai, url: "http://a.example/v1", key: sk-a}}
  models: {m: {provider: a}}
  stored_at: [a]
routes:
  - {name: docs, match: {path: {prefix: /docs}}, backend: "http://d.example", auth: none}
  - {name: app, match: {path: {prefix: /app}}, backend: "http://d.example"}
budgets: [{name: poor, for: {key: eve}, limit: 10 tokens, per: day}]
limits:
  - {name: tokens, for: {key: "*"}, tokens: 10k/day}
  - {name: open, for: {key: "*", llm: "*"}, concurrent: 1}
  - {name: docs, for: {route: docs}, requests: 1/day}
  - {name: app, for: {route: app}, bytes: 100/day, concurrent: 1}
"""


class World:
    """A worker's program, and how its exchanges are spoken with."""

    def __init__(self, limiter: Limiter) -> None:
        config = load(YAML, file="test.yaml", environment={})
        assert not isinstance(config, tuple), config
        self.program: Program = build(
            resolve(config),
            "1",
            ledger=MemoryLedger(),
            choose=lambda: 0.0,
            created=1,
            limiter=limiter,
        )

    def chat(self, key: str = "k-ann", **fields: Any) -> tuple[Exchange, Action]:
        exchange = Exchange(self.program, NOW)
        headers = {":method": "POST", ":path": "/v1/chat/completions"}
        headers["authorization"] = f"Bearer {key}"
        assert said(exchange, RequestHeaders(headers, False)) == CONTINUE
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
        return exchange, said(exchange, RequestBody(json.dumps(body).encode()))

    def plain(self, route: str, *, is_end: bool = True, **more: str) -> tuple[Exchange, Action]:
        exchange = Exchange(self.program, NOW, route)
        headers = {":method": "GET", ":path": f"/{route}", "authorization": "Bearer k-ann"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        return exchange, said(exchange, RequestHeaders(headers, is_end))

    def left(self, key: str = "k-ann") -> int:
        """Tokens of the day, by a request that lists files and takes none."""
        exchange = Exchange(self.program, NOW)
        headers = {":method": "GET", ":path": "/v1/files", "authorization": f"Bearer {key}"}
        action = said(exchange, RequestHeaders(headers, True))
        exchange.on_close()
        assert isinstance(action, Forward), action
        return action.told[0].remaining


def said(exchange: Exchange, event: Any) -> Action:
    async def settled() -> Action:
        action = exchange.on_event(event)
        return await action if isinstance(action, Awaitable) else action

    return asyncio.run(settled())


def code(action: Action) -> tuple[int, str]:
    assert isinstance(action, Respond)
    return action.status, json.loads(action.body)["error"]["code"]


REFUSED = (429, "rate_limit_exceeded")


@pytest.fixture(params=["here", "far"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """By a limiter that answers at once, and by one that has to ask others."""
    limiter = MappedLimiter(tmp_path, None, lambda: 1000 * SECOND, rows=1024)
    yield World(limiter if request.param == "here" else FarLimiter(limiter))
    limiter.close()


def test_a_call_takes_its_estimate_and_pays_what_it_used(world: World) -> None:
    exchange, action = world.chat(max_tokens=1000)
    assert isinstance(action, Forward)
    assert action.told[0].remaining == world_less(1000, action)
    said(exchange, ResponseHeaders(200, "llm/a"))
    assert not exchange.is_over
    said(exchange, ResponseEnd(Usage(30, 12)))
    exchange.on_close()
    assert world.left() == 10_000 - 42


def world_less(most: int, action: Forward) -> int:
    """The estimate has the input in it, too."""
    told = action.told[0]
    assert 0 < 10_000 - most - told.remaining < 100
    return told.remaining


def test_the_place_is_held_until_the_call_is_closed(world: World) -> None:
    exchange, _ = world.chat()
    said(exchange, ResponseHeaders(200, "llm/a"))
    said(exchange, ResponseEnd(Usage(30, 12)))
    assert not exchange.is_over
    assert code(world.chat()[1]) == REFUSED
    assert isinstance(world.chat("k-bob")[1], Forward)
    exchange.on_close()
    assert isinstance(world.chat()[1], Forward)


def test_what_a_provider_refused_takes_no_tokens(world: World) -> None:
    exchange, _ = world.chat(max_tokens=5000)
    said(exchange, ResponseHeaders(503, "llm/a", "via_upstream"))
    exchange.on_close()
    assert world.left() == 10_000


def test_what_breaks_off_keeps_its_estimate_and_no_place(world: World) -> None:
    exchange, action = world.chat(max_tokens=5000)
    assert isinstance(action, Forward)
    exchange.on_close()
    assert world.left() == action.told[0].remaining
    assert isinstance(world.chat()[1], Forward)


def test_what_a_budget_refuses_gives_all_back(world: World) -> None:
    exchange, action = world.chat("k")
    assert code(action) == (429, "budget_exhausted")
    assert world.left("k") == 10_000
    exchange.on_close()
    assert code(world.chat("k")[1]) == (429, "budget_exhausted")


def test_who_is_refused_is_told_in_headers(world: World) -> None:
    _, action = world.chat(max_tokens=10_000)
    assert code(action) == REFUSED
    assert isinstance(action, Respond)
    told = dict(action.headers)
    assert told["x-ratelimit-limit-tokens"] == "10000"
    assert told["x-ratelimit-remaining-tokens"] == "10000"
    assert told["x-should-retry"] == "false"


def test_a_worker_that_leaves_holds_no_place(world: World) -> None:
    exchange, _ = world.chat(stream=True)
    said(exchange, ResponseHeaders(200, "llm/a"))
    assert exchange.let_go()
    exchange.on_close()
    assert isinstance(world.chat()[1], Forward)
    plain, _ = world.plain("app")
    assert plain.let_go()
    assert not isinstance(world.plain("app")[1], Respond)


def test_an_open_route_is_limited_and_asks_nobody_who_they_are(world: World) -> None:
    exchange, action = world.plain("docs", authorization="Bearer nobody")
    assert action == Strip((), (Told("requests", 1, 0, 86_400 * SECOND),))
    assert exchange.is_over
    refused, action = world.plain("docs")
    assert code(action) == REFUSED
    assert refused.is_over


def test_bodies_of_plain_routes_are_known_by_their_length(world: World) -> None:
    exchange, action = world.plain("app", is_end=False)
    assert code(action) == (411, "length_required")
    exchange.on_close()
    assert code(world.plain("app", is_end=False, content_length="101")[1]) == REFUSED
    exchange, action = world.plain("app", is_end=False, content_length="100")
    assert not isinstance(action, Respond)
    assert not exchange.is_over
    assert code(world.plain("app")[1]) == REFUSED
    exchange.on_close()
    assert not isinstance(world.plain("app")[1], Respond)


def test_who_leaves_while_others_are_asked_holds_nothing(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        for route, path in (("app", "/app"), ("", "/v1/files")):
            exchange = Exchange(world.program, NOW, route)
            headers = {":method": "GET", ":path": path, "authorization": "Bearer k-ann"}
            action = exchange.on_event(RequestHeaders(headers, True))
            assert isinstance(action, Awaitable)
            assert not exchange.is_over
            exchange.on_close()
            assert await action == CONTINUE

    limiter = MappedLimiter(tmp_path, None, lambda: 1000 * SECOND, rows=1024)
    world = World(FarLimiter(limiter))
    asyncio.run(scene(world))
    assert not isinstance(world.plain("app")[1], Respond)
    assert isinstance(world.chat()[1], Forward)
    limiter.close()
