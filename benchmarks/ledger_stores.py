"""What a store of budgets can do with all workers at it: `python -m benchmarks.ledger_stores`.

Each store on this machine, all workers on one counter: reservations with their settlements per
second, how long a call waits for its reservation, and the CPU that it costs the worker. Workers
and the server share the cores.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop

from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.ledgers import open_ledger
from extproc.adapters.sqlite_ledger import open_ledger as open_sqlite
from extproc.ports import Charge, Exhausted
from gateway.ledger_place import LedgerKind, LedgerPlace
from tests.kit.servers import postgres, redis

SECONDS = 5.0
IN_FLIGHT = 32
"""Calls of one worker at once."""
THINK_SECONDS = 0.002
"""Between a reservation and its settlement."""
CHARGE = Charge("team-month|team=a", 0, 2**50, 2_000_000)
PERMILLE = 50


class Told(NamedTuple):
    """What one worker has done."""

    calls: int
    cpu_seconds: float
    waits: tuple[float, ...]
    """Some of them, in seconds."""


async def _join(place: LedgerPlace, folder: Path, worker: str) -> LeasedLedger:
    if place.kind is LedgerKind.SQLITE:
        return await open_sqlite(folder / "ledger.db", worker=worker)
    return open_ledger(place, worker, asyncio.get_running_loop())


async def _call(ledger: LeasedLedger, end: float, waits: list[float]) -> int:
    calls = 0
    while (began := time.perf_counter()) < end:
        answer = ledger.reserve([CHARGE])
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Exhausted):
            raise SystemExit("the benchmark's limit is too low")
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(THINK_SECONDS)
        answer.settle([900_000])
        calls += 1
    return calls


async def _work(place: LedgerPlace, folder: Path, worker: str) -> Told:
    ledger = await _join(place, folder, worker)
    waits: list[float] = []
    try:
        await _call(ledger, time.perf_counter() + 0.3, [])
        cpu, end = time.process_time(), time.perf_counter() + SECONDS
        calls = sum(await asyncio.gather(*(_call(ledger, end, waits) for _ in range(IN_FLIGHT))))
        return Told(calls, time.process_time() - cpu, tuple(waits[:: max(1, len(waits) // 5000)]))
    finally:
        await ledger.close()


def _worker(place: LedgerPlace, folder: Path, worker: str) -> Told:
    return uvloop.run(_work(place, folder, worker))


def measure(name: str, place: LedgerPlace, folder: Path, workers: int) -> None:
    """Print a line."""
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        told = pool.starmap(_worker, [(place, folder, f"w{each}") for each in range(workers)])
    calls = sum(each.calls for each in told)
    waits = sorted(wait for each in told for wait in each.waits)
    median, late = statistics.median(waits), waits[len(waits) * 99 // 100]
    cpu = sum(each.cpu_seconds for each in told) / calls
    sys.stdout.write(
        f"{name:<26} {workers} workers {calls / SECONDS:9.0f}/s  waits {median * 1e6:7.0f} us, "
        f"p99 {late * 1e6:7.0f} us  {cpu * 1e6:6.1f} us CPU\n"
    )


@contextmanager
def stores(folder: Path) -> Iterator[list[tuple[str, LedgerPlace]]]:
    """All of them, running."""
    with (
        redis(folder / "redis", "--appendfsync", "everysec") as of_redis,
        postgres(folder / "postgres") as of_postgres,
    ):
        there = LedgerPlace(LedgerKind.REDIS, f"redis://127.0.0.1:{of_redis.port}", name="exact")
        url = f"postgresql://127.0.0.1:{of_postgres.port}/ledger"
        here = LedgerPlace(LedgerKind.POSTGRES, url, "gateway", name="exact", answer_seconds=2.0)
        ahead = {"name": "ahead", "ahead_permille": PERMILLE}
        yield [
            ("SQLite", LedgerPlace()),
            ("Redis, exact", there),
            ("Redis, lease 5%", LedgerPlace(there.kind, there.url, **ahead)),
            ("PostgreSQL, exact", here),
            ("PostgreSQL, lease 5%", LedgerPlace(here.kind, here.url, "gateway", **ahead)),
        ]


def main() -> None:
    """Measure every store, with one worker, and with one for each core."""
    with tempfile.TemporaryDirectory() as name, stores(Path(name)) as all_stores:
        for store, place in all_stores:
            for workers in sorted({1, os.cpu_count() or 1}):
                folder = Path(tempfile.mkdtemp(dir=name))
                measure(store, place, folder, workers)


if __name__ == "__main__":
    main()
