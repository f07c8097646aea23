"""What can be written of limits, and what it means."""

from __future__ import annotations

import pytest

from gateway.config.published import for_workers, published
from gateway.limits import Algorithm, Limit, Rate
from gateway.scopes import Mode, Scope
from tests.gateway.config.loading import complaints, loaded, meant


def limits(block: str) -> tuple[Limit, ...]:
    return meant(f"limits: [{block}]").limits


def test_all_that_can_be_counted_is_written_in_one_line() -> None:
    (found,) = limits(
        "{name: l, for: {key: '*', llm: '*'}, requests: 60/min, tokens: 100k/hour,"
        " bytes: 1.5MB/s, concurrent: 3, algorithm: sliding_window, mode: audit}"
    )
    assert found == Limit(
        "l",
        Scope(key="*", llm="*"),
        Rate(60, 60),
        Rate(100_000, 3600),
        Rate(1_500_000, 1),
        3,
        Algorithm.SLIDING_WINDOW,
        Mode.AUDIT,
    )


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("5/s", Rate(5, 1)),
        ("5 / second", Rate(5, 1)),
        ("1k/m", Rate(1000, 60)),
        ("2M/minute", Rate(2_000_000, 60)),
        ("1/h", Rate(1, 3600)),
        ("10k/d", Rate(10_000, 86400)),
        ("1/day", Rate(1, 86400)),
    ],
)
def test_a_rate_is_an_amount_in_each_period(written: str, rate: Rate) -> None:
    (found,) = limits(f"{{name: l, requests: {written}}}")
    assert found.requests == rate


@pytest.mark.parametrize(
    "written", ["60", "/min", "60/", "60/week", "1.5/s", "0/s", "1MB/s", "-1/s"]
)
def test_what_is_no_rate_is_said(written: str) -> None:
    (found,) = complaints(f"limits: [{{name: l, requests: {written}}}]")
    assert found.startswith("limits.0.requests: must be")


def test_tokens_are_not_measured_in_bytes_nor_bytes_in_thousands() -> None:
    assert complaints("limits: [{name: l, tokens: 1MB/s}]")
    assert complaints("limits: [{name: l, bytes: 1k/s}]")
    assert not complaints("limits: [{name: l, bytes: 65536/s}]")


def test_a_limit_counts_something() -> None:
    (found,) = complaints("limits: [{name: l}]")
    assert "needs at least one of requests, tokens, bytes and concurrent" in found


def test_what_is_published_means_the_same() -> None:
    text = "limits: [{name: l, for: {team: red}, requests: 90/min, bytes: 1MiB/day}]"
    config = loaded(text)
    assert meant(published(config)).limits == meant(text).limits
    assert meant(for_workers(config)).limits == meant(text).limits


DESCRIBED = """
routes: [{{name: a, match: {{path: {{prefix: /a}}}}, backend: 'http://a', auth: none}}]
limit_services: {{s: {{url: 'http://s:1', domain: d}}}}
limits: [{{name: l, for: {{route: a}}, {}}}]
"""


def test_a_service_may_be_asked_with_entries_of_ones_own() -> None:
    text = """service: s, descriptor: {tier: '"free"', h: 'request.headers["x-a"]'}"""
    [limit] = meant(DESCRIBED.format(text)).limits
    assert limit.descriptor == (("tier", '"free"'), ("h", 'request.headers["x-a"]'))


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("requests: 1/s, descriptor: {a: request.method}", "which is for a service"),
        ("service: s, by: source.address, descriptor: {a: request.method}", "says by what it"),
        ("service: s, descriptor: {a: request.query}", "nothing that Envoy can ask a service with"),
        ("service: s, descriptor: {a: source.address}", "'remote_address' is for source.address"),
        ("service: s, descriptor: {remote_address: request.method}", "is for source.address"),
        ("service: s, descriptor: {'a b': request.method}", "descriptor"),
        (
            "service: s, descriptor: {"
            + ", ".join(f"h{n}: 'request.headers[\"x-{n}\"]'" for n in range(5))
            + "}",
            "has more than 4 headers",
        ),
    ],
)
def test_what_no_service_can_be_asked_with_is_a_problem(written: str, problem: str) -> None:
    [found] = complaints(DESCRIBED.format(written))
    assert problem in found
