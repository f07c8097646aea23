"""What can be said of a virtual key; every mistake is told at once."""

from __future__ import annotations

import msgspec
import pytest

from gateway.config.key_terms import (
    KeyTermsBlock,
    applied,
    expiry_seconds,
    iso,
    said_of,
    span,
    terms_of,
)
from gateway.limits import Algorithm, Counted
from gateway.model import Period, Unit
from gateway.problem import Problem
from gateway.virtual_keys import OwnBudget, OwnLimit, VirtualKey

NOW = 1_800_000_000
BARE = VirtualKey("a" * 16, "old", (), NOW)
ALL = {
    "name": "ci",
    "user": "ann",
    "team": "red",
    "groups": ["a", "b"],
    "tags": {"env": "prod"},
    "models": ["gpt-*", "fast"],
    "tools": ["github__*", "notes__search"],
    "budgets": [{"limit": "5 USD", "per": "day"}, {"limit": "1M tokens", "per": "month"}],
    "limits": [
        {"requests": "60/min", "tokens": "100k/min"},
        {"requests": "10/s", "algorithm": "sliding_window"},
        {"concurrent": 5},
    ],
    "expires": "2027-02-01T00:00:00Z",
    "enabled": False,
}


def understood(said: object) -> KeyTermsBlock:
    terms = terms_of(said)
    assert isinstance(terms, KeyTermsBlock), terms
    return terms


def complaints(said: object) -> list[str]:
    found = terms_of(said)
    assert isinstance(found, tuple)
    return [str(each) for each in found]


def test_all_that_can_be_said_is_kept_and_can_be_said_again() -> None:
    key = applied(understood(ALL), BARE, NOW)
    assert isinstance(key, VirtualKey)
    assert (key.id, key.created) == (BARE.id, BARE.created)
    assert key.budgets == (
        OwnBudget(Unit.NANODOLLARS, 5_000_000_000, Period.DAY),
        OwnBudget(Unit.TOKENS, 1_000_000, Period.MONTH),
    )
    assert key.limits == (
        OwnLimit(Counted.REQUESTS, 60, 60),
        OwnLimit(Counted.TOKENS, 100_000, 60),
        OwnLimit(Counted.REQUESTS, 10, 1, Algorithm.SLIDING_WINDOW),
        OwnLimit(Counted.CONCURRENT, 5),
    )
    told = said_of(key)
    assert told == ALL | {
        "budgets": [{"limit": "5 USD", "per": "day"}, {"limit": "1000000 tokens", "per": "month"}],
        "limits": [
            {"requests": "60/min"},
            {"tokens": "100000/min"},
            {"requests": "10/s", "algorithm": "sliding_window"},
            {"concurrent": 5},
        ],
    }
    assert applied(understood(told), key, NOW) == key


def test_little_needs_to_be_said() -> None:
    key = applied(understood({"name": "ci"}), BARE, NOW)
    assert isinstance(key, VirtualKey)
    assert said_of(key) == {"name": "ci", "enabled": True}


def test_every_mistake_is_told_at_once() -> None:
    said = {
        "name": "-",
        "team": " ",
        "modles": ["a"],
        "budgets": [{"limit": "5 EUR", "per": "day"}, {"per": "fortnight", "amount": 1}],
        "limits": [{"requests": "60/year"}, {"algorithm": "sliding_window"}, {"token": "1/s"}],
        "expires": "tomorrow",
        "groups": "a",
    }
    assert complaints(said) == [
        "name: must be a name (letters, digits, '.', '_' and '-', at most 64, no sign first)",
        "team: must be one line of text, not empty and without spaces around it",
        "groups: must be a list",
        "budgets.0.limit: must be an amount of USD or tokens"
        " (such as 500 USD, 2.50 USD or 100k tokens)",
        "budgets.1.limit: is required",
        "budgets.1.per: must be one of hour, day, week, month, total"
        " (or a rolling window, such as rolling 24h)",
        "budgets.1.amount: unknown key 'amount' (known: alerts, limit, mode, per, time_zone)",
        "limits.0.requests: must be an amount in each second, minute, hour or day"
        " (such as 60/min, 100k/hour or 5/s)",
        "limits.1: needs at least one of requests, tokens, bytes and concurrent",
        "limits.2.token: unknown key 'token' (did you mean 'tokens'?)",
        "expires: must be a time with its zone, or a time from now (2027-01-31T00:00Z, 90d)",
        "modles: unknown key 'modles' (did you mean 'models'?)",
    ]
    assert complaints({}) == ["name: is required"]
    assert complaints([]) == ["must be keys and values"]


