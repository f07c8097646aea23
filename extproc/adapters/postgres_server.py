"""A ledger's store in PostgreSQL: each step is one transaction, on one connection for a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from extproc.adapters import postgres_statements as say
from extproc.adapters.grants import fitting, grant
from extproc.adapters.lease import MOST_PER_CALL
from extproc.adapters.postgres_connection import Connection, PostgresConnection
from extproc.adapters.remote_store import BURIED_SECONDS
from extproc.adapters.reports import Report, Standing
from extproc.ports import REMEMBERED_SECONDS, Booking, Spent
from gateway.ledger_place import LedgerPlace, shown

LARGEST_LIMIT = 2**61


@dataclass(slots=True)
class _Counter:
    settled: int
    leased: int
    reserved: int
    topped_up: int
    reset_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Lease:
    applied: int = 0
    ceiling: int = 0
    reserved: int = 0
    buried_at: datetime | None = None


_NO_LEASE = _Lease()


class PostgresServer:
    """One worker's connection, made when it is first asked, and again after it broke."""

    largest_limit = LARGEST_LIMIT

    def __init__(self, place: LedgerPlace) -> None:
        self._database = PostgresConnection(place)
        self.address = shown(place.url)
        self._dead_seconds = place.dead_seconds
        self._ahead_permille = place.ahead_permille

    async def visit(
        self, worker: str, reports: Sequence[Report], forgotten: Sequence[int]
    ) -> list[Standing]:
        """Keep the worker alive, take its reports down and answer them."""
        async with self._database.transaction() as connection:
            return await self._visit(connection, worker, reports, forgotten)

    async def bury_dead(self) -> None:
        """Book all that workers hold who have not visited for long."""
        async with self._database.transaction() as connection:
            rows = await self._database.rows(connection, say.DEAD)
            await self._database.do(connection, say.FORGET_BURIED, BURIED_SECONDS)
        for (worker,) in rows:
            async with self._database.transaction() as connection:
                await self._bury(connection, worker, is_leaving=False)

    async def leave(self, worker: str, reports: Sequence[Report]) -> None:
        """Take down the last reports, and forget the worker."""
        async with self._database.transaction() as connection:
            if await self._database.rows(
                connection, say.HAS_LEASES, worker
            ):  # else it has left already
                await self._visit(connection, worker, reports, ())
            await self._bury(connection, worker, is_leaving=True)
            await self._database.do(connection, say.FORGET_WORKER_LEASES, worker)
            await self._database.do(connection, say.FORGET_WORKER, worker)

    async def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stands."""
        async with self._database.transaction() as connection:
            rows = await self._database.rows(connection, say.SPENT, counter, window_start)
        return Spent(*rows[0]) if rows else Spent(0, 0)

    async def counters(self) -> Sequence[tuple[str, int]]:
        """Every counter with each of its periods, in order."""
        async with self._database.transaction() as connection:
            rows = await self._database.rows(connection, say.COUNTERS)
        return [(counter, start) for counter, start in rows]

    async def remember(self, name: str, owner: str, now: int) -> None:
        """Keep who asked for work of this name; the first counts."""
        async with self._database.transaction() as connection:
            await self._forget(connection, now)
            await self._database.do(connection, say.REMEMBER, name, owner, now)

    async def owner(self, name: str) -> str | None:
        """Who asked for it."""
        async with self._database.transaction() as connection:
            rows = await self._database.rows(connection, say.OWNER, name)
        return rows[0][0] if rows else None

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        """Book what is new of the work; whether anything was."""
        async with self._database.transaction() as connection:
            await self._forget(connection, now)
            await self._database.do(connection, say.MAKE_WORK, name, now)
            ((known,),) = await self._database.rows(connection, say.LOCK_WORK, name)
            if known is not None and known >= extent:
                return False
            await self._database.do(connection, say.EXTEND, extent, now, name)
            before = dict(await self._database.rows(connection, say.BOOKED, name))
            for each in sorted(bookings):
                if known is None or each.counter in before:
                    was = before.get(each.counter, 0)
                    told = max(was, min(each.amount, MOST_PER_CALL))
                    before[each.counter] = told
                    await self._database.do(connection, say.BOOK_WORK, name, each.counter, told)
                    if told > was:
                        booking = each.counter, each.window_start, told - was
                        await self._database.do(connection, say.BOOK, *booking)
        return True

    def break_off(self) -> None:
        """Drop the connection as it is."""
        self._database.break_off()

    async def close(self) -> None:
        """Close the connection."""
        await self._database.close()

    async def _visit(
        self,
        connection: Connection,
        worker: str,
        reports: Sequence[Report],
        forgotten: Sequence[int],
    ) -> list[Standing]:
        if not reports:
            async with connection.pipeline():
                await self._database.do(connection, say.ALIVE, worker, self._dead_seconds)
                await self._database.do(connection, say.FORGET_LEASES, worker, list(forgotten))
            return []
        names, starts = zip(*sorted({(r.counter, r.window_start) for r in reports}), strict=True)
        asked = (list(names), list(starts))
        slots = [report.slot for report in reports]
        async with connection.pipeline():
            await self._database.do(connection, say.ALIVE, worker, self._dead_seconds)
            await self._database.do(connection, say.FORGET_LEASES, worker, list(forgotten))
            await self._database.do(connection, say.MAKE_COUNTERS, *asked)
            locked = await self._database.do(connection, say.LOCK_COUNTERS, *asked)
            leased = await self._database.do(connection, say.LEASES, worker, slots)
            living = await self._database.do(connection, say.LIVING)
            counters = {(row[0], row[1]): _Counter(*row[2:]) for row in await locked.fetchall()}
            leases = {row[0]: _Lease(*row[1:]) for row in await leased.fetchall()}
            ((workers,),) = await living.fetchall()
        standings = [
            _take_down(
                each,
                counters[each.counter, each.window_start],
                leases,
                workers=workers,
                ahead_permille=self._ahead_permille,
            )
            for each in reports
        ]
        await self._write(connection, worker, reports, counters, leases)
        return standings

    async def _write(
        self,
        connection: Connection,
        worker: str,
        reports: Sequence[Report],
        counters: Mapping[tuple[str, int], _Counter],
        leases: Mapping[int, _Lease],
    ) -> None:
        told = {each.slot: each for each in reports}
        async with connection.pipeline():
            await self._database.do(
                connection,
                say.SET_COUNTERS,
                [name for name, _ in counters],
                [start for _, start in counters],
                [each.settled for each in counters.values()],
                [each.leased for each in counters.values()],
                [each.reserved for each in counters.values()],
            )
            await self._database.do(
                connection,
                say.SET_LEASES,
                worker,
                list(told),
                [each.counter for each in told.values()],
                [each.window_start for each in told.values()],
                [leases[slot].applied for slot in told],
                [leases[slot].ceiling for slot in told],
                [leases[slot].reserved for slot in told],
            )

    async def _bury(self, connection: Connection, worker: str, *, is_leaving: bool) -> None:
        if await self._database.rows(connection, say.LOCK_DEAD, worker, is_leaving):
            for statement in (say.HELD_COUNTERS, say.BOOK_HELD, say.END_HELD, say.BURIED):
                await self._database.do(connection, statement, worker)

    async def _forget(self, connection: Connection, now: int) -> None:
        oldest = now - REMEMBERED_SECONDS
        await self._database.do(connection, say.FORGET_BOOKED, oldest)
        await self._database.do(connection, say.FORGET_WORKS, oldest)


def _take_down(
    report: Report,
    counter: _Counter,
    leases: dict[int, _Lease],
    *,
    workers: int,
    ahead_permille: int,
) -> Standing:
    """Book what is new, and grant what is wished; the counter and the leases are changed."""
    before = leases.get(report.slot, _NO_LEASE)
    counter.settled += _news(report, counter, before)
    elsewhere = counter.leased - (before.ceiling - before.applied)
    reserved_elsewhere = counter.reserved - before.reserved
    ceiling = max(report.ceiling, report.booked)
    limit = report.limit + counter.topped_up
    remaining = limit - counter.settled - elsewhere - (ceiling - report.settled)
    share = max(0, remaining) * ahead_permille // (1000 * max(1, workers))
    needed = fitting(report.needs, remaining + ceiling - report.booked)
    ceiling += grant(remaining, needed, report.wish - (ceiling - report.booked), share)
    after = _Lease(report.settled, ceiling, report.booked - report.settled + needed)
    counter.leased = elsewhere + after.ceiling - after.applied
    counter.reserved = reserved_elsewhere + after.reserved
    leases[report.slot] = after
    return Standing(
        ceiling=ceiling,
        booked_besides=counter.settled - report.settled + reserved_elsewhere,
        idle_elsewhere=elsewhere - reserved_elsewhere,
        share=share,
        topped_up=counter.topped_up,
    )


def _news(report: Report, counter: _Counter, before: _Lease) -> int:
    """What is settled since the last report. Who was taken for dead may tell that less was spent;
    what a reset has forgotten since is not given back once more."""
    news = report.settled - before.applied
    reset, buried = counter.reset_at, before.buried_at
    if news < 0 and reset is not None and buried is not None and reset >= buried:
        return 0
    return news
