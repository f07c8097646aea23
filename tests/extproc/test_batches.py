"""Answers about batches are looked at as they pass, and pass as they are."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.batches import MOST_MODELS
from extproc.bills import Books
from extproc.events import (
    CONTINUE,
    Action,
    Forward,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Watch,
)
from extproc.exchange import Exchange
from extproc.program import Program, build
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.cuts import cut
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())
YAML = """
identity:
  api_keys:
    keys: [{name: anna, key: k-anna, team: red}, {name: bert, key: k-bert, team: blue}]
llm:
  providers:
    openai: {type: openai, url: "http://openai.example/v1", key: k}
    anthropic: {type: anthropic, url: "http://anthropic.example/v1", key: k}
  models: {talk: openai/gpt-5.4, small: anthropic/claude-haiku-5}
  stored_at: [openai, anthropic]
  prices:
    gpt-5.4:
      {input: 4, output: 8, tiers: [{above: 100, input: 9}], service_tiers: {batch: {factor: 0.5}}}
    claude-opus-5:
      input: 6
      output: 10
      tiers: [{above: 100, input: 12}]
      service_tiers: {batch: {factor: 0.5}}
    claude-haiku-5: {input: 1, output: 1}
"""
BUDGETS = """
budgets:
  - {name: teams, for: {team: "*"}, limit: 1 USD, per: day}
  - {name: all, limit: 1000000 tokens, per: day}
  - {name: haiku, for: {model: small}, limit: 10 tokens, per: day}
"""
CREATED = int(NOW.timestamp()) - 3600
BATCH: dict[str, Any] = {
    "id": "batch_1",
    "object": "batch",
    "status": "validating",
    "created_at": CREATED,
    "model": None,
    "usage": None,
}
DONE = {
    **BATCH,
    "status": "completed",
    "model": "gpt-5.4",
    "usage": {"input_tokens": 300, "output_tokens": 50, "total_tokens": 350},
}
MONEY = 300 * 2000 + 50 * 4000
"""At half the price, whatever the sum of all requests is."""


def program(ledger: MemoryLedger, books: Books, yaml: str) -> Program:
    config = load(yaml, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    gateway = resolve(config)
    return build(gateway, "1", ledger=ledger, choose=lambda: 0.0, created=7, books=books)


class Desk:
    """A worker, and what its ledger says."""

    def __init__(self, yaml: str = YAML + BUDGETS, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        self.books = Books(self.ledger)
        self.program = program(self.ledger, self.books, yaml)
        self.exchange = Exchange(self.program, NOW)
        self.now = NOW

    async def asked(self, method: str, path: str, key: str = "k-anna") -> Action:
        """What becomes of a request."""
        headers = {":method": method, ":path": path, "authorization": f"Bearer {key}"}
        self.exchange = Exchange(self.program, self.now)
        answer = self.exchange.on_event(RequestHeaders(headers, True))
        return await answer if isinstance(answer, Awaitable) else answer

    def say(self, event: Any) -> Action:
        answer = self.exchange.on_event(event)
        assert not isinstance(answer, Awaitable)
        return answer

    async def answered(
        self, pieces: list[bytes], status: int = 200, *, is_whole: bool = True, **headers: str
    ) -> list[Action]:
        """What is done with each piece of the provider's answer, until the call may end."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        actions = [self.say(ResponseHeaders(status, "llm/openai", "", 0, told))]
        for place, piece in enumerate(pieces, 1):
            if self.exchange.is_over:
                break
            actions.append(self.say(ResponseBody(piece, is_whole and place == len(pieces))))
        self.exchange.on_close()
        await self.books.finish()
        return actions

    async def polled(
        self, document: object, path: str = "/v1/batches/batch_1", method: str = "GET",
        key: str = "k-anna",
    ) -> None:  # fmt: skip
        assert isinstance(await self.asked(method, path, key), Forward)
        await self.answered([json.dumps(document).encode()])

    async def made(self, key: str = "k-anna") -> None:
        await self.polled(BATCH, "/v1/batches", "POST", key)

    async def spent(self, counter: str) -> int:
        return (await self.ledger.spent(counter, DAY)).settled

    async def totals(self) -> tuple[int, int, int]:
        """Of anna's team and of bert's, in nanodollars; of all, in tokens."""
        teams = [await self.spent(f"teams|team={team}") for team in ("red", "blue")]
        return teams[0], teams[1], await self.spent("all|tokens")


