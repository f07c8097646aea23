"""A real Envoy as the client: what it gets, what it refuses, and that a change drops nothing."""

from __future__ import annotations

import asyncio
import functools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import envoy_api
import httpx
import pytest

from gateway.model import Gateway
from tests.kit.ads import serving
from tests.kit.envoy import RunningEnvoy
from tests.kit.saved import Saved
from tests.kit.stack import free_ports
from xds_server.clients import Clients
from xds_server.compile import compile_gateway
from xds_server.resources.bootstrap import bootstrap
from xds_server.resources.clusters import route_cluster_name
from xds_server.resources.topology import Topology
from xds_server.snapshot import (
    CLUSTER,
    Resource,
    Snapshot,
    all_resources,
    resource_of,
    snapshot_of,
)
from xds_server.subscription.words import PART_BYTES

pytestmark = pytest.mark.envoy

SECONDS = 10
TOPOLOGY = Topology(workers=("127.0.0.1:9",))
BAD = "bad"
CARES = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
Json: TypeAlias = dict[str, Any]


def compiled(gateway: Gateway) -> Snapshot:
    """What Dragoman compiles; a route named `bad` brings a cluster that no Envoy takes."""
    snapshot = compile_gateway(gateway, TOPOLOGY)
    if all(route.name != BAD for route in gateway.routes):
        return snapshot
    return snapshot_of((*all_resources(snapshot), cluster({"name": BAD, "type": "EDS"})))


def cluster(fields: Json) -> Resource:
    message = envoy_api.from_dict("envoy.config.cluster.v3.Cluster", fields)
    return resource_of(fields["name"], CLUSTER, message.SerializeToString(deterministic=True))


