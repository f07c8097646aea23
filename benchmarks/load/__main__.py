"""`make bench`: what a request costs, from one run. `JSON=file` writes the figures as well.

Every stack is started once, then measured in turn, several rounds; the least CPU and the best
latency of the rounds count, since noise only ever adds. Compare figures of one run only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.load.configs import (
    ENVOYS,
    FOREIGN,
    FULL,
    PLAIN,
    PYTHONS,
    UNRULED,
    body,
    envoy_alone,
)
from tests.kit.any_envoy import running_beside
from tests.kit.envoy import OLDEST
from tests.kit.stack import Stack, descendants, free_ports, running

CONNECTIONS = 32
SECONDS = float(os.environ.get("SECONDS_EACH", "4"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load on one stack."""

    name: str
    stack: str
    size: int
    """Bytes of the prompt, roughly the size of the body."""
    is_stream: bool = False
    is_new: bool = False
    """No two prompts are the same; else it is one that is sent again and again."""


SCENARIOS = (
    Scenario("envoy alone, 1 KB", "alone", 1_000),
    Scenario("no policy, 1 KB", "plain", 1_000),
    Scenario("full policy, 1 KB", "full", 1_000),
    Scenario("full policy, 16 KB", "full", 16_000, is_new=True),
    Scenario("no policy, 200 KB", "plain", 200_000),
    Scenario("full policy, 200 KB", "full", 200_000, is_new=True),
    Scenario("full policy, 200 KB, sent again", "full", 200_000),
    Scenario("envoy alone, 200 chunks", "alone", 1_000, is_stream=True),
    Scenario("full policy, 200 chunks", "full", 1_000, is_stream=True),
    Scenario("full policy, 1 KB, translated", "foreign", 1_000),
    Scenario("full policy, 200 chunks, translated", "foreign", 1_000, is_stream=True),
    Scenario("full policy, 1 KB, grpcio edge", "grpcio", 1_000),
    Scenario("plain route, 1 KB", "unruled", 1_000),
    Scenario("plain route, a rule in Envoy, 1 KB", "envoys", 1_000),
    Scenario("plain route, a rule in Python, 1 KB", "pythons", 1_000),
    Scenario("full policy, 1 KB, Envoy 1.37", "oldest", 1_000),
    Scenario("full policy, 200 chunks, Envoy 1.37", "oldest", 1_000, is_stream=True),
)


@dataclass(slots=True)
class Figures:
    """The row of a scenario."""

    scenario: str
    rps: float = 0
    p50_ms: float = float("inf")
    p99_ms: float = float("inf")
    python_us: float = float("inf")
    envoy_us: float = float("inf")
    rss_mb: float = 0
    """Of one extproc worker, at the end."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a stack listens, and whose CPU counts."""

    url: str
    envoys: tuple[int, ...]
    workers: tuple[int, ...]


def cpu_seconds(pids: tuple[int, ...]) -> float:
    """User and system time that these processes have used."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


@contextmanager
def process(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child that ends with the block."""
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(10)


def of_stack(stack: Stack) -> Target:
    """What counts of a running `dragoman run`."""
    return Target(stack.url, tuple(stack.envoys()), tuple(stack.workers()))


def of_parts(stack: Stack, folder: Path) -> Target:
    """What counts of parts that run apart, known by their folder for state."""
    lines = {pid: line for pid, line in descendants(os.getpid()).items() if str(folder) in line}
    envoys = tuple(pid for pid, line in lines.items() if "/envoy " in line)
    workers = tuple(pid for pid, line in lines.items() if " extproc " in line)
    return Target(stack.url, envoys, workers)


