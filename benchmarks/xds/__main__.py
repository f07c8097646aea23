"""`python -m benchmarks.xds`: what a large configuration and a large fleet cost. From one run.

The control plane is a real `dragoman xds`, with one worker; the clients are one other process
(`fleet.py`), so on two cores it has about one to itself.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.xds.configs import write, write_gateway
from benchmarks.xds.steps import measure_steps
from tests.kit.stack import COMMAND, free_ports

GATEWAYS = int(os.environ.get("GATEWAYS", "50"))
ROUTES = int(os.environ.get("ROUTES", "5000"))
UPSTREAMS = int(os.environ.get("UPSTREAMS", "1000"))
CLIENTS = int(os.environ.get("CLIENTS", "1000"))
RETURNING = int(os.environ.get("RETURNING", "2000"))
SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Line:
    """What one client told of one moment."""

    at: float
    client: int
    kind: str
    detail: str
    size: int


class Fleet:
    """The process of the clients."""

    def __init__(self, target: str, count: int, folder: Path) -> None:
        self.count = count
        self._log = folder / f"fleet-{count}.log"
        command = [sys.executable, "-m", "benchmarks.xds.fleet", target, str(count), str(self._log)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def lines(self, since: float = 0.0) -> list[Line]:
        if not self._log.exists():
            return []
        rows = (line.split(" ") for line in self._log.read_text().splitlines(keepends=True))
        whole = [row for row in rows if len(row) == 5 and row[4].endswith("\n")]
        lines = [Line(float(a), int(b), c, d, int(e)) for a, b, c, d, e in whole]
        return [line for line in lines if line.at >= since]

    def wait_for(self, kind: str, since: float = 0.0) -> list[Line]:
        """Until every client has told this; the lines."""
        _until(lambda: len(_clients(self.lines(since), kind)) == self.count, f"{kind} at all")
        time.sleep(1)
        return self.lines(since)

    def stop(self) -> None:
        self.process.communicate(timeout=SECONDS)


def _clients(lines: list[Line], kind: str) -> set[int]:
    return {line.client for line in lines if line.kind == kind}


def _until(claim: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not claim():
        if time.monotonic() > end:
            raise TimeoutError(f"not in {SECONDS} s: {what}")
        time.sleep(0.2)


@dataclass(slots=True)
class Plane:
    """`dragoman xds` and one worker."""

    folder: Path
    state: Path
    xds: int
    worker: int
    admin: int
    processes: list[subprocess.Popen[bytes]]

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.xds}"

    def start(self) -> None:
        state = ["--state-dir", str(self.state)]
        plane = ["xds", str(self.folder), "--xds", self.target, *state]
        plane += ["--extproc", f"127.0.0.1:{self.worker}", "--admin", str(self.admin)]
        self.processes.append(subprocess.Popen([COMMAND, *plane], stdout=subprocess.DEVNULL))

    def start_worker(self) -> None:
        worker = ["extproc", "--xds", self.target, "--listen", f"127.0.0.1:{self.worker}"]
        worker += ["--state-dir", str(self.state)]
        self.processes.append(subprocess.Popen([COMMAND, *worker]))

    @property
    def control_plane(self) -> subprocess.Popen[bytes]:
        return self.processes[-1] if len(self.processes) == 3 else self.processes[0]

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)


@contextmanager
def planing(folder: Path, state: Path) -> Iterator[Plane]:
    xds, worker, admin = free_ports(3)
    plane = Plane(folder, state, xds, worker, admin, [])
    plane.start()
    plane.start_worker()
    try:
        yield plane
    finally:
        plane.stop()


def _rss_mb(pid: int, field: str = "VmRSS") -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(row.split()[1]) / 1024 for row in status.splitlines() if row.startswith(field))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _change(folder: Path, number: int) -> None:
    write_gateway(folder, 3, gateways=GATEWAYS, routes=ROUTES, upstreams=UPSTREAMS, change=number)


def one_change(plane: Plane, scratch: Path) -> None:
    """A changed route, to a fleet that is connected."""
    fleet = Fleet(plane.target, CLIENTS, scratch)
    fleet.wait_for("RouteConfiguration")
    pid = plane.control_plane.pid
    print(f"{CLIENTS} clients connected: control plane {_rss_mb(pid):.0f} MB")
    for number in (7, 8, 9):
        cpu, saved = _cpu_seconds(pid), time.monotonic()
        _change(plane.folder, number)
        lines = fleet.wait_for("RouteConfiguration", saved)
        told = [line for line in lines if line.kind == "RouteConfiguration"]
        first, last = min(line.at for line in told), max(line.at for line in told)
        resources = sum(int(line.detail) for line in lines)
        size = statistics.median(line.size for line in told)
        print(
            f"one route changed: first client {first - saved:.2f} s after the save, all "
            f"{last - first:.2f} s later; {len(lines)} responses with {resources} resources of "
            f"{size / 1000:.0f} KB; {_cpu_seconds(pid) - cpu:.2f} s of CPU"
        )
    print(f"at most {_rss_mb(pid, 'VmHWM'):.0f} MB")
    fleet.stop()


def all_return(plane: Plane, scratch: Path) -> None:
    """A control plane that is killed, and a fleet that comes back at once."""
    fleet = Fleet(plane.target, RETURNING, scratch)
    fleet.wait_for("RouteConfiguration")
    plane.control_plane.kill()
    plane.control_plane.wait()
    _change(plane.folder, 99)
    killed = time.monotonic()
    plane.start()
    lines = fleet.wait_for("RouteConfiguration", killed)
    told = {line.client: line.at for line in lines if line.kind == "RouteConfiguration"}
    begun = {line.client: line.at for line in lines if line.kind == "begun"}
    waits = sorted(told[client] - begun[client] for client in told)
    resources = sum(int(line.detail) for line in lines if line.size)
    broken = [line for line in lines if line.kind == "broken" and line.at > min(told.values())]
    pid = plane.control_plane.pid
    spread = max(told.values()) - min(told.values())
    print(
        f"{RETURNING} clients return at once: all told {spread:.2f} s after the first; each waits "
        f"{waits[len(waits) // 2]:.2f} s (median), {waits[-1]:.2f} s at most, its connection "
        f"included; {resources} resources sent, {len(broken)} streams broken; "
        f"{_cpu_seconds(pid):.1f} s of CPU since its start, at most {_rss_mb(pid, 'VmHWM'):.0f} MB"
    )
    fleet.stop()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = scratch / "gateway"
        write(folder, gateways=GATEWAYS, routes=ROUTES, upstreams=UPSTREAMS)
        print(f"{ROUTES} routes, {UPSTREAMS} upstreams, {GATEWAYS} gateways")
        measure_steps(folder, lambda number: _change(folder, number))
        with planing(folder, scratch / "state") as plane:
            one_change(plane, scratch)
            all_return(plane, scratch)


if __name__ == "__main__":
    main()
