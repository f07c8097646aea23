"""What MCP sessions cost that listen and hear nothing: `python -m benchmarks.idle_streams`.

`SESSIONS` (default 5,000) sessions, each with the stream of a GET: of a federation of two servers,
of one server alone, and what Envoy needs with no policy at all for as many, and for as many whose
streams take the three legs of those of two servers: to the hub, and from it to each. A process of
Envoy has three open files for each session of the two, so 5,000 need a limit of 16,000
(`ulimit -n`). Memory is resident (RSS), and what of it is the process's own (private): pages of
Envoy's file are that where no other process runs it.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.federation import gateway, hubs
from benchmarks.load.__main__ import process
from benchmarks.load.configs import envoy_alone
from extproc.edges.stream import Fields, Stream
from extproc.hub.driver import Server, WayOut
from extproc.hub.edge import listening
from tests.kit.envoy import envoy_binary
from tests.kit.stack import eventually, free_ports

SESSIONS = int(os.environ.get("SESSIONS", "5000"))
AT_ONCE = 50
_UNLIMITED = 1 << 30
_LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_GET = (
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "x"),
    (":path", "/s0"),
    ("accept", "text/event-stream"),
)


def memory(pids: Iterable[int]) -> tuple[float, float]:
    """MiB: resident, and private."""
    sizes = dict.fromkeys(("Rss:", "Private_Clean:", "Private_Dirty:"), 0)
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, *said = line.split()
            if name in sizes:
                sizes[name] += int(said[0])
    return sizes["Rss:"] / 1024, (sizes["Private_Clean:"] + sizes["Private_Dirty:"]) / 1024


async def opened(port: int, path: str, *, has_session: bool) -> list[asyncio.StreamWriter]:
    """Sessions of their own, each with its stream."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> asyncio.StreamWriter:
        async with gate:
            said = f"mcp-session-id: {await initialized(port, path)}\r\n" if has_session else ""
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n{said}"
                f"mcp-protocol-version: 2025-11-25\r\n\r\n".encode()
            )
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise SystemExit(f"no stream: {head.decode()}")
            return writer

    return list(await asyncio.gather(*(one() for _ in range(SESSIONS))))


async def initialized(port: int, path: str) -> str:
    """The id of a new session."""
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    body = json.dumps(message).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"accept: application/json, text/event-stream\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%s" % (path.encode(), len(body), body)
    )
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    line = next(
        line for line in answer.split(b"\r\n") if line.lower().startswith(b"mcp-session-id:")
    )
    return line.partition(b":")[2].strip().decode()


def measured(
    title: str,
    parts: dict[str, list[int]],
    opening: Callable[[], Awaitable[list[asyncio.StreamWriter]]],
) -> None:
    """Opens them inside a loop, and prints what that took."""
    before = {name: memory(pids) for name, pids in parts.items()}

    async def held() -> None:
        began = time.perf_counter()
        writers = await opening()
        took = time.perf_counter() - began
        await asyncio.sleep(1)
        after = {name: memory(pids) for name, pids in parts.items()}
        print(f"{SESSIONS} streams, {title}, opened in {took:.1f} s: MB resident (private)")
        for name, (resident, private) in after.items():
            grown = (resident - before[name][0]) * 1024 / SESSIONS
            print(
                f"  {name:7} {before[name][0]:5.0f} ({before[name][1]:4.0f}) → "
                f"{resident:5.0f} ({private:4.0f}), {grown:6.1f} KB each"
            )
        whole = [sum(each) for each in zip(*after.values(), strict=True)]
        print(f"  {'all':7} {whole[0]:5.0f} ({whole[1]:4.0f})")
        for writer in writers:
            writer.close()

    uvloop.run(held())


def alone(folder: Path) -> None:
    """Envoy with a listener, a cluster, and nothing between."""
    port, admin, upstream = free_ports(3)
    config = envoy_alone(port, admin, upstream)
    (cluster,) = config["static_resources"]["clusters"]
    cluster["circuit_breakers"] = {"thresholds": [dict.fromkeys(_LIMITS, _UNLIMITED)]}
    file = folder / "alone.json"
    file.write_text(json.dumps(config))
    server = [sys.executable, "-m", "benchmarks.load.mcp_server", f"{upstream}", "1"]
    envoy = [envoy_binary(), "--concurrency", "1", "--disable-hot-restart", "-c", str(file)]
    with process(server), process([*envoy, "--log-level", "error"]) as started:
        eventually(lambda: is_listening(port) and is_listening(upstream), "Envoy listens")
        measured(
            "Envoy alone",
            {"envoy": [started.pid]},
            functools.partial(opened, port, "/s0", has_session=False),
        )