def test_budgets_may_roll_or_be_of_another_place() -> None:
    budgets = [
        {"limit": "5 USD", "per": "rolling 12h"},
        {"limit": "5 USD", "per": "day", "time_zone": "Europe/Berlin"},
    ]
    key = applied(understood({"name": "a", "budgets": budgets}), BARE, NOW)
    assert isinstance(key, VirtualKey)
    assert said_of(key)["budgets"] == budgets
    budgets[0]["time_zone"] = "Europe/Berlin"
    assert complaints({"name": "a", "budgets": budgets}) == [
        "budgets.0: has a time_zone, and no calendar"
    ]
    budgets[0] = {"limit": "5 USD", "per": "rolling"}
    assert len(complaints({"name": "a", "budgets": budgets})) == 1


def test_budgets_may_be_soft_and_tell_somebody() -> None:
    budgets = [
        {"limit": "5 USD", "per": "day", "mode": "soft"},
        {"limit": "5 USD", "per": "week", "alerts": [{"at": "50%"}, {"at": "100%"}]},
    ]
    key = applied(understood({"name": "a", "budgets": budgets}), BARE, NOW)
    assert isinstance(key, VirtualKey)
    assert [(each.is_soft, each.alerts) for each in key.budgets] == [
        (True, ()),
        (False, (500, 1000)),
    ]
    assert said_of(key)["budgets"] == budgets
    assert complaints({"name": "a", "budgets": [{**budgets[0], "mode": "hrad"}]})
    assert complaints({"name": "a", "budgets": [{**budgets[0], "alerts": [{"at": "0%"}]}]})


def test_one_budget_for_each_unit_and_period() -> None:
    twice = {"name": "a", "budgets": [{"limit": "1 USD", "per": "day"}] * 2}
    assert complaints(twice) == ["budgets: one for each unit and period"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90d", NOW + 90 * 86_400),
        ("12h", NOW + 12 * 3600),
        ("1m", NOW + 60),
        ("2027-01-15T08:00:10Z", NOW + 10),
        ("2027-01-15T09:00:10+01:00", NOW + 10),
    ],
)
def test_an_end_is_a_time_or_a_time_from_now(text: str, seconds: int) -> None:
    assert understood({"name": "a", "expires": text}).expires == text
    assert expiry_seconds(text, NOW) == seconds


@pytest.mark.parametrize("text", ["2027-01-15T08:00:10", "90", "1y", "999999999d", "-1d", ""])
def test_what_leaves_open_when_is_refused(text: str) -> None:
    assert complaints({"name": "a", "expires": text})


def test_an_end_that_has_passed_is_refused_unless_it_is_the_keys_own() -> None:
    terms = understood({"name": "a", "expires": iso(NOW - 1)})
    assert applied(terms, BARE, NOW) == Problem("expires", f"has passed: {iso(NOW - 1)}")
    key = applied(terms, BARE, NOW - 2)
    assert isinstance(key, VirtualKey)
    assert applied(terms, key, NOW) == key


def test_spans_are_in_seconds() -> None:
    assert (span("30m"), span("24h"), span("1d"), span("1s")) == (1800, 86_400, 86_400, None)


def test_each_thing_is_limited_once_in_a_period() -> None:
    said = {"name": "ci", "limits": [{"requests": "60/min"}, {"requests": "1k/hour"}]}
    assert len(understood(said).limits) == 2
    twice = {"name": "ci", "limits": [{"requests": "60/min", "tokens": "5/s"}, {"tokens": "9/s"}]}
    assert complaints(twice) == ["limits: one for each thing that is counted and period"]


def test_a_period_that_nobody_can_say_is_refused() -> None:
    odd = msgspec.structs.replace(BARE, limits=(OwnLimit(Counted.REQUESTS, 60, 7),))
    assert complaints(said_of(odd)) == [
        "limits.0.requests: must be an amount in each second, minute, hour or day"
        " (such as 60/min, 100k/hour or 5/s)"
    ]
