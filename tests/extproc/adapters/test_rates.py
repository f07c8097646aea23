"""The arithmetic of rates against models that keep every request, in fractions."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from extproc.adapters.rates import FREE_AT, ROW_WORDS, Bucket, Window
from extproc.ports import NEVER

SECOND = 10**9
ROW = ROW_WORDS  # not the first: offsets matter

amounts = st.integers(1, 50)
periods = st.sampled_from([SECOND, 60 * SECOND])
steps = st.lists(
    st.tuples(st.fractions(0, 2), st.integers(0, 60), st.integers(-60, 60)), max_size=40
)
"""How long to wait, in periods; what is wanted; by how much it is corrected."""


def row() -> list[int]:
    return [0] * (3 * ROW_WORDS)


@dataclass
class BucketModel:
    """A level that falls evenly, in exact numbers."""

    amount: int
    period: int
    level: Fraction = Fraction(0)
    at: int = 0

    def pass_to(self, now: int) -> None:
        fallen = Fraction((now - self.at) * self.amount, self.period)
        self.level, self.at = max(Fraction(0), self.level - fallen), now

    def takes(self, now: int, wanted: int) -> bool:
        self.pass_to(now)
        if wanted > self.amount or self.level + wanted > self.amount:
            return False
        self.level += wanted
        return True

    def correct(self, now: int, more: int) -> None:
        self.pass_to(now)
        self.level = max(Fraction(0), self.level + more)


@given(amounts, periods, steps)
def test_a_bucket_is_a_level_that_falls_evenly(
    amount: int, period: int, steps: list[tuple[Fraction, int, int]]
) -> None:
    bucket, words, model, now = Bucket(amount, period), row(), BucketModel(amount, period), SECOND
    model.at = now
    for waited, wanted, more in steps:
        now += int(waited * period)
        remaining, _, wait = bucket.take(words, ROW, now, wanted)
        assert (wait == 0) == model.takes(now, wanted)
        assert remaining == max(0, (amount - model.level) // 1)
        if wait == 0:
            bucket.correct(words, ROW, now, more, now)
            model.correct(now, more)
        assert bucket.take(words, ROW, now, 0)[0] == max(0, (amount - model.level) // 1)


@given(amounts, periods, steps)
def test_who_waits_as_long_as_a_bucket_says_is_let_through_and_not_before(
    amount: int, period: int, steps: list[tuple[Fraction, int, int]]
) -> None:
    bucket, words, now = Bucket(amount, period), row(), SECOND
    for waited, wanted, more in steps:
        now += int(waited * period)
        wait = bucket.take(words, ROW, now, wanted)[2]
        if wait == NEVER:
            assert wanted > amount
        elif wait:
            assert bucket.take(list(words), ROW, now + wait, wanted)[2] == 0
            assert bucket.take(list(words), ROW, now + wait - 1, wanted)[2] > 0
        else:
            bucket.correct(words, ROW, now, more, now)


@given(amounts, periods, steps)
def test_a_row_that_is_free_says_what_a_new_one_says(
    amount: int, period: int, steps: list[tuple[Fraction, int, int]]
) -> None:
    for measure in (Bucket(amount, period), Window(amount, period)):
        words, now = row(), SECOND
        for waited, wanted, more in steps:
            now += int(waited * period)
            if measure.take(words, ROW, now, wanted)[2] == 0:
                measure.correct(words, ROW, now, more, now)
        free_at = max(now, words[ROW + FREE_AT])
        assert measure.take(words, ROW, free_at, 0)[:2] == (amount, 0)


@dataclass
class WindowModel:
    """All that was taken, and when."""

    amount: int
    period: int
    taken: list[list[int]] = field(default_factory=list)

    def in_window(self, begin: int) -> int:
        return sum(n for at, n in self.taken if begin <= at < begin + self.period)


@given(amounts, periods, steps)
def test_no_window_of_the_period_ever_has_more_than_the_amount(
    amount: int, period: int, steps: list[tuple[Fraction, int, int]]
) -> None:
    window, words, model, now = Window(amount, period), row(), WindowModel(amount, period), SECOND
    for waited, wanted, more in steps:
        now += int(waited * period)
        if window.take(words, ROW, now, wanted)[2] == 0:
            back = max(-wanted, min(0, more))
            window.correct(words, ROW, now, back, now)
            model.taken.append([now, wanted + back])
    for at, _ in model.taken:
        assert model.in_window(at) <= amount


@given(amounts, periods, steps)
def test_a_window_is_at_most_a_tenth_late(
    amount: int, period: int, steps: list[tuple[Fraction, int, int]]
) -> None:
    window, words, now = Window(amount, period), row(), SECOND
    taken: list[tuple[int, int]] = []
    for waited, wanted, _ in steps:
        now += int(waited * period)
        wait = window.take(words, ROW, now, wanted)[2]
        known = sum(n for at, n in taken if at > now - period - period // 10)
        if wait == 0:
            taken.append((now, wanted))
        else:
            assert known + wanted > amount
        if wait > 0:  # looking ahead forgets what will be too old
            assert window.take(list(words), ROW, now + wait - 1, wanted)[2] > 0
            assert window.take(list(words), ROW, now + wait, wanted)[2] == 0


def test_what_was_too_much_goes_back_to_where_it_was_taken() -> None:
    window, words = Window(10, SECOND), row()
    window.take(words, ROW, SECOND, 10)
    window.correct(words, ROW, SECOND + SECOND // 2, -4, SECOND)
    assert window.take(words, ROW, SECOND + SECOND // 2, 0)[0] == 4
    late = 3 * SECOND
    window.take(words, ROW, late, 10)
    window.correct(words, ROW, late, -4, SECOND)
    assert window.take(words, ROW, late, 0)[0] == 0


def test_what_was_too_little_is_owed() -> None:
    for measure in (Bucket(10, SECOND), Window(10, SECOND)):
        words = row()
        measure.take(words, ROW, SECOND, 5)
        measure.correct(words, ROW, SECOND, 10, SECOND)
        assert measure.take(words, ROW, SECOND, 0)[0] == 0
        assert measure.take(words, ROW, SECOND, 1)[2] > 0
    bucket, words = Bucket(10, SECOND), row()
    bucket.take(words, ROW, SECOND, 5)
    bucket.correct(words, ROW, SECOND, 10, SECOND)
    assert bucket.take(words, ROW, SECOND, 1)[2] == 6 * SECOND // 10
