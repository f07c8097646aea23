"""Batches by the vendors' own libraries: booked once, on who made them, at the price of batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.conftest import SERVED
from tests.kit import web
from tests.kit.batch_providers import BatchProviders, batch_providers, result
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  api_keys:
    keys:
      - {name: anna, key: key-of-anna, team: red}
      - {name: bert, key: key-of-bert, team: blue}
      - {name: carl, key: key-of-carl, team: green}
llm:
  stored_at: [openai, anthropic]
  providers:
    openai: {type: openai, url: "%(url)s/openai/v1", key: sk-openai}
    anthropic: {type: anthropic, url: "%(url)s/anthropic/v1", key: sk-ant}
  models: {talk: openai/gpt-5.4, claude: anthropic/claude-opus-5}
  prices:
    gpt-5.4: {input: 4, output: 8, cached_input: 1, service_tiers: {batch: {factor: 0.5}}}
    claude-opus-5: {input: 6, output: 10, service_tiers: {batch: {input: 3, output: 5}}}
budgets:
  - {name: teams, for: {team: "*"}, limit: 1 USD, per: month}
  - {name: tokens, for: {key: "*"}, limit: 10000000 tokens, per: month}
"""
KEYS = {name: f"key-of-{name}" for name in ("anna", "bert", "carl")}
USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 200},
    "output_tokens": 300,
    "output_tokens_details": {"reasoning_tokens": 100},
    "total_tokens": 1300,
}
MONEY = 800 * 2000 + 200 * 500 + 300 * 4000


@dataclass(slots=True)
class Here:
    """A gateway before providers of batches."""

    stack: Stack
    providers: BatchProviders
    before: dict[str, int]
    """What was spent when the test began."""

    @contextmanager
    def openai(self, who: str) -> Iterator[openai.OpenAI]:
        with openai.OpenAI(
            base_url=f"{self.stack.url}/v1", api_key=KEYS[who], max_retries=0, timeout=60
        ) as client:
            yield client

    @contextmanager
    def anthropic(self, who: str) -> Iterator[anthropic.Anthropic]:
        with anthropic.Anthropic(
            base_url=self.stack.url, api_key=KEYS[who], max_retries=0, timeout=60
        ) as client:
            yield client

    def get(self, who: str, path: str, **headers: str) -> httpx.Response:
        told = {"authorization": f"Bearer {KEYS[who]}", **headers}
        return web.get(self.stack.url + path, headers=told, timeout=60)

    def spent(self) -> dict[str, int]:
        return {name: row["settled"] for name, row in self.stack.budgets().items()}

    def has_spent(self, **wanted: int) -> None:
        """Nanodollars of the teams, and tokens of the keys."""
        counters = {
            **{team: f"teams|team={team}" for team in ("red", "blue", "green")},
            **{key: f"tokens|tokens|key={key}" for key in ("anna", "bert")},
        }

        def is_so() -> bool:
            found = self.spent()
            return all(
                found.get(name, 0) - self.before.get(name, 0) == wanted.get(short, 0)
                for short, name in counters.items()
            )

        try:
            eventually(is_so, "booked", seconds=5)
        except AssertionError:
            told = f"{self.spent()} is not {wanted} after {self.before}"
            raise AssertionError(told) from None


