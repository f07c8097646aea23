"""The hub's flags, and the hub itself: a real process, and what is left of it when it is gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from extproc.hub.__main__ import parser

SECONDS = 20.0
SERVER = (
    "import json, os, signal, subprocess, sys\n"
    "child = subprocess.Popen(['sleep', '60'])\n"
    "for line in sys.stdin:\n"
    "    asked = json.loads(line)\n"
    "    told = {'protocolVersion': '2025-11-25', 'pids': [os.getpid(), child.pid]}\n"
    "    print(json.dumps({'jsonrpc': '2.0', 'id': asked['id'], 'result': told}), flush=True)\n"
    "signal.pause()\n"
)
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}},
}


def test_everything_has_a_default() -> None:
    arguments = parser({}).parse_args([])
    assert (arguments.xds, arguments.listen) == ("127.0.0.1:18000", "127.0.0.1:18011")
    assert (arguments.services, arguments.log_level) == ("127.0.0.1:18010", "warning")
    assert arguments.node == f"{os.uname().nodename}-hub"


def test_the_environment_changes_each_default() -> None:
    environment = {
        "DRAGOMAN_XDS": "xds:1",
        "DRAGOMAN_HUB_LISTEN": "unix:/run/hub.sock",
        "DRAGOMAN_SERVICES": "unix:/run/s.sock",
        "DRAGOMAN_HUB_NODE": "h",
        "DRAGOMAN_LOG_LEVEL": "debug",
    }
    arguments = parser(environment).parse_args([])
    assert (arguments.xds, arguments.listen) == ("xds:1", "unix:/run/hub.sock")
    assert (arguments.services, arguments.node) == ("unix:/run/s.sock", "h")
    assert arguments.log_level == "debug"


def test_an_address_that_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser({}).parse_args(["--listen", "nowhere"])
    assert "--listen" in capsys.readouterr().err


@contextmanager
def hub(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A hub with one server, on `FOLDER/hub.sock`; whatever happens, it does not stay."""
    file = folder / "gateway.yaml"
    command = [sys.executable, "-I", "-S", "-c", SERVER]
    file.write_text(json.dumps({"mcp": {"servers": {"one": {"command": command}}}}))
    line = [sys.executable, "-m", "extproc.hub", "--config", str(file)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DRAGOMAN_")}
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [*line, "--listen", f"unix:{folder}/hub.sock"],
            cwd=Path(__file__).parents[3],
            env=kept,
            stdout=log,
            stderr=log,
        )
    transport = httpx.HTTPTransport(http1=False, http2=True, uds=str(folder / "hub.sock"))
    try:
        with httpx.Client(transport=transport, base_url="http://hub", timeout=SECONDS) as client:
            wait_until_healthy(folder, client)
            yield started, client
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()


def wait_until_healthy(folder: Path, client: httpx.Client) -> None:
    """Connections are tried by hand: a client that is refused leaves its socket open."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as trying:
            trying.connect(str(folder / "hub.sock"))
            if client.get("/healthz").status_code == 200:
                return
        time.sleep(0.02)
    raise AssertionError("the hub does not answer")


def pids(client: httpx.Client) -> list[int]:
    """A server, and what it has started."""
    answer = client.post("/servers/one", json=INITIALIZE).json()
    found: list[int] = answer["result"]["pids"]
    assert all(map(is_there, found))
    return found


def is_there(pid: int) -> bool:
    try:
        state: Any = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(found: list[int]) -> bool:
    end = time.monotonic() + SECONDS
    while any(map(is_there, found)) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(map(is_there, found))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_hub(tmp_path: Path, number: signal.Signals) -> None:
    with hub(tmp_path) as (started, client):
        found = pids(client)
        started.send_signal(number)
        assert started.wait(SECONDS) == (0 if number == signal.SIGTERM else -number)
        assert gone(found)


def test_a_hub_does_not_start_with_a_file_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("mcp: {servers: {one: {}}}")
    line = [sys.executable, "-m", "extproc.hub", "--config", str(file)]
    done = subprocess.run(
        [*line, "--listen", f"unix:{tmp_path}/hub.sock"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 1
    assert "needs either url or command" in done.stderr
