"""When little is left of a budget, another model is asked, as if the client had asked for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from extproc.events import Action, Forward, RequestBody, RequestHeaders, Respond
from extproc.exchange import Exchange
from extproc.ports import Charge, LedgerUnavailable, Level
from extproc.program import Program, build
from gateway import names
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.llm_exchange import Response, clusters, forwarded
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
YAML = """
identity:
  api_keys: {keys: [{name: ann, key: k-ann}, {name: bob, user: bob, key: k-bob}]}
llm:
  providers:
    a: {type: openai, url: "http://a.example/v1", key: sk-a}
    b: {type: anthropic, url: "http://b.example", key: sk-b}
  models:
    smart: {provider: a, model: gpt-5, system_prompt: {append: think long}}
    fast: {provider: b, model: claude-haiku-4-5, system_prompt: {append: be brief}}
    tiny: {provider: a, model: gpt-5-nano}
authorize:
  - {name: not-bob, for: {model: fast}, deny: principal.user == "bob"}
  - {name: all, allow: "true"}
guardrails:
  - {name: calm, type: regex, patterns: [urgent], action: block, for: {model: fast}}
budgets:
  - {name: all, limit: 1000 tokens, per: total, when_low: {below: 20%, route_to: fast}}
  - name: of-fast
    for: {model: fast}
    limit: 100 tokens
    per: total
    mode: soft
    when_low: {below: 50%, route_to: tiny}
