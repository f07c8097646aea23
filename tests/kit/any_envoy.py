"""The parts as processes of their own: control plane, worker, demo, and an Envoy of any version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.kit.envoy import NEWEST, envoy_binary
from tests.kit.stack import COMMAND, Stack, eventually, free_ports
from xds_server.resources.bootstrap import bootstrap


@contextmanager
def started(
    log: Path, environment: Mapping[str, str], *command: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs inside the block, and must leave when it is asked to."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@contextmanager
def running_beside(
    config: Path, state: Path, version: str, *, is_delta: bool = True
) -> Iterator[Stack]:
    """A gateway file served by an Envoy of this version, ready; all is stopped at the end."""
    port, admin, xds, extproc, services, envoy_admin, demo, hub = free_ports(8)
    environment = {"DRAGOMAN_PORT": str(port), "DRAGOMAN_DEMO_PORT": str(demo)}
    state.mkdir(exist_ok=True, parents=True)
    log, file = state / "log", state / "envoy.json"
    target, worker = f"127.0.0.1:{xds}", f"127.0.0.1:{extproc}"
    document = bootstrap(
        target,
        f"127.0.0.1:{envoy_admin}",
        f"envoy-{version}",
        is_delta=is_delta,
        seals_cookies=version == NEWEST,
    )
    file.write_text(json.dumps(document))
    way_out = ("--services", f"127.0.0.1:{services}")
    dragoman, shared = str(COMMAND), ("--state-dir", str(state), *way_out)
    way_in = ("--hub", f"127.0.0.1:{hub}")
    plane = ("--xds", target, "--extproc", worker, "--admin", str(admin), *way_in, *shared)
    envoy = (envoy_binary(version), "-c", str(file), "--disable-hot-restart", "--concurrency", "1")
    with ExitStack() as stack:
        control_plane = stack.enter_context(
            started(log, environment, dragoman, "xds", str(config), *plane)
        )
        for command in (
            (sys.executable, "-P", "-m", "xds_server.demo", "127.0.0.1", str(demo)),
            (dragoman, "extproc", "--xds", target, "--listen", worker, *shared),
            (*envoy, "-l", "warning"),
        ):
            stack.enter_context(started(log, environment, *command))
        if "\nmcp:" in config.read_text():
            listen = ("--listen", f"127.0.0.1:{hub}")
            command = (dragoman, "hub", "--xds", target, *listen, *way_out)
            stack.enter_context(started(log, environment, *command))
        made = Stack(control_plane, port, admin, demo, config, state, log, envoy_admin)
        made.wait_ready()
        eventually(made.is_demo_ready, "the demo", seconds=15)
        yield made
