"""The parts as processes of their own: a control plane that tests may kill, and what it serves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.kit import web
from tests.kit.stack import COMMAND, KEY, eventually, free_ports
from xds_server.resources.bootstrap import bootstrap

DRAGOMAN = str(COMMAND)
ENVOY = str(COMMAND.with_name("envoy"))


@dataclass(slots=True)
class Apart:
    """One worker, one Envoy, the demo, and the control plane of the moment."""

    folder: Path
    config: Path
    port: int
    admin_port: int
    envoy_admin_port: int
    demo_port: int
    xds: str
    extproc: str
    environment: dict[str, str]
    planes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def log(self) -> Path:
        """What control plane, worker, Envoy and demo say."""
        return self.folder / "log"

    def start_plane(self, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        """`dragoman xds`, with these variables as well."""
        with self.log.open("ab") as output:
            command = self.plane_command()
            self.planes.append(self.started(output, *command, environment=environment))

    def plane_command(self) -> tuple[str, ...]:
        return (
            *(DRAGOMAN, "xds", str(self.config), "--xds", self.xds, "--extproc", self.extproc),
            *("--admin", str(self.admin_port), "--state-dir", str(self.state)),
        )

    def kill_plane(self) -> None:
        """As when its machine fails."""
        self.planes[-1].send_signal(signal.SIGKILL)
        self.planes[-1].wait(10)

    def started(
        self,
        output: Any,
        *command: str,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.Popen[bytes]:
        whole = {**os.environ, **self.environment, **environment}
        return subprocess.Popen(command, env=whole, stdout=output, stderr=subprocess.STDOUT)

    def wait_ready(self) -> None:
        eventually(lambda: _is_ready(f"{self.admin_url}/healthz/ready"), self.said, seconds=30)

    def said(self) -> str:
        return f"ready; {self.log.read_text()[-3000:]}"

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = web.get(f"{self.admin_url}/api/status", timeout=5).json()
        return answer

    def version(self) -> str:
        return str(self.status()["version"])

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        text = web.get(f"{self.admin_url}/metrics", timeout=5).raise_for_status().text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def envoy_stat(self, pattern: str) -> int:
        """The sum of Envoy's statistics whose names match."""
        query = {"filter": pattern, "format": "json"}
        url = f"http://127.0.0.1:{self.envoy_admin_port}/stats"
        stats = web.get(url, params=query, timeout=5).raise_for_status().json()["stats"]
        return sum(int(each["value"]) for each in stats if "value" in each)

    def chat(self) -> httpx.Response:
        body = {"model": "demo", "messages": [{"role": "user", "content": "say hello"}]}
        headers = {"authorization": f"Bearer {KEY}"}
        url = f"{self.url}/v1/chat/completions"
        return web.post(url, json=body, headers=headers, timeout=20)


def _is_ready(url: str) -> bool:
    try:
        return web.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def running_apart(folder: Path, text: str) -> Iterator[Apart]:
    """Ready inside the block; everything is stopped at its end."""
    port, admin, xds, extproc, envoy_admin, demo = free_ports(6)
    config = folder / "gateway.yaml"
    config.write_text(text)
    environment = {"DRAGOMAN_PORT": str(port), "DRAGOMAN_DEMO_PORT": str(demo)}
    parts = Apart(
        folder,
        config,
        port,
        admin,
        envoy_admin,
        demo,
        f"127.0.0.1:{xds}",
        f"127.0.0.1:{extproc}",
        environment,
    )
    file = folder / "envoy.json"
    file.write_text(json.dumps(bootstrap(parts.xds, f"127.0.0.1:{envoy_admin}", "envoy")))
    state = str(parts.state)
    with ExitStack() as stack, parts.log.open("ab") as output:

        def start(*command: str) -> None:
            _stopped_at_the_end(stack, parts.started(output, *command))

        start(DRAGOMAN, "extproc", "--xds", parts.xds, "--listen", parts.extproc,
              "--state-dir", state)  # fmt: skip
        start(sys.executable, "-P", "-m", "xds_server.demo", "127.0.0.1", str(parts.demo_port))
        start(ENVOY, "-c", str(file), "--disable-hot-restart", "--concurrency", "1",
              "-l", "warning")  # fmt: skip
        stack.callback(lambda: [_stop(each) for each in parts.planes])
        parts.start_plane()
        parts.wait_ready()
        eventually(lambda: parts.chat().status_code == 200, "a request is answered", seconds=15)
        yield parts


def _stopped_at_the_end(stack: ExitStack, process: subprocess.Popen[bytes]) -> None:
    stack.callback(_stop, process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def until(claim: Callable[[], bool], what: str) -> None:
    """Within the time that a change may take when the machine is busy."""
    eventually(claim, what, seconds=20)
