"""What every ledger must do, whatever it is made of; run by subclassing `LedgerSuite`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import pytest

from extproc.ports import (
    REMEMBERED_SECONDS,
    Booking,
    Charge,
    Exhausted,
    Ledger,
    Level,
    Reservation,
    Spent,
)

MONTH = 1_764_547_200


class AnyLedger(Ledger, Protocol):
    """A ledger that can also be looked into."""

    async def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stood in that period; zeros when it was never drawn on."""

    async def counters(self) -> Sequence[tuple[str, int]]:
        """Every counter with each of its periods, in order."""


def charge(estimate: int, *, counter: str = "b|team=a", limit: int = 100) -> Charge:
    return Charge(counter, MONTH, limit, estimate)


async def ask(ledger: Ledger, *charges: Charge) -> Reservation | Exhausted:
    """Reserve, and wait if need be."""
    answer = ledger.reserve(charges)
    return await answer if isinstance(answer, Awaitable) else answer


async def hold(ledger: Ledger, *charges: Charge) -> Reservation:
    """Reserve what must be there."""
    answer = await ask(ledger, *charges)
    assert not isinstance(answer, Exhausted), answer
    return answer


async def level(ledger: Ledger, limit: int = 100) -> Level:
    """Where the counter stands, as far as is known; waited for if need be."""
    answer = ledger.level(charge(1, limit=limit))
    return await answer if isinstance(answer, Awaitable) else answer