"""


class Counted(MemoryLedger):
    """As much is spent as is said."""

    def __init__(self, **spent: int) -> None:
        super().__init__()
        self.at = spent

    def level(self, charge: Charge) -> Level:
        return Level(self.at.get(charge.counter.partition("|")[0].replace("-", "_"), 0), 0)


def program(ledger: MemoryLedger, yaml: str = YAML) -> Program:
    config = load(yaml, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    return build(resolve(config), "1", ledger=ledger, choose=lambda: 0.0, created=1)


def chat(ledger: MemoryLedger, key: str = "k-ann", **fields: Any) -> Action:
    exchange = Exchange(program(ledger), NOW)
    headers = {":method": "POST", ":path": "/v1/chat/completions"}
    headers["authorization"] = f"Bearer {key}"

    async def asked() -> Action:
        for event in (RequestHeaders(headers, False), RequestBody(json.dumps(body).encode())):
            action = exchange.on_event(event)
            if isinstance(action, Awaitable):
                action = await action
        return action

    body = {"model": "smart", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
    body |= fields
    return asyncio.run(asked())


def test_where_enough_is_left_the_model_is_the_clients() -> None:
    action = chat(Counted(all=799))
    assert isinstance(action, Forward)
    assert (clusters(action), action.low) == (["llm/a"], "")
    assert forwarded(action)["model"] == "gpt-5"


def test_the_cheaper_model_is_asked_in_its_own_api_and_the_client_is_told() -> None:
    action = chat(Counted(all=801))
    assert isinstance(action, Forward)
    assert action.low == "all; model=fast"
    assert forwarded(action)["model"] == "claude-haiku-4-5"
    assert "max_tokens" in forwarded(action), "said in Anthropic's words"
    assert "be brief" in str(forwarded(action))
    assert "think long" not in str(forwarded(action))


def test_the_cheaper_models_guards_are_asked() -> None:
    urgent = [{"role": "user", "content": "urgent!"}]
    assert isinstance(chat(Counted(all=799), messages=urgent), Forward)
    action = chat(Counted(all=801), messages=urgent)
    assert isinstance(action, Respond)
    assert "calm" in action.body.decode()


def test_who_may_not_use_the_cheaper_model_stays_with_their_own() -> None:
    action = chat(Counted(all=801), "k-bob")
    assert isinstance(action, Forward)
    assert (action.low, forwarded(action)["model"]) == ("", "gpt-5")


def test_the_cheaper_models_own_budget_may_lead_on() -> None:
    action = chat(Counted(all=801, of_fast=51))
    assert isinstance(action, Forward)
    assert (action.low, forwarded(action)["model"]) == ("of-fast; model=tiny", "gpt-5-nano")


def test_who_asks_for_the_cheaper_model_is_not_told_of_it() -> None:
    action = chat(Counted(all=801), model="fast")
    assert isinstance(action, Forward)
    assert action.low == ""


class Unheard(Counted):
    """Knows nothing until it has looked; or never comes to."""

    def __init__(self, looks: int, *, is_broken: bool = False) -> None:
        super().__init__(all=801)
        self.looks = looks
        self.asked = 0
        self.is_broken = is_broken

    def level(self, charge: Charge) -> Any:
        if self.asked >= self.looks:
            return super().level(charge)
        return self.look(charge)

    async def look(self, charge: Charge) -> Level:
        self.asked += 1
        if self.is_broken:
            raise LedgerUnavailable("cut off")
        return Level(0, 0)


@pytest.mark.parametrize(
    ("looks", "low"), [(1, "all; model=fast"), (2, "all; model=fast"), (9, "")]
)
def test_it_is_looked_for_what_is_not_known_but_not_for_ever(looks: int, low: str) -> None:
    ledger = Unheard(looks)
    action = chat(ledger)
    assert isinstance(action, Forward)
    assert action.low == low
    assert ledger.asked == min(looks, 3)


def test_a_ledger_that_gives_no_answer_leaves_the_model_as_it_is() -> None:
    action = chat(Unheard(9, is_broken=True))
    assert isinstance(action, Forward)
    assert (action.low, forwarded(action)["model"]) == ("", "gpt-5")


REALTIME = (
    YAML.replace(
        "fast: {provider: b,", "live: {provider: a, model: gpt-realtime}\n    fast: {provider: b,"
    )
    .replace("route_to: fast}", "route_to: live}")
    .replace("per: total,", "per: total, mode: soft,")
)


def websocket(ledger: MemoryLedger, yaml: str = REALTIME) -> Action:
    exchange = Exchange(program(ledger, yaml), NOW)
    headers = {":method": "GET", ":path": "/v1/realtime?model=smart&x=1"}
    headers["authorization"] = "Bearer k-ann"

    async def asked() -> Action:
        action = exchange.on_event(RequestHeaders(headers, False))
        return await action if isinstance(action, Awaitable) else action

    return asyncio.run(asked())


def path_of(action: Action) -> str:
    assert isinstance(action, Forward)
    metadata = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    return str(metadata["path"])


@pytest.mark.parametrize(
    ("spent", "model", "low"), [(799, "gpt-5", ""), (801, "gpt-realtime", "all; model=live")]
)
def test_a_session_begins_with_the_cheaper_model(spent: int, model: str, low: str) -> None:
    action = websocket(Counted(all=spent))
    assert path_of(action) == f"/v1/realtime?model={model}&x=1"
    assert isinstance(action, Forward)
    assert action.low == low


def test_a_session_that_the_cheaper_model_does_not_offer_stays_with_its_own() -> None:
    action = websocket(Counted(all=801), YAML.replace("per: total,", "per: total, mode: soft,"))
    assert path_of(action) == "/v1/realtime?model=gpt-5&x=1"
    assert isinstance(action, Forward)
    assert action.low == ""


@pytest.mark.parametrize(("looks", "model"), [(2, "gpt-realtime"), (9, "gpt-5")])
def test_a_session_waits_for_what_is_not_known_but_not_for_ever(looks: int, model: str) -> None:
    assert path_of(websocket(Unheard(looks))) == f"/v1/realtime?model={model}&x=1"


def test_the_calls_are_counted_for_the_model_that_is_asked() -> None:
    class Noted(Counted):
        counters: Sequence[str] = ()

        def note(self, charges: Sequence[Charge]) -> Any:
            self.counters = [each.counter for each in charges]
            return super().note(charges)

    ledger = Noted(all=801)
    chat(ledger)
    assert ledger.counters == ["of-fast|tokens|model=fast"]


def test_what_is_refused_for_the_model_asked_for_is_refused() -> None:
    action = chat(Counted(all=801), model="unknown")
    assert isinstance(action, Respond)
    assert action.status == 404
