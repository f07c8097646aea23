from __future__ import annotations

import pytest

from gateway.config.published import for_workers
from gateway.failover import Cause, Failover, HealthRules
from tests.gateway.config.loading import complaints, loaded, meant

EVERYTHING = """
llm:
  providers:
    openai: {type: openai, timeouts: {first_byte: 4s, connect: 1s}}
    groq: {type: groq, timeouts: {silence: 9s}}
  failover:
    after: [rate_limit, content_filter]
    attempts: 2
    time: 30s
    health: {failures: 5, cool_down: 1s, most: 1m}
"""
MEANT = Failover(frozenset({Cause.RATE_LIMIT, Cause.CONTENT_FILTER}), 2, 30, HealthRules(5, 1, 60))


def test_what_is_written_is_meant() -> None:
    gateway = meant(EVERYTHING)
    assert gateway.llm.failover == MEANT
    assert gateway.providers[0].first_byte_seconds == 4


def test_nothing_written_is_the_defaults() -> None:
    found = meant("llm: {providers: {openai: {type: openai}}}")
    assert found.llm.failover == Failover()
    assert found.providers[0].first_byte_seconds is None
    assert frozenset(Cause) - found.llm.failover.causes == {Cause.CONTENT_FILTER}


def test_workers_are_told() -> None:
    told = meant(for_workers(loaded(EVERYTHING)))
    assert told.llm.failover == MEANT
    assert [(each.first_byte_seconds, each.silence_seconds) for each in told.providers] == [
        (4, 300),
        (None, 9),
    ]
    assert "1s" not in for_workers(loaded(EVERYTHING)).replace("cool_down: 1s", "")


def test_workers_are_told_of_silence_only_where_something_depends_on_it() -> None:
    written = "llm: {providers: {groq: {type: groq, timeouts: {silence: 9s}}}}"
    assert "9" not in for_workers(loaded(written))


def test_health_can_be_off() -> None:
    assert meant("llm: {failover: {health: {failures: 0}}}").llm.failover.health.failures == 0


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("{after: []}", "after"),
        ("{after: [sunshine]}", "after"),
        ("{attempts: 0}", "attempts"),
        ("{time: never}", "time"),
        ("{health: {failures: -1}}", "health.failures"),
        ("{health: {cool_down: 10s, most: 9s}}", "health"),
    ],
)
def test_mistakes_are_told_by_their_place(written: str, path: str) -> None:
    (found,) = complaints(f"llm: {{failover: {written}}}")
    assert found.startswith(f"llm.failover.{path}")