def play(scene: Callable[[Desk], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        await scene(Desk(**settings))

    asyncio.run(main())


def test_a_batch_is_booked_once_on_who_made_it_at_the_price_of_batches() -> None:
    async def scene(desk: Desk) -> None:
        await desk.made("k-anna")
        assert await desk.totals() == (0, 0, 0)
        for key in ("k-bert", "k-anna", "k-bert"):
            await desk.polled(DONE, key=key)
            assert await desk.totals() == (MONEY, 0, 350)
        await desk.polled({**DONE, "status": "cancelling"}, "/v1/batches/batch_1/cancel", "POST")
        assert await desk.totals() == (MONEY, 0, 350)

    play(scene)


def test_what_is_told_after_a_batch_was_cancelled_is_booked_too() -> None:
    async def scene(desk: Desk) -> None:
        await desk.made()
        cancelled = {**DONE, "status": "cancelled"}
        await desk.polled(cancelled, "/v1/batches/batch_1/cancel", "POST", "k-bert")
        assert await desk.totals() == (MONEY, 0, 350)

    play(scene)


def test_a_batch_of_somebody_else_is_booked_on_who_looks_it_up_and_not_on_who_lists_all() -> None:
    async def scene(desk: Desk) -> None:
        page = {"object": "list", "data": [DONE, {**DONE, "id": "batch_2"}]}
        await desk.polled(page, "/v1/batches?limit=2", key="k-bert")
        assert await desk.totals() == (0, 0, 0)
        await desk.made("k-anna")
        await desk.polled(page, "/v1/batches?limit=2", key="k-bert")
        assert await desk.totals() == (MONEY, 0, 350)
        await desk.polled({**DONE, "id": "batch_2"}, "/v1/batches/batch_2/", key="k-bert")
        assert await desk.totals() == (MONEY, MONEY, 700)

    play(scene)


def test_who_made_a_batch_pays_also_after_the_key_is_gone() -> None:
    async def scene(desk: Desk) -> None:
        await desk.made("k-anna")
        without = (YAML + BUDGETS).replace("{name: anna, key: k-anna, team: red}, ", "")
        later = Desk(without, desk.ledger)
        await later.polled(DONE, key="k-bert")
        assert await later.totals() == (MONEY, 0, 350)

    play(scene)


def test_batches_of_long_ago_are_not_booked_again() -> None:
    async def scene(desk: Desk) -> None:
        desk.now = NOW + timedelta(days=31)
        await desk.polled(DONE)
        assert await desk.ledger.counters() == []

    play(scene)


@pytest.mark.parametrize("model", ["gpt-unknown", None])
def test_without_a_price_tokens_are_booked(model: str | None) -> None:
    async def scene(desk: Desk) -> None:
        await desk.polled({**DONE, "model": model})
        assert await desk.totals() == (0, 0, 350)

    play(scene)


def line(model: str, read: int, written: int) -> bytes:
    usage = {"input_tokens": read, "output_tokens": written}
    message = {"model": model, "content": [{"type": "text", "text": "héllo"}], "usage": usage}
    result = {"custom_id": "1", "result": {"type": "succeeded", "message": message}}
    return json.dumps(result).encode() + b"\n"


LINES = [line("claude-opus-5", 60, 5), line("claude-haiku-5", 7, 1), line("claude-opus-5", 200, 5)]
"""Of the last, the input is long enough to be dearer."""
OPUS = 60 * 3000 + 5 * 5000, 200 * 6000 + 5 * 5000
HAIKU = 8 * 1000
RESULTS = "/v1/messages/batches/msgbatch_1/results"


@given(st.lists(st.integers(0, 10_000), max_size=9))
def test_results_are_booked_by_the_line_however_they_are_cut(places: list[int]) -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("GET", RESULTS)
        pieces = cut(b"".join(LINES), places)
        assert await desk.answered(pieces) == [Watch(), *[CONTINUE] * len(pieces)]
        assert await desk.totals() == (sum(OPUS) + HAIKU, 0, 278)
        assert await desk.spent("haiku|tokens|model=small") == 8

    play(scene)


def test_of_results_that_a_client_does_not_take_what_it_took_is_booked_and_later_the_rest() -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("POST", "/v1/messages/batches")
        await desk.answered([b'{"id": "msgbatch_1", "type": "message_batch"}'])
        for taken, money, tokens in (
            (1, OPUS[0], 65),
            (2, OPUS[0] + HAIKU, 73),
            (1, OPUS[0] + HAIKU, 73),
            (3, sum(OPUS) + HAIKU, 278),
        ):
            await desk.asked("GET", RESULTS, "k-bert")
            await desk.answered(LINES[:taken], is_whole=False)
            assert await desk.totals() == (money, 0, tokens)

    play(scene)


def test_results_are_counted_also_where_they_come_compressed() -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("GET", RESULTS)
        packed = gzip.compress(b"".join(LINES))
        await desk.answered([packed[:50], packed[50:]], content_encoding="gzip")
        assert await desk.totals() == (sum(OPUS) + HAIKU, 0, 278)

    play(scene)


@pytest.mark.parametrize("coding", ["gzip", "snappy"])
def test_what_cannot_be_unpacked_passes_and_is_not_counted(coding: str) -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("GET", RESULTS)
        actions = await desk.answered([*LINES], content_encoding=coding)
        assert actions[-1] == CONTINUE
        assert desk.exchange.is_over
        assert await desk.ledger.counters() == []

    play(scene)


def test_a_batch_of_very_many_models_is_counted_as_that_of_some() -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("GET", RESULTS)
        await desk.answered([line(f"model-{each}", 1, 0) for each in range(MOST_MODELS + 50)])
        assert await desk.totals() == (0, 0, MOST_MODELS + 50)

    play(scene)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/files"),
        ("DELETE", "/v1/batches/batch_1"),
        ("GET", "/v1/messages/batches/msgbatch_1"),
        ("POST", "/v1/messages/batches/msgbatch_1/cancel"),
        ("GET", "/v1/messages/batches"),
        ("GET", "/v1/responses/resp_1"),
    ],
)
def test_nobody_waits_for_answers_that_tell_nothing(method: str, path: str) -> None:
    async def scene(desk: Desk) -> None:
        assert isinstance(await desk.asked(method, path), Forward)
        assert desk.exchange.is_over

    play(scene)


