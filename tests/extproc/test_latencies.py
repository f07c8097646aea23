"""How soon targets were seen to answer."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from extproc.latencies import FRESH_SECONDS, MOST_KEPT, SHARE_OF_TRIALS, Latencies, Tried

A, B, C = Tried("a", "x"), Tried("b", "y"), Tried("c", "z")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def latencies(clock: Clock, **seconds: float) -> Latencies:
    made = Latencies(clock)
    for name, took in seconds.items():
        made.observe({"a": A, "b": B, "c": C}[name], clock.now - took)
    return made


def never() -> float:
    return 0.999


def test_the_fastest_goes_first_and_the_unknown_last() -> None:
    made = latencies(Clock(), a=0.5, c=0.1)
    assert made.order([B, A, C], never) == (2, 1, 0)


def test_what_is_seen_moves_the_average() -> None:
    clock = Clock()
    made = latencies(clock, a=1.0)
    made.observe(A, clock.now - 2.0)
    assert made.seconds(A) == pytest.approx(1.2)
    assert made.seconds(B) is None


def test_old_observations_do_not_weigh_on_new_ones() -> None:
    clock = Clock()
    made = latencies(clock, a=9.0)
    clock.now += FRESH_SECONDS + 1
    made.observe(A, clock.now - 1.0)
    assert made.seconds(A) == 1.0


def test_a_clock_that_stands_still_is_no_time() -> None:
    clock = Clock()
    made = Latencies(clock)
    made.observe(A, clock.now + 5)
    assert made.seconds(A) == 0.0


@pytest.mark.parametrize("is_stale", [False, True])
def test_the_unknown_and_the_stale_are_tried_now_and_then(is_stale: bool) -> None:
    clock = Clock()
    made = latencies(clock, a=0.1, **({"b": 9.0} if is_stale else {}))
    clock.now += FRESH_SECONDS + 1 if is_stale else 0
    made.observe(A, clock.now - 0.1)
    choose = random.Random(7).random
    first = Counter(made.order([A, B], choose)[0] for _ in range(10_000))
    assert first[1] / 10_000 == pytest.approx(SHARE_OF_TRIALS, abs=0.01)


def test_while_nothing_is_known_all_are_tried_alike() -> None:
    choose = random.Random(7).random
    first = Counter(Latencies(Clock()).order([A, B, C], choose)[0] for _ in range(9_000))
    assert all(count / 9_000 == pytest.approx(1 / 3, abs=0.02) for count in first.values())


def test_a_slow_target_that_is_fresh_is_not_tried_for_nothing() -> None:
    made = latencies(Clock(), a=0.1, b=9.0)
    assert made.order([A, B], lambda: 0.0) == (0, 1)


def test_names_without_end_do_not_fill_the_memory() -> None:
    clock = Clock()
    made = Latencies(clock)
    for number in range(MOST_KEPT + 1):
        made.observe(Tried("p", str(number)), clock.now)
    assert made.seconds(Tried("p", "0")) is None
    assert made.seconds(Tried("p", str(MOST_KEPT))) == 0.0
