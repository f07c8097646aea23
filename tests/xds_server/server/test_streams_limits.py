"""Clients that flood, open thousands of streams or never read: others do not feel it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import envoy_api
import grpc
import hpack
import pytest
from envoy_api.discovery import Variant

from gateway.model import ServerTls
from tests.kit.ads import (
    ANONYMOUS,
    SECONDS,
    Credentials,
    DeltaClient,
    channel_to,
    connected,
    connected_by_state,
    node_named,
    stream_on,
)
from tests.kit.certificates import Authority
from tests.kit.played import Stage, content, played, thing
from xds_server.audience import Kind
from xds_server.server import Bounds, Security
from xds_server.server.bounds import KEPT_BYTES, REQUEST_BYTES, STREAMS_PER_CONNECTION
from xds_server.server.services import AGGREGATED
from xds_server.snapshot import CLUSTER

PROMPT_SECONDS = 2.0
MEGABYTE = 1 << 20
AUTHORITY = Authority()
TLS = ServerTls(*AUTHORITY.server())


def resident_bytes() -> int:
    """Of this process: the server, and its clients too."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096


@contextlib.asynccontextmanager
async def well_behaved(
    stage: Stage, credentials: Credentials = ANONYMOUS
) -> AsyncIterator[DeltaClient]:
    """A client that reads and accepts whatever it is told."""
    async with connected(stage.target, "well-behaved", credentials=credentials) as client:
        await client.ask(CLUSTER)
        await client.take()
        yield client


async def is_told_promptly(stage: Stage, client: DeltaClient, text: str, size: int = 0) -> None:
    """One change reaches it in time."""
    stage.publish(thing(CLUSTER, "a", text + "x" * size))
    async with asyncio.timeout(PROMPT_SECONDS):
        received = await client.take()
    assert content(CLUSTER, received.bodies["a"]).startswith(text)


def of_others(stage: Stage) -> list[str]:
    return [each.node.id for each in stage.clients.states() if each.node.id != "well-behaved"]


def test_who_floods_is_read_at_a_pace_and_others_do_not_feel_it() -> None:
    """Requests of 100 KB: what the server does not read, the connection soon does not take."""
    asked = 0

    async def flood(client: DeltaClient) -> None:
        nonlocal asked
        while True:
            await client.ask(CLUSTER, [f"{asked}-{place}-{'n' * 1_000}" for place in range(100)])
            asked += 1

    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0"))
        async with well_behaved(stage) as other, connected(stage.target, "flood") as client:
            flooding = asyncio.ensure_future(flood(client))
            for turn in range(50):
                await is_told_promptly(stage, other, f"v{turn + 1} ")
            before = -1
            while before != asked:  # until nothing is taken any more
                before = asked
                await asyncio.sleep(0.2)
            flooding.cancel()
            assert 100 <= asked < 400

    played(play, bounds=Bounds(requests_at_once=100, requests_per_second=1))


def test_a_request_that_is_too_large_ends_its_stream() -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0"))
        async with well_behaved(stage) as other, connected(stage.target, "large") as client:
            with contextlib.suppress(asyncio.InvalidStateError):
                await client.ask(CLUSTER, ["n" * (REQUEST_BYTES + 1)])
            code, _ = await client.end()
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            await is_told_promptly(stage, other, "v1")

    played(play)


def test_a_node_has_so_many_streams_and_others_have_theirs() -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0"))
        async with AsyncExitStack() as stack, well_behaved(stage) as other:
            for _ in range(3):
                await (await stack.enter_async_context(connected(stage.target, "many"))).ask(
                    CLUSTER
                )
            await stage.until(lambda: len(of_others(stage)) == 3)
            async with connected(stage.target, "many") as client:
                await client.ask(CLUSTER)
                code, details = await client.end()
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "'many'" in details
            await is_told_promptly(stage, other, "v1")
            await stack.aclose()
            await stage.until(lambda: of_others(stage) == [])
            async with connected(stage.target, "many") as client:
                await client.ask(CLUSTER)
                assert set((await client.read()).resources) == {"a"}

    played(play, bounds=Bounds(streams_per_node=3))


