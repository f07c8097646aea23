"""What limits of several machines cost: `python -m benchmarks.limit_servers`.

Two workers, each as of another machine, under a limit of requests and one of tokens for each key. A
line for each server: calls per second, how long a call waits for its limits, how many have to ask,
and the CPU that a call costs the worker, settled, over one that no limit applies to. Workers and
the server share the cores.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.ledger_stores import stores
from extproc.adapters.limiter_places import LimiterPlaces
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.facts import Facts
from extproc.policies.limit import NOTHING_TAKEN, Limits, Taken
from extproc.principal import of_key
from extproc.told import encode_told
from gateway.ledger_place import LedgerPlace
from gateway.limits import Rate
from gateway.model import ApiKey, Limit, Scope

SECONDS = 5.0
WORKERS = 2
IN_FLIGHT = 32
"""Calls of one worker at once, each of a key of its own."""
THINK_SECONDS = 0.02
"""Between the taking and the settlement."""
EACH = Scope(key="*")
LIMITS = (
    Limit("requests", EACH, requests=Rate(6000, 60)),
    Limit("tokens", EACH, tokens=Rate(6_000_000, 60)),
)


class Told(NamedTuple):
    """What one worker has done."""

    calls: int
    asked: int
    cpu_seconds: float
    waits: tuple[float, ...]


class Worker:
    """Calls, one after the other, of many keys at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.calls = self.asked = 0
        self.waits: list[float] = []

    async def flow(self, key: str, end: float) -> None:
        holder, now = of_key(ApiKey(key, "00", team="platform")), datetime.now(UTC)
        while (began := time.perf_counter()) < end:
            found = self._limits.take(Facts(now, principal=holder, model="fast"), 1000, 2000)
            if not isinstance(found, Taken):
                self.asked += 1
                found = await found  # type: ignore[misc]  # nothing is refused
            if not isinstance(found, Taken):
                raise SystemExit(f"refused: {found}")
            self.waits.append(time.perf_counter() - began)
            if found is not NOTHING_TAKEN:
                encode_told(found.told)
            await asyncio.sleep(THINK_SECONDS)
            found.settle(420)
            self.calls += 1


async def _work(place: LedgerPlace, folder: Path, name: str, limits: tuple[Limit, ...]) -> Told:
    mine = folder / name
    mine.mkdir(parents=True)
    later = asyncio.get_running_loop().call_later
    places = LimiterPlaces(MappedLimiter(mine, later), name)
    worker = Worker(Limits(limits, places.at(place)))
    await worker.flow("first", time.perf_counter() + 0.3)
    worker.calls, worker.asked, worker.waits = 0, 0, []
    cpu, end = time.process_time(), time.perf_counter() + SECONDS
    await asyncio.gather(*(worker.flow(f"key-{each}", end) for each in range(IN_FLIGHT)))
    cpu = time.process_time() - cpu
    await places.close()
    return Told(worker.calls, worker.asked, cpu, tuple(worker.waits))


def _worker(place: LedgerPlace, folder: Path, name: str, limits: tuple[Limit, ...]) -> Told:
    return uvloop.run(_work(place, folder, name, limits))


def measure(name: str, place: LedgerPlace, folder: Path, limits: tuple[Limit, ...]) -> None:
    """Print a line."""
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        names = [f"w{each}" for each in range(WORKERS)]
        told = pool.starmap(_worker, [(place, folder, each, limits) for each in names])
    calls = sum(each.calls for each in told)
    waits = sorted(wait for each in told for wait in each.waits)
    cpu = sum(each.cpu_seconds for each in told) / calls
    asked = sum(each.asked for each in told) / calls
    sys.stdout.write(
        f"{name:<22} {calls / SECONDS:7.0f}/s  waits {statistics.median(waits) * 1e6:6.1f} us, "
        f"p99 {waits[len(waits) * 99 // 100] * 1e6:7.0f} us  asked {asked:6.1%}  "
        f"{cpu * 1e6:6.1f} us CPU\n"
    )


def main() -> None:
    """Measure without limits, on each machine alone, and on every server."""
    with tempfile.TemporaryDirectory() as name, stores(Path(name)) as all_stores:
        measure("no limit", LedgerPlace(), Path(name) / "none", ())
        for number, (store, place) in enumerate(all_stores):
            if not place.ahead_permille:
                title = "each machine apart" if store == "SQLite" else store.partition(",")[0]
                measure(title, place, Path(name) / str(number), LIMITS)


if __name__ == "__main__":
    main()