class LedgerSuite:
    """The contract of `AnyLedger`."""

    def opened(self, directory: Path) -> AbstractAsyncContextManager[AnyLedger]:
        """A new ledger, closed at the end."""
        raise NotImplementedError

    def run(self, directory: Path, scene: Callable[[AnyLedger], Awaitable[None]]) -> None:
        async def main() -> None:
            async with self.opened(directory) as ledger:
                await scene(ledger)

        asyncio.run(main())

    def test_a_reservation_counts_until_it_is_settled(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            held = await hold(ledger, charge(60))
            assert await ledger.spent("b|team=a", MONTH) == Spent(settled=0, reserved=60)
            held.settle([25])
            assert await ledger.spent("b|team=a", MONTH) == Spent(settled=25, reserved=0)

        self.run(tmp_path, scene)

    def test_a_released_reservation_leaves_no_trace(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            (await hold(ledger, charge(100))).release()
            assert await ledger.spent("b|team=a", MONTH) == Spent(0, 0)
            await hold(ledger, charge(100))

        self.run(tmp_path, scene)

    def test_the_last_unit_can_be_spent_and_no_more(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            for _ in range(100):
                (await hold(ledger, charge(1))).settle([1])
            assert await ask(ledger, charge(1)) == Exhausted(charge(1), 100)

        self.run(tmp_path, scene)

    def test_a_refusal_tells_what_is_settled_and_held(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            (await hold(ledger, charge(50))).settle([30])
            await hold(ledger, charge(40))
            assert await ask(ledger, charge(31)) == Exhausted(charge(31), 70)
            await hold(ledger, charge(30))

        self.run(tmp_path, scene)

    def test_all_charges_are_taken_or_none(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            small = charge(20, counter="small", limit=10)
            assert await ask(ledger, charge(20), small) == Exhausted(small, 0)
            assert await ledger.spent("b|team=a", MONTH) == Spent(0, 0)
            held = await hold(ledger, charge(20), charge(5, counter="small", limit=10))
            held.settle([11, 7])
            assert await ledger.spent("b|team=a", MONTH) == Spent(11, 0)
            assert await ledger.spent("small", MONTH) == Spent(7, 0)

        self.run(tmp_path, scene)

    def test_two_charges_on_one_counter_add_up(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            refused = await ask(ledger, charge(60), charge(60))
            assert isinstance(refused, Exhausted)
            (await hold(ledger, charge(60), charge(40))).settle([1, 2])
            assert await ledger.spent("b|team=a", MONTH) == Spent(3, 0)

        self.run(tmp_path, scene)

    def test_more_than_was_estimated_is_booked_in_full_and_ends_the_budget(
        self, tmp_path: Path
    ) -> None:
        async def scene(ledger: AnyLedger) -> None:
            (await hold(ledger, charge(10))).settle([140])
            assert await ledger.spent("b|team=a", MONTH) == Spent(140, 0)
            assert await ask(ledger, charge(1)) == Exhausted(charge(1), 140)

        self.run(tmp_path, scene)

    def test_what_is_used_can_be_booked_part_by_part(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            held = await hold(ledger, charge(60), charge(5, counter="small", limit=10))
            held.book([25, 2])
            assert await ledger.spent("b|team=a", MONTH) == Spent(settled=25, reserved=1)
            assert await ledger.spent("small", MONTH) == Spent(settled=2, reserved=1)
            held.book([100, 0])  # also beyond the limit
            assert await ledger.spent("b|team=a", MONTH) == Spent(settled=125, reserved=1)
            with pytest.raises(ValueError, match="1 amounts for 2 charges"):
                held.book([1])
            held.release()
            held.book([7, 7])
            assert await ledger.spent("b|team=a", MONTH) == Spent(settled=125, reserved=0)
            last = await hold(ledger, charge(5, counter="small", limit=10))
            last.book([1])
            last.settle([3])
            assert await ledger.spent("small", MONTH) == Spent(settled=6, reserved=0)

        self.run(tmp_path, scene)

    def test_only_the_first_end_of_a_reservation_counts(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            settled, released = await hold(ledger, charge(10)), await hold(ledger, charge(10))
            settled.settle([3])
            settled.settle([3])
            settled.release()
            released.release()
            released.settle([5])
            assert await ledger.spent("b|team=a", MONTH) == Spent(3, 0)

        self.run(tmp_path, scene)

    def test_windows_are_counted_apart_and_kept(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            old = Charge("b", MONTH, 10, 10)
            new = Charge("b", MONTH + 3600, 10, 10)
            held = await hold(ledger, old)
            (await hold(ledger, new)).settle([10])
            held.settle([8])
            assert await ledger.spent("b", MONTH) == Spent(8, 0)
            assert await ledger.spent("b", MONTH + 3600) == Spent(10, 0)
            assert await ledger.counters() == [("b", MONTH), ("b", MONTH + 3600)]

        self.run(tmp_path, scene)

    def test_a_changed_limit_counts_from_the_next_call_on(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            (await hold(ledger, charge(10, limit=1000))).settle([10])
            assert await ask(ledger, charge(1, limit=10)) == Exhausted(charge(1, limit=10), 10)
            await hold(ledger, charge(90, limit=100))

        self.run(tmp_path, scene)

    def test_an_unknown_counter_stands_at_nothing(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            assert await ledger.spent("never", MONTH) == Spent(0, 0)
            assert await ledger.counters() == []

        self.run(tmp_path, scene)

    def test_an_estimate_of_nothing_is_a_mistake(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            await hold(ledger, charge(5))
            for wrong in (0, -5):
                with pytest.raises(ValueError, match="at least 1"):
                    await ask(ledger, charge(1), charge(wrong))
            assert await ledger.spent("b|team=a", MONTH) == Spent(0, 5)

        self.run(tmp_path, scene)

    def test_amounts_must_match_the_charges(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            held = await hold(ledger, charge(5))
            with pytest.raises(ValueError, match="2 amounts for 1 charges"):
                held.settle([1, 2])
            held.settle([-4])
            assert await ledger.spent("b|team=a", MONTH) == Spent(0, 0)

        self.run(tmp_path, scene)

    def test_many_at_once_never_overspend(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            answers: Sequence[Reservation | Exhausted] = await asyncio.gather(
                *[ask(ledger, charge(7)) for _ in range(50)]
            )
            held = [each for each in answers if not isinstance(each, Exhausted)]
            assert len(held) == 14
            for each in held:
                each.settle([7])
            assert await ledger.spent("b|team=a", MONTH) == Spent(98, 0)

        self.run(tmp_path, scene)

    def test_work_is_booked_once_and_in_full_whatever_the_limit(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            (await hold(ledger, charge(60))).settle([60])
            bookings = [Booking("b|team=a", MONTH, 70), Booking("b|key=k", MONTH, 7)]
            told = [await ledger.book_once("p/batch_1", 9, bookings, MONTH) for _ in range(3)]
            assert told == [True, False, False]
            assert await ledger.spent("b|team=a", MONTH) == Spent(130, 0)
            assert await ledger.spent("b|key=k", MONTH) == Spent(7, 0)
            assert await ask(ledger, charge(1)) == Exhausted(charge(1), 130)

        self.run(tmp_path, scene)

    def test_work_that_many_see_at_once_is_booked_once(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            one = [Booking("b", MONTH, 5)]
            told = await asyncio.gather(
                *(ledger.book_once("p/batch_1", 1, one, MONTH) for _ in range(20))
            )
            assert sorted(told) == [False] * 19 + [True]
            assert await ledger.spent("b", MONTH) == Spent(5, 0)

        self.run(tmp_path, scene)

    def test_of_work_that_grows_the_difference_is_booked_where_it_was_first(
        self, tmp_path: Path
    ) -> None:
        async def scene(ledger: AnyLedger) -> None:
            part, whole = Booking("b", MONTH, 5), Booking("b", MONTH + 3600, 12)
            free, paid = Booking("free", MONTH, 0), Booking("free", MONTH, 3)
            other = Booking("new", MONTH, 12)
            assert await ledger.book_once("p/batch_1", 1, [part, free], MONTH)
            assert await ledger.book_once("p/batch_1", 2, [other, whole, paid], MONTH)
            assert not await ledger.book_once("p/batch_1", 1, [part], MONTH)
            assert await ledger.spent("free", MONTH) == Spent(3, 0)
            assert await ledger.spent("b", MONTH) == Spent(5, 0)
            assert await ledger.spent("b", MONTH + 3600) == Spent(7, 0)
            assert await ledger.spent("new", MONTH) == Spent(0, 0)

        self.run(tmp_path, scene)

    def test_work_that_concerned_no_counter_concerns_none_later(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            assert await ledger.book_once("p/batch_1", 1, [], MONTH)
            late = [Booking("b", MONTH, 5)]
            assert not await ledger.book_once("p/batch_1", 1, late, MONTH)
            assert await ledger.counters() == []

        self.run(tmp_path, scene)

    def test_the_first_who_asked_for_work_is_its_owner(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            assert await ledger.owner("p/batch_1") is None
            await ledger.remember("p/batch_1", "anna", MONTH)
            await ledger.remember("p/batch_1", "bert", MONTH)
            await ledger.book_once("p/batch_1", 1, [], MONTH)
            assert await ledger.owner("p/batch_1") == "anna"
            await ledger.book_once("p/batch_2", 1, [], MONTH)
            assert await ledger.owner("p/batch_2") is None
            await ledger.remember("p/batch_2", "bert", MONTH)
            assert await ledger.owner("p/batch_2") == "bert"
            assert not await ledger.book_once("p/batch_2", 1, [], MONTH)

        self.run(tmp_path, scene)

    def test_work_is_forgotten_when_nobody_can_ask_for_it(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            booking, soon = [Booking("b", MONTH, 5)], MONTH + REMEMBERED_SECONDS
            await ledger.remember("p/batch_1", "anna", MONTH)
            assert await ledger.book_once("p/batch_2", 1, booking, MONTH)
            assert not await ledger.book_once("p/batch_2", 1, booking, soon)
            assert await ledger.owner("p/batch_1") == "anna"
            assert await ledger.book_once("p/batch_2", 1, booking, soon + 1)
            assert await ledger.owner("p/batch_1") is None
            assert await ledger.spent("b", MONTH) == Spent(10, 0)

        self.run(tmp_path, scene)

    def test_what_is_noted_counts_whatever_the_limit(self, tmp_path: Path) -> None:
        async def scene(ledger: AnyLedger) -> None:
            (await hold(ledger, charge(90))).settle([90])
            noted = ledger.note([charge(60), charge(7, counter="other")])
            assert await ledger.spent("b|team=a", MONTH) == Spent(90, 60)
            noted.settle([80, 5])
            assert await ledger.spent("b|team=a", MONTH) == Spent(170, 0)
            assert await ledger.spent("other", MONTH) == Spent(5, 0)
            assert await ask(ledger, charge(1)) == Exhausted(charge(1), 170)
            ledger.note([charge(60)]).release()
            assert await ledger.spent("b|team=a", MONTH) == Spent(170, 0)

        self.run(tmp_path, scene)

    def test_where_a_counter_stands_is_known_before_and_after_it_is_drawn_on(
        self, tmp_path: Path
    ) -> None:
        async def scene(ledger: AnyLedger) -> None:
            assert await level(ledger) == Level(0, 0)
            held = await hold(ledger, charge(60))
            assert await level(ledger) == Level(60, 0)
            held.settle([25])
            assert await level(ledger) == Level(25, 0)
            ledger.note([charge(10)])
            assert await level(ledger) == Level(35, 0)

        self.run(tmp_path, scene)