class SlowNames(asyncio.DatagramProtocol):
    """A DNS server that says 127.0.0.1 to everything, when it may."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self._answers: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, query: bytes, sender: tuple[str, int]) -> None:
        task = asyncio.ensure_future(self._answer(query, sender))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)
        self.was_asked.set()

    async def _answer(self, query: bytes, sender: tuple[str, int]) -> None:
        await self.may_answer.wait()
        question = query[12 : query.index(b"\0", 12) + 5]
        counts = b"\0\1\0\1\0\0\0\0"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"
        self._transport.sendto(query[:2] + b"\x81\x80" + counts + question + record, sender)

    def compiled(self, gateway: Gateway) -> Snapshot:
        """The cluster of route `two` is found through this server."""
        snapshot = compile_gateway(gateway, TOPOLOGY)
        slow = {
            route_cluster_name(route.backends[0].upstream)
            for route in gateway.routes
            if route.name == "two"
        }
        renamed = [
            self._resolved(each) if each.name in slow else each for each in all_resources(snapshot)
        ]
        return snapshot_of(renamed)

    def _resolved(self, static: Resource) -> Resource:
        message = envoy_api.message("envoy.config.cluster.v3.Cluster").FromString(static.body)
        written = json.dumps(envoy_api.to_dict(message))
        fields = json.loads(written.replace('"127.0.0.1"', '"slow.test"'))
        host, port = self._transport.get_extra_info("sockname")
        resolver = {
            "@type": f"type.googleapis.com/{CARES}",
            "resolvers": [{"socket_address": {"address": host, "port_value": port}}],
        }
        fields |= {
            "type": "STRICT_DNS",
            "dns_lookup_family": "V4_ONLY",
            "typed_dns_resolver_config": {"name": "cares", "typed_config": resolver},
        }
        return cluster(fields)


@dataclass(frozen=True, slots=True)
class Upstream:
    """An HTTP server that says its name."""

    name: str
    port: int


@asynccontextmanager
async def upstream(name: str) -> AsyncIterator[Upstream]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(name)}\r\n\r\n"
                writer.write(f"{head}{name}".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield Upstream(name, server.sockets[0].getsockname()[1])


@dataclass(slots=True)
class Scene:
    """A control plane, an Envoy, and two upstreams."""

    clients: Clients
    publisher: Saved
    envoy: RunningEnvoy
    http: httpx.AsyncClient
    port: int
    upstreams: tuple[Upstream, Upstream]
    server: AsyncExitStack
    target: str

    def text(self, to: Upstream, *, name: str = "") -> str:
        route = {"name": name or to.name, "backend": f"http://127.0.0.1:{to.port}"}
        gateway = {"port": self.port, "address": "127.0.0.1"}
        return json.dumps({"gateways": {"default": gateway}, "routes": [route]})

    async def until(self, claim: Callable[[], bool], clients: Clients | None = None) -> None:
        """`clients` are those of another control plane than the first."""
        moving = clients or self.clients
        log = self.envoy.log
        assert await moving.wait_until(claim, SECONDS), (moving.states(), log.read_text())

    async def stop_serving(self) -> None:
        await self.server.aclose()

    async def until_ready(self) -> None:
        await self.until(lambda: self.publisher.missing() == ())

    async def get(self) -> str:
        answer = await self.http.get(f"http://127.0.0.1:{self.port}/")
        return answer.text if answer.status_code == 200 else f"{answer.status_code} {answer.text}"


Compile: TypeAlias = Callable[[Gateway], Snapshot]


def publisher_of(clients: Clients, tmp_path: Path, compile_snapshot: Compile) -> Saved:
    return Saved.of(clients, tmp_path, lambda gateway, *, level: compile_snapshot(gateway))


@asynccontextmanager
async def playing(tmp_path: Path, compile_snapshot: Compile = compiled) -> AsyncIterator[Scene]:
    clients = Clients()
    publisher = publisher_of(clients, tmp_path, compile_snapshot)
    target = f"unix:{tmp_path}/ads.sock"
    async with (
        asyncio.timeout(2 * SECONDS),
        upstream("one") as one,
        upstream("two") as two,
        httpx.AsyncClient() as http,
        AsyncExitStack() as server,
    ):
        await server.enter_async_context(serving(clients, target))
        envoy = RunningEnvoy(bootstrap(target, "127.0.0.1:0", "edge"), tmp_path)
        scene = Scene(clients, publisher, envoy, http, free_ports(1)[0], (one, two), server, target)
        assert await publisher.apply(scene.text(one)) == ()
        try:
            await asyncio.to_thread(envoy.__enter__)
            await scene.until_ready()
            yield scene
        finally:
            await asyncio.to_thread(envoy.stop)


def played(tmp_path: Path, play: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with playing(tmp_path) as scene:
            await play(scene)

    asyncio.run(run())


def test_envoy_serves_what_is_published(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        one, two = scene.upstreams
        assert await scene.get() == "one"
        assert await scene.publisher.apply(scene.text(two)) == ()
        assert await scene.get() == "two"
        await scene.until_ready()
        assert scene.clients.states()[0].node.version == (1, 40, 0)
        assert await scene.publisher.apply(scene.text(one)) == ()
        assert await scene.get() == "one"

    played(tmp_path, play)


def test_a_change_drops_no_request(tmp_path: Path) -> None:
    """Each change makes a cluster, moves the route to it, and takes the other cluster away."""

    async def play(scene: Scene) -> None:
        answers: Counter[str] = Counter()
        is_over = asyncio.Event()

        async def ask() -> None:
            while not is_over.is_set():
                answers[await scene.get()] += 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(ask())
            for turn in range(1, 21):
                to = scene.upstreams[turn % 2]
                assert await scene.publisher.apply(scene.text(to)) == ()
                assert await scene.get() == to.name
            is_over.set()
        assert answers.keys() == {"one", "two"}, answers
        assert answers.total() > 50
        await scene.until_ready()
        assert b"route/two" not in await asyncio.to_thread(scene.envoy.admin, "/clusters")

    played(tmp_path, play)


def test_what_envoy_refuses_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        two = scene.upstreams[1]
        (problem,) = await scene.publisher.apply(scene.text(two, name=BAD))
        assert "envoy edge refuses Cluster" in problem.message
        assert "EDS" in problem.message
        assert await scene.get() == "one"
        await scene.until_ready()
        updates = functools.partial(scene.envoy.stat, "cluster_manager\\.cds\\.update_rejected")
        assert await asyncio.to_thread(updates) == 1
        assert await scene.publisher.apply(scene.text(two)) == ()
        assert await scene.get() == "two"
        assert await asyncio.to_thread(updates) == 1

    played(tmp_path, play)


def test_routes_wait_until_the_clusters_that_they_need_are_warm(tmp_path: Path) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        transport, slow = await loop.create_datagram_endpoint(SlowNames, ("127.0.0.1", 0))
        with closing(transport):
            await slow_change(slow)

    async def slow_change(slow: SlowNames) -> None:
        async with playing(tmp_path, slow.compiled) as scene:
            change = asyncio.ensure_future(scene.publisher.apply(scene.text(scene.upstreams[1])))
            await slow.was_asked.wait()
            for _ in range(20):
                assert await scene.get() == "one"
            slow.may_answer.set()
            assert await change == ()
            assert await scene.get() == "two"

    asyncio.run(run())


def test_a_restarted_control_plane_sends_only_what_is_new(tmp_path: Path) -> None:
    async def run() -> None:
        clients = Clients()
        publisher = publisher_of(clients, tmp_path, compiled)
        async with playing(tmp_path) as scene:
            one, two = scene.upstreams
            await publisher.apply(scene.text(one))
            await scene.stop_serving()
            assert await scene.get() == "one"
            async with serving(clients, scene.target):
                await scene.until(lambda: publisher.missing() == (), clients)
                (state,) = clients.states()
                assert {each.acked_version for each in state.types} == {""}  # nothing was sent
                assert await publisher.apply(scene.text(two)) == ()
                assert await scene.get() == "two"

    asyncio.run(run())


class Large:
    """Clusters of 4 MB, new with each configuration, before those of the routes."""

    def __init__(self) -> None:
        self.port = 0
        self._count = 0

    def compiled(self, gateway: Gateway) -> Snapshot:
        self.port = gateway.listeners[0].port
        self._count += 1
        text = f"{self._count}{'x' * PART_BYTES}"
        fillers = [
            {
                "name": f"filler/{number}",
                "type": "STATIC",
                "connect_timeout": "1s",
                "metadata": {"filter_metadata": {"filler": {"text": text}}},
            }
            for number in range(4)
        ]
        return snapshot_of((*all_resources(compiled(gateway)), *map(cluster, fillers)))

    async def first_answer(self) -> str:
        """As soon as somebody listens."""
        async with httpx.AsyncClient() as http:
            while True:
                try:
                    answer = await http.get(f"http://127.0.0.1:{self.port}/")
                except httpx.ConnectError:
                    await asyncio.sleep(0.001)
                else:
                    return f"{answer.status_code} {answer.text}"


def test_who_is_told_in_parts_has_all_clusters_before_it_listens(tmp_path: Path) -> None:
    async def run() -> None:
        large = Large()
        first = asyncio.ensure_future(large.first_answer())
        async with playing(tmp_path, large.compiled) as scene:
            assert await first == "200 one"
            parts = functools.partial(scene.envoy.stat, "cluster_manager\\.cds\\.update_success")
            assert await asyncio.to_thread(parts) > 4
            for turn in range(1, 4):
                to = scene.upstreams[turn % 2]
                assert await scene.publisher.apply(scene.text(to)) == ()
                assert await scene.get() == to.name
            await scene.until_ready()

    asyncio.run(run())