def test_all_together_have_so_many_streams() -> None:
    async def play(stage: Stage) -> None:
        async with AsyncExitStack() as stack:
            for place in range(4):
                client = await stack.enter_async_context(connected(stage.target, f"n{place}"))
                await client.ask(CLUSTER)
            await stage.until(lambda: len(stage.clients.states()) == 4)
            async with connected(stage.target, "one more") as client:
                code, details = await client.end()
            assert (code, details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many streams")

    played(play, bounds=Bounds(streams=4))


def test_of_one_host_so_many_may_be_silent() -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0"))
        async with AsyncExitStack() as stack, well_behaved(stage) as other:
            for place in range(4):
                silent = connected(stage.target, f"silent-{place}")
                await (await stack.enter_async_context(silent)).begun()
            async with connected(stage.target, "one more") as client:
                code, details = await client.end()
            assert (code, details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many streams")
            await is_told_promptly(stage, other, "v1")

    played(play, bounds=Bounds(silent_streams_per_host=4))


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """https://www.rfc-editor.org/rfc/rfc9113#section-4.1"""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def streams(authority: str, count: int, request: Callable[[int], bytes | None]) -> bytes:
    """All at once, by a client that does not care how many streams it may open."""
    encoder = hpack.Encoder()
    headers = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", AGGREGATED.path(Variant.DELTA)),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    )
    sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, b"")]
    for place in range(count):
        sent.append(frame(1, 4, 1 + 2 * place, encoder.encode(headers)))
        message = request(place)
        if message is not None:
            framed = b"\0" + len(message).to_bytes(4, "big") + message
            sent.append(frame(0, 0, 1 + 2 * place, framed))
    return b"".join(sent)


def silence(_: int) -> None:
    """No request at all."""


def test_who_opens_thousands_of_streams_on_one_connection_gets_a_hundred() -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0"))
        async with well_behaved(stage) as other:
            host, _, port = stage.target.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(streams(stage.target, 3_000, silence))
            for turn in range(20):
                await is_told_promptly(stage, other, f"v{turn + 1} ")
            refused, ended = await resets(reader)
            assert refused >= 3_000 - STREAMS_PER_CONNECTION or ended
            writer.close()
            await is_told_promptly(stage, other, "last")

    played(play)


def test_two_thousand_who_come_at_once_are_all_served() -> None:
    request = envoy_api.message("envoy.service.discovery.v3.DeltaDiscoveryRequest")

    def hello(connection: int, place: int) -> bytes:
        node = {"id": f"n{connection}-{place}"}
        data: bytes = request(node=node, type_url=CLUSTER).SerializeToString()
        return data

    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0"))
        host, _, port = stage.target.rpartition(":")
        writers = []
        for connection in range(20):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(streams(stage.target, 100, functools.partial(hello, connection)))
            writers.append(writer)
        are_all_there = functools.partial(has_clients, stage, 2_000)
        assert await stage.clients.wait_until(are_all_there, 6 * SECONDS)
        for writer in writers:
            writer.close()
            await writer.wait_closed()

    played(play)


def has_clients(stage: Stage, number: int) -> bool:
    return stage.clients.number_connected(Kind.ENVOY) == number