@pytest.fixture(scope="module", params=[NEWEST, f"{OLDEST}-delta"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Here]:
    """By the newest Envoy, with two workers, and by the oldest."""
    folder = tmp_path_factory.mktemp("batches")
    with batch_providers() as providers:
        file = folder / "gateway.yaml"
        file.write_text(CONFIG % {"url": providers.url})
        providers.created = int(time.time())
        with SERVED[request.param](file, folder / "state") as stack:
            providers.results_below = stack.url
            yield Here(stack, providers, {})


@pytest.fixture
def here(shared: Here) -> Iterator[Here]:
    shared.before = shared.spent()
    yield shared
    assert shared.providers.faults == []


def made_by(who: str, here: Here) -> str:
    with here.openai(who) as client:
        made = client.batches.create(
            completion_window="24h", endpoint="/v1/responses", input_file_id="file-1"
        )
    assert made.status == "validating"
    return made.id


def test_a_batch_is_booked_once_on_who_made_it_however_often_and_whoever_asks(here: Here) -> None:
    batch = made_by("anna", here)
    with here.openai("bert") as bert, here.openai("anna") as anna:
        for client in (bert, anna) * 3:  # all workers hear of it
            assert client.batches.retrieve(batch).usage is None
        here.has_spent()
        here.providers.uses(batch, "gpt-5.4-2026-03-05", USAGE, "completed")
        for client in (bert, anna) * 10:
            found = client.batches.retrieve(batch)
            assert found.usage is not None
            assert found.usage.total_tokens == 1300
        here.has_spent(red=MONEY, anna=1300)
        assert batch in [each.id for each in bert.batches.list()]
        assert bert.batches.retrieve(batch).status == "completed"
    here.has_spent(red=MONEY, anna=1300)


def test_what_was_done_of_a_batch_that_is_cancelled_is_booked(here: Here) -> None:
    batch = made_by("anna", here)
    part = {**USAGE, "output_tokens": 100, "total_tokens": 1100}
    here.providers.uses(batch, "gpt-5.4", part, "in_progress")
    with here.openai("bert") as bert:
        assert bert.batches.cancel(batch).status == "cancelling"
        here.has_spent(red=MONEY - 200 * 4000, anna=1100)
        here.providers.uses(batch, "gpt-5.4", USAGE, "cancelled")
        for _ in range(4):
            assert bert.batches.retrieve(batch).status == "cancelled"
    here.has_spent(red=MONEY, anna=1300)


def test_a_batch_that_somebody_else_made_is_booked_on_who_finds_it(here: Here) -> None:
    batch = here.providers.made("openai")["id"]
    here.providers.uses(batch, "gpt-5.4", USAGE, "expired")
    with here.openai("anna") as anna, here.openai("bert") as bert:
        assert batch in [each.id for each in anna.batches.list()]
        assert bert.batches.retrieve(batch).status == "expired"
        here.has_spent(blue=MONEY, bert=1300)
        anna.batches.retrieve(batch)
        anna.batches.retrieve(batch)
    here.has_spent(blue=MONEY, bert=1300)


LINES = [
    result("claude-opus-5", {"input_tokens": 70, "output_tokens": 30}),
    b'{"custom_id": "2", "result": {"type": "expired"}}\n',
    result("claude-opus-5", {"input_tokens": 10, "output_tokens": 2}, "é" * 100_000),
]
OPUS = 80 * 3000 + 32 * 5000


def test_results_of_messages_are_booked_once_on_who_made_the_batch(here: Here) -> None:
    message = {"role": "user", "content": "Hi"}
    params: Any = {"model": "claude-opus-5", "max_tokens": 9, "messages": [message]}
    with here.anthropic("bert") as bert:
        batch = bert.messages.batches.create(requests=[{"custom_id": "1", "params": params}]).id
    with here.anthropic("anna") as anna:
        assert anna.messages.batches.retrieve(batch).processing_status == "in_progress"
        here.providers.ends(batch, LINES)
        for _ in range(4):
            found = list(anna.messages.batches.results(batch))
            assert [each.result.type for each in found] == [
                "succeeded",
                "expired",
                "succeeded",
            ]
        path = f"/v1/messages/batches/{batch}/results"  # where results_url leads elsewhere
        assert anna.get(path, cast_to=str) == b"".join(LINES).decode()
        anna.messages.batches.cancel(batch)
    here.has_spent(blue=OPUS, bert=112)


def test_answers_pass_as_they_are_and_at_once(here: Here) -> None:
    batch = made_by("anna", here)
    here.providers.uses(batch, "gpt-5.4", USAGE, "completed")
    for path in (f"/batches/{batch}", "/batches?limit=20"):
        direct = web.get(
            f"{here.providers.url}/openai/v1{path}",
            headers={"authorization": "Bearer sk-openai", "accept-encoding": ""},
        )
        passed = here.get("anna", f"/v1{path}", range="bytes=0-9")
        assert (passed.status_code, passed.content) == (200, direct.content)
        assert passed.headers["content-type"] == direct.headers["content-type"]
    made = here.providers.made("anthropic")["id"]
    here.providers.ends(made, LINES * 40)
    passed = here.get("bert", f"/v1/messages/batches/{made}/results")
    assert passed.content == b"".join(LINES * 40)
    here.has_spent(red=MONEY, anna=1300, blue=40 * OPUS, bert=40 * 112)


def test_who_has_nothing_left_may_make_no_batch(here: Here) -> None:
    batch = made_by("carl", here)
    usage = {"input_tokens": 500_000, "output_tokens": 0, "total_tokens": 500_000}
    here.providers.uses(batch, "gpt-5.4", usage, "completed")
    here.get("bert", f"/v1/batches/{batch}")
    here.has_spent(green=1_000_000_000)

    def is_refused() -> bool:  # as soon as all workers know
        try:
            made_by("carl", here)
        except openai.RateLimitError as error:
            return "nothing is left" in error.message
        return False

    eventually(lambda: all(is_refused() for _ in range(6)), "refused by all workers")
    with here.openai("carl") as carl:
        assert carl.batches.cancel(batch).id == batch
    with here.anthropic("carl") as claude, pytest.raises(anthropic.RateLimitError):
        claude.messages.batches.create(requests=[])
    assert here.providers.asked[-1] == f"POST /openai/v1/batches/{batch}/cancel"


def test_a_batch_outlives_the_gateway(here: Here) -> None:
    first, second = made_by("anna", here), made_by("anna", here)
    for batch in (first, second):
        here.providers.uses(batch, "gpt-5.4", USAGE, "completed")
    here.get("bert", f"/v1/batches/{first}")
    here.has_spent(red=MONEY, anna=1300)
    here.stack.stop()
    with running(here.stack.config, here.stack.state) as stack:
        later = replace(here, stack=stack)
        for _ in range(4):
            for batch in (first, second):
                later.get("bert", f"/v1/batches/{batch}")
        later.has_spent(red=2 * MONEY, anna=2600)
