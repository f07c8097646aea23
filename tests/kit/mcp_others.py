"""The SDKs of others as clients and servers of tests: what they are, and one conversation by each.

They come from the registries into `.venv/conformance` (see `tests.kit.conformance`): TypeScript 1.x
and 2.x, Python 1.x in an environment of its own, the Inspector's command line.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.kit import web
from tests.kit.conformance import HOME, node
from tests.kit.environments import environment
from tests.kit.stack import eventually, free_ports

FOLDER = Path(__file__).parent / "mcp_sdks"
PYTHON_1 = "mcp==1.30.0"
CALLS = (
    {"name": "add", "arguments": {"a": 1, "b": 2}},
    {"name": "sample", "arguments": {"prompt": "quiet"}},
    {"name": "greet", "arguments": {}},
    {"name": "roots", "arguments": {}},
    {"name": "progress", "arguments": {"steps": 3}},
)


@dataclass(frozen=True, slots=True)
class Said:
    """What came of the calls."""

    tools: list[str]
    texts: list[str]
    steps: int


def python_1() -> Path:
    """The interpreter of an environment with the Python SDK 1.x."""
    return environment("python1", PYTHON_1)


COMMANDS = {
    "typescript 1": ("typescript1.mjs", "http"),
    "typescript 2": ("typescript2.mjs", "auto"),
    "typescript 2, legacy": ("typescript2.mjs", "legacy"),
    "python 1": ("python1.py", "http"),
}


def talk(sdk: str, url: str, kind: str = "", prefix: str = "", calls: Any = CALLS) -> Said:
    """One conversation by an SDK of `COMMANDS`; names of tools with a prefix before them."""
    script, usual = COMMANDS[sdk]
    told = [json.dumps({**each, "name": prefix + each["name"]}) for each in calls]
    program = str(python_1()) if script.endswith(".py") else str(node())
    if script.endswith(".mjs"):  # imports are looked up beside the file
        copied = HOME / script
        copied.write_text((FOLDER / script).read_text())
        script = str(copied)
    command = [program, str(FOLDER / script), url, kind or usual, *told]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Said(**json.loads(done.stdout.splitlines()[-1]))


def inspected(url: str, *options: str) -> Any:
    """What the Inspector's command line says."""
    main = HOME / "node_modules" / ".bin" / "mcp-inspector"
    command = [str(node()), str(main), "--cli", url, "--transport", "http", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@contextmanager
def served(command: Sequence[str], port: int, path: str, **more: Any) -> Iterator[str]:
    """A server in a process of its own → its URL, once it answers."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet, **more)  # type: ignore[call-overload]
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, command
        try:
            return web.get(f"{url}/none", timeout=2).status_code > 0
        except httpx.TransportError:
            return False

    try:
        eventually(answers, " ".join(command), seconds=30)
        yield url + path
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def python_1_server(*, is_sse: bool = False) -> Iterator[str]:
    (port,) = free_ports(1)
    kind = ["sse"] if is_sse else []
    command = [str(python_1()), str(FOLDER / "python1_server.py"), *kind, str(port)]
    with served(command, port, "/sse" if is_sse else "/mcp") as url:
        yield url


@contextmanager
def everything(kind: str) -> Iterator[str]:
    """`@modelcontextprotocol/server-everything` by `streamableHttp` or `sse`."""
    (port,) = free_ports(1)
    main = HOME / "node_modules" / ".bin" / "mcp-server-everything"
    path = "/sse" if kind == "sse" else "/mcp"
    environment = os.environ | {"PORT": str(port)}
    with served([str(node()), str(main), kind], port, path, env=environment) as url:
        yield url
