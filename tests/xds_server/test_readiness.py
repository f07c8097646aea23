"""Whether Envoy is there, asked of a server that speaks like its admin interface."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.model import Endpoint
from xds_server.http_edge import listening_socket, serving
from xds_server.readiness import (
    envoy_client,
    envoy_lacks,
    listeners_lack,
    requests_end,
    url,
)


@dataclass(slots=True)
class Admin:
    """What Envoy's admin interface says, step by step."""

    state: str = "LIVE"
    active: list[int] = field(default_factory=lambda: [0])
    is_drained: bool = False
    healthy_workers: int = 1

    async def ready(self, request: Request) -> Response:
        return PlainTextResponse(f"{self.state}\n", 200 if self.state == "LIVE" else 503)

    async def drain(self, request: Request) -> Response:
        self.is_drained = True
        return PlainTextResponse("OK\n")

    async def stats(self, request: Request) -> Response:
        if "membership_healthy" in request.query_params["filter"]:
            name = "cluster.dragoman_extproc.membership_healthy"
            return JSONResponse({"stats": [{"name": name, "value": self.healthy_workers}]})
        count = self.active.pop(0) if len(self.active) > 1 else self.active[0]
        rows = [
            {"name": "http.admin.downstream_rq_active", "value": 1},
            {"name": "http.gateway/default.downstream_rq_active", "value": count},
        ]
        return JSONResponse({"stats": rows})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/ready", self.ready),
                Route("/drain_listeners", self.drain, methods=["POST"]),
                Route("/stats", self.stats),
            ]
        )


Scenario = Callable[[httpx.AsyncClient, Endpoint], Awaitable[None]]


def run(admin: Admin, scenario: Scenario) -> None:
    @asynccontextmanager
    async def listening() -> AsyncIterator[Endpoint]:
        listener = listening_socket("127.0.0.1", 0)
        where = Endpoint("127.0.0.1", listener.getsockname()[1])
        async with serving(admin.app(), listener):
            yield where

    async def whole() -> None:
        async with (
            asyncio.timeout(20),
            listening() as where,
            envoy_client(where) as client,
        ):
            await scenario(client, where)

    asyncio.run(whole())


def free_endpoint() -> Endpoint:
    with socket.create_server(("127.0.0.1", 0)) as other:
        return Endpoint("127.0.0.1", other.getsockname()[1])


def test_a_live_envoy_lacks_nothing() -> None:
    async def scenario(client: httpx.AsyncClient, where: Endpoint) -> None:
        assert await envoy_lacks(client) is None

    run(Admin(), scenario)


def test_an_envoy_that_initializes_says_so() -> None:
    async def scenario(client: httpx.AsyncClient, where: Endpoint) -> None:
        assert await envoy_lacks(client) == "Envoy says INITIALIZING"

    run(Admin("INITIALIZING"), scenario)


def test_an_envoy_that_sees_no_healthy_worker_would_refuse_everything() -> None:
    async def scenario(client: httpx.AsyncClient, where: Endpoint) -> None:
        assert await envoy_lacks(client) == "Envoy has found no healthy extproc worker"

    run(Admin(healthy_workers=0), scenario)


def test_an_envoy_that_is_not_there_does_not_answer() -> None:
    async def scenario(client: httpx.AsyncClient, where: Endpoint) -> None:
        async with envoy_client(free_endpoint()) as nobody:
            assert await envoy_lacks(nobody) == "Envoy does not answer"

    run(Admin(), scenario)


def test_envoy_is_asked_at_a_unix_socket_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "admin.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            async with (
                asyncio.timeout(20),
                serving(Admin("INITIALIZING").app(), listener),
                envoy_client(path) as client,
            ):
                assert await envoy_lacks(client) == "Envoy says INITIALIZING"
        async with envoy_client(tmp_path / "nothing.sock") as client:
            assert await envoy_lacks(client) == "Envoy does not answer"

    asyncio.run(scenario())


def test_listeners_without_a_server_are_named() -> None:
    async def scenario(client: httpx.AsyncClient, where: Endpoint) -> None:
        nobody = free_endpoint()
        everywhere = Endpoint("0.0.0.0", where.port)
        assert await listeners_lack([where, everywhere, nobody]) == (
            f"nobody listens on 127.0.0.1:{nobody.port}",
        )

    run(Admin(), scenario)


def test_stopping_waits_for_running_requests() -> None:
    admin = Admin(active=[2, 1, 0])

    async def scenario(client: httpx.AsyncClient, where: Endpoint) -> None:
        await requests_end(client, 5)
        assert (admin.is_drained, admin.active) == (True, [0])

    run(admin, scenario)


def test_stopping_does_not_wait_for_ever() -> None:
    async def scenario(client: httpx.AsyncClient, where: Endpoint) -> None:
        await requests_end(client, 0.2)

    run(Admin(active=[1]), scenario)


def test_addresses_for_everybody_are_asked_here() -> None:
    assert url(Endpoint("0.0.0.0", 1)) == "http://127.0.0.1:1"
    assert url(Endpoint("::", 1)) == "http://[::1]:1"
    assert url(Endpoint("10.0.0.1", 1)) == "http://10.0.0.1:1"
