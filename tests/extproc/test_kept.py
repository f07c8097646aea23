"""What is kept for later passes the guards of all models that may be asked with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import pytest

from extproc.events import (
    Action,
    Forward,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    Watch,
)
from tests.kit.llm_exchange import LlmExchange, llm_exchange

YAML = """
llm:
  stored_at: [g]
  providers: {g: {type: gemini, url: "http://g.example/v1beta", key: k}}
  models: {fast: g/gemini-3-flash, safe: g/gemini-3-flash, other: g/gemini-3-pro}
  prices: {gemini-3-flash: {input: 2, output: 9}, gemini-3-pro: {input: 7, output: 9}}
authorize: [{name: no-pro, for: {llm: "*"}, deny: 'llm.model == "gemini-3-pro"'}]
budgets: [{name: all, limit: 1000000 tokens, per: day}]
guardrails:
  - {name: a, type: regex, patterns: [apollo], action: block, for: {model: safe}}
  - {name: b, type: regex, patterns: [mercury], action: block, for: {model: other}}
  - {name: c, type: regex, patterns: [gemini7], action: mask, replacement: "[x]"}
  - {name: d, type: pii, kinds: [email], action: tokenise}
"""


def asked(text: str, model: str = "gemini-3-flash", yaml: str = YAML) -> tuple[LlmExchange, Action]:
    talk = llm_exchange(yaml)
    told = {":method": "POST", ":path": "/v1beta/cachedContents", "x-request-id": "1"}
    talk.say(RequestHeaders(told, False))
    contents = [{"role": "user", "parts": [{"text": text}]}]
    body = {"model": f"models/{model}", "contents": contents, "ttl": "60s"}
    action = talk.exchange.on_event(RequestBody(json.dumps(body).encode()))

    async def awaited(action: Awaitable[Action]) -> Action:
        return await action

    return talk, asyncio.run(awaited(action)) if isinstance(action, Awaitable) else action


def refused(action: Action) -> tuple[int, str]:
    assert isinstance(action, Respond)
    error: dict[str, Any] = json.loads(action.body)["error"]
    return action.status, error["message"]


def test_guards_of_every_model_that_leads_there_read_it() -> None:
    status, message = refused(asked("project apollo")[1])
    assert status == 400
    assert "'a'" in message
    assert isinstance(asked("project mercury")[1], Forward)  # of a model that does not


def test_what_is_masked_is_kept_masked() -> None:
    _, action = asked("of gemini7 and gemini7")
    assert isinstance(action, Forward)
    assert action.body is not None
    assert json.loads(action.body)["contents"][0]["parts"] == [{"text": "of [x] and [x]"}]


def test_no_tokens_are_kept_whose_values_nobody_will_know() -> None:
    assert refused(asked("write to jane@example.com")[1])[0] == 400


def test_rules_know_its_model() -> None:
    status, message = refused(asked("hello", "gemini-3-pro")[1])
    assert (status, "no-pro" in message) == (403, True)


def test_its_tokens_are_booked_when_it_is_made() -> None:
    talk, action = asked("hello")
    assert isinstance(action, Forward)
    assert talk.answered("llm/g", content_type="application/json") == Watch()
    talk.say(
        ResponseBody(b'{"name":"cachedContents/c","usageMetadata":{"totalTokenCount":50}}', True)
    )
    assert (talk.settled(), talk.reserved()) == (50, 0)


@pytest.mark.parametrize("path", ["/v1beta/cachedContents/", "/v1beta/cachedContents/c"])
def test_nothing_is_made_at_another_path(path: str) -> None:
    told = {":method": "POST", ":path": path, "x-request-id": "1"}
    assert refused(llm_exchange(YAML).say(RequestHeaders(told, False)))[0] == 405


def test_nobody_keeps_it_who_is_not_named_for_it() -> None:
    assert (
        refused(asked("hello", yaml=YAML.replace("stored_at: [g]", "stored_at: []"))[1])[0] == 404
    )