def start(stacks: ExitStack, folder: Path) -> dict[str, Target]:
    """Everything that the scenarios need, running."""
    upstream_port, alone_port, alone_admin = free_ports(3)
    stacks.enter_context(
        process([sys.executable, "-m", "benchmarks.load.upstream", f"{upstream_port}"])
    )
    bootstrap = folder / "alone.json"
    bootstrap.write_text(json.dumps(envoy_alone(alone_port, alone_admin, upstream_port)))
    envoy = Path(sys.prefix) / "bin" / "envoy"
    alone = stacks.enter_context(
        process([str(envoy), "-c", str(bootstrap), "--concurrency", "1", "--disable-hot-restart"])
    )
    targets = {"alone": Target(f"http://127.0.0.1:{alone_port}", (alone.pid,), ())}
    os.environ["DRAGOMAN_CONCURRENCY"] = "1"
    for name, text, edge in (
        ("plain", PLAIN, "fast"),
        ("full", FULL, "fast"),
        ("foreign", FOREIGN, "fast"),
        ("grpcio", FULL, "grpcio"),
        ("unruled", UNRULED, "fast"),
        ("envoys", ENVOYS, "fast"),
        ("pythons", PYTHONS, "fast"),
    ):
        os.environ["DRAGOMAN_EDGE"] = edge
        config = folder / f"{name}.yaml"
        config.write_text(text.replace("UPSTREAM", f"127.0.0.1:{upstream_port}"))
        targets[name] = of_stack(stacks.enter_context(running(config, folder / name, workers=1)))
    os.environ["DRAGOMAN_EDGE"] = "fast"
    stack = stacks.enter_context(running_beside(folder / "full.yaml", folder / "oldest", OLDEST))
    targets["oldest"] = of_parts(stack, folder / "oldest")
    return targets


def measure(scenario: Scenario, target: Target, folder: Path, figures: Figures) -> None:
    """One round of one scenario, into its figures."""
    request = folder / "request.json"
    prompt = body(scenario.size, is_stream=scenario.is_stream, is_new=scenario.is_new)
    request.write_bytes(prompt)
    before = cpu_seconds(target.workers), cpu_seconds(target.envoys)
    generator = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.load.generator",
            f"{target.url}/v1/chat/completions", str(request), str(CONNECTIONS), str(SECONDS),
        ],
        capture_output=True, check=True,
    )  # fmt: skip
    after = cpu_seconds(target.workers), cpu_seconds(target.envoys)
    result = json.loads(generator.stdout)
    if result["failures"]:
        raise SystemExit(f"{scenario.name}: {result['failures']} of {result['requests']} failed")
    requests = result["requests"]
    figures.rps = max(figures.rps, requests / result["seconds"])
    figures.p50_ms = min(figures.p50_ms, result["p50_ms"])
    figures.p99_ms = min(figures.p99_ms, result["p99_ms"])
    figures.python_us = min(figures.python_us, (after[0] - before[0]) / requests * 1e6)
    figures.envoy_us = min(figures.envoy_us, (after[1] - before[1]) / requests * 1e6)
    figures.rss_mb = max((rss_mb(pid) for pid in target.workers), default=0)


def report(rows: list[Figures]) -> None:
    """The table, and the two ratios that the project promises."""
    print(
        f"\n{'scenario':36}{'rps':>8}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'python µs':>11}{'envoy µs':>10}{'rss MB':>8}"
    )
    for row in rows:
        print(
            f"{row.scenario:36}{row.rps:8.0f}{row.p50_ms:9.2f}{row.p99_ms:9.2f}"
            f"{row.python_us:11.1f}{row.envoy_us:10.1f}{row.rss_mb:8.0f}"
        )
    by_name = {row.scenario: row for row in rows}
    alone, full = by_name["envoy alone, 1 KB"], by_name["full policy, 1 KB"]
    ratio = (full.python_us + full.envoy_us) / alone.envoy_us
    print(f"\nfull policy, 1 KB: Envoy + Python = {ratio:.2f} × Envoy alone")


def main() -> None:
    """Run all scenarios; print them."""
    rows = [Figures(scenario.name) for scenario in SCENARIOS]
    with ExitStack() as stacks:
        folder = Path(stacks.enter_context(tempfile.TemporaryDirectory()))
        targets = start(stacks, folder)
        time.sleep(1)  # so that start-up is not measured
        for round_number in range(1, ROUNDS + 1):
            for scenario, figures in zip(SCENARIOS, rows, strict=True):
                measure(scenario, targets[scenario.stack], folder, figures)
            print(f"round {round_number} of {ROUNDS} done", file=sys.stderr)
    report(rows)
    if destination := os.environ.get("JSON"):
        Path(destination).write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()
