"""What MCP costs: `python -m benchmarks.federation`.

Calls of tools through a federation of ten servers with 500 tools, and of one server; the list of
500 tools from a warm cache; and the memory of sessions whose streams are open: `SESSIONS` says how
many (default 5,000, for which a process of Envoy has 30,000 files open).
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from benchmarks.load.__main__ import cpu_seconds, process, rss_mb
from tests.kit.mcp_peers import ACCEPT, RawClient
from tests.kit.stack import Stack, free_ports, running

SERVERS, TOOLS = 10, 50
SESSIONS = int(os.environ.get("SESSIONS", "5000"))
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


async def open_streams(url: str, count: int) -> list[asyncio.StreamWriter]:
    """Sessions of their own, each with its stream."""
    host, port = "127.0.0.1", int(url.rsplit(":", 1)[1])
    gate = asyncio.Semaphore(50)

    async def opened() -> asyncio.StreamWriter:
        async with gate:
            session = await _initialized(host, port)
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(
                f"GET /mcp/two HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n"
                f"mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n\r\n".encode()
            )
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            assert b" 200 " in head.split(b"\r\n")[0], head
            return writer

    return list(await asyncio.gather(*(opened() for _ in range(count))))


async def _initialized(host: str, port: int) -> str:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    body = json.dumps(message).encode()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        b"POST /mcp/two HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"accept: application/json, text/event-stream\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(body), body)
    )
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    line = next(
        line for line in answer.split(b"\r\n") if line.lower().startswith(b"mcp-session-id:")
    )
    return line.partition(b":")[2].strip().decode()


def streams(stack: Stack) -> None:
    """Memory of sessions that listen."""
    parts = {"worker": stack.workers(), "hub": hubs(stack), "envoy": stack.envoys()}
    before = {name: sum(rss_mb(pid) for pid in pids) for name, pids in parts.items()}

    async def held() -> None:
        began = time.perf_counter()
        writers = await open_streams(stack.url, SESSIONS)
        took = time.perf_counter() - began
        await asyncio.sleep(1)
        after = {name: sum(rss_mb(pid) for pid in pids) for name, pids in parts.items()}
        print(f"{SESSIONS} sessions with streams of two servers, opened in {took:.1f} s:")
        for name in parts:
            print(f"  {name:7} {before[name]:6.0f} MB → {after[name]:6.0f} MB")
        print(f"  together {sum(after.values()):.0f} MB")
        for writer in writers:
            writer.close()

    uvloop.run(held())


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as name, gateway(Path(name)) as stack:
        folder = Path(name)
        call = {"name": "s3__tool_7", "arguments": {"query": "x", "limit": 3}}
        load(stack, "/mcp", "tools/call", call, folder)
        load(stack, "/mcp/s3", "tools/call", {**call, "name": "tool_7"}, folder)
        load(stack, "/mcp", "tools/list", {}, folder)
        direct(stack)
        streams(stack)


if __name__ == "__main__":
    main()
