"""A ledger's store in PostgreSQL: each step is one transaction, on one connection for a worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg import sql

from extproc.adapters import postgres_statements as say
from extproc.adapters.grants import fitting, grant
from extproc.adapters.lease import MOST_PER_CALL
from extproc.adapters.remote_store import BURIED_SECONDS
from extproc.adapters.reports import Report, Standing
from extproc.ports import REMEMBERED_SECONDS, Booking, LedgerUnavailable, Spent
from gateway.ledger_place import LedgerPlace, shown
from gateway.ledger_tables import POSTGRES_IS_MADE, POSTGRES_LOCK, POSTGRES_TABLES

LARGEST_LIMIT = 2**61
LOCK_MILLISECONDS = 1000
"""For locks; and a worker that is cut off within a step holds its locks no longer than this."""
CONNECT_SECONDS = 2

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]


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
        self._place = place
        self.address = shown(place.url)
        self._schema = place.name
        self._dead_seconds = place.dead_seconds
        self._ahead_permille = place.ahead_permille
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._statements: dict[str, sql.Composed] = {}

    async def visit(
        self, worker: str, reports: Sequence[Report], forgotten: Sequence[int]
    ) -> list[Standing]:
        """Keep the worker alive, take its reports down and answer them."""
        async with self._transaction() as connection:
            return await self._visit(connection, worker, reports, forgotten)

    async def bury_dead(self) -> None:
        """Book all that workers hold who have not visited for long."""
        async with self._transaction() as connection:
            rows = await self._rows(connection, say.DEAD)
            await self._do(connection, say.FORGET_BURIED, BURIED_SECONDS)
        for (worker,) in rows:
            async with self._transaction() as connection:
                await self._bury(connection, worker, is_leaving=False)

    async def leave(self, worker: str, reports: Sequence[Report]) -> None:
        """Take down the last reports, and forget the worker."""
        async with self._transaction() as connection:
            if await self._rows(connection, say.HAS_LEASES, worker):  # else it has left already
                await self._visit(connection, worker, reports, ())
            await self._bury(connection, worker, is_leaving=True)
            await self._do(connection, say.FORGET_WORKER_LEASES, worker)
            await self._do(connection, say.FORGET_WORKER, worker)

    async def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stands."""
        async with self._transaction() as connection:
            rows = await self._rows(connection, say.SPENT, counter, window_start)
        return Spent(*rows[0]) if rows else Spent(0, 0)

    async def counters(self) -> Sequence[tuple[str, int]]:
        """Every counter with each of its periods, in order."""
        async with self._transaction() as connection:
            rows = await self._rows(connection, say.COUNTERS)
        return [(counter, start) for counter, start in rows]

    async def remember(self, name: str, owner: str, now: int) -> None:
        """Keep who asked for work of this name; the first counts."""
        async with self._transaction() as connection:
            await self._forget(connection, now)
            await self._do(connection, say.REMEMBER, name, owner, now)

    async def owner(self, name: str) -> str | None:
        """Who asked for it."""
        async with self._transaction() as connection:
            rows = await self._rows(connection, say.OWNER, name)
        return rows[0][0] if rows else None

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        """Book what is new of the work; whether anything was."""
        async with self._transaction() as connection:
            await self._forget(connection, now)
            await self._do(connection, say.MAKE_WORK, name, now)
            ((known,),) = await self._rows(connection, say.LOCK_WORK, name)
            if known is not None and known >= extent:
                return False
            await self._do(connection, say.EXTEND, extent, now, name)
            before = dict(await self._rows(connection, say.BOOKED, name))
            for each in sorted(bookings):
                if known is None or each.counter in before:
                    was = before.get(each.counter, 0)
                    told = max(was, min(each.amount, MOST_PER_CALL))
                    before[each.counter] = told
                    await self._do(connection, say.BOOK_WORK, name, each.counter, told)
                    if told > was:
                        booking = each.counter, each.window_start, told - was
                        await self._do(connection, say.BOOK, *booking)
        return True

    def break_off(self) -> None:
        """Drop the connection as it is: to cancel a query would take another, and longer."""
        if self._connection is not None:
            self._connection.pgconn.finish()

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _visit(
        self,
        connection: Connection,
        worker: str,
        reports: Sequence[Report],
        forgotten: Sequence[int],
    ) -> list[Standing]:
        if not reports:
            async with connection.pipeline():
                await self._do(connection, say.ALIVE, worker, self._dead_seconds)
                await self._do(connection, say.FORGET_LEASES, worker, list(forgotten))
            return []
        names, starts = zip(*sorted({(r.counter, r.window_start) for r in reports}), strict=True)
        asked = (list(names), list(starts))
        slots = [report.slot for report in reports]
        async with connection.pipeline():
            await self._do(connection, say.ALIVE, worker, self._dead_seconds)
            await self._do(connection, say.FORGET_LEASES, worker, list(forgotten))
            await self._do(connection, say.MAKE_COUNTERS, *asked)
            locked = await self._do(connection, say.LOCK_COUNTERS, *asked)
            leased = await self._do(connection, say.LEASES, worker, slots)
            living = await self._do(connection, say.LIVING)
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
            await self._do(
                connection,
                say.SET_COUNTERS,
                [name for name, _ in counters],
                [start for _, start in counters],
                [each.settled for each in counters.values()],
                [each.leased for each in counters.values()],
                [each.reserved for each in counters.values()],
            )
            await self._do(
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
        if await self._rows(connection, say.LOCK_DEAD, worker, is_leaving):
            for statement in (say.HELD_COUNTERS, say.BOOK_HELD, say.END_HELD, say.BURIED):
                await self._do(connection, statement, worker)

    async def _forget(self, connection: Connection, now: int) -> None:
        oldest = now - REMEMBERED_SECONDS
        await self._do(connection, say.FORGET_BOOKED, oldest)
        await self._do(connection, say.FORGET_WORKS, oldest)

    async def _rows(
        self, connection: Connection, statement: LiteralString, *values: Any
    ) -> list[tuple[Any, ...]]:
        return await (await self._do(connection, statement, *values)).fetchall()

    async def _do(
        self, connection: Connection, statement: LiteralString, *values: Any
    ) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        composed = self._statements.get(statement)
        if composed is None:
            composed = sql.SQL(statement).format(sql.Identifier(self._schema))
            self._statements[statement] = composed
        return await connection.execute(composed, values or None)

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        """Whatever happens within a step, it is done or not; its connection is not used again."""
        async with self._turn:
            try:
                connection = self._connection or await self._connect()
                async with connection.transaction():
                    yield connection
            except BaseException as error:
                broken, self._connection = self._connection, None
                if broken is not None:
                    broken.pgconn.finish()
                if isinstance(error, psycopg.Error | OSError):
                    raise LedgerUnavailable(_reason(error)) from error
                raise

    async def _connect(self) -> Connection:
        connection: Connection = await psycopg.AsyncConnection.connect(
            self._place.url,
            user=self._place.username or None,
            password=self._place.password or None,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            prepare_threshold=None,  # a pooler between us may not know of prepared statements
            application_name="dragoman",
        )
        self._connection = connection
        await connection.execute(
            f"SET idle_in_transaction_session_timeout = {LOCK_MILLISECONDS}; "
            f"SET lock_timeout = {LOCK_MILLISECONDS}"
        )
        if not await self._is_made(connection):
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (POSTGRES_LOCK,))
                if not await self._is_made(connection):  # nobody else has meanwhile
                    await self._do(connection, POSTGRES_TABLES)
        return connection

    async def _is_made(self, connection: Connection) -> bool:
        rows = await self._rows(connection, POSTGRES_IS_MADE, self._schema)
        return bool(rows)


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


def _reason(error: BaseException) -> str:
    """One line; libpq's have several, and name no password."""
    return " ".join(str(error).split()) or type(error).__name__
