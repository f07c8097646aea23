"""The fast edge as a real Envoy's external processor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop
from envoy_api import message

from extproc.edges import fast
from extproc.edges.service import Call
from tests.kit.envoy import RunningEnvoy

pytestmark = pytest.mark.envoy

PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
TWENTY_MB = 20 << 20
ProcessingRequest = message("envoy.service.ext_proc.v3.ProcessingRequest")
ProcessingResponse = message("envoy.service.ext_proc.v3.ProcessingResponse")


class UpperCase:
    """Lets headers pass and turns the body into upper case."""

    def __init__(self, call: Call, events: list[str]) -> None:
        self._call = call
        self._events = events

    def on_message(self, data: bytes) -> None:
        request = ProcessingRequest.FromString(data)
        answer = ProcessingResponse()
        kind = request.WhichOneof("request")
        self._events.append(kind)
        if kind == "request_body":
            body = request.request_body.body.upper()
            answer.request_body.response.body_mutation.body = body
        else:
            answer.request_headers.response.SetInParent()
        self._call.send(answer.SerializeToString())

    def on_half_close(self) -> None:
        self._events.append("half close")
        self._call.end()

    def on_close(self) -> None:
        self._events.append("close")


class Slow(UpperCase):
    """Answers a while later, from outside of the callback; says when a hundred wait for that."""

    def __init__(self, call: Call, events: list[str], is_busy: asyncio.Event) -> None:
        super().__init__(call, events)
        self._is_busy = is_busy

    def on_message(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(0.2, super().on_message, data)
        self._events.append("asked")
        if self._events.count("asked") == 100:
            self._is_busy.set()


def _cluster(name: str, address: dict[str, Any], *, is_http2: bool = False) -> dict[str, Any]:
    http = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"endpoint": {"address": address}}
    limits = {"max_connections": 2000, "max_pending_requests": 2000, "max_requests": 2000}
    cluster = {
        "name": name,
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if is_http2:
        key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {key: http}
    return cluster


def _bootstrap(edge: Path, upstream_port: int) -> dict[str, Any]:
    ext_proc = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": "edge"}},
        "message_timeout": "30s",
        "processing_mode": {"request_body_mode": "BUFFERED", "response_header_mode": "SKIP"},
    }
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}
    host = {"name": "all", "domains": ["*"], "routes": [route]}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network."
        "http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "http_filters": [
            {"name": "dragoman.ext_proc", "typed_config": ext_proc},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
        "route_config": {"name": "routes", "virtual_hosts": [host]},
    }
    network = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }
    listener = {
        "name": "front",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "per_connection_buffer_limit_bytes": 64 << 20,
        "filter_chains": [{"filters": [network]}],
    }
    upstream = {"socket_address": {"address": "127.0.0.1", "port_value": upstream_port}}
    clusters = [
        _cluster("edge", {"pipe": {"path": str(edge)}}, is_http2=True),
        _cluster("upstream", upstream),
    ]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


async def _echo_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An upstream that answers every POST with its body."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(head.split("content-length:")[1].split("\r\n")[0])
            body = await reader.readexactly(size)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


Post = Callable[[bytes], Awaitable[Answer]]


async def _post(port: int, body: bytes) -> Answer:
    """One request on its own connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    writer.write((head % len(body)).encode() + body)
    async with asyncio.timeout(60):
        status = await reader.readline()
        await reader.readuntil(b"\r\n\r\n")
        content = await reader.read(-1)
    writer.close()
    return Answer(int(status.split()[1]), content)


Scenario = Callable[[Post, RunningEnvoy], Awaitable[None]]


def through_envoy(directory: Path, scenario: Scenario) -> list[str]:
    """Run a scenario with edge, upstream and Envoy; what the processor saw."""
    events: list[str] = []

    async def run() -> None:
        methods = {PROCESS: lambda call: UpperCase(call, events)}
        edge = await fast.serve(methods, path=directory / "edge.sock")
        await _with_envoy(directory, scenario)
        await edge.close()

    uvloop.run(run())
    return events


async def _with_envoy(directory: Path, scenario: Scenario) -> None:
    upstream = await asyncio.start_server(_echo_http, "127.0.0.1", 0)
    port = upstream.sockets[0].getsockname()[1]
    envoy = RunningEnvoy(_bootstrap(directory / "edge.sock", port), directory)
    try:
        await asyncio.to_thread(envoy.__enter__)
        front = envoy.port("front")
        await scenario(lambda body: _post(front, body), envoy)
    finally:
        await asyncio.to_thread(envoy.stop)
        upstream.close()


def test_twenty_megabytes_are_buffered_and_replaced(tmp_path: Path) -> None:
    body = b"dragoman" * (TWENTY_MB // 8)

    async def scenario(post: Post, envoy: RunningEnvoy) -> None:
        for _ in range(2):
            answer = await post(body)
            assert answer.status == 200
            assert answer.body == body.upper()

    events = through_envoy(tmp_path, scenario)
    assert events.count("request_body") == 2
    assert events.count("close") == 2


def test_five_hundred_requests_at_once(tmp_path: Path) -> None:
    async def scenario(post: Post, envoy: RunningEnvoy) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_checked(post, number)) for number in range(500)]
        assert sum(task.result() for task in tasks) == 500
        assert envoy.stat("cluster.edge.upstream_rq_total") == 500
        assert envoy.stat("cluster.edge.http2.rx_reset") == 0
        assert envoy.stat("cluster.edge.http2.rx_messaging_error") == 0

    events = through_envoy(tmp_path, scenario)
    assert events.count("request_headers") == events.count("request_body") == 500
    assert events.count("close") == 500


async def _checked(post: Post, number: int) -> bool:
    body = b"request %d" % number
    answer = await post(body)
    return answer.status == 200 and answer.body == body.upper()


def test_requests_succeed_while_the_edge_is_new(tmp_path: Path) -> None:
    async def scenario(post: Post, envoy: RunningEnvoy) -> None:
        for number in range(50):
            assert await _checked(post, number)
        assert envoy.stat("cluster.edge.upstream_cx_total") == 1

    assert through_envoy(tmp_path, scenario).count("close") == 50


def test_a_drained_edge_finishes_what_it_has_and_its_successor_takes_over(tmp_path: Path) -> None:
    events: list[str] = []

    async def run() -> None:
        is_busy = asyncio.Event()
        methods = {PROCESS: lambda call: Slow(call, events, is_busy)}
        edges = [await fast.serve(methods, path=tmp_path / "edge.sock")]

        async def scenario(post: Post, envoy: RunningEnvoy) -> None:
            async with asyncio.TaskGroup() as group:
                first = [group.create_task(_checked(post, number)) for number in range(100)]
                await is_busy.wait()
                assert not any(task.done() for task in first)
                (tmp_path / "edge.sock").unlink()
                edges.append(await fast.serve(methods, path=tmp_path / "edge.sock"))
                await edges[0].drain(10)
                second = [group.create_task(_checked(post, number)) for number in range(100)]
            assert all(task.result() for task in (*first, *second))
            assert envoy.stat("cluster.edge.upstream_cx_total") == 2
            assert envoy.stat("cluster.edge.upstream_cx_close_notify") >= 1

        await _with_envoy(tmp_path, scenario)
        await edges[1].close()

    uvloop.run(run())
    assert events.count("close") == 200