def test_where_nothing_is_counted_nobody_waits_for_answers() -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("GET", "/v1/batches/batch_1")
        assert desk.exchange.is_over
        await desk.asked("POST", "/v1/batches")
        assert desk.exchange.is_over

    play(scene, yaml=YAML)


def test_an_answer_that_is_an_error_is_not_looked_at() -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("GET", "/v1/batches/batch_1")
        assert await desk.answered([json.dumps(DONE).encode()], 404) == [CONTINUE]
        assert await desk.ledger.counters() == []

    play(scene)


def test_whole_answers_are_asked_for_where_they_are_counted() -> None:
    async def scene(desk: Desk) -> None:
        counted = await desk.asked("GET", RESULTS)
        passed = await desk.asked("GET", RESULTS.replace("results", "other"))
        assert isinstance(counted, Forward)
        assert isinstance(passed, Forward)
        for header in (b"accept-encoding", b"range", b"if-range"):
            assert (header in counted.plan_reply, header in passed.plan_reply) == (True, False)

    play(scene)


def test_a_worker_that_leaves_books_what_it_has_seen() -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("GET", RESULTS)
        assert not desk.exchange.let_go()
        desk.say(ResponseHeaders(200, "llm/anthropic"))
        desk.say(ResponseBody(LINES[0], False))
        assert desk.exchange.let_go()
        desk.exchange.on_close()
        await desk.books.finish()
        assert await desk.totals() == (OPUS[0], 0, 65)

    play(scene)


def test_a_client_that_leaves_before_the_answer_has_nothing_booked() -> None:
    async def scene(desk: Desk) -> None:
        await desk.asked("GET", RESULTS)
        desk.exchange.on_close()
        await desk.books.finish()
        assert await desk.ledger.counters() == []

    play(scene)


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/batches/", "/v1/messages/batches?x=1"])
def test_no_batch_is_made_for_who_has_nothing_left(path: str) -> None:
    async def scene(desk: Desk) -> None:
        assert isinstance(await desk.asked("POST", path), Forward)
        await desk.made("k-anna")
        usage = {"input_tokens": 500_000, "output_tokens": 0}
        await desk.polled({**DONE, "usage": usage})  # a dollar
        refused = await desk.asked("POST", path)
        assert isinstance(refused, Respond)
        assert refused.status == 429
        assert b"budget 'teams' of team=red: 1 of 1 USD spent" in refused.body
        assert isinstance(await desk.asked("POST", path, "k-bert"), Forward)
        assert isinstance(await desk.asked("GET", path), Forward)
        assert isinstance(await desk.asked("POST", "/v1/batches/batch_1/cancel"), Forward)

    play(scene)


class SlowLedger(MemoryLedger):
    """Has to be waited for."""

    def reserve(self, charges: Any) -> Any:
        async def later() -> Any:
            return super(SlowLedger, self).reserve(charges)

        return later()


def test_whether_something_is_left_may_have_to_be_waited_for() -> None:
    async def scene(desk: Desk) -> None:
        assert isinstance(await desk.asked("POST", "/v1/batches"), Forward)
        assert not desk.exchange.is_over
        usage = {"input_tokens": 500_000, "output_tokens": 0}
        await desk.polled({**DONE, "usage": usage})
        refused = await desk.asked("POST", "/v1/batches")
        assert isinstance(refused, Respond)
        assert refused.details == "dragoman_budget_exhausted"

    play(scene, ledger=SlowLedger())


def test_rules_come_before_budgets() -> None:
    rule = "authorize: [{name: none, for: {llm: '*'}, deny: 'true'}]\n"

    async def scene(desk: Desk) -> None:
        refused = await desk.asked("POST", "/v1/batches")
        assert isinstance(refused, Respond)
        assert refused.status == 403

    play(scene, yaml=YAML + rule + BUDGETS)
