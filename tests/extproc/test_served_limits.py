"""A rate limit service without its protocol: the tree, the counts, and what is owed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.ports import LimitsUnavailable
from extproc.served_limits import Asked, ServedLimits, Status
from gateway.limits import Algorithm, RateLimitService, ServedLimit
from tests.kit.far_limiter import FarLimiter
from tests.kit.gateways import gateway_of

SECOND = 10**9
YAML = """
rate_limit_service:
  domains:
    - domain: edge
      descriptors:
        - {key: address, rate_limit: {unit: minute, requests_per_unit: 2}}
        - {key: tenant, value: free, rate_limit: {unit: hour, requests_per_unit: 1, name: free}}
        - {key: tenant, value: "gold*", rate_limit: {unlimited: true}}
        - {key: tenant, value: "golden*", rate_limit: {unit: day, requests_per_unit: 5}}
        - {key: tenant, value: closed, rate_limit: {unit: DAY, requests_per_unit: 0}}
        - key: watched
          shadow_mode: true
          rate_limit: {unit: second, requests_per_unit: 1}
        - {key: tokens, rate_limit: {unit: minute, requests_per_unit: 100}}
        - key: path
          value: /login
          descriptors:
            - {key: address, rate_limit: {unit: minute, requests_per_unit: 1}}
    - domain: other
      descriptors:
        - {key: address, rate_limit: {unit: minute, requests_per_unit: 1}}
"""


class Clock:
    now = 1000 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(tmp_path: Path, clock: Clock) -> Iterator[MappedLimiter]:
    made = MappedLimiter(tmp_path, None, clock, rows=1024)
    yield made
    made.close()


@pytest.fixture(params=["here", "far"])
def served(limiter: MappedLimiter, request: pytest.FixtureRequest) -> ServedLimits:
    """By a limiter that answers at once, and by one that has to ask others."""
    by = limiter if request.param == "here" else FarLimiter(limiter)
    return ServedLimits(gateway_of(YAML).rate_limit_service, by)


def ask(served: ServedLimits, domain: str, asked: list[Asked]) -> list[Status]:
    async def answered() -> list[Status]:
        found = served.ask(domain, asked)
        return found if isinstance(found, list) else await found

    return asyncio.run(answered())


def one(served: ServedLimits, *entries: tuple[str, str], hits: int = 1) -> Status:
    (status,) = ask(served, "edge", [Asked(entries, hits)])
    return status


def test_each_value_of_a_key_is_counted_apart(served: ServedLimits) -> None:
    for address in ("1.1.1.1", "2.2.2.2"):
        told = [one(served, ("address", address)) for _ in range(3)]
        assert [(each.is_over, each.remaining) for each in told] == [
            (False, 1),
            (False, 0),
            (True, 0),
        ]
        assert told[2].reset_ns == 30 * SECOND


def test_the_exact_value_is_taken_before_the_longest_beginning_before_any(
    served: ServedLimits,
) -> None:
    free = one(served, ("tenant", "free"))
    assert free.limit == ServedLimit(1, "hour", name="free")
    assert one(served, ("tenant", "gold-1")).limit == ServedLimit(0, "second", is_unlimited=True)
    golden = one(served, ("tenant", "golden-1"))
    assert (golden.limit, golden.remaining) == (ServedLimit(5, "day"), 4)
    assert one(served, ("tenant", "golden-2")).remaining == 4
    assert one(served, ("tenant", "unknown")) == Status(False)


@pytest.mark.parametrize(
    ("domain", "entries"),
    [
        ("nowhere", (("address", "a"),)),
        ("edge", (("path", "/login"),)),
        ("edge", (("path", "/logout"), ("address", "a"))),
        ("edge", (("address", "a"), ("path", "/login"))),
        ("edge", ()),
    ],
)
def test_what_the_tree_does_not_lead_to_is_not_limited(
    served: ServedLimits, domain: str, entries: tuple[tuple[str, str], ...]
) -> None:
    assert ask(served, domain, [Asked(entries)]) == [Status(False)]


def test_entries_lead_deeper_and_domains_count_apart(served: ServedLimits) -> None:
    login = ("path", "/login"), ("address", "a")
    assert [one(served, *login).is_over for _ in range(2)] == [False, True]
    assert not one(served, ("address", "a")).is_over
    other = [Asked((("address", "a"),))]
    assert [ask(served, "other", other)[0].is_over for _ in range(2)] == [False, True]


def test_nothing_is_taken_of_any_where_one_is_over(served: ServedLimits) -> None:
    assert not one(served, ("tenant", "free")).is_over
    both = [Asked((("tenant", "free"),)), Asked((("address", "a"),))]
    assert [each.is_over for each in ask(served, "edge", both)] == [True, False]
    assert one(served, ("address", "a")).remaining == 1


def test_zero_lets_nothing_through_and_a_shadow_everything(served: ServedLimits) -> None:
    assert one(served, ("tenant", "closed")).is_over
    told = [one(served, ("watched", "a")) for _ in range(3)]
    assert [(each.is_over, each.remaining) for each in told] == [(False, 0)] * 3


def test_tokens_that_are_told_afterwards_are_owed(served: ServedLimits, clock: Clock) -> None:
    entry = ("tokens", "a")
    assert not one(served, entry, hits=0).is_over
    assert one(served, entry, hits=60).remaining == 40
    assert one(served, entry, hits=90).is_over
    assert one(served, entry, hits=0).is_over
    clock.now += 30 * SECOND  # 150 - 50 are used
    assert not one(served, entry, hits=0).is_over
    assert one(served, entry).is_over
    clock.now += SECOND
    assert not one(served, entry).is_over


def test_who_goes_on_asking_does_not_owe_forever(served: ServedLimits, clock: Clock) -> None:
    for _ in range(100):
        one(served, ("tokens", "a"), hits=50)
    clock.now += 180 * SECOND
    assert not one(served, ("tokens", "a")).is_over


def test_who_asks_may_bring_a_limit(served: ServedLimits) -> None:
    asked = [Asked((("tenant", "x"),), 1, ServedLimit(1, "hour"))]
    assert [ask(served, "edge", asked)[0].is_over for _ in range(2)] == [False, True]


def test_values_cannot_be_forged(limiter: MappedLimiter) -> None:
    """No entry makes the counter of another."""
    served = ServedLimits(RateLimitService(), limiter)
    limit = ServedLimit(1, "hour")
    for entries in (
        (("a", "b|c=d"),),
        (("a", "b"), ("c", "d")),
        (("a=b|c", "d"),),
        (("a", "b%7Cc%3Dd"),),
    ):
        assert not ask(served, "x", [Asked(entries, 1, limit)])[0].is_over


def test_windows_are_counted_too(limiter: MappedLimiter, clock: Clock) -> None:
    served = ServedLimits(RateLimitService((), Algorithm.SLIDING_WINDOW), limiter)
    asked = [Asked((("a", "b"),), 1, ServedLimit(1, "minute"))]
    assert [ask(served, "x", asked)[0].is_over for _ in range(2)] == [False, True]
    clock.now += 59 * SECOND
    assert ask(served, "x", asked)[0].is_over
    clock.now += 7 * SECOND
    assert not ask(served, "x", asked)[0].is_over


def test_without_a_limiter_nothing_limited_is_answered() -> None:
    served = ServedLimits(gateway_of(YAML).rate_limit_service, None)
    with pytest.raises(LimitsUnavailable):
        one(served, ("address", "a"))
    assert one(served, ("tenant", "gold-1")).limit is not None
