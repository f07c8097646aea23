"""A ledger's store in Redis or Valkey: one server, one behind sentinels, or a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from extproc.adapters.lease import MOST_PER_CALL
from extproc.adapters.redis_client import RedisClient
from extproc.adapters.redis_scripts import BOOK_ONCE, BURY, REMEMBER, VISIT
from extproc.adapters.remote_store import BURIED_SECONDS
from extproc.adapters.reports import Report, Standing
from extproc.ports import REMEMBERED_SECONDS, Booking, Spent
from gateway.ledger_place import LARGEST_REDIS_LIMIT, LedgerPlace, shown

KEPT_SECONDS = 400 * 86400
"""How long a counter is kept after its period began; one of a budget in total, for good."""


class RedisServer:
    """One worker's connections."""

    largest_limit = LARGEST_REDIS_LIMIT

    def __init__(self, place: LedgerPlace) -> None:
        """ValueError where nobody can be reached by such a URL."""
        self._redis = RedisClient(place)
        self.address = shown(place.url)
        self._prefix = f"{{{place.name}}}:"
        self._dead_milliseconds = int(place.dead_seconds * 1000)
        self._ahead_permille = place.ahead_permille

    async def visit(
        self, worker: str, reports: Sequence[Report], forgotten: Sequence[int]
    ) -> list[Standing]:
        """Keep the worker alive, take its reports down and answer them."""
        numbers = await self._redis.run(
            VISIT,
            [
                *self._keys("workers", f"leases:{worker}", "counters", f"buried:{worker}"),
                *(self._counter(each.counter, each.window_start) for each in reports),
            ],
            [
                worker,
                self._dead_milliseconds,
                self._ahead_permille,
                KEPT_SECONDS,
                json.dumps([_told(each) for each in reports]),
                json.dumps([str(slot) for slot in forgotten]),
            ],
        )
        return [Standing(*numbers[at : at + 5]) for at in range(0, len(numbers), 5)]

    async def bury_dead(self) -> None:
        """Book all that workers hold who have not visited for long."""
        workers = f"{self._prefix}workers"
        seconds, _ = await self._redis.answer(self._redis.asked.time(**self._redis.target(workers)))
        dead = await self._redis.answer(
            self._redis.asked.zrangebyscore(workers, "-inf", seconds * 1000)
        )
        for worker in dead:
            await self._bury(worker.decode(), is_leaving=False)

    async def leave(self, worker: str, reports: Sequence[Report]) -> None:
        """Take down the last reports, and forget the worker."""
        if await self._redis.answer(self._redis.asked.exists(f"{self._prefix}leases:{worker}")):
            await self.visit(worker, reports, ())
        await self._bury(worker, is_leaving=True)

    async def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stands."""
        key = self._counter(counter, window_start)
        found = await self._redis.answer(
            self._redis.asked.hmget(key, ["settled", "reserved", "topped_up"])
        )
        return Spent(*(int(each or 0) for each in found))

    async def counters(self) -> Sequence[tuple[str, int]]:
        """Every counter with each of its periods, in order."""
        found = await self._redis.answer(self._redis.asked.zrange(f"{self._prefix}counters", 0, -1))
        named = (each.decode().partition(":") for each in found)
        return sorted((counter, int(start)) for start, _, counter in named)

    async def remember(self, name: str, owner: str, now: int) -> None:
        """Keep who asked for work of this name; the first counts."""
        keys = self._keys(f"work:{name}", "works")
        await self._redis.run(REMEMBER, keys, [*self._work(name, now), owner])

    async def owner(self, name: str) -> str | None:
        """Who asked for it."""
        found = await self._redis.answer(
            self._redis.asked.hget(f"{self._prefix}work:{name}", "owner")
        )
        return None if found is None else found.decode()

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        """Book what is new of the work; whether anything was."""
        told = [
            {
                "counter": each.counter,
                "window": each.window_start,
                "name": _name(each.counter, each.window_start),
                "amount": min(each.amount, MOST_PER_CALL),
            }
            for each in bookings
        ]
        is_new = await self._redis.run(
            BOOK_ONCE,
            [
                *self._keys(f"work:{name}", "works", "counters"),
                *(self._counter(each.counter, each.window_start) for each in bookings),
            ],
            [*self._work(name, now), extent, KEPT_SECONDS, json.dumps(told)],
        )
        return bool(is_new)

    def break_off(self) -> None:
        """Nobody waits any more."""
        self._redis.break_off()

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()

    async def _bury(self, worker: str, *, is_leaving: bool) -> None:
        await self._redis.run(
            BURY,
            self._keys("workers", f"leases:{worker}", f"buried:{worker}"),
            [worker, f"{self._prefix}counter:", BURIED_SECONDS, int(is_leaving)],
        )

    def _work(self, name: str, now: int) -> tuple[str, str, int, int]:
        return name, f"{self._prefix}work:", now, now - REMEMBERED_SECONDS

    def _keys(self, *names: str) -> list[str]:
        return [self._prefix + name for name in names]

    def _counter(self, counter: str, window_start: int) -> str:
        return f"{self._prefix}counter:{_name(counter, window_start)}"


def _name(counter: str, window_start: int) -> str:
    return f"{window_start}:{counter}"


def _told(report: Report) -> Mapping[str, object]:
    return {
        "name": _name(report.counter, report.window_start),
        "window": report.window_start,
        "slot": str(report.slot),
        "limit": min(report.limit, LARGEST_REDIS_LIMIT),
        "settled": report.settled,
        "booked": report.booked,
        "ceiling": report.ceiling,
        "wish": report.wish,
        "needs": report.needs,
    }
