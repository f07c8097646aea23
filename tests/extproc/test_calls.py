"""A line for each call that is settled, where somebody reads it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from extproc import calls
from extproc.calls import Answered, Caller, caller
from extproc.events import ResponseBody, ResponseEnd
from extproc.facts import Facts
from gateway.price import Price
from gateway.usage import Usage
from tests.kit.llm_exchange import NOW, WITHOUT_BUDGETS, chat, llm_exchange
from tests.kit.sample_providers import SAMPLES

LOGGER = "extproc.calls"
WHOSE = Caller("7e5c", "ann", "a@x", "fast")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


def lines(told: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What each line has beside its text."""
    usual = {*vars(logging.makeLogRecord({})), "message"}
    return [
        {name: value for name, value in vars(record).items() if name not in usual}
        for record in told.records
        if record.name == LOGGER
    ]


def test_where_nobody_reads_nothing_is_made() -> None:
    assert caller(Facts(NOW)) is None


def test_a_line_has_what_was_counted_as_fields(told: pytest.LogCaptureFixture) -> None:
    usage = Usage(1000, 20, reported=(("prompt_tokens", 1000),))
    price = Price(10**9, 2 * 10**9, 10**8, 10**9)
    calls.record(WHOSE, Answered("openai", "gpt-5", price), usage)
    assert lines(told)[0] == {
        "request_id": "7e5c",
        "key": "ann",
        "user": "a@x",
        "model": "fast",
        "provider": "openai",
        "provider_model": "gpt-5",
        "input_tokens": 1000,
        "output_tokens": 20,
        "cost_usd": 0.00104,
        "reported": {"prompt_tokens": 1000},
    }


def test_an_estimate_is_marked_and_what_has_no_price_has_no_cost(
    told: pytest.LogCaptureFixture,
) -> None:
    calls.record(WHOSE, Answered("p", "m", None), Usage(1, 2, is_estimated=True))
    (found,) = lines(told)
    assert found["estimated"] is True
    assert not {"cost_usd", "reported"} & set(found)


def test_a_call_is_told_when_it_is_settled_and_once(told: pytest.LogCaptureFixture) -> None:
    talk = llm_exchange()
    talk.ask(**chat("gpt"))
    talk.answered("llm/chat")
    talk.say(ResponseEnd(Usage(3, 4)))
    talk.exchange.on_close()
    (line,) = lines(told)
    assert (line["request_id"], line["provider"], line["provider_model"]) == (
        "7e5c-01", "chat", "gpt",
    )  # fmt: skip
    assert (line["input_tokens"], line["output_tokens"]) == (3, 4)
    assert "estimated" not in line


def test_a_translated_call_is_told_without_a_budget_too(told: pytest.LogCaptureFixture) -> None:
    talk = llm_exchange(WITHOUT_BUDGETS)
    talk.ask(**chat("opus"))
    body = (SAMPLES / "anthropic/answers/text.json").read_bytes()
    talk.answered("llm/claude/addressed", content_type="application/json")
    talk.say(ResponseBody(body, True))
    talk.exchange.on_close()
    (line,) = lines(told)
    assert line["provider"] == "claude"
    assert line["reported"]["input_tokens"] > 0


def test_a_call_that_nobody_counted_is_told_as_an_estimate(
    told: pytest.LogCaptureFixture,
) -> None:
    talk = llm_exchange()
    talk.ask(**chat("gpt"))
    talk.exchange.on_close()
    (line,) = lines(told)
    assert line["estimated"] is True


def test_a_call_that_cost_nothing_is_not_told(told: pytest.LogCaptureFixture) -> None:
    talk = llm_exchange()
    talk.ask(**chat("gpt"))
    talk.answered("llm/chat", 400)
    talk.exchange.on_close()
    assert lines(told) == []
