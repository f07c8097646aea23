"""One suite for both edges, with the real grpcio client: whatever one does, the other does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import uvloop

from extproc.edges import fast, reference
from extproc.edges.service import Limits, Methods, Server
from tests.extproc.edges.services import (
    BROKEN,
    BROKEN_FACTORY,
    EAGER,
    ECHO,
    LAST_WORD,
    LATE,
    REFUSE,
    SILENT,
    Journal,
    methods_of,
)

TWENTY_MB = 20 << 20
UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


@dataclass
class Served:
    journal: Journal
    server: Server
    channel: Any

    def rpc(self, method: str, **options: Any) -> Any:
        return self.channel.stream_stream(method)(**options)

    async def exchange(self, method: str, *messages: bytes, **options: Any) -> list[bytes]:
        """Send all, half-close, read all."""
        rpc = self.rpc(method, **options)
        for message in messages:
            await rpc.write(message)
        await rpc.done_writing()
        return [answer async for answer in rpc]


Serve = Callable[..., Awaitable[Server]]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture(params=[fast.serve, reference.serve], ids=["fast", "reference"])
def serve(request: pytest.FixtureRequest) -> Serve:
    return request.param  # type: ignore[no-any-return]


@asynccontextmanager
async def served(serve: Serve, **options: Any) -> AsyncIterator[Served]:
    journal = Journal()
    methods: Methods = methods_of(journal)
    server = await serve(methods, **options)
    try:
        async with grpc.aio.insecure_channel(server.address, options=UNLIMITED) as channel:
            yield Served(journal, server, channel)
    finally:
        await server.close()


async def status_of(work: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await work
    return caught.value.code(), caught.value.details() or ""


def test_messages_are_answered_in_order(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            rpc = edge.rpc(ECHO)
            for number in range(4):
                await rpc.write(b"%d" % number)
                assert await rpc.read() == b"%d" % number
            await rpc.done_writing()
            assert await rpc.read() is grpc.aio.EOF
            assert await rpc.code() is grpc.StatusCode.OK
            await edge.journal.until(lambda: edge.journal.closed == 1)
            (seen,) = edge.journal.rpcs
            assert seen.events == ["message"] * 4 + ["half close", "close"]
            assert not seen.call.is_open

    runner.run(scenario())


def test_empty_messages_are_messages(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            assert await edge.exchange(ECHO, b"", b"x", b"") == [b"", b"x", b""]

    runner.run(scenario())


def test_answers_from_outside_the_callback_arrive(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            assert await edge.exchange(LATE, b"one", b"two", timeout=10) == [b"one", b"two"]

    runner.run(scenario())


def test_the_half_close_comes_after_all_messages(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            assert await edge.exchange(LAST_WORD, b"a", b"b", b"c") == [b"a", b"b", b"c"]
            await edge.journal.until(lambda: edge.journal.closed == 1)
            assert edge.journal.rpcs[0].events == ["message"] * 3 + ["half close", "close"]

    runner.run(scenario())


def test_metadata_reaches_the_service(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            pairs = (("x-tenant", "blue"), ("x-many", "1"), ("x-many", "2"))
            await edge.exchange(ECHO, b"", metadata=pairs)
            metadata = edge.journal.rpcs[0].metadata
            assert metadata["x-tenant"] == "blue"
            assert metadata["x-many"].replace(" ", "") == "1,2"
            assert ":path" not in metadata

    runner.run(scenario())


def test_twenty_megabytes_pass_both_ways(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            body = bytes(range(256)) * (TWENTY_MB // 256)
            assert await edge.exchange(ECHO, body, b"small", body) == [body, b"small", body]

    runner.run(scenario())


def test_five_hundred_streams_run_at_once(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            rpcs = [edge.rpc(ECHO) for _ in range(500)]
            for number, rpc in enumerate(rpcs):
                await rpc.write(b"%d" % number)
            await edge.journal.until(lambda: len(edge.journal.rpcs) == 500)
            assert edge.journal.closed == 0
            for number, rpc in enumerate(rpcs):
                assert await rpc.read() == b"%d" % number
                await rpc.done_writing()
            assert {await rpc.code() for rpc in rpcs} == {grpc.StatusCode.OK}
            await edge.journal.until(lambda: edge.journal.closed == 500)

    runner.run(scenario())


def test_a_cancelled_rpc_is_closed_once(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            rpc = edge.rpc(ECHO)
            await rpc.write(b"hello")
            assert await rpc.read() == b"hello"
            rpc.cancel()
            await edge.journal.until(lambda: edge.journal.closed == 1)
            (seen,) = edge.journal.rpcs
            assert seen.events == ["message", "close"]
            assert not seen.call.is_open
            seen.call.send(b"nobody is there")
            seen.call.end()
            assert await edge.exchange(ECHO, b"next") == [b"next"]
            assert seen.events == ["message", "close"]

    runner.run(scenario())


def test_a_deadline_closes_the_rpc(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            work = edge.exchange(SILENT, b"hello", timeout=0.2)
            assert (await status_of(work))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
            await edge.journal.until(lambda: edge.journal.closed == 1)

    runner.run(scenario())


def test_a_lost_connection_closes_its_rpcs(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            rpcs = [edge.rpc(SILENT) for _ in range(3)]
            for rpc in rpcs:
                await rpc.write(b"hello")
            await edge.journal.until(lambda: len(edge.journal.rpcs) == 3)
            await edge.channel.close()
            await edge.journal.until(lambda: edge.journal.closed == 3)

    runner.run(scenario())


def test_an_unknown_method_is_unimplemented(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            code, _ = await status_of(edge.exchange("/test.Service/Missing"))
            assert code is grpc.StatusCode.UNIMPLEMENTED
            assert await edge.exchange(ECHO, b"next") == [b"next"]

    runner.run(scenario())


def test_a_message_over_the_limit_is_refused(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve, limits=Limits(message_bytes=1000)) as edge:
            assert await edge.exchange(ECHO, b"x" * 1000) == [b"x" * 1000]
            code, _ = await status_of(edge.exchange(ECHO, b"x" * 1001))
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            await edge.journal.until(lambda: edge.journal.closed == 2)
            assert await edge.exchange(ECHO, b"next") == [b"next"]

    runner.run(scenario())


def test_the_service_ends_with_its_status(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            rpc = edge.rpc(REFUSE)
            await rpc.write(b"hello")
            code, details = await status_of(rpc.read())
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert details == "nicht für dich, 100%"
            await edge.journal.until(lambda: edge.journal.closed == 1)

    runner.run(scenario())


@pytest.mark.parametrize("method", [BROKEN, BROKEN_FACTORY])
def test_a_bug_in_the_service_costs_its_rpc_only(
    runner: asyncio.Runner, serve: Serve, method: str
) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            other = edge.rpc(ECHO)
            await other.write(b"before")
            assert await other.read() == b"before"
            code, _ = await status_of(edge.exchange(method, b"hello"))
            assert code is grpc.StatusCode.INTERNAL
            await other.write(b"after")
            assert await other.read() == b"after"
            await other.done_writing()
            assert await other.code() is grpc.StatusCode.OK

    runner.run(scenario())


def test_a_service_may_end_before_the_first_message(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            rpc = edge.rpc(EAGER)
            assert await rpc.read() == b"eager"
            assert await rpc.read() is grpc.aio.EOF
            assert await rpc.code() is grpc.StatusCode.OK
            await edge.journal.until(lambda: edge.journal.closed == 1)
            assert edge.journal.rpcs[0].events == ["close"]

    runner.run(scenario())


def test_draining_lets_running_rpcs_finish(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            rpc = edge.rpc(ECHO)
            await rpc.write(b"before")
            assert await rpc.read() == b"before"
            async with asyncio.TaskGroup() as group:
                draining = group.create_task(edge.server.drain(10))
                await rpc.write(b"during")
                assert await rpc.read() == b"during"
                assert not draining.done()
                await rpc.done_writing()
                assert await rpc.code() is grpc.StatusCode.OK
            code, _ = await status_of(edge.exchange(ECHO, b"too late"))
            assert code is grpc.StatusCode.UNAVAILABLE

    runner.run(scenario())


def test_draining_cuts_rpcs_at_the_timeout(runner: asyncio.Runner, serve: Serve) -> None:
    async def scenario() -> None:
        async with served(serve) as edge:
            rpc = edge.rpc(SILENT)
            await rpc.write(b"hello")
            await edge.journal.until(lambda: len(edge.journal.rpcs) == 1)
            await edge.server.drain(0.05)
            await edge.journal.until(lambda: edge.journal.closed == 1)
            with pytest.raises(grpc.aio.AioRpcError):
                await rpc.read()

    runner.run(scenario())


def test_a_unix_socket_serves_as_well(runner: asyncio.Runner, serve: Serve, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(serve, path=tmp_path / "edge.sock") as edge:
            assert edge.server.address == f"unix:{tmp_path}/edge.sock"
            assert await edge.exchange(ECHO, b"hello") == [b"hello"]

    runner.run(scenario())
