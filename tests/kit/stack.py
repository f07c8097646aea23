"""Dragoman as its users run it: `dragoman run FILE` with the demo upstreams, on free ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.kit import web

COMMAND = Path(sys.prefix) / "bin" / "dragoman"
KEY = "dragoman-demo"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def eventually(
    claim: Callable[[], bool], what: str, *, seconds: float = 10, interval: float = 0.02
) -> None:
    """Wait until the claim holds; fail naming it when it does not within the time."""
    end = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(interval)


@dataclass(slots=True)
class Stack:
    """One running `dragoman run`."""

    process: subprocess.Popen[bytes]
    port: int
    admin_port: int
    demo_port: int
    config: Path
    state: Path
    log: Path
    envoy_admin_port: int = 0
    """Of Envoy's own admin interface, where it has one on a port."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def demo_url(self) -> str:
        return f"http://127.0.0.1:{self.demo_port}"

    def is_ready(self) -> bool:
        try:
            return web.get(f"{self.admin_url}/healthz/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def is_demo_ready(self) -> bool:
        try:
            return web.get(f"{self.demo_url}/healthz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def wait_ready(self, seconds: float = 30) -> None:
        eventually(lambda: self.is_ready() or self._died(), "ready", seconds=seconds)

    def _died(self) -> bool:
        if self.process.poll() is None:
            return False
        raise AssertionError(f"dragoman run ended:\n{self.log.read_text()[-4000:]}")

    def chat(self, body: dict[str, Any], *, key: str | None = KEY, **kw: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        headers.update(kw.pop("headers", {}))
        url = f"{self.url}/v1/chat/completions"
        return web.post(url, json=body, headers=headers, timeout=30, **kw)

    def switch(self, provider: str, mode: str, **kw: Any) -> None:
        """Make a demo provider (`a` or `b`) fail, hang or work."""
        answer = web.post(
            f"{self.demo_url}/{provider}/switch", json={"mode": mode, **kw}, timeout=5
        )
        answer.raise_for_status()

    def seen(self, provider: str) -> list[dict[str, Any]]:
        """The requests that a demo provider got, oldest first."""
        answer = web.get(f"{self.demo_url}/{provider}/seen", timeout=5)
        requests: list[dict[str, Any]] = answer.raise_for_status().json()
        return requests

    def budgets(self) -> dict[str, dict[str, Any]]:
        """The counters of the ledger, by name."""
        answer = web.get(f"{self.admin_url}/api/budgets", timeout=5).raise_for_status()
        return {row["counter"]: row for row in answer.json()["counters"]}

    def envoy_stat(self, name: str) -> int:
        """One counter or gauge of Envoy by its full name; 0 before it was first touched."""
        url = f"http://127.0.0.1:{self.envoy_admin_port}/stats"
        answer = web.get(url, params={"filter": f"^{name}$"}, timeout=5).raise_for_status()
        return sum(int(line.rsplit(": ", 1)[1]) for line in answer.text.splitlines())

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = web.get(f"{self.admin_url}/api/status", timeout=5).json()
        return answer

    def descendants(self) -> dict[int, str]:
        """Every living process below the command: pid → command line."""
        return descendants(self.process.pid)

    def workers(self) -> list[int]:
        return [pid for pid, line in self.descendants().items() if " extproc " in line]

    def envoys(self) -> list[int]:
        return [pid for pid, line in self.descendants().items() if "/envoy " in line]

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """`kill -9` of every process."""
        pids = [*self.descendants(), self.process.pid]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)


def descendants(root: int) -> dict[int, str]:
    """Every living process below one: pid → command line."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if after_name[0] != "Z":
                parents[int(entry.name)] = int(after_name[1])
    found: dict[int, str] = {}
    front = [root]
    while front:
        parent = front.pop()
        for pid, its_parent in parents.items():
            if its_parent == parent:
                front.append(pid)
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                found[pid] = line.replace(b"\0", b" ").decode()
    return found


@contextmanager
def running(
    config: Path, state: Path, *, workers: int = 2, ports: list[int] | None = None
) -> Iterator[Stack]:
    """`dragoman run CONFIG --demo`, ready; stopped at the end, whatever happens."""
    port, admin, envoy_admin, demo = ports or free_ports(4)
    state.mkdir(exist_ok=True, parents=True)
    log = state / "dragoman.log"
    arguments = [
        str(COMMAND), "run", str(config), "--demo",
        "--port", str(port),
        "--admin", f"127.0.0.1:{admin}",
        "--envoy-admin", f"127.0.0.1:{envoy_admin}",
        "--demo-port", str(demo),
        "--workers", str(workers),
        "--state-dir", str(state),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    stack = Stack(process, port, admin, demo, config, state, log, envoy_admin)
    try:
        stack.wait_ready()
        yield stack
    finally:
        if process.poll() is None:
            stack.stop()
