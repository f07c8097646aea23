"""A lease: its cell always says what a dead worker owes."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from extproc.adapters.lease import MOST_PER_CALL, Lease, LeaseReservation


def lease(ceiling: int) -> tuple[Lease, memoryview]:
    view = memoryview(array("q", [0, 0, 0]))
    made = Lease("b", 0, 1000, (1, view, 1), set())
    made.ceiling = ceiling
    return made, view


def test_no_more_is_taken_than_the_ceiling_allows() -> None:
    made, view = lease(10)
    assert made.take(7)
    assert not made.take(4)
    assert made.take(3)
    assert list(view) == [0, 10, 0]
    assert made.changed == {made}


def test_an_amount_takes_the_place_of_its_estimate() -> None:
    made, view = lease(10)
    assert made.take(7)
    LeaseReservation([(made, 7)]).settle([2])
    assert (view[1], made.settled, made.free) == (2, 2, 8)


def test_a_part_that_is_booked_leaves_1_held_and_the_lease_in_use() -> None:
    made, view = lease(10)
    assert made.take(7)
    reservation = LeaseReservation([(made, 7)])
    reservation.book([4])
    assert (view[1], made.settled, made.free) == (5, 4, 5)
    reservation.book([12])
    assert (view[1], made.settled, made.free) == (17, 16, -7)
    assert not made.is_over
    reservation.release()
    assert (view[1], made.settled) == (16, 16)
    assert made.is_over


def test_an_overrun_leaves_less_than_nothing() -> None:
    made, _ = lease(10)
    assert made.take(7)
    made.settle(7, 25)
    assert made.free == -15
    assert made.is_over


def test_a_lease_with_calls_in_flight_is_not_over() -> None:
    made, _ = lease(10)
    assert made.take(10)
    assert not made.is_over


def test_amounts_are_held_within_reason() -> None:
    made, view = lease(10)
    assert made.take(4)
    assert made.take(4)
    made.settle(4, -1)
    made.settle(4, 2**80)
    assert view[1] == made.settled == MOST_PER_CALL


calls = st.lists(st.tuples(st.integers(1, 20), st.none() | st.integers(0, 30)), max_size=30)


@given(calls)
def test_the_cell_says_settled_plus_held(made_calls: list[tuple[int, int | None]]) -> None:
    made, view = lease(200)
    held = [(estimate, end) for estimate, end in made_calls if made.take(estimate)]
    settled = 0
    outstanding = sum(estimate for estimate, _ in held)
    for estimate, end in held:
        if end is None:
            made.release(estimate)
        else:
            made.settle(estimate, end)
            settled += end
        outstanding -= estimate
        assert view[1] == made.booked == settled + outstanding
