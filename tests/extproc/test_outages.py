"""Who could not be asked is told, and not again and again."""

from __future__ import annotations

from extproc.outages import QUIET_SECONDS, Outages
from tests.kit.llm_exchange import chat, llm_exchange


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_provider_is_told_of_once_a_minute() -> None:
    clock = Clock()
    made = Outages(clock)
    assert made.tell("a", 503, "no_healthy_upstream")
    assert not made.tell("a", 503, "no_healthy_upstream")
    assert made.tell("b", 504, "response_timeout")
    clock.now += QUIET_SECONDS
    assert made.tell("a", 503, "lua_response")


def told_of(status: int, details: str) -> bool:
    """Whether an answer was told of: then another is not."""
    talk = llm_exchange()
    talk.ask(**chat("gpt"))
    talk.answered("llm/chat", status, details)
    assert talk.program is not None
    return not talk.program.outages.tell("chat", status, details)


def test_what_envoy_answers_itself_is_told() -> None:
    assert told_of(503, "no_healthy_upstream")
    assert told_of(503, "lua_response")
    assert told_of(504, "response_timeout")


def test_a_key_that_a_client_did_not_bring_is_no_outage() -> None:
    assert not told_of(401, "lua_response")


def test_what_a_provider_answers_is_the_clients_alone() -> None:
    assert not told_of(503, "via_upstream")
    assert not told_of(200, "")
