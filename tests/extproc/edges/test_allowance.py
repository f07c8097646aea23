"""What a peer may spend, and when it may spend again."""

from __future__ import annotations

from extproc.edges.allowance import Allowance
from tests.extproc.edges.peer import Clock


def test_the_burst_is_spent_and_earned_again() -> None:
    clock = Clock()
    allowance = Allowance(3, 2, clock)
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 1
    assert [allowance.take() for _ in range(3)] == [True, True, False]


def test_no_more_than_the_burst_is_ever_saved() -> None:
    clock = Clock()
    allowance = Allowance(2, 100, clock)
    assert [allowance.take(), allowance.take()] == [True, True]
    clock.now += 1_000
    assert [allowance.take() for _ in range(3)] == [True, True, False]
