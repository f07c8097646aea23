"""Slices are large while much is left, exact when little is, and never more than is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extproc.adapters.grants import fair_share, fitting, grant, wanted

amounts = st.integers(0, 10**12)


def test_needs_are_met_first_come_first_served() -> None:
    assert fitting([5, 4, 3], 8) == 8  # 5 and 3: the 4 does not fit
    assert fitting([5, 4, 3], 12) == 12
    assert fitting([5], 4) == 0


def test_one_call_gets_room_for_the_next_ones() -> None:
    assert grant(remaining=10_000, needed=10, wish=wanted(0, [10]), share=5_000) == 80


def test_the_last_of_a_budget_is_given_exactly() -> None:
    assert grant(remaining=10, needed=10, wish=80, share=fair_share(10, 4)) == 10
    assert grant(remaining=15, needed=10, wish=80, share=fair_share(15, 4)) == 10


def test_a_busy_worker_asks_for_twice_what_it_needed_last_time() -> None:
    assert wanted(demand=1000, needs=[]) == 2000


def test_half_of_what_is_left_stays_in_the_store() -> None:
    assert fair_share(1000, 4) * 4 == 500
    assert fair_share(-5, 4) == 0


@given(st.integers(-(10**12), 10**12), amounts, st.integers(-(10**12), 10**12), amounts)
def test_never_more_than_is_left(remaining: int, needed: int, wish: int, share: int) -> None:
    assert 0 <= grant(remaining, needed, wish, share) <= max(0, remaining)
