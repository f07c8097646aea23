"""A real Envoy for tests: a pinned binary, on ports that the system chooses, stopped for sure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

START_SECONDS = 20
STOP_SECONDS = 5
POLL_SECONDS = 0.02


class EnvoyDidNotStart(Exception):
    """With the end of its log."""


NEWEST, OLDEST = "1.40", "1.37"
VERSIONS = (OLDEST, NEWEST)
"""Those that tests run against: what `make install` puts into the virtual environment."""


def envoy_binary(version: str = NEWEST) -> str:
    """Where an Envoy of this version is; `ENVOY_1_37=/path` names another one than ours."""
    named = os.environ.get(f"ENVOY_{version.replace('.', '_')}")
    if named:
        return named
    if version != NEWEST:
        folder = Path(sys.prefix) / f"envoy-{version}"
        found = folder / "envoy" / "_bin" / "envoy"
        if not found.exists():
            raise FileNotFoundError(f"no {found}: `make setup` installs it")
        return str(found)
    beside_python = Path(sys.prefix) / "bin" / "envoy"
    somewhere = str(beside_python) if beside_python.exists() else shutil.which("envoy")
    if somewhere is None:
        raise FileNotFoundError("no envoy: install the project's dependencies")
    return somewhere


class RunningEnvoy:
    """`with RunningEnvoy(bootstrap, tmp_path) as envoy: envoy.port("listener-name")`.

    Listeners ask for port 0 and are found by name; the admin listener is added if it is missing.
    """

    def __init__(
        self, bootstrap: Mapping[str, Any], directory: Path, version: str = NEWEST
    ) -> None:
        admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
        self.log = directory / "envoy.log"
        self.admin_address = ""
        self._binary = envoy_binary(version)
        self._bootstrap = {"admin": admin, **bootstrap}
        self._bootstrap_path = directory / "envoy.json"
        self._admin_path = directory / "admin-address"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunningEnvoy:
        self._bootstrap_path.write_text(json.dumps(self._bootstrap, indent=2))
        command = (
            *(self._binary, "--config-path", str(self._bootstrap_path)),
            *("--admin-address-path", str(self._admin_path)),
            *("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"),
        )
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        process = self._process
        if process is None:
            return
        self._process = None
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def admin(self, path: str) -> bytes:
        """The body of the admin interface's answer: `admin("/stats?format=json")`."""
        with urllib.request.urlopen(f"http://{self.admin_address}{path}", timeout=5) as answer:
            body: bytes = answer.read()
        return body

    def port(self, listener: str) -> int:
        """Where a listener of the bootstrap, or one that arrived by xDS, really listens."""
        statuses = json.loads(self.admin("/listeners?format=json")).get("listener_statuses", [])
        ports = {each["name"]: each["local_address"]["socket_address"] for each in statuses}
        return int(ports[listener]["port_value"])

    def stat(self, name: str) -> int:
        """One counter or gauge by its full name; 0 before it was first touched."""
        for line in self.admin(f"/stats?filter=^{name}$").decode().splitlines():
            return int(line.rsplit(": ", 1)[1])
        return 0

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > end:
                raise EnvoyDidNotStart(self.log.read_text(errors="replace")[-4_000:])
            time.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        if not self._admin_path.exists():
            return False
        self.admin_address = self._admin_path.read_text().strip()
        try:
            return bool(self.admin_address) and self.admin("/ready").strip() == b"LIVE"
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
