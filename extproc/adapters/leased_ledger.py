"""The ledger that several workers share: leases in memory, a store behind them.

A call is booked in memory when the worker's slices of its counters suffice, and waits for a visit
to the store when not. Visits are made one at a time, for all that has come up. A store that grants
nothing ahead is visited for each call. docs/decisions/0004-ledger.md says why it is built so.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from extproc.adapters.grants import wanted
from extproc.adapters.lease import Lease, LeaseReservation
from extproc.adapters.levels import Heard, Levels
from extproc.adapters.reports import Report, Standing, Store
from extproc.adapters.waiters import Waiter, give_up
from extproc.ports import (
    Booking,
    Charge,
    Exhausted,
    LedgerUnavailable,
    Level,
    Reservation,
    Spent,
)

_TRIES = 4
"""The first, and one after each of three flushes: in two of them, idle slices come back."""
_IDLE_FLUSHES = 20
"""A slice that nobody drew on for so long goes back unasked."""
_COMFORTABLE_FLUSHES = 10
"""A slice that is a trifle of what is left is reported so seldom."""
VISIT_SHARE = 20
"""Flushes are spaced out so that they take at most 1/20 of the time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Remembered until the next flush, so that the refused do not keep the store busy."""

    limit: int
    spent: int
    topped_up: int
    until: float


@dataclass(frozen=True, slots=True)
class _Visit:
    """A visit to the store that is under way."""

    leases: list[Lease]
    reports: list[Report]
    waiters: list[Waiter]
    began: float


class LeasedLedger:
    """One worker's part of the ledger. Lives on one event loop."""

    def __init__(
        self,
        store: Store,
        loop: asyncio.AbstractEventLoop,
        *,
        flush_seconds: float,
        visit_share: int = VISIT_SHARE,
        is_strict: bool = False,
    ) -> None:
        """A strict one refuses while the store gives no answer, whatever it has leased."""
        self._store = store
        self._loop = loop
        self._flush_seconds = flush_seconds
        self._visit_share = visit_share
        self._is_strict = is_strict
        self._leases: dict[tuple[str, int], Lease] = {}
        self._changed: set[Lease] = set()
        self._waiters: list[Waiter] = []
        self._patient: list[Waiter] = []
        """Waiting for others to return what they do not use."""
        self._refusals: dict[tuple[str, int], _Refusal] = {}
        self._levels = Levels(flush_seconds)
        self._visit: _Visit | None = None
        self._visit_over = asyncio.Event()
        self._visit_over.set()
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_tick_missed = False
        self._is_flush_due = False
        self._next_flush = 0.0
        self._hurried_until = 0
        """After a recall every tick flushes for a while, however long visits take."""
        self._is_closed = False
        self.trouble: LedgerUnavailable | None = None
        """Why the last visit to the store failed; None when it did not."""

    def reserve(
        self, charges: Sequence[Charge]
    ) -> Reservation | Exhausted | Awaitable[Reservation | Exhausted]:
        """Take all of the estimates, or none."""
        if self._is_strict and self._store.has_been_away:
            return self._wait(charges)
        return self._take(charges) or self._known_refusal(charges) or self._wait(charges)

    def note(self, charges: Sequence[Charge]) -> Reservation:
        """Take all of the estimates; the store is told later."""
        self._open_store()
        try:
            leases = [self._lease(charge) for charge in charges]
        except OSError as error:
            _log.warning("soft budgets are not counted: no room for cells: %s", error)
            raise LedgerUnavailable(f"no room for cells: {error}") from error
        for lease, charge in zip(leases, charges, strict=True):
            lease.force(charge.estimate)
        return LeaseReservation([(a, b.estimate) for a, b in zip(leases, charges, strict=True)])

    def level(self, charge: Charge) -> Level | Awaitable[Level]:
        """Where its counter stands; of others, what they told `LEVEL_FLUSHES` ago or later."""
        key = (charge.counter, charge.window_start)
        heard = self._levels.young(key, self._loop.time())
        return self._look(charge) if heard is None else self._level(key, heard)

    def _level(self, key: tuple[str, int], heard: Heard) -> Level:
        lease = self._leases.get(key)
        return Level(heard.besides + (lease.booked if lease else 0), heard.topped_up)

    async def _look(self, charge: Charge) -> Level:
        """By a report that asks for nothing."""
        self._open_store()
        key = (charge.counter, charge.window_start)
        try:
            self._changed.add(self._leases.get(key) or self._lease(charge))
        except OSError as error:
            raise LedgerUnavailable(f"no room for cells: {error}") from error
        await self.flush()
        return self._level(key, self._levels.last(key))

    async def flush(self) -> None:
        """Let the store know everything that was booked so far."""
        await self._wait(())

    async def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stands; other workers' part as of their last flush."""
        await self.flush()
        return await self._store.spent(counter, window_start)

    async def counters(self) -> Sequence[tuple[str, int]]:
        """Every counter with each of its periods, in order."""
        await self.flush()
        return await self._store.counters()

    async def remember(self, name: str, owner: str, now: int) -> None:
        """Keep who asked for the work of this name; the first who is said to have counts."""
        await self._open_store().remember(name, owner, now)

    async def owner(self, name: str) -> str | None:
        """Who asked for it."""
        return await self._open_store().owner(name)

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        """Book what is new of work that was not reserved for; whether anything was."""
        is_new = await self._open_store().book_once(name, extent, bookings, now)
        if is_new and not self._is_closed:  # what lies idle may be more than is left now
            self._store.recall.call()
            self._hurried_until = self._ticks + _TRIES
            self._return_idle(self._ticks)
            self._arm()
        return is_new

    async def close(self) -> None:
        """Book everything, calls in flight as estimated, and give all slices back.

        When the store does not take it, LedgerUnavailable is raised and nothing is lost: whoever
        opens the ledger next books it.
        """
        if self._is_closed:
            return
        self._is_closed = True
        await self._visit_over.wait()
        leases = list(set(self._leases.values()) | self._changed)
        reports = [_last_report(lease) for lease in leases]
        try:
            await self._store.leave(reports)
        finally:
            await self._let_go(leases)

    async def abandon(self) -> None:
        """Stop without a word to the store, as a killed worker does."""
        self._is_closed = True
        await self._visit_over.wait()
        await self._let_go(list(set(self._leases.values()) | self._changed))

    async def _let_go(self, leases: list[Lease]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for waiter in (*self._waiters, *self._patient):
            waiter.fail(LedgerUnavailable("the ledger is closed"))
        self._drop(leases)
        await self._store.close()

    def _drop(self, leases: list[Lease]) -> None:
        """Calls of these that end later have been booked as estimated; theirs go nowhere."""
        for lease in leases:
            lease.view, lease.index = memoryview(array("q", [0])), 0
            lease.ceiling, lease.changed = 0, set()
        self._leases.clear()
        self._changed.clear()

    def _open_store(self) -> Store:
        if self._is_closed:
            raise LedgerUnavailable("the ledger is closed")
        return self._store

    # The fast path

    def _take(self, charges: Sequence[Charge]) -> LeaseReservation | None:
        held: list[tuple[Lease, int]] = []
        for charge in charges:
            lease = self._leases.get((charge.counter, charge.window_start))
            estimate = charge.estimate
            if lease is None or lease.limit != charge.limit or not lease.take(estimate):
                for taken, amount in held:
                    taken.release(amount)
                return None
            held.append((lease, estimate))
        return LeaseReservation(held)

    def _known_refusal(self, charges: Sequence[Charge]) -> Exhausted | None:
        if not self._refusals:
            return None
        now = self._loop.time()
        for charge in charges:
            refusal = self._refusals.get((charge.counter, charge.window_start))
            if (
                refusal is not None
                and refusal.limit == charge.limit
                and refusal.until > now
                and refusal.spent + charge.estimate > charge.limit + refusal.topped_up
            ):
                return Exhausted(charge, refusal.spent, refusal.topped_up)
        return None

    # The slow path

    async def _wait(self, charges: Sequence[Charge]) -> Reservation | Exhausted:
        if self._is_closed:
            raise LedgerUnavailable("the ledger is closed")
        for charge in charges:
            if charge.estimate < 1:
                raise ValueError(f"an estimate is at least 1, not {charge.estimate}")
        waiter = Waiter(charges, self._loop.create_future())
        self._waiters.append(waiter)
        self._begin_visit()
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            if waiter.answer.done() and not waiter.answer.cancelled():
                give_up(waiter.answer)
            raise

    def _begin_visit(self) -> None:
        if self._visit is not None or self._is_closed:
            return
        if self._store.is_forgotten:
            self._drop(list(set(self._leases.values()) | self._changed))
        if self._store.has_been_away:
            self._changed.update(self._leases.values())
            self._is_flush_due = True
        is_recovering = any(waiter.tries for waiter in self._waiters)
        waiters = [waiter for waiter in self._waiters if not waiter.answer.done()]
        self._waiters.clear()
        needs: dict[Lease, list[int]] = {}
        try:
            for waiter in waiters:
                for charge in waiter.charges:
                    needs.setdefault(self._lease(charge), []).append(charge.estimate)
        except OSError as error:
            for waiter in waiters:
                waiter.fail(LedgerUnavailable(f"no room for cells: {error}"))
            return
        is_asked = any(not waiter.charges for waiter in waiters)
        leases = list(self._to_report(is_asked) | needs.keys())
        self._changed.difference_update(leases)
        if not leases and not waiters:
            return
        for lease in leases:
            self._trim(lease)
        leases.sort(key=lambda lease: not lease.is_over or lease in needs)
        reports = [self._report(lease, needs.get(lease, ())) for lease in leases]
        self._visit = _Visit(leases, reports, waiters, self._loop.time())
        self._visit_over.clear()
        job = self._store.visit(reports, is_recovering)
        job.add_done_callback(self._end_visit)

    def _lease(self, charge: Charge) -> Lease:
        key = (charge.counter, charge.window_start)
        lease = self._leases.get(key)
        if lease is None:
            lease = Lease(*key, charge.limit, self._store.cells.allocate(), self._changed)
            self._leases[key] = lease
            self._changed.add(lease)
            self._arm()
        elif lease.limit != charge.limit:
            lease.limit = charge.limit
            lease.ceiling = min(lease.ceiling, lease.booked)
        return lease

    def _to_report(self, is_asked: bool) -> set[Lease]:
        """Whose news go along. What is far from any limit is told less often."""
        if is_asked or self._store.has_been_away:
            return set(self._changed)
        if not self._is_flush_due:
            return set()
        self._is_flush_due = False
        latest = self._ticks - _COMFORTABLE_FLUSHES
        return {
            lease
            for lease in self._changed
            if lease.reported_at <= latest or not lease.is_comfortable
        }

    def _trim(self, lease: Lease) -> None:
        """Give back what is more than a fair share of what is left; while others ask, all of it.

        What waiting calls need comes back in the same visit, if it is enough.
        """
        if lease.demand:
            lease.last_active = self._ticks
        is_scarce = self._ticks <= self._hurried_until and not lease.is_comfortable
        keep = 0 if is_scarce else lease.share
        if lease.free > keep:
            lease.ceiling = lease.booked + keep

    def _report(self, lease: Lease, needs: Sequence[int]) -> Report:
        is_last = lease.is_over and not needs
        if is_last and self._leases.get(lease.key) is lease:
            del self._leases[lease.key]
        report = Report(
            counter=lease.counter,
            window_start=lease.window_start,
            limit=min(lease.limit, self._store.largest_limit),
            slot=lease.slot,
            settled=lease.settled,
            booked=lease.booked,
            ceiling=lease.ceiling,
            needs=tuple(needs),
            wish=0 if is_last else wanted(lease.demand, needs),
            is_last=is_last,
        )
        lease.demand = 0
        lease.reported_at = self._ticks
        return report

    def _end_visit(self, job: asyncio.Future[list[Standing]]) -> None:
        visit = self._visit
        assert visit is not None, "a visit ends once"
        self._visit = None
        self._visit_over.set()
        now = self._loop.time()
        self._next_flush = now + (now - visit.began) * self._visit_share
        error = job.exception()
        if error is None:
            self._note(None)
            self._answer(visit, job.result())
        else:
            self._changed.update(visit.leases)
            self._is_flush_due = True
            self._arm()
            for waiter in visit.waiters:
                waiter.fail(error)
            if not isinstance(error, LedgerUnavailable):
                raise error
            self._note(error)
        if self._is_tick_missed:
            self._flush_if_due()
        if self._waiters:
            self._begin_visit()

    def _note(self, trouble: LedgerUnavailable | None) -> None:
        if trouble is not None and self.trouble is None:
            _log.warning("calls under a budget are refused: %s", trouble)
        self.trouble = trouble

    def _answer(self, visit: _Visit, standings: list[Standing]) -> None:
        known: dict[tuple[str, int], Standing] = {}
        now = self._loop.time()
        for lease, report, standing in zip(visit.leases, visit.reports, standings, strict=True):
            known[lease.key] = standing
            self._refusals.pop(lease.key, None)
            besides = standing.booked_besides + (report.booked if report.is_last else 0)
            self._levels.hear(lease.key, besides, standing.topped_up, now)
            if report.is_last:
                self._store.cells.free(lease.slot)
            else:
                lease.ceiling = standing.ceiling
                lease.share = standing.share
                if report.needs:
                    self._changed.add(lease)  # needs count as reserved until they are reported
        for waiter in visit.waiters:
            if not waiter.answer.done():
                reservation = self._take(waiter.charges)
                if reservation is not None:
                    waiter.answer.set_result(reservation)
                else:
                    self._put_off(waiter, known)

    def _put_off(self, waiter: Waiter, known: dict[tuple[str, int], Standing]) -> None:
        """Refuse the call, or let it wait when there is hope."""
        waiter.tries += 1
        charge = next((charge for charge in waiter.charges if self._lacks(charge)), None)
        if charge is None:  # two charges on one counter, or another program's limit
            charge = waiter.charges[0]
        key = (charge.counter, charge.window_start)
        standing = known[key]
        spent = standing.booked_besides + self._leases[key].booked
        topped_up = standing.topped_up
        if spent + charge.estimate > charge.limit + topped_up or waiter.tries >= _TRIES:
            until = self._loop.time() + self._flush_seconds
            self._refusals[key] = _Refusal(charge.limit, spent, topped_up, until)
            waiter.answer.set_result(Exhausted(charge, spent, topped_up))
        elif standing.idle_elsewhere > 0:
            self._store.recall.call()
            self._hurried_until = self._ticks + _TRIES
            self._patient.append(waiter)
            self._arm()
        else:
            self._waiters.append(waiter)

    def _lacks(self, charge: Charge) -> bool:
        lease = self._leases[charge.counter, charge.window_start]
        return lease.limit != charge.limit or lease.free < charge.estimate

    # The clock

    def _arm(self) -> None:
        if self._timer is None and not self._is_closed:
            self._timer = self._loop.call_later(self._flush_seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._ticks += 1
        if self._visit is None:
            self._flush_if_due()
        else:
            self._is_tick_missed = True
        now = self._loop.time()
        for key in [key for key, refusal in self._refusals.items() if refusal.until <= now]:
            del self._refusals[key]
        if self._leases or self._patient or self._changed or self._refusals:
            self._arm()

    def _flush_if_due(self) -> None:
        self._is_tick_missed = False
        is_recalled = self._store.recall.is_heard()
        if is_recalled:
            self._hurried_until = self._ticks + _TRIES
            self._return_idle(self._ticks)
        elif self._ticks % _IDLE_FLUSHES == 0:
            self._return_idle(self._ticks - _IDLE_FLUSHES)
        self._waiters.extend(self._patient)
        self._patient.clear()
        if (
            self._store.has_been_away
            or self._ticks <= self._hurried_until
            or self._loop.time() >= self._next_flush
        ):
            self._is_flush_due = True
        if self._waiters or (self._is_flush_due and (self._changed or self._store.has_been_away)):
            self._begin_visit()

    def _return_idle(self, last_active: int) -> None:
        """Give up the slices that nobody has drawn on since that tick."""
        for lease in self._leases.values():
            if lease.free > 0 and lease.last_active <= last_active and lease not in self._changed:
                lease.ceiling = lease.booked
                self._changed.add(lease)


def _last_report(lease: Lease) -> Report:
    return Report(
        counter=lease.counter,
        window_start=lease.window_start,
        limit=lease.limit,
        slot=lease.slot,
        settled=lease.booked,
        booked=lease.booked,
        ceiling=lease.booked,
        needs=(),
        wish=0,
        is_last=True,
    )
