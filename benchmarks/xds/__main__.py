"""`python -m benchmarks.xds`: what a large configuration and a large fleet cost. From one run.

The control plane is a real `dragoman xds`, with one worker; the clients are one other process
(`fleet.py`), so on two cores it has about one to itself.
"""

from __future__ import annotations

import os
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
        self._log.touch()
        self._read = self._log.open()
        self._lines: list[Line] = []
        self._rest = ""
        command = [sys.executable, "-m", "benchmarks.xds.fleet", target, str(count), str(self._log)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def lines(self, since: float = 0.0) -> list[Line]:
        *whole, self._rest = (self._rest + self._read.read()).split("\n")
        for row in whole:
            at, client, kind, detail, size = row.split(" ")
            self._lines.append(Line(float(at), int(client), kind, detail, int(size)))
        return [line for line in self._lines if line.at >= since]

    def wait_for(self, kind: str, since: float = 0.0) -> list[Line]:
        """Until every client has told this; the lines."""
        _until(lambda: len(_clients(self.lines(since), kind)) == self.count, f"{kind} at all")
        time.sleep(1)
        return self.lines(since)

    def stop(self) -> None:
        self.process.communicate(timeout=SECONDS)
        self._read.close()


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
        scout = Fleet(plane.target, 1, state.parent)
        scout.wait_for("whole")
        scout.stop()
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
    last = GATEWAYS - 1
    write_gateway(
        folder, last, gateways=GATEWAYS, routes=ROUTES, upstreams=UPSTREAMS, change=number
    )


def connected(plane: Plane, count: int, scratch: Path) -> Fleet:
    """A fleet that comes with nothing, all at once, and has everything."""
    pid = plane.control_plane.pid
    cpu, before = _cpu_seconds(pid), _rss_mb(pid)
    fleet = Fleet(plane.target, count, scratch)
    lines = fleet.wait_for("whole")
    print(
        f"{count} clients come at once, with nothing: {_waits(lines, 'whole')}, for "
        f"{sum(line.size for line in lines) / count / 1e6:.1f} MB each; "
        f"{_cpu_seconds(pid) - cpu:.1f} s of CPU; control plane {_rss_mb(pid):.0f} MB "
        f"({before:.0f} MB before), "
        f"{_rss_mb(pid, 'VmHWM'):.0f} MB at most"
    )
    return fleet


def one_change(plane: Plane, scratch: Path) -> None:
    """A changed route, to a fleet that is connected."""
    fleet = connected(plane, CLIENTS, scratch)
    pid = plane.control_plane.pid
    for number in (7, 8, 9):
        cpu, saved = _cpu_seconds(pid), time.monotonic()
        _change(plane.folder, number)
        lines = fleet.wait_for("RouteConfiguration", saved)
        told = [line for line in lines if line.kind == "RouteConfiguration"]
        first, last = min(line.at for line in told), max(line.at for line in told)
        print(
            f"one route changed: first client {first - saved:.2f} s after the save, all "
            f"{last - first:.2f} s later; {_told(lines)}; {_cpu_seconds(pid) - cpu:.2f} s of CPU"
        )
    fleet.stop()
    print(f"at most {_rss_mb(pid, 'VmHWM'):.0f} MB; {_rss_mb(pid):.0f} MB when they have gone")


def all_return(plane: Plane, scratch: Path) -> None:
    """A control plane that is killed, and a fleet that comes back at once."""
    fleet = connected(plane, RETURNING, scratch)
    killed = time.monotonic()
    plane.control_plane.kill()
    plane.control_plane.wait()
    _change(plane.folder, 99)
    plane.start()
    lines = fleet.wait_for("RouteConfiguration", killed)
    told = [line for line in lines if line.kind == "RouteConfiguration"]
    first = min(line.at for line in told)
    broken = [line for line in lines if line.kind == "broken" and line.at > first]
    pid = plane.control_plane.pid
    print(
        f"{RETURNING} clients return at once: {_waits(lines, 'RouteConfiguration')}; all "
        f"{max(line.at for line in told) - first:.2f} s after the first; {_told(lines)}; "
        f"{len(broken)} streams broken; {_cpu_seconds(pid):.1f} s of CPU since its start, "
        f"{_rss_mb(pid, 'VmHWM'):.0f} MB at most"
    )
    fleet.stop()


def _waits(lines: list[Line], kind: str) -> str:
    """How long clients have waited for this, from their connection on."""
    begun = {line.client: line.at for line in lines if line.kind == "connected"}
    waits = sorted(line.at - begun[line.client] for line in lines if line.kind == kind)
    return f"each waits {waits[len(waits) // 2]:.2f} s (median), {waits[-1]:.2f} s at most"


def _told(lines: list[Line]) -> str:
    responses = [line for line in lines if line.size]
    resources = sum(int(line.detail) for line in responses)
    size = sum(line.size for line in responses) / max(resources, 1)
    return f"{len(responses)} responses with {resources} resources of {size / 1000:.0f} KB"


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
