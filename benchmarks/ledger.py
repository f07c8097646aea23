"""What budgets cost a request: `python -m benchmarks.ledger` prints microseconds per call.

CPU time of the whole process, so visits to the store, in their thread, are counted too.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from extproc.adapters.leased_ledger import LeasedLedger
from extproc.adapters.sqlite_ledger import open_ledger
from extproc.facts import Facts
from extproc.policies.budget import Budgets, Held
from extproc.ports import Charge, Exhausted
from extproc.principal import of_key
from gateway.model import ApiKey, Budget, Period, Scope, Span, Unit
from gateway.price import Price
from gateway.usage import Usage

CALLS = 100_000
CALLS_PER_TICK = 20
"""How many requests a busy worker has in one turn of its event loop."""
LIMIT = 10**15
USAGE = Usage(300, 120)
PRICE = Price(2 * 10**9, 8 * 10**9, 10**9, 10**9)
BUDGETS = (
    Budget("team-month", Scope(team="*"), Unit.NANODOLLARS, LIMIT, Span(Period.MONTH)),
    Budget("key-day", Scope(key="*"), Unit.TOKENS, LIMIT, Span(Period.DAY)),
)


async def ledger_alone(ledger: LeasedLedger, counters: int, charges_per_call: int) -> None:
    """Reserve and settle on so many counters in turn."""
    calls = [
        [Charge(f"c{each}.{part}", 0, LIMIT, 2_000_000) for part in range(charges_per_call)]
        for each in range(counters)
    ]
    amounts = [900_000] * charges_per_call
    for call in range(CALLS):
        answer = ledger.reserve(calls[call % counters])
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Exhausted):
            raise SystemExit("the benchmark's limit is too low")
        answer.settle(amounts)
        if call % CALLS_PER_TICK == 0:
            await asyncio.sleep(0)


ROLLING = (
    Budget("key-hour", Scope(key="*"), Unit.TOKENS, LIMIT, Span(Period.ROLLING, seconds=3600)),
)


async def policy(ledger: LeasedLedger, keys: int, several: tuple[Budget, ...] = BUDGETS) -> None:
    """The whole policy: scopes, names, windows, estimates, reserve, cost, settle."""
    budgets = Budgets(several, ledger)
    holders = [of_key(ApiKey(f"key-{each}", "00", team="platform")) for each in range(keys)]
    now = datetime.now(UTC)
    for call in range(CALLS):
        facts = Facts(now, principal=holders[call % keys], model="fast", estimated_input_tokens=300)
        answer = budgets.begin(facts, PRICE)
        if isinstance(answer, Awaitable):
            answer = await answer
        if not isinstance(answer, Held):
            raise SystemExit(f"refused: {answer.reason}")
        answer.settle(USAGE, PRICE)
        if call % CALLS_PER_TICK == 0:
            await asyncio.sleep(0)


SCENARIOS: tuple[tuple[str, Callable[[LeasedLedger], Awaitable[None]]], ...] = (
    ("ledger, one charge, one counter", lambda ledger: ledger_alone(ledger, 1, 1)),
    ("ledger, two charges, one counter each", lambda ledger: ledger_alone(ledger, 1, 2)),
    ("ledger, one charge, 1000 counters in turn", lambda ledger: ledger_alone(ledger, 1000, 1)),
    ("policy, two budgets, one key", lambda ledger: policy(ledger, 1)),
    ("policy, one rolling budget, one key", lambda ledger: policy(ledger, 1, ROLLING)),
    ("policy, two budgets, 1000 keys in turn", lambda ledger: policy(ledger, 1000)),
)


async def measure(directory: Path) -> None:
    """Print a line for each scenario, each on a ledger of its own."""
    for index, (name, scenario) in enumerate(SCENARIOS):
        ledger = await open_ledger(directory / f"{index}.db", worker="bench")
        began, cpu_began = time.perf_counter(), time.process_time()
        await scenario(ledger)
        cpu, wall = time.process_time() - cpu_began, time.perf_counter() - began
        await ledger.close()
        micros = 1e6 / CALLS
        sys.stdout.write(f"{name:<44} {cpu * micros:6.2f} us CPU  {wall * micros:6.2f} us\n")


def main() -> None:
    """Run all scenarios."""
    with tempfile.TemporaryDirectory() as directory:
        uvloop.run(measure(Path(directory)))


if __name__ == "__main__":
    main()
