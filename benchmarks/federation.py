"""What MCP costs: `python -m benchmarks.federation`.

Calls of tools through a federation of ten servers with 500 tools, and of one server; and the list
of 500 tools from a warm cache. What sessions that listen cost: `benchmarks.idle_streams`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load.__main__ import cpu_seconds, process
from tests.kit.mcp_peers import ACCEPT, RawClient
from tests.kit.stack import Stack, free_ports, running

SERVERS, TOOLS = 10, 50
SECONDS = float(os.environ.get("SECONDS_EACH", "4"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CONNECTIONS = 32
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity: {required: false}
mcp:
  views:
    two: {servers: [s0, s1]}
  servers:
"""


@contextmanager
def gateway(folder: Path) -> Iterator[Stack]:
    """Ten servers as one."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.load.mcp_server", f"{port}", f"{TOOLS}"]
    rows = [
        f'    s{n}: {{url: "http://127.0.0.1:{port}/s{n}", cache_lists: 1h}}\n'
        for n in range(SERVERS)
    ]
    config = folder / "gateway.yaml"
    config.write_text(YAML + "".join(rows))
    os.environ["DRAGOMAN_CONCURRENCY"] = "1"
    with process(command), running(config, folder / "state", workers=1) as stack:
        yield stack


def hubs(stack: Stack) -> tuple[int, ...]:
    return tuple(pid for pid, line in stack.descendants().items() if "extproc.hub" in line)


def load(stack: Stack, place: str, method: str, params: object, folder: Path) -> None:
    """The least CPU of some rounds."""
    client = RawClient(f"{stack.url}{place}")
    client.initialize()
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    assert client.post(message).status == 200, client.post(message).text
    request = folder / "request.json"
    request.write_text(json.dumps(message))
    headers = json.dumps(
        {
            "accept": ACCEPT,
            "mcp-session-id": client.session,
            "mcp-protocol-version": client.version,
        }
    )
    workers, envoys, hub = tuple(stack.workers()), tuple(stack.envoys()), hubs(stack)
    rows = []
    for _ in range(ROUNDS):
        before = cpu_seconds(workers), cpu_seconds(envoys), cpu_seconds(hub)
        command = [sys.executable, "-m", "benchmarks.load.generator", client.url, str(request)]
        done = subprocess.run(
            [*command, str(CONNECTIONS), str(SECONDS), headers], capture_output=True, check=True
        )
        result = json.loads(done.stdout)
        if result["failures"]:
            raise SystemExit(f"{method}: {result['failures']} of {result['requests']} failed")
        after = cpu_seconds(workers), cpu_seconds(envoys), cpu_seconds(hub)
        spent = [(b - a) / result["requests"] * 1e6 for a, b in zip(before, after, strict=True)]
        rows.append((*spent, result["requests"] / result["seconds"], result["p50_ms"]))
    python, envoy, hubs_own = (min(row[column] for row in rows) for column in range(3))
    rate, p50 = max(row[3] for row in rows), min(row[4] for row in rows)
    print(
        f"{method:12} {place:8} {rate:7.0f}/s  p50 {p50:6.2f} ms  "
        f"python {python:7.1f} µs  envoy {envoy:7.1f} µs  hub {hubs_own:6.1f} µs"
    )


def direct(stack: Stack) -> None:
    """No second hop: one request of Envoy for each request to it."""
    client = RawClient(f"{stack.url}/mcp")
    client.initialize()
    client.call("s3__tool_7", {"query": "x"})
    name = "cluster.service/mcp/.*.upstream_rq_total"
    before = stack.envoy_stat(name)
    for _ in range(20):
        client.call("s3__tool_7", {"query": "x"})
    print(f"requests of Envoy to servers, for each call: {(stack.envoy_stat(name) - before) / 20}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name, gateway(Path(name)) as stack:
        folder = Path(name)
        call = {"name": "s3__tool_7", "arguments": {"query": "x", "limit": 3}}
        load(stack, "/mcp", "tools/call", call, folder)
        load(stack, "/mcp/s3", "tools/call", {**call, "name": "tool_7"}, folder)
        load(stack, "/mcp", "tools/list", {}, folder)
        direct(stack)


if __name__ == "__main__":
    main()
