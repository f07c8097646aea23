"""The standard health service, asked with the standard client."""

from __future__ import annotations

import asyncio

import grpc
import pytest
import uvloop
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from extproc.edges import fast
from extproc.edges.health import CHECK, WATCH, Health

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN


async def ask(channel: grpc.aio.Channel, service: str = "") -> int:
    check = channel.unary_unary(
        CHECK, HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    answer = await check(HealthCheckRequest(service=service), timeout=10)
    return int(answer.status)


def test_a_check_tells_the_status_of_now() -> None:
    async def run() -> None:
        health = Health()
        server = await fast.serve(health.methods)
        async with grpc.aio.insecure_channel(server.address) as channel:
            assert await ask(channel) == NOT_SERVING
            health.set(True)
            health.set(True, "extproc")
            assert await ask(channel) == SERVING
            assert await ask(channel, "extproc") == SERVING
            health.set(False, "extproc")
            assert await ask(channel, "extproc") == NOT_SERVING
        await server.close()

    uvloop.run(run())


def test_an_unknown_service_is_not_found() -> None:
    async def run() -> None:
        server = await fast.serve(Health().methods)
        async with grpc.aio.insecure_channel(server.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ask(channel, "nobody")
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(CHECK)(b"\xff", timeout=10)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        await server.close()

    uvloop.run(run())


def test_a_watch_sees_every_change() -> None:
    async def run() -> None:
        health = Health()
        server = await fast.serve(health.methods)
        async with asyncio.timeout(10), grpc.aio.insecure_channel(server.address) as channel:
            watch = channel.unary_stream(
                WATCH, HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
            )(HealthCheckRequest(service="extproc"))
            seen = [(await watch.read()).status]
            for is_serving in (True, True, False, True):
                health.set(is_serving, "extproc")
            seen += [(await watch.read()).status for _ in range(3)]
            assert seen == [SERVICE_UNKNOWN, SERVING, NOT_SERVING, SERVING]
            watch.cancel()
        await server.close()

    uvloop.run(run())


def test_who_leaves_says_so_and_ends_every_watch() -> None:
    async def run() -> None:
        health = Health()
        health.set(True)
        server = await fast.serve(health.methods)
        async with asyncio.timeout(10), grpc.aio.insecure_channel(server.address) as channel:
            watch = channel.unary_stream(
                WATCH, HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
            )(HealthCheckRequest())
            assert (await watch.read()).status == SERVING
            health.leave()
            assert (await watch.read()).status == NOT_SERVING
            assert await watch.code() is grpc.StatusCode.UNAVAILABLE
        await server.drain(10)

    uvloop.run(run())
