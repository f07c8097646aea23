"""gRPC's own xDS client: it finds a backend through us, and follows when it moves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import envoy_api
import grpc

from tests.kit import grpc_caller
from tests.kit.played import Stage, played
from xds_server.snapshot import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resource, resource_of

SECONDS = 10
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
ADS = {"ads": {}, "resource_api_version": "V3"}


def made(type_url: str, **fields: Any) -> Resource:
    """A resource from its JSON form."""
    message = envoy_api.from_dict(type_url.rpartition("/")[2], fields)
    body = message.SerializeToString(deterministic=True)
    return resource_of(fields.get("name") or fields["cluster_name"], type_url, body)


def greeter(port: int, *, cluster: str = "backend") -> tuple[Resource, ...]:
    """What leads `xds:///greeter` to this port."""
    api = {
        "@type": f"type.googleapis.com/{HCM}",
        "rds": {"route_config_name": "greeter-routes", "config_source": ADS},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"type.googleapis.com/{ROUTER}"}}
        ],
    }
    route = {"match": {"prefix": ""}, "route": {"cluster": cluster}}
    host = {"name": "all", "domains": ["*"], "routes": [route]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = {
        "locality": {"zone": "here"},
        "load_balancing_weight": 1,
        "lb_endpoints": [{"endpoint": {"address": address}}],
    }
    return (
        made(LISTENER, name="greeter", api_listener={"api_listener": api}),
        made(ROUTES, name="greeter-routes", virtual_hosts=[host]),
        made(CLUSTER, name=cluster, type="EDS", eds_cluster_config={"eds_config": ADS}),
        made(ENDPOINTS, cluster_name=cluster, endpoints=[endpoints]),
    )


@asynccontextmanager
async def backend(name: str) -> AsyncIterator[int]:
    """A gRPC server that says its name."""

    async def greet(request: bytes, _: object) -> bytes:
        return name.encode() + b" " + request

    server = grpc.aio.server()
    service, _, method = grpc_caller.METHOD[1:].partition("/")
    handlers = {method: grpc.unary_unary_rpc_method_handler(greet)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@dataclass(slots=True)
class Caller:
    """A process whose calls go where its xDS client says."""

    process: asyncio.subprocess.Process

    async def call(self, text: str) -> str:
        """Who answers."""
        reader, writer = self.process.stdout, self.process.stdin
        assert reader is not None
        assert writer is not None
        async with asyncio.timeout(SECONDS):
            writer.write(f"{text}\n".encode())
            return (await reader.readline()).decode().strip()

    async def until(self, wanted: str) -> None:
        """Calls until this answers; every call is answered."""
        answer = ""
        for _ in range(100 * SECONDS):
            answer = await self.call("again")
            if answer == wanted:
                return
            assert answer.endswith(" again"), answer
            await asyncio.sleep(0.01)
        raise AssertionError((answer, wanted))


@asynccontextmanager
async def calling(target: str) -> AsyncIterator[Caller]:
    bootstrap = {
        "xds_servers": [
            {
                "server_uri": target,
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }
        ],
        "node": {"id": "grpc-client", "cluster": "tests"},
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, grpc_caller.__file__, "greeter"),
        env={**os.environ, "GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(bootstrap)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Caller(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def called(play: Callable[[Stage, Caller, int, int], Awaitable[None]]) -> None:
    async def on_stage(stage: Stage) -> None:
        async with backend("one") as one, backend("two") as two:
            stage.publish(*greeter(one))
            async with calling(stage.target) as caller:
                await play(stage, caller, one, two)

    played(on_stage)


def test_a_call_finds_its_backend_and_follows_when_the_endpoints_move() -> None:
    async def play(stage: Stage, caller: Caller, one: int, two: int) -> None:
        assert await caller.call("hello") == "one hello"
        (state,) = stage.clients.states()
        assert (state.node.id, state.variant) == ("grpc-client", "sotw")
        assert state.node.user_agent.startswith("gRPC")
        await stage.until(lambda: stage.clients.states()[0].is_current)
        stage.publish(*greeter(two))
        await caller.until("two again")

    called(play)


def test_a_call_follows_to_another_cluster_and_none_is_lost() -> None:
    async def play(stage: Stage, caller: Caller, one: int, two: int) -> None:
        await caller.until("one again")
        old = {(each.type_url, each.name): each for each in greeter(one)}
        new = {(each.type_url, each.name): each for each in greeter(two, cluster="other")}
        stage.publish(*{**old, **new}.values())
        await caller.until("two again")
        stage.publish(*new.values())
        await stage.until(lambda: stage.clients.states()[0].is_current)
        assert await caller.call("hello") == "two hello"

    called(play)


def test_what_grpc_refuses_is_known_with_its_reason() -> None:
    async def play(stage: Stage, caller: Caller, one: int, two: int) -> None:
        await caller.until("one again")
        good = [each for each in greeter(one) if each.type_url != CLUSTER]
        bad = made(CLUSTER, name="backend", type="STATIC")
        snapshot = stage.publish(bad, *good)
        (client,) = stage.clients.of(next(iter(stage.clients.states())).kind)
        await stage.until(lambda: bool(client.rejections(snapshot)))
        assert {each.name for each in client.rejections(snapshot)} == {"backend"}
        assert await caller.call("hello") == "one hello"
        stage.publish(*greeter(two))
        await caller.until("two again")

    called(play)
