"""What limits cost a request: `python -m benchmarks.limits` prints microseconds per call.

CPU time of the process, take and settlement together, and the median of single calls. Then the
same while other processes draw on the same meters as fast as they can.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.facts import Facts
from extproc.policies.limit import Limits, Taken
from extproc.principal import of_key
from extproc.told import encode_told
from gateway.limits import Algorithm, Rate
from gateway.model import ApiKey, Limit, Scope

CALLS = 50_000
LARGE = Rate(10**12, 60)
EACH = Scope(key="*")
REQUESTS = Limit("requests", EACH, requests=LARGE)
TOKENS = Limit("tokens", EACH, tokens=LARGE)
WINDOWS = Limit("windows", EACH, requests=LARGE, tokens=LARGE, algorithm=Algorithm.SLIDING_WINDOW)
PLACES = Limit("places", EACH, concurrent=10**6)

SCENARIOS: tuple[tuple[str, Sequence[Limit], int], ...] = (
    ("one limit: requests", (REQUESTS,), 1),
    ("two limits: requests, concurrent", (REQUESTS, PLACES), 1),
    ("two limits: requests, tokens", (REQUESTS, TOKENS), 1),
    ("two limits, sliding windows", (WINDOWS,), 1),
    ("two limits, 1000 keys in turn", (REQUESTS, TOKENS), 1000),
)


def measure(folder: Path, limits: Sequence[Limit], keys: int, calls: int) -> tuple[float, float]:
    """Microseconds of CPU for each call, and the median of single ones."""
    limiter = MappedLimiter(folder, lambda _seconds, _what: None)
    policy = Limits(limits, limiter)
    holders = [of_key(ApiKey(f"key-{each}", "00", team="platform")) for each in range(keys)]
    now = datetime.now(UTC)
    single: list[int] = []
    began = time.process_time()
    for call in range(calls):
        facts = Facts(now, principal=holders[call % keys], model="fast")
        at = time.perf_counter_ns()
        taken = policy.take(facts, 1000, 2000)
        if not isinstance(taken, Taken):
            raise SystemExit(f"refused: {taken}")
        encode_told(taken.told)
        taken.settle(420)
        taken.leave()
        single.append(time.perf_counter_ns() - at)
    cpu = (time.process_time() - began) / calls
    limiter.close()
    return cpu * 1e6, statistics.median(single) / 1e3


def report(folder: Path, suffix: str = "") -> None:
    """A line for each scenario."""
    for name, limits, keys in SCENARIOS:
        cpu, median = measure(folder, limits, keys, CALLS)
        sys.stdout.write(f"{name + suffix:<52} {cpu:6.2f} us CPU  {median:6.2f} us median\n")


def main() -> None:
    """Run all scenarios, alone and in competition; or be the competitor."""
    if len(sys.argv) > 1:
        while True:
            measure(Path(sys.argv[1]), (REQUESTS, TOKENS), 1, CALLS)
    with tempfile.TemporaryDirectory() as directory:
        report(Path(directory))
        with ExitStack() as stack:
            command = [sys.executable, "-m", "benchmarks.limits", directory]
            other = stack.enter_context(subprocess.Popen(command))
            stack.callback(other.kill)
            time.sleep(1)
            report(Path(directory), ", one competitor")


if __name__ == "__main__":
    main()
