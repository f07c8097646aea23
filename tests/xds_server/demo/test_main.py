"""The demo as a program of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import httpx

from tests.kit import web
from tests.kit.stack import eventually, free_ports


def test_it_serves_until_it_is_told_to_stop() -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-P", "-m", "xds_server.demo", "127.0.0.1", str(port)]
    with subprocess.Popen(command) as process:

        def is_there() -> bool:
            try:
                return web.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
            except httpx.TransportError:
                return False

        try:
            eventually(is_there, "the demo")
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
