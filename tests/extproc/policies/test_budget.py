"""Budgets: what is reserved, what is booked, and what a refusal says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.facts import Facts
from extproc.policies.budget import NOTHING_HELD, Budgets, Held, Lower, Owed
from extproc.ports import (
    Booking,
    Charge,
    Exhausted,
    Ledger,
    LedgerUnavailable,
    Level,
    Reservation,
    Spent,
)
from extproc.principal import of_key
from extproc.verdict import Deny
from gateway.model import ApiKey, Budget, Period, Scope, Span, Unit, WhenLow
from gateway.price import Price
from gateway.usage import Usage
from tests.kit.memory_ledger import MemoryLedger

DOLLAR = 1_000_000_000
NOW = datetime(2026, 11, 25, 16, 30, 0, 500_000, tzinfo=UTC)
NOVEMBER = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
PRICE = Price(input=DOLLAR, output=2 * DOLLAR, cached_input=DOLLAR // 10, cache_write=DOLLAR)
"""One dollar per million tokens of input: 1000 nanodollars each."""
FREE = Price(0, 0, 0, 0)

TEAM = Budget("team-month", Scope(team="*"), Unit.NANODOLLARS, 500 * DOLLAR, Span(Period.MONTH))
TOKENS = Budget("everyone", Scope(), Unit.TOKENS, 10_000, Span(Period.TOTAL))


def facts(**changes: object) -> Facts:
    made = Facts(
        now=NOW,
        principal=of_key(ApiKey("k1", "00", user="ann", team="platform")),
        model="smart",
        provider="openai",
        estimated_input_tokens=100,
        max_output_tokens=50,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def begin(budgets: Budgets, what: Facts, price: Price | None = PRICE) -> Held | Deny:
    """At once, with a ledger that needs no waiting."""
    answer = budgets.begin(what, price)
    assert not isinstance(answer, Awaitable)
    return answer


def hold(budgets: Budgets, what: Facts, price: Price | None = PRICE) -> Held:
    held = begin(budgets, what, price)
    assert isinstance(held, Held), held
    return held


def deny(budgets: Budgets, what: Facts, price: Price | None = PRICE) -> Deny:
    denied = begin(budgets, what, price)
    assert isinstance(denied, Deny), denied
    return denied


def spent(ledger: MemoryLedger, counter: str, start: int) -> Spent:
    return asyncio.run(ledger.spent(counter, start))


class SlowLedger:
    """Answers later, what it was told to."""

    def __init__(self, answer: Ledger | LedgerUnavailable) -> None:
        self._answer = answer

    async def reserve(self, charges: Sequence[Charge]) -> Reservation | Exhausted:
        if isinstance(self._answer, LedgerUnavailable):
            raise self._answer
        answer = self._answer.reserve(charges)
        return await answer if isinstance(answer, Awaitable) else answer


def test_without_budgets_nothing_is_held() -> None:
    assert Budgets((), None).begin(facts(), None) is NOTHING_HELD


def test_a_budget_for_others_holds_nothing() -> None:
    ledger = MemoryLedger()
    assert Budgets((TEAM,), ledger).begin(facts(principal=None), None) is NOTHING_HELD
    assert asyncio.run(ledger.counters()) == []


def test_holding_nothing_can_end_in_every_way() -> None:
    NOTHING_HELD.settle(Usage(1, 1), None)
    NOTHING_HELD.settle_estimate()
    NOTHING_HELD.release()


def test_money_is_estimated_from_the_prompt_and_the_longest_answer() -> None:
    ledger = MemoryLedger()
    hold(Budgets((TEAM,), ledger), facts())
    expected = Spent(0, 100 * 1000 + 50 * 2000)
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == expected


def test_an_answer_without_a_limit_is_estimated_by_default() -> None:
    ledger = MemoryLedger()
    hold(Budgets((TOKENS,), ledger), facts(max_output_tokens=None))
    hold(Budgets((TOKENS,), ledger, default_output_tokens=7), facts(max_output_tokens=None))
    assert spent(ledger, "everyone|tokens", 0) == Spent(0, 100 + 1024 + 100 + 7)


def test_usage_takes_the_place_of_the_estimate_in_every_budget() -> None:
    ledger = MemoryLedger()
    held = hold(Budgets((TEAM, TOKENS), ledger), facts())
    held.settle(Usage(input_tokens=80, output_tokens=20, cached_input_tokens=30), PRICE)
    held.settle_estimate()
    money = 50 * 1000 + 30 * 100 + 20 * 2000
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(money, 0)
    assert spent(ledger, "everyone|tokens", 0) == Spent(100, 0)


def test_usage_at_an_unknown_price_is_booked_as_estimated() -> None:
    ledger = MemoryLedger()
    held = hold(Budgets((TEAM, TOKENS), ledger), facts())
    held.settle(Usage(80, 20), None)
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(200_000, 0)
    assert spent(ledger, "everyone|tokens", 0) == Spent(100, 0)


def test_an_unknown_usage_is_booked_as_estimated() -> None:
    ledger = MemoryLedger()
    held = hold(Budgets((TEAM,), ledger), facts())
    held.settle_estimate()
    held.release()
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(200_000, 0)


def test_parts_are_booked_one_by_one_and_then_what_is_left_ends() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((TEAM, TOKENS), ledger)
    held = hold(budgets, facts())
    held.book(Usage(10, 0), PRICE)
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(10_000, 1)
    held.book(Usage(0, 10), PRICE)
    held.book_estimate()
    assert spent(ledger, "everyone|tokens", 0) == Spent(20 + 150, 1)
    held.release()
    held.book(Usage(10, 0), PRICE)
    held.book_estimate()
    money = 10_000 + 20_000 + 200_000
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(money, 0)
    NOTHING_HELD.book(Usage(1, 1), PRICE)
    NOTHING_HELD.book_estimate()


def test_a_stream_that_breaks_off_costs_its_input_and_what_was_sent() -> None:
    ledger = MemoryLedger()
    held = hold(Budgets((TEAM, TOKENS), ledger), facts())
    booked = held.settle_sent(7, PRICE)
    assert booked == Usage(100, 7, is_estimated=True)
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(100 * 1000 + 7 * 2000, 0)
    assert spent(ledger, "everyone|tokens", 0) == Spent(107, 0)


def test_what_is_held_is_open_until_it_is_booked_or_released() -> None:
    budgets = Budgets((TOKENS,), MemoryLedger())
    settled, released = hold(budgets, facts()), hold(budgets, facts())
    assert settled.is_open
    settled.settle_estimate()
    released.release()
    assert not settled.is_open
    assert not released.is_open
    assert not NOTHING_HELD.is_open


def test_what_is_booked_by_estimate_is_marked() -> None:
    held = hold(Budgets((TOKENS,), MemoryLedger()), facts())
    assert held.settle_estimate() == Usage(100, 50, is_estimated=True)


def test_a_service_tier_is_reserved_and_booked_at_its_own_price() -> None:
    ledger = MemoryLedger()
    price = replace(PRICE, service_tiers=(("priority", replace(PRICE, input=2 * DOLLAR)),))
    asked = facts(max_output_tokens=0, demands=Usage(0, 0, service_tier="priority"))
    held = hold(Budgets((TEAM,), ledger), asked, price)
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(0, 100 * 2000)
    held.settle(Usage(100, 0, service_tier="default"), price)
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(100 * 1000, 0)


def test_images_that_are_asked_for_are_reserved() -> None:
    ledger = MemoryLedger()
    asked = facts(estimated_input_tokens=0, max_output_tokens=0, demands=Usage(0, 0, images=3))
    hold(Budgets((TEAM,), ledger), asked, replace(FREE, image=40_000_000))
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(0, 120_000_000)


def test_sound_of_unknown_length_is_booked_when_its_length_is_known() -> None:
    ledger = MemoryLedger()
    asked = facts(estimated_input_tokens=0, max_output_tokens=0)
    price = replace(FREE, second=100_000)
    held = hold(Budgets((TEAM,), ledger), asked, price)
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(0, 1)
    held.settle(Usage(0, 0, milliseconds=60_000), price)
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(6_000_000, 0)


def test_a_call_that_no_provider_served_costs_nothing() -> None:
    ledger = MemoryLedger()
    hold(Budgets((TEAM, TOKENS), ledger), facts()).release()
    assert spent(ledger, "team-month|team=platform", NOVEMBER) == Spent(0, 0)
    assert spent(ledger, "everyone|tokens", 0) == Spent(0, 0)


def test_an_unpriced_model_is_refused_under_a_money_budget_only() -> None:
    denied = deny(Budgets((TOKENS, TEAM), MemoryLedger()), facts(), None)
    assert (denied.status, denied.code, denied.param) == (403, "unpriced_model", "model")
    hold(Budgets((TOKENS,), MemoryLedger()), facts(), None)


def test_a_model_that_costs_nothing_passes_an_exhausted_money_budget() -> None:
    budgets = Budgets((replace(TEAM, limit=1),), MemoryLedger())
    assert deny(budgets, facts()).status == 429
    assert begin(budgets, facts(), FREE) is NOTHING_HELD


def test_a_refusal_says_which_budget_how_much_and_when_it_resets() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((TOKENS, TEAM), ledger)
    hold(budgets, facts(max_output_tokens=0)).settle(Usage(0, 0), PRICE)
    spender = ledger.reserve([Charge("team-month|team=platform", NOVEMBER, 500 * DOLLAR, 1)])
    assert not isinstance(spender, Exhausted)
    spender.settle([499_980_000_000])
    denied = deny(budgets, facts(estimated_input_tokens=0, max_output_tokens=9_000), PRICE_HIGH)
    assert (denied.status, denied.code) == (429, "budget_exhausted")
    assert denied.reason == (
        "budget 'team-month' of team=platform: 499.98 of 500 USD spent,"
        " resets 2026-12-01T00:00:00Z; this call may take 0.027 USD"
    )
    assert denied.headers == (("retry-after", str(5 * 86_400 + 7 * 3600 + 1800)),)


PRICE_HIGH = replace(PRICE, output=3 * DOLLAR)


def test_a_total_of_tokens_never_resets() -> None:
    budgets = Budgets((replace(TOKENS, limit=149),), MemoryLedger())
    assert deny(budgets, facts()) == Deny(
        429,
        "budget_exhausted",
        "budget 'everyone': 0 of 149 tokens spent, never resets; this call may take 150 tokens",
    )


def test_every_value_of_a_star_has_its_own_budget() -> None:
    budgets = Budgets((replace(TOKENS, scope=Scope(key="*"), limit=150),), MemoryLedger())
    hold(budgets, facts())
    assert "of key=k1:" in deny(budgets, facts()).reason
    hold(budgets, facts(principal=of_key(ApiKey("k2", "01"))))


def test_a_new_window_starts_from_nothing() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((replace(TOKENS, limit=150, span=Span(Period.HOUR)),), ledger)
    held = hold(budgets, facts())
    assert deny(budgets, facts()).headers == (("retry-after", "1800"),)
    hold(budgets, facts(now=datetime(2026, 11, 25, 17, 0, tzinfo=UTC)))
    held.settle(Usage(1, 1), None)
    sixteen = int(datetime(2026, 11, 25, 16, tzinfo=UTC).timestamp())
    assert spent(ledger, "everyone|tokens", sixteen) == Spent(2, 0)
    assert spent(ledger, "everyone|tokens", sixteen + 3600) == Spent(0, 150)


BY_PROJECT = replace(TOKENS, limit=150, by='request.headers["x-project"]')


def test_what_an_expression_says_is_counted_apart() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((BY_PROJECT,), ledger)
    hold(budgets, facts(headers={"x-project": "apollo"}))
    hold(budgets, facts(headers={"x-project": "gemini"}))
    assert "of by=apollo:" in deny(budgets, facts(headers={"x-project": "apollo"})).reason
    assert asyncio.run(ledger.counters()) == [
        ("everyone|tokens|by=apollo", 0),
        ("everyone|tokens|by=gemini", 0),
    ]


def test_requests_without_it_are_counted_together() -> None:
    budgets = Budgets((BY_PROJECT,), MemoryLedger())
    hold(budgets, facts())
    assert isinstance(begin(budgets, facts(headers={"x-other": "1"})), Deny)
    assert isinstance(begin(budgets, facts(headers={"x-project": ""})), Deny)


def test_tags_and_a_scope_can_be_counted_by_too() -> None:
    ledger = MemoryLedger()
    tagged = replace(TOKENS, scope=Scope(team="*"), by='principal.tags["cost-center"]')
    key = ApiKey("k1", "00", team="platform", tags=(("cost-center", "42|7"),))
    hold(Budgets((tagged,), ledger), facts(principal=of_key(key)))
    assert asyncio.run(ledger.counters()) == [("everyone|tokens|team=platform|by=42%7C7", 0)]


def test_a_long_value_has_a_short_name() -> None:
    ledger = MemoryLedger()
    hold(Budgets((BY_PROJECT,), ledger), facts(headers={"x-project": "x" * 8000}))
    ((name, _),) = asyncio.run(ledger.counters())
    assert name.startswith("everyone|tokens|by=sha256:")
    assert len(name) < 100


ROLLING = replace(TOKENS, limit=600, span=Span(Period.ROLLING, seconds=3600))


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 300)), min_size=1, max_size=60))
def test_whatever_hour_one_looks_at_a_rolling_budget_holds(
    calls: list[tuple[int, int]],
) -> None:
    """Seconds since the call before, and what it really took."""
    budgets, now = Budgets((ROLLING,), MemoryLedger()), NOW
    taken: list[tuple[datetime, int]] = []
    for seconds, tokens in calls:
        now += timedelta(seconds=seconds)
        held = begin(budgets, facts(now=now))
        if isinstance(held, Held):
            held.settle(Usage(min(tokens, 150), 0), None)
            taken.append((now, min(tokens, 150)))
    for end, _ in taken:
        begun = end - timedelta(hours=1)
        assert sum(tokens for moment, tokens in taken if begun <= moment <= end) <= 600


def test_what_was_spent_comes_back_as_it_grows_old() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((ROLLING,), ledger)
    hold(budgets, facts()).settle(Usage(500, 0), None)
    denied = deny(budgets, facts(now=NOW + timedelta(minutes=59)))
    assert "500 of 600 tokens spent, is free again 2026-11-25T17:35:00Z" in denied.reason
    hold(budgets, facts(now=NOW + timedelta(minutes=65)))
    counters = [name for name, _ in asyncio.run(ledger.counters())]
    assert len({name for name in counters if name.startswith("everyone|tokens|window=")}) == 13


def test_a_batch_is_booked_in_every_window_that_it_falls_in() -> None:
    owed = Budgets((ROLLING,), MemoryLedger()).owed(facts(), ["smart"], 70, None)
    assert [each.amount for each in owed.bookings] == [70] * 13
    assert len({each.counter for each in owed.bookings}) == 13


def test_a_day_begins_where_the_budget_says() -> None:
    ledger = MemoryLedger()
    tokyo = replace(TOKENS, span=Span(Period.DAY, "Asia/Tokyo"))
    hold(Budgets((tokyo,), ledger), facts()).settle(Usage(5, 0), None)
    midnight = int(datetime(2026, 11, 25, 15, tzinfo=UTC).timestamp())
    assert spent(ledger, "everyone|tokens", midnight) == Spent(5, 0)


def test_a_ledger_may_answer_later() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((replace(TOKENS, limit=150),), SlowLedger(ledger))

    async def main() -> tuple[object, object]:
        first, second = budgets.begin(facts(), PRICE), budgets.begin(facts(), PRICE)
        assert isinstance(first, Awaitable)
        assert isinstance(second, Awaitable)
        return await first, await second

    first, second = asyncio.run(main())
    assert isinstance(first, Held)
    assert isinstance(second, Deny)
    assert second.code == "budget_exhausted"


def test_a_store_that_does_not_answer_refuses() -> None:
    async def main() -> object:
        answer = Budgets((TOKENS,), SlowLedger(LedgerUnavailable("disk full"))).begin(facts(), None)
        assert isinstance(answer, Awaitable)
        return await answer

    denied = asyncio.run(main())
    assert isinstance(denied, Deny)
    assert (denied.status, denied.code) == (503, "ledger_unavailable")
    assert deny(Budgets((TOKENS,), None), facts()) == denied


@pytest.mark.parametrize("output", [2**63, 2**200])
def test_absurd_demands_are_refused(output: int) -> None:
    budgets = Budgets((TEAM, TOKENS), MemoryLedger())
    assert deny(budgets, facts(max_output_tokens=output)).code == "budget_exhausted"


def test_nanodollars_do_not_become_tokens_when_the_unit_changes() -> None:
    ledger = MemoryLedger()
    hold(Budgets((TEAM,), ledger), facts()).settle_estimate()
    in_tokens = replace(TEAM, unit=Unit.TOKENS, limit=10_000)
    hold(Budgets((in_tokens,), ledger), facts())
    assert spent(ledger, "team-month|team=platform", NOVEMBER).settled > in_tokens.limit


def test_a_negative_demand_does_not_lower_the_estimate() -> None:
    ledger = MemoryLedger()
    hold(Budgets((TOKENS,), ledger), facts(max_output_tokens=-1_000_000))
    assert spent(ledger, "everyone|tokens", 0) == Spent(0, 100)


@pytest.mark.parametrize(("reported", "booked"), [(-(10**9), 0), (2**80, 2**60)])
def test_a_providers_nonsense_neither_refunds_nor_overflows(reported: int, booked: int) -> None:
    ledger = MemoryLedger()
    hold(Budgets((TOKENS,), ledger), facts()).settle(Usage(reported, 0), None)
    assert spent(ledger, "everyone|tokens", 0) == Spent(booked, 0)


TODAY = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())
MODELS = Budget("models", Scope(llm="gpt-*"), Unit.TOKENS, 10, Span(Period.DAY))
OF_A_MODEL = Budget("smart", Scope(model="smart"), Unit.TOKENS, 10, Span(Period.DAY))
KEYS = Budget("keys", Scope(key="*", provider="openai"), Unit.NANODOLLARS, 1000, Span(Period.TOTAL))


def test_work_that_was_not_reserved_for_is_owed_on_every_budget_of_who_asked_for_it() -> None:
    budgets = Budgets((TEAM, TOKENS, MODELS, KEYS), MemoryLedger())
    owed = budgets.owed(facts(), ["smart"], 700, 3000)
    assert owed.bookings == (
        Booking("team-month|team=platform", NOVEMBER, 3000),
        Booking("everyone|tokens", 0, 700),
        Booking("keys|key=k1|provider=openai", 0, 3000),
    )
    assert not owed.is_unpriced
    asked = facts(principal=None)
    assert budgets.owed(asked, ["smart", "gpt-9", "gpt-8"], 700, 3000).bookings == (
        Booking("everyone|tokens", 0, 700),
        Booking("models|tokens|llm=gpt-9", TODAY, 700),
    )


def test_without_a_price_tokens_alone_are_owed() -> None:
    budgets = Budgets((TEAM, TOKENS), MemoryLedger())
    booked, nobody = (Booking("everyone|tokens", 0, 7),), facts(principal=None)
    assert budgets.owed(facts(), ["m"], 7, None) == Owed(booked, True)
    assert budgets.owed(nobody, ["m"], 7, None) == Owed(booked, False)
    free = Booking("team-month|team=platform", NOVEMBER, 0)  # so far
    assert budgets.owed(facts(), ["m"], 7, 0) == Owed((free, *booked), False)


def left(budgets: Budgets, what: Facts) -> Deny | None:
    answer = budgets.is_left(what)
    assert not isinstance(answer, Awaitable)
    return answer


def test_something_must_be_left_on_the_budgets_that_apply_whatever_the_model_is() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((KEYS, MODELS, OF_A_MODEL), ledger)
    unknown = facts(model="")
    assert left(budgets, unknown) is None
    assert spent(ledger, "keys|key=k1|provider=openai", 0) == Spent(0, 0)
    for counter in ("models|tokens|llm=gpt-9", "smart|tokens|model=smart"):
        asyncio.run(ledger.book_once(counter, 1, [Booking(counter, 0, 99)], 0))
    asyncio.run(ledger.book_once("b", 1, [Booking("keys|key=k1|provider=openai", 0, 999)], 0))
    assert left(budgets, unknown) is None
    asyncio.run(ledger.book_once("c", 1, [Booking("keys|key=k1|provider=openai", 0, 1)], 0))
    denied = left(budgets, unknown)
    assert denied is not None
    assert (denied.status, denied.code) == (429, "budget_exhausted")
    assert denied.reason.endswith("of 0.000001 USD spent, never resets; nothing is left")
    assert left(budgets, facts(principal=None)) is None


def test_where_nobody_can_say_what_is_left_nothing_is() -> None:
    assert left(Budgets((KEYS,), None), facts(principal=None)) is None
    denied = left(Budgets((KEYS,), None), facts())
    assert denied is not None
    assert denied.code == "ledger_unavailable"

    async def main() -> list[str | None]:
        found = []
        for ledger in (SlowLedger(LedgerUnavailable("locked")), SlowLedger(MemoryLedger())):
            answer = Budgets((KEYS,), ledger).is_left(facts())
            assert isinstance(answer, Awaitable)
            denied = await answer
            found.append(None if denied is None else denied.code)
        return found

    assert asyncio.run(main()) == ["ledger_unavailable", None]


def owner(*budgets: Budget) -> Facts:
    return facts(principal=replace(of_key(ApiKey("k1", "00", team="platform")), budgets=budgets))


OWN = Budget("key:abc:day", Scope(), Unit.TOKENS, 400, Span(Period.DAY))
TODAY = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())


def test_a_caller_may_have_budgets_that_hold_for_nobody_else() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((TOKENS,), ledger, are_keys_budgeted=True)
    held = hold(budgets, owner(OWN))
    assert spent(ledger, "key:abc:day|tokens", TODAY) == Spent(0, 150)
    assert spent(ledger, "everyone|tokens", 0) == Spent(0, 150)
    held.settle(Usage(300, 0), PRICE)
    refused = deny(budgets, owner(OWN))
    assert (refused.status, refused.code) == (429, "budget_exhausted")
    assert "'key:abc:day'" in refused.reason
    hold(budgets, facts())
    assert spent(ledger, "key:abc:day|tokens", TODAY) == Spent(300, 0)


def test_they_hold_also_where_the_configuration_has_none() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((), ledger, are_keys_budgeted=True)
    assert budgets.is_any
    assert not Budgets((), ledger).is_any
    assert begin(budgets, facts()) is NOTHING_HELD
    hold(budgets, owner(OWN)).settle(Usage(400, 0), PRICE)
    assert deny(budgets, owner(OWN)).code == "budget_exhausted"
    assert left(budgets, facts()) is None
    nothing = left(budgets, owner(OWN))
    assert nothing is not None
    assert nothing.code == "budget_exhausted"


def test_one_of_their_own_may_count_and_refuse_nobody() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((), ledger, are_keys_budgeted=True)
    soft = replace(OWN, limit=1, is_soft=True)
    for _ in range(2):
        hold(budgets, owner(soft)).settle(Usage(300, 0), PRICE)
    assert spent(ledger, "key:abc:day|tokens", TODAY) == Spent(600, 0)
    assert left(budgets, owner(soft)) is None
    hard = replace(OWN, name="key:abc:total", span=Span(Period.TOTAL), limit=100)
    assert deny(budgets, owner(soft, hard)).code == "budget_exhausted"
    assert spent(ledger, "key:abc:day|tokens", TODAY) == Spent(600, 0)


def test_what_is_changed_of_them_holds_for_the_next_call() -> None:
    budgets = Budgets((), MemoryLedger(), are_keys_budgeted=True)
    assert deny(budgets, owner(replace(OWN, limit=100))).code == "budget_exhausted"
    hold(budgets, owner(replace(OWN, limit=1_000)))


def test_work_that_is_told_later_is_owed_on_them_too() -> None:
    owed = Budgets((TOKENS,), MemoryLedger(), are_keys_budgeted=True).owed(
        owner(OWN), ["smart"], 700, None
    )
    assert {each.counter for each in owed.bookings} == {"everyone|tokens", "key:abc:day|tokens"}


SOFT = replace(TEAM, name="soft", limit=1, is_soft=True)


def test_a_soft_budget_counts_and_refuses_nobody() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((SOFT,), ledger)
    for _ in range(3):
        hold(budgets, facts()).settle(Usage(100, 50), PRICE)
    assert spent(ledger, "soft|team=platform", NOVEMBER) == Spent(3 * 200_000, 0)
    hold(budgets, facts()).release()
    assert spent(ledger, "soft|team=platform", NOVEMBER) == Spent(3 * 200_000, 0)


def test_a_soft_budget_beside_a_hard_one_refuses_nothing_and_takes_nothing_from_it() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((SOFT, replace(TOKENS, limit=300)), ledger)
    hold(budgets, facts()).settle(Usage(100, 50), PRICE)
    assert spent(ledger, "everyone|tokens", 0) == Spent(150, 0)
    held = hold(budgets, facts())
    assert spent(ledger, "everyone|tokens", 0) == Spent(150, 150)
    assert deny(budgets, facts()).code == "budget_exhausted"
    assert spent(ledger, "soft|team=platform", NOVEMBER) == Spent(200_000, 200_000)
    held.book(Usage(10, 10), PRICE)
    held.settle_estimate()
    assert spent(ledger, "soft|team=platform", NOVEMBER).reserved == 0


def test_what_a_slow_ledger_allows_is_noted_on_soft_budgets_after_it() -> None:
    ledger = MemoryLedger()

    class Slow(SlowLedger):
        def note(self, charges: Sequence[Charge]) -> Reservation:
            return ledger.note(charges)

    budgets = Budgets((SOFT, TOKENS), Slow(ledger))  # type: ignore[arg-type]
    answer = budgets.begin(facts(), PRICE)
    assert isinstance(answer, Awaitable)

    async def awaited() -> Held | Deny:
        return await answer

    held = asyncio.run(awaited())
    assert isinstance(held, Held)
    held.settle(Usage(100, 50), PRICE)
    assert spent(ledger, "soft|team=platform", NOVEMBER) == Spent(200_000, 0)
    assert spent(ledger, "everyone|tokens", 0) == Spent(150, 0)


def test_a_soft_budget_refuses_nobody_without_a_ledger_a_price_or_room() -> None:
    class Full(MemoryLedger):
        def note(self, charges: Sequence[Charge]) -> Reservation:
            raise LedgerUnavailable("no room")

    hold(Budgets((SOFT,), Full()), facts()).settle(Usage(100, 50), PRICE)
    hold(Budgets((SOFT,), None), facts()).settle(Usage(100, 50), PRICE)
    hold(Budgets((SOFT,), MemoryLedger()), facts(), None).settle(Usage(1, 1), None)
    assert Budgets((replace(SOFT, scope=Scope()),), None).is_left(facts()) is None


LOW = replace(TOKENS, name="low", limit=1000, when_low=WhenLow(100, "fast"))


def test_another_model_is_asked_when_less_than_a_share_is_left() -> None:
    ledger = MemoryLedger()
    budgets = Budgets((LOW,), ledger)
    assert budgets.is_lowering
    assert budgets.lower(facts()) is None
    held = hold(budgets, facts(estimated_input_tokens=850))
    assert budgets.lower(facts()) is None, "exactly a tenth is left"
    held.settle(Usage(901, 0), PRICE)
    assert budgets.lower(facts()) == Lower("fast", "low")
    assert budgets.lower(facts(model="fast")) is None
    assert Budgets((LOW,), None).lower(facts()) is None
    assert not Budgets((TOKENS,), ledger).is_lowering


def test_what_is_topped_up_counts_for_the_share() -> None:
    class ToppedUp(MemoryLedger):
        def level(self, charge: Charge) -> Level:
            return Level(950, 1000)

    assert Budgets((LOW,), ToppedUp()).lower(facts()) is None
