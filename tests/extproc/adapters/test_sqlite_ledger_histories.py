"""Whatever workers do and however they end, the sums are exact and the limit holds."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Booking, Charge, Exhausted, Reservation, Spent
from tests.kit.ledger_suite import ask

LIMIT = 200
COUNTERS = ("a", "b")
WORKERS = 3
FLUSH_SECONDS = 0.002

_Result = TypeVar("_Result")
workers = st.integers(0, WORKERS - 1)


class LedgerMachine(RuleBasedStateMachine):
    """Three workers on one file, beside a model that only adds."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "ledger.db"
        self.loop = asyncio.new_event_loop()
        self.ledgers = [self.run(self.open(each)) for each in range(WORKERS)]
        self.held: list[tuple[int, Reservation, tuple[Charge, ...]]] = []
        self.settled = dict.fromkeys(COUNTERS, 0)
        self.overrun = dict.fromkeys(COUNTERS, 0)
        self.extents: dict[str, int] = {}
        self.booked: dict[str, dict[str, int]] = {}
        """By work and counter."""

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return self.loop.run_until_complete(work)

    async def open(self, worker: int) -> LeasedLedger:
        return await open_ledger(self.path, worker=f"w{worker}", flush_seconds=FLUSH_SECONDS)

    def reserved(self, counter: str) -> int:
        charges = [charge for _, _, charges in self.held for charge in charges]
        return sum(charge.estimate for charge in charges if charge.counter == counter)

    def fits(self, charge: Charge, slack: int = 0) -> bool:
        spent = self.settled[charge.counter] + self.reserved(charge.counter)
        return spent + charge.estimate <= LIMIT + slack

    @rule(
        worker=workers,
        estimates=st.dictionaries(st.sampled_from(COUNTERS), st.integers(1, 60), min_size=1),
    )
    def reserve(self, worker: int, estimates: dict[str, int]) -> None:
        charges = tuple(Charge(name, 0, LIMIT, amount) for name, amount in estimates.items())
        answer = self.run(self.ask_patiently(self.ledgers[worker], charges))
        if isinstance(answer, Exhausted):
            assert not all(self.fits(charge) for charge in charges)
        else:
            for charge in charges:
                assert self.fits(charge, self.overrun[charge.counter])
            self.held.append((worker, answer, charges))

    async def ask_patiently(
        self, ledger: LeasedLedger, charges: tuple[Charge, ...]
    ) -> Reservation | Exhausted:
        """A refusal is remembered for a moment, in which others may have given back."""
        for _ in range(200):
            answer = await ask(ledger, *charges)
            if not isinstance(answer, Exhausted) or not all(map(self.fits, charges)):
                break
            await asyncio.sleep(FLUSH_SECONDS)
        return answer

    @precondition(lambda self: self.held)
    @rule(data=st.data(), ends=st.lists(st.integers(0, 80), min_size=2, max_size=2))
    def settle(self, data: st.DataObject, ends: list[int]) -> None:
        index = data.draw(st.integers(0, len(self.held) - 1))
        _, reservation, charges = self.held.pop(index)
        amounts = ends[: len(charges)]
        reservation.settle(amounts)
        for charge, amount in zip(charges, amounts, strict=True):
            self.settled[charge.counter] += amount
            self.overrun[charge.counter] += max(0, amount - charge.estimate)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        _, reservation, _ = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        reservation.release()

    @rule(
        worker=workers,
        name=st.sampled_from(("x", "y")),
        extent=st.integers(1, 6),
        amounts=st.dictionaries(st.sampled_from(COUNTERS), st.integers(0, 80), min_size=1),
    )
    def book_once(self, worker: int, name: str, extent: int, amounts: dict[str, int]) -> None:
        bookings = [Booking(counter, 0, amount) for counter, amount in amounts.items()]
        is_new = self.run(self.ledgers[worker].book_once(name, extent, bookings, 0))
        assert is_new == (extent > self.extents.get(name, 0))
        if not is_new:
            return
        booked = self.booked.setdefault(name, dict.fromkeys(amounts, 0))
        self.extents[name] = extent
        for counter in booked.keys() & amounts.keys():
            added = max(0, amounts[counter] - booked[counter])
            booked[counter] += added
            self.settled[counter] += added
            self.overrun[counter] += added

    @rule(worker=workers)
    def flush(self, worker: int) -> None:
        self.run(self.ledgers[worker].flush())

    @rule(worker=workers)
    def crash(self, worker: int) -> None:
        self.run(self.ledgers[worker].abandon())
        self.replace(worker)

    @rule(worker=workers)
    def stop(self, worker: int) -> None:
        self.run(self.ledgers[worker].close())
        self.replace(worker)

    def replace(self, worker: int) -> None:
        """What the old one held is booked as estimated."""
        for _, _, charges in [each for each in self.held if each[0] == worker]:
            for charge in charges:
                self.settled[charge.counter] += charge.estimate
        self.held = [each for each in self.held if each[0] != worker]
        self.ledgers[worker] = self.run(self.open(worker))

    @invariant()
    def the_limit_holds_in_the_file(self) -> None:
        query = (
            "SELECT counter, settled + (SELECT COALESCE(SUM(ceiling - applied), 0) FROM leases"
            " WHERE leases.counter = counters.counter) FROM counters"
        )
        with closing(sqlite3.connect(self.path)) as database:
            for counter, promised in database.execute(query).fetchall():
                assert promised <= LIMIT + self.overrun[counter]

    @invariant()
    def all_workers_together_know_the_sums(self) -> None:
        for ledger in self.ledgers:
            self.run(ledger.flush())
        for counter in COUNTERS:
            expected = Spent(self.settled[counter], self.reserved(counter))
            assert self.run(self.ledgers[0].spent(counter, 0)) == expected

    def teardown(self) -> None:
        for ledger in self.ledgers:
            self.run(ledger.close())
        for counter in COUNTERS:
            self.settled[counter] += self.reserved(counter)
        with closing(sqlite3.connect(self.path)) as database:
            rows = dict(database.execute("SELECT counter, settled FROM counters").fetchall())
        self.loop.close()
        self.directory.cleanup()
        assert {name: rows.get(name, 0) for name in COUNTERS} == self.settled


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
