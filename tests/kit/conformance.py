"""The official conformance suite, in both of its generations, and the Go SDK's server that it
knows by heart. They come from the registries of npm and Go into `.venv/conformance`.

https://github.com/modelcontextprotocol/conformance
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import httpx
import pytest

from tests.kit import web
from tests.kit.stack import eventually, free_ports

HOME = Path(sys.prefix) / "conformance"
PACKAGES = {
    "node": "22.23.3",  # the suite needs 22
    "@modelcontextprotocol/client": "2.4.0",
    "@modelcontextprotocol/inspector": "2.12.0",
    "@modelcontextprotocol/sdk": "1.32.2",
    "@modelcontextprotocol/server-everything": "2026.8.31",
    "conformance-first": "npm:@modelcontextprotocol/conformance@0.1.16",
    "conformance-next": "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12",
}
SERVER = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server@v1.8.0"


_WHEN = re.compile(r"-\d{4}-\d\d-\d\dT[\dZ-]+$")


class Suite(Enum):
    """What is asked: package, and arguments."""

    FIRST = ("conformance-first", "--suite", "all")
    LEGACY = ("conformance-next", "--requirements", "2025-11-25")
    MODERN = ("conformance-next", "--requirements", "2026-07-28")

    @property
    def is_modern(self) -> bool:
        return self is Suite.MODERN


UNSCORED = ("tasks-", "json-schema-2020-12", "http-header-validation", "http-custom-header")
"""Scenarios that 2026-07-28 runs and does not score: extensions, and what is pending."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one run: (scenario, check, how often it was asked before) → its status."""

    checks: Mapping[tuple[str, str, int], str]

    def scored(self, suite: Suite) -> Score:
        """Without what the revision does not count."""
        if not suite.is_modern:
            return self
        kept = {key: how for key, how in self.checks.items() if not key[0].startswith(UNSCORED)}
        return Score(kept)

    @property
    def passed(self) -> int:
        return sum(status == "SUCCESS" for status in self.checks.values())

    @property
    def failed(self) -> int:
        return sum(status == "FAILURE" for status in self.checks.values())

    def worse_than(self, other: Score) -> list[str]:
        """What passed there, and does not here."""
        return [
            f"{scenario}: {check}"
            for (scenario, check, number), status in other.checks.items()
            if status == "SUCCESS" and self.checks.get((scenario, check, number)) != "SUCCESS"
        ]


def installed() -> None:
    """All that is needed, once. Without npm or Go, tests are skipped; on CI they fail."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes start at once
        if not _is_installed():
            _install()


_WANTED = json.dumps({"dependencies": PACKAGES, "server": SERVER, "private": True})


def _is_installed() -> bool:
    manifest = HOME / "package.json"
    return manifest.exists() and manifest.read_text() == _WANTED and server_program().exists()


def _install() -> None:
    for tool in ("npm", "go"):
        if shutil.which(tool) is None:
            why = f"the conformance suite needs {tool}"
            pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    manifest = HOME / "package.json"
    manifest.write_text(json.dumps({"dependencies": PACKAGES, "private": True}))
    _quietly("npm", "install", "--no-audit", "--no-fund")
    _quietly("go", "install", SERVER)
    manifest.write_text(_WANTED)


def _quietly(*command: str) -> None:
    go = {"GOBIN": str(HOME / "bin"), "GOFLAGS": "-mod=mod"}
    done = subprocess.run(
        command, cwd=HOME, env=os.environ | go, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def server_program() -> Path:
    return HOME / "bin" / "everything-server"


def node() -> Path:
    return HOME / "node_modules" / "node" / "bin" / "node"


@contextmanager
def everything_server(*, is_stateless: bool) -> Iterator[str]:
    """Its URL. With sessions for the revisions that have them, without for 2026-07-28."""
    (port,) = free_ports(1)
    arguments = [f"-http=127.0.0.1:{port}", f"-stateless={str(is_stateless).lower()}"]
    process = subprocess.Popen(
        [str(server_program()), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        try:
            return web.get(url, timeout=2).status_code > 0
        except httpx.TransportError:
            return False

    try:
        eventually(answers, "the everything server")
        yield url
    finally:
        process.kill()
        process.wait(10)


def score(suite: Suite, url: str, *scenario: str) -> Score:
    """Run it against a URL."""
    package, *arguments = suite.value
    main = HOME / "node_modules" / package / "dist" / "index.js"
    which = ["--scenario", *scenario] if scenario else arguments
    with tempfile.TemporaryDirectory() as folder:
        command = [str(node()), str(main), "server", "--url", url, *which, "-o", folder]
        subprocess.run(command, capture_output=True, check=False, timeout=300)
        return _read(Path(folder))


def _read(folder: Path) -> Score:
    checks: dict[tuple[str, str, int], str] = {}
    for file in sorted(folder.glob("*/checks.json")):
        name = _WHEN.sub("", file.parent.name.removeprefix("server-"))
        for check in json.loads(file.read_text()):
            number = 0
            while (name, check["id"], number) in checks:
                number += 1
            checks[name, check["id"], number] = check["status"]
    return Score(checks)
