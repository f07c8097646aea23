"""Whose limits apply, what is taken of them, and how a refusal says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.audits import Audits
from extproc.facts import Facts
from extproc.policies.limit import NOTHING_TAKEN, Limits, Taken
from extproc.ports import Draw, LimitsUnavailable, Measure, Meter, Take
from extproc.principal import of_key
from extproc.told import Told
from extproc.verdict import Deny
from gateway.limits import Algorithm, LimitHeaders, Rate
from gateway.model import ApiKey, Limit, Mode, Scope
from tests.kit.counted import Counted
from tests.kit.far_limiter import FarLimiter

SECOND = 10**9
EACH = Scope(key="*")


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


class Broken:
    """A limiter whose store is gone."""

    def meter(self, name: str, measure: Measure, *, is_shared: bool = False) -> Meter:
        return object()

    def take(self, draws: Sequence[Draw]) -> Take:
        raise LimitsUnavailable("gone")

    def correct(self, corrections: Sequence[tuple[Meter, int]], at_ns: int) -> None:
        raise LimitsUnavailable("gone")

    def leave(self, meters: Sequence[Meter]) -> None:
        raise LimitsUnavailable("gone")


def facts(key: str = "ann", **more: Any) -> Facts:
    caller = of_key(ApiKey(key, "00", team="red"))
    return Facts(datetime(2026, 1, 1, tzinfo=UTC), principal=caller, **more)


def taken(answer: Taken | Deny | Awaitable[Taken | Deny]) -> Taken:
    assert isinstance(answer, Taken), answer
    return answer


def denied(answer: Taken | Deny | Awaitable[Taken | Deny]) -> Deny:
    assert isinstance(answer, Deny)
    return answer


def test_each_key_is_counted_apart(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, requests=Rate(1, 60))], limiter)
    taken(limits.take(facts("ann")))
    taken(limits.take(facts("bob")))
    denied(limits.take(facts("ann")))
    assert limits.take(Facts(datetime(2026, 1, 1, tzinfo=UTC))) is NOTHING_TAKEN


def test_without_a_star_all_are_counted_together(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("all", Scope(), requests=Rate(2, 60))], limiter)
    taken(limits.take(facts("ann")))
    taken(limits.take(Facts(datetime(2026, 1, 1, tzinfo=UTC))))
    denied(limits.take(facts("bob")))


def test_a_refusal_names_the_limit_and_when_to_come_back(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, requests=Rate(2, 60))], limiter)
    for _ in range(2):
        taken(limits.take(facts()))
    assert limits.take(facts()) == Deny(
        429,
        "rate_limit_exceeded",
        "limit 'each' of key=ann: 2 requests per minute; try again in 30s",
        headers=(
            ("x-ratelimit-limit-requests", "2"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1m0s"),
            ("retry-after", "30"),
        ),
    )


def test_the_longest_wait_is_told(limiter: MappedLimiter) -> None:
    limits = Limits(
        [
            Limit("minute", EACH, requests=Rate(1, 60)),
            Limit("day", EACH, requests=Rate(1, 86400)),
            Limit("second", EACH, requests=Rate(1, 1)),
        ],
        limiter,
    )
    taken(limits.take(facts()))
    refused = denied(limits.take(facts()))
    assert "'day'" in refused.reason
    assert dict(refused.headers)["retry-after"] == "86400"


def test_what_is_more_than_a_limit_at_once_is_not_to_be_tried_again(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, tokens=Rate(100, 60))], limiter)
    refused = denied(limits.take(facts(), tokens=101))
    assert refused.reason.endswith("this request may take 101, and is never let through")
    assert dict(refused.headers)["x-should-retry"] == "false"
    assert "retry-after" not in dict(refused.headers)


def test_the_tightest_limit_of_each_unit_is_told(limiter: MappedLimiter) -> None:
    limits = Limits(
        [
            Limit("wide", EACH, requests=Rate(1000, 60), tokens=Rate(1000, 60)),
            Limit("tight", Scope(), requests=Rate(10, 60)),
            Limit("tightest", EACH, requests=Rate(2, 60), mode=Mode.AUDIT),
        ],
        limiter,
    )
    told = taken(limits.take(facts(), tokens=100)).told
    assert told == (
        Told("requests", 10, 9, 6 * SECOND),
        Told("tokens", 1000, 900, 6 * SECOND),
    )


def test_tokens_are_corrected_once(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, tokens=Rate(100, 60))], limiter)
    first = taken(limits.take(facts(), tokens=100))
    assert first.waits_for_usage
    first.settle(40)
    first.settle(0)
    assert not first.waits_for_usage
    denied(limits.take(facts(), tokens=61))
    second = taken(limits.take(facts(), tokens=60))
    second.keep()
    second.settle(0)
    denied(limits.take(facts(), tokens=1))


def test_places_are_held_until_they_are_left(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, concurrent=1)], limiter)
    first = taken(limits.take(facts()))
    assert first.holds_place
    refused = denied(limits.take(facts()))
    assert refused.reason == "limit 'each' of key=ann: 1 at a time, and all of them are open"
    assert dict(refused.headers)["retry-after"] == "1"
    first.leave()
    second = taken(limits.take(facts()))
    first.leave()
    denied(limits.take(facts()))
    second.leave()


def test_bytes_are_those_of_the_body_and_must_be_known(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, bytes=Rate(100, 60))], limiter)
    assert denied(limits.take(facts())).status == 411
    assert taken(limits.take(facts(), size_bytes=100)).told == ()
    denied(limits.take(facts(), size_bytes=1))


def test_who_is_watched_passes_and_is_counted(limiter: MappedLimiter) -> None:
    tally = Counted()
    watched = Limit(
        "watched", EACH, Rate(1, 60), bytes=Rate(100, 60), concurrent=1, mode=Mode.AUDIT
    )
    limits = Limits([watched], limiter, Audits(tally))
    assert taken(limits.take(facts(), size_bytes=1)).holds_place
    assert not taken(limits.take(facts())).holds_place
    assert tally.counts == {("limit", "watched", "pass"): 1, ("limit", "watched", "deny"): 1}


def test_when_the_counters_are_gone_who_is_limited_is_refused() -> None:
    enforced, watched = Limit("e", EACH, Rate(1, 1)), Limit("w", EACH, Rate(1, 1), mode=Mode.AUDIT)
    for limiter in (Broken(), None):
        assert denied(Limits([enforced], limiter).take(facts())).code == "limits_unavailable"
        assert Limits([watched], limiter).take(facts()) is NOTHING_TAKEN
        stranger = Facts(datetime(2026, 1, 1, tzinfo=UTC))
        assert Limits([enforced], limiter).take(stranger) is NOTHING_TAKEN


def test_what_cannot_be_corrected_stays_as_it_was_estimated() -> None:
    held = Taken(Broken(), 0, [(object(), 10, True)], (), ())
    held.settle(3)
    assert not held.waits_for_usage


def test_names_cannot_be_forged(limiter: MappedLimiter) -> None:
    """No value of one dimension makes the counter of another."""
    limits = Limits([Limit("each", Scope(key="*", model="*"), requests=Rate(1, 60))], limiter)
    taken(limits.take(facts("a|model=b", model="c")))
    taken(limits.take(facts("a", model="b|model=c")))
    taken(limits.take(facts("a%7Cmodel=b", model="c")))


def test_an_algorithm_that_changes_counts_anew(limiter: MappedLimiter) -> None:
    for algorithm in Algorithm:
        limit = Limit("each", EACH, requests=Rate(1, 60), algorithm=algorithm)
        taken(Limits([limit], limiter).take(facts()))
        denied(Limits([limit], limiter).take(facts()))


def test_what_envoy_counts_is_not_counted_again(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, requests=Rate(1, 60), is_envoys=True)], limiter)
    assert limits.take(facts()) is NOTHING_TAKEN
    assert not limits.are_for(facts())


def test_what_has_no_tokens_is_not_refused_for_those_of_others(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, tokens=Rate(100, 60))], limiter)
    taken(limits.take(facts(), tokens=100)).settle(500)
    denied(limits.take(facts(), tokens=1))
    passed = taken(limits.take(facts()))
    assert passed.told == (Told("tokens", 100, 0, 300 * SECOND),)
    assert not passed.waits_for_usage


def test_plain_routes_have_no_tokens(limiter: MappedLimiter) -> None:
    limits = Limits([Limit("each", EACH, requests=Rate(5, 60), tokens=Rate(5, 60))], limiter)
    told = taken(limits.take(facts(route="docs"))).told
    assert [each.unit for each in told] == ["requests"]


def test_each_text_that_cel_yields_is_counted_apart_and_those_without_together(
    limiter: MappedLimiter,
) -> None:
    limit = Limit("each", Scope(), requests=Rate(1, 60), by='request.headers["x-t"]')
    limits = Limits([limit], limiter)
    taken(limits.take(facts(headers={"x-t": "a"})))
    taken(limits.take(facts(headers={"x-t": "b"})))
    refused = denied(limits.take(facts("bob", headers={"x-t": "a"})))
    assert refused.reason.startswith("limit 'each' of by=a: 1 requests per minute")
    taken(limits.take(facts(headers={})))
    denied(limits.take(facts(headers={})))


def test_policies_are_named_for_the_ietf_where_they_are_told(limiter: MappedLimiter) -> None:
    limit = Limit("each", EACH, requests=Rate(2, 60), tokens=Rate(100, 3600))
    limits = Limits([limit], limiter, headers=LimitHeaders.BOTH)
    told = taken(limits.take(facts(), tokens=10)).told
    assert [(each.policy, each.seconds) for each in told] == [
        ("each/requests", 60),
        ("each/tokens", 3600),
    ]
    limits.take(facts(), tokens=10)
    headers = dict(denied(limits.take(facts(), tokens=10)).headers)
    assert headers["ratelimit-policy"] == '"each/requests";q=2;w=60, "each/tokens";q=100;w=3600'
    assert headers["ratelimit"].startswith('"each/requests";r=0;t=60, ')


def test_what_is_counted_with_other_machines_is_known_later(limiter: MappedLimiter) -> None:
    async def scene() -> None:
        ours = Limit("ours", EACH, tokens=Rate(100, 60), is_of_machine=True)
        all_ = Limit("all", EACH, requests=Rate(1, 60), concurrent=5)
        far = FarLimiter(limiter)
        limits = Limits([ours, all_], far)
        answer = limits.take(facts(), tokens=10)
        assert isinstance(answer, Awaitable)
        passed = taken(await answer)
        assert [each.remaining for each in passed.told] == [0, 90]
        assert list(far.shared.values()) == [False, True, True]
        answer = limits.take(facts(), tokens=10)
        assert isinstance(answer, Awaitable)
        assert denied(await answer).code == "rate_limit_exceeded"
        far.is_cut = True
        answer = limits.take(facts(), tokens=10)
        assert isinstance(answer, Awaitable)
        assert denied(await answer).code == "limits_unavailable"

    asyncio.run(scene())
