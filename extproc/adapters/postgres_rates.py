"""Rates of several machines in PostgreSQL: a visit is one transaction, in two round trips.

The tables are not logged: they need not survive the server, and a commit waits for no disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import LiteralString

from extproc.adapters.postgres_connection import Connection, PostgresConnection
from extproc.adapters.rates import ROW_WORDS, STATE, rate
from extproc.adapters.shared_rates import LIVING_SECONDS, NOW, STATE_WORDS, Answer, Visit, Wish
from extproc.ports import Pace
from gateway.ledger_place import LedgerPlace
from gateway.limits import Algorithm

_ALIVE: LiteralString = """
INSERT INTO {0}.limit_workers (worker, until)
VALUES (%s, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (worker) DO UPDATE SET until = excluded.until
"""
_MAKE: LiteralString = """
INSERT INTO {0}.limit_rates (name) SELECT * FROM unnest(%s::text[]) ORDER BY 1
ON CONFLICT DO NOTHING
"""
_LOCK: LiteralString = """
SELECT name, state FROM {0}.limit_rates WHERE name = ANY(%s) ORDER BY name FOR UPDATE
"""
"""All in one order, so that nobody waits in a circle."""
_NOW: LiteralString = """
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
  (SELECT count(*) FROM {0}.limit_workers WHERE until > clock_timestamp())
"""
_SET: LiteralString = """
UPDATE {0}.limit_rates AS r SET state = n.state, free_at = n.free_at
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS n (name, state, free_at)
WHERE r.name = n.name
"""
_FORGET: LiteralString = """
DELETE FROM {0}.limit_rates WHERE name IN (
  SELECT name FROM {0}.limit_rates WHERE free_at < %s LIMIT 1000 FOR UPDATE SKIP LOCKED
)
"""
_FORGET_WORKERS: LiteralString = "DELETE FROM {0}.limit_workers WHERE until < clock_timestamp()"
_FORGET_SECONDS = 60.0
_MICROSECOND = 1000
_SPARE = 1_000_000_000
"""Nanoseconds for which a row is kept that says nothing any more."""


class PostgresRates:
    """One worker's connection."""

    def __init__(self, place: LedgerPlace, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = PostgresConnection(place)
        self._clock = clock
        self._forget_at = clock() + _FORGET_SECONDS

    async def visit(self, visit: Visit) -> Answer:
        """One transaction."""
        names = [_digest(each.name) for each in visit.rates]
        async with self._database.transaction() as connection:
            now, workers, rows = await self._opened(connection, visit.worker, names)
            states = [rows[name] for name in names]
            for words, counted in zip(states, visit.rates, strict=True):
                measure = rate(counted.pace)
                measure.take(words, 0, now, 0)
                for slot, amount in counted.changes:
                    at = now if slot == NOW else slot * (counted.pace.period_ns // 10)
                    measure.correct(words, 0, now, amount, at)
            taken = [_taken(visit, states, call, now) for call in visit.calls]
            if names:
                texts = [" ".join(map(str, words[STATE:])) for words in states]
                free_at = [
                    _free_at(each.pace, words)
                    for each, words in zip(visit.rates, states, strict=True)
                ]
                await self._database.do(connection, _SET, names, texts, free_at)
        if self._clock() >= self._forget_at:
            self._forget_at = self._clock() + _FORGET_SECONDS
            await self._forget(now)
        told = [words[STATE : STATE + STATE_WORDS] for words in states]
        return Answer(now, workers, told, taken)

    def break_off(self) -> None:
        """Drop the connection as it is."""
        self._database.break_off()

    async def close(self) -> None:
        await self._database.close()

    async def _opened(
        self, connection: Connection, worker: str, names: list[str]
    ) -> tuple[int, int, dict[str, list[int]]]:
        """The time, when all rows are ours; how many workers there are; the rows."""
        database = self._database
        async with connection.pipeline():
            await database.do(connection, _ALIVE, worker, LIVING_SECONDS)
            locked = None
            if names:
                await database.do(connection, _MAKE, names)
                locked = await database.do(connection, _LOCK, names)
            moment = await database.do(connection, _NOW)
            found = [] if locked is None else await locked.fetchall()
            ((now, workers),) = await moment.fetchall()
        rows: dict[str, list[int]] = {}
        for name, state in found:
            words = [0] * STATE + [int(each) for each in state.split()]
            rows[name] = words + [0] * (ROW_WORDS - len(words))
        return now * _MICROSECOND, workers, rows

    async def _forget(self, now: int) -> None:
        async with self._database.transaction() as connection:
            await self._database.do(connection, _FORGET, now)
            await self._database.do(connection, _FORGET_WORKERS)


def _taken(
    visit: Visit, states: Sequence[list[int]], call: Sequence[Wish], now: int
) -> Sequence[bool]:
    """Whatever is binding, or nothing."""
    flags: list[bool] = []
    is_refused = False
    for place, wanted, is_binding in call:
        fits = not rate(visit.rates[place].pace).take(states[place], 0, now, wanted)[2]
        flags.append(fits)
        is_refused |= is_binding and not fits
    if is_refused:
        for at, (place, wanted, _) in enumerate(call):
            if flags[at]:
                flags[at] = False
                rate(visit.rates[place].pace).correct(states[place], 0, now, -wanted, now)
    return flags


def _free_at(pace: Pace, words: Sequence[int]) -> int:
    """From when on a row says nothing that matters."""
    if pace.algorithm is Algorithm.TOKEN_BUCKET:
        return words[STATE] + _SPARE
    return (words[STATE] + 11) * (pace.period_ns // 10) + _SPARE


def _digest(name: str) -> str:
    return blake2b(name.encode(), digest_size=16).hexdigest()