class Joined:
    """A client's stream, which begins when those of two servers have."""

    def __init__(self, way: WayOut, stream: Stream) -> None:
        self._way = way
        self._stream = stream
        self._missing = 2
        self._work: asyncio.Future[None] | None = None

    def headed(self, fields: Fields) -> None:
        pass

    def received(self, data: bytes) -> None:
        pass

    def relieved(self) -> None:
        pass

    def ended(self) -> None:
        self._work = asyncio.ensure_future(self._open())

    def broke(self, why: str, *, is_unseen: bool) -> None:
        self._stream.reset()

    def begun(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._stream.head(((":status", "200"), ("content-type", "text/event-stream")))
            self._stream.write(b": open\n\n")

    async def _open(self) -> None:
        for _ in range(self._missing):
            await self._way.open(_GET, b"", Leg(self))
        self._work = None


class Leg:
    """A server's stream."""

    def __init__(self, joined: Joined) -> None:
        self._joined = joined

    def headed(self, fields: Fields) -> None:
        self._joined.begun()

    def received(self, data: bytes) -> None:
        pass

    def relieved(self) -> None:
        pass

    def ended(self) -> None:
        pass

    def broke(self, why: str, *, is_unseen: bool) -> None:
        self._joined.broke(why, is_unseen=is_unseen)


def alone_as_two(folder: Path) -> None:
    """The same Envoy with the legs of two servers as one, joined in this process."""
    port, admin, upstream, out, hub = free_ports(5)
    config = envoy_alone(port, admin, upstream)
    resources = config["static_resources"]
    (cluster,), (listener,) = resources["clusters"], resources["listeners"]
    cluster["circuit_breakers"] = {"thresholds": [dict.fromkeys(_LIMITS, _UNLIMITED)]}
    resources["listeners"].append({**copy.deepcopy(listener), "name": "out"})
    resources["clusters"].append({**copy.deepcopy(cluster), "name": "hub"})
    _address(resources["listeners"][1])["port_value"] = out
    to_hub = resources["clusters"][1]
    load = to_hub["load_assignment"]
    load["cluster_name"] = "hub"
    _address(load["endpoints"][0]["lb_endpoints"][0]["endpoint"])["port_value"] = hub
    to_hub["typed_extension_protocol_options"] = {
        _HTTP_OPTIONS: {
            "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] = "hub"
    file = folder / "alone_as_two.json"
    file.write_text(json.dumps(config))
    server = [sys.executable, "-m", "benchmarks.load.mcp_server", f"{upstream}", "1"]
    envoy = [envoy_binary(), "--concurrency", "1", "--disable-hot-restart", "-c", str(file)]

    async def joined() -> list[asyncio.StreamWriter]:
        accept = functools.partial(Joined, WayOut(f"127.0.0.1:{out}"))
        await Server(accept, listening(f"127.0.0.1:{hub}")).start()
        return await opened(port, "/two", has_session=False)

    with process(server), process([*envoy, "--log-level", "error"]) as started:
        eventually(lambda: is_listening(port) and is_listening(upstream), "Envoy listens")
        measured("Envoy alone, two servers as one", {"envoy": [started.pid]}, joined)


def _address(of: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = of["address"]["socket_address"]
    return found


def is_listening(port: int) -> bool:
    found = subprocess.run(["ss", "-ltnH", f"sport = :{port}"], capture_output=True, check=True)
    return bool(found.stdout.strip())


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as name:
        alone(Path(name))
        alone_as_two(Path(name))
    for title, path in (("one server alone", "/mcp/s0"), ("two servers as one", "/mcp/two")):
        with tempfile.TemporaryDirectory() as name, gateway(Path(name)) as stack:
            parts = {
                "worker": stack.workers(),
                "hub": list(hubs(stack)),
                "envoy": stack.envoys(),
            }
            measured(title, parts, functools.partial(opened, stack.port, path, has_session=True))


if __name__ == "__main__":
    main()