async def resets(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """How many streams were reset, and whether the whole connection was ended."""
    count = 0
    with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        while True:
            async with asyncio.timeout(0.5):
                head = await reader.readexactly(9)
                await reader.readexactly(int.from_bytes(head[:3], "big"))
            count += head[3] == 3
        return count, False
    return count, reader.at_eof()


def test_a_polite_client_with_thousands_of_calls_has_a_hundred_at_once() -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0"))
        async with well_behaved(stage) as other, channel_to(stage.target) as channel:
            calls = [stream_on(channel, AGGREGATED, Variant.DELTA) for _ in range(2_000)]
            asking = [
                asyncio.ensure_future(DeltaClient(call, node_named(f"n{place}")).ask(CLUSTER))
                for place, call in enumerate(calls)
            ]
            await stage.until(lambda: len(of_others(stage)) == STREAMS_PER_CONNECTION)
            for turn in range(20):
                await is_told_promptly(stage, other, f"v{turn + 1} ")
                assert len(of_others(stage)) == STREAMS_PER_CONNECTION
            for task in asking:
                task.cancel()
            for call in calls:
                call.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    played(play)


async def accept_blindly(client: Any, nonce: int) -> None:
    """Acknowledge what was never read."""
    is_delta = isinstance(client, DeltaClient)
    request = "DeltaDiscoveryRequest" if is_delta else "DiscoveryRequest"
    await client.send(request, type_url=CLUSTER, response_nonce=str(nonce))


@pytest.mark.parametrize("tls", [None, TLS], ids=["plain", "tls"])
@pytest.mark.parametrize("connect", [connected, connected_by_state])
@pytest.mark.parametrize("acknowledges", [False, True])
def test_who_never_reads_holds_little_whatever_is_published(
    connect: Any, acknowledges: bool, tls: ServerTls | None
) -> None:
    """200 snapshots of 2 MB; one that reads keeps the cache of what is sent full."""

    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0"))
        credentials = Credentials(None if tls is None else AUTHORITY.pem)
        async with well_behaved(stage, credentials) as other, AsyncExitStack() as stack:
            lazy = [
                await stack.enter_async_context(
                    connect(stage.target, f"lazy-{place}", credentials=credentials)
                )
                for place in range(4)
            ]
            for client in lazy:
                await client.ask(CLUSTER)
            await stage.until(lambda: len(stage.clients.states()) == 5)
            before = resident_bytes()
            for turn in range(200):
                await is_told_promptly(stage, other, f"v{turn + 1} ", size=2 * MEGABYTE)
                if acknowledges:
                    for client in lazy:
                        await accept_blindly(client, turn + 1)
            grown = resident_bytes() - before
            assert grown < KEPT_BYTES + 80 * MEGABYTE

    played(play, security=Security(tls))


def test_who_has_all_holds_none_of_it() -> None:
    """What was written to a client is its own, and let go of when it is written."""

    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0" + "x" * 4 * MEGABYTE))
        async with well_behaved(stage), AsyncExitStack() as stack:
            before = resident_bytes()
            for place in range(40):
                client = await stack.enter_async_context(connected(stage.target, f"c{place}"))
                await client.ask(CLUSTER)
                await client.take()
            assert resident_bytes() - before < 80 * MEGABYTE  # of 160 that were sent

    played(play)


def test_what_is_not_taken_in_time_ends_the_stream_and_nobody_waits_for_it() -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0" + "x" * 16 * MEGABYTE))
        async with well_behaved(stage) as other, connected(stage.target, "lazy") as client:
            await client.ask(CLUSTER)
            await stage.until(lambda: of_others(stage) == ["lazy"])
            await stage.until(lambda: of_others(stage) == [])
            assert stage.clients.number_current(Kind.ENVOY) == 1
            await is_told_promptly(stage, other, "v1")
            assert (await client.read()).version
            code, details = await client.end()
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "not taken" in details

    played(play, bounds=Bounds(write_seconds=0.5))


@pytest.mark.parametrize("connect", [connected, connected_by_state])
def test_who_never_reads_takes_the_room_of_others_for_a_moment(connect: Any) -> None:
    """24 MB for those who never read, of which 4 MB are written at once."""

    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0" + "x" * 2 * MEGABYTE))
        async with AsyncExitStack() as stack:
            for place in range(12):
                lazy = await stack.enter_async_context(connect(stage.target, f"lazy-{place}"))
                await lazy.ask(CLUSTER)
            await stage.until(lambda: len(stage.clients.states()) == 12)
            async with asyncio.timeout(PROMPT_SECONDS), well_behaved(stage) as other:
                for turn in range(5):
                    await is_told_promptly(stage, other, f"v{turn + 1} ", size=2 * MEGABYTE)

    played(play, bounds=Bounds(outgoing_bytes=4 * MEGABYTE, outgoing_seconds=0.1))


def written(stage: Stage) -> int:
    """How many responses have been begun to be written."""
    return stage.server.traffic.responses["Cluster"]


def test_what_has_to_wait_for_room_takes_none() -> None:
    """1.3 GB for 80 that do not read, of which 32 MB are written at once, twice in memory. No
    buffer of a connection takes a response whole."""

    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a", "v0" + "x" * 16 * MEGABYTE))
        async with AsyncExitStack() as stack:
            before = resident_bytes()
            for place in range(80):
                lazy = await stack.enter_async_context(connected(stage.target, f"lazy-{place}"))
                await lazy.ask(CLUSTER)
            await stage.until(lambda: len(stage.clients.states()) == 80)
            await stage.reached(lambda: written(stage) == 2)
            assert resident_bytes() - before < 200 * MEGABYTE
            assert written(stage) == 2

    played(play, bounds=Bounds(outgoing_bytes=33 * MEGABYTE, outgoing_seconds=3_600))
