"""The driver and its sockets: peers that do not read, do not speak, or come in crowds."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import sys
import termios
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from extproc.edges import fast
from extproc.edges.frames import ACK, GOAWAY, SETTINGS, Setting, frame, settings, window_update
from extproc.edges.headers import TRAILERS_OK
from extproc.edges.service import Limits
from tests.extproc.edges.peer import (
    PREFACE,
    START,
    WIDE,
    Frame,
    cut,
    data,
    end,
    frames_of,
    message,
    messages_of,
    open_stream,
)
from tests.extproc.edges.services import ECHO, SILENT, Journal, methods_of
from tests.kit.stack import eventually

HUGE = (1 << 31) - 1
OPEN_WINDOWS = START + WIDE + window_update(0, HUGE - 65_535)
MEGABYTE = 1 << 20

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Scenario = Callable[[Journal, Reader, Writer], Awaitable[None]]


def with_connection(scenario: Scenario, limits: Limits | None = None) -> None:
    async def run() -> None:
        journal = Journal()
        server = await fast.serve(methods_of(journal), limits=limits)
        host, port = server.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), limit=MEGABYTE)
        try:
            async with asyncio.timeout(20):
                await scenario(journal, reader, writer)
        finally:
            writer.transport.abort()
            await server.close()

    uvloop.run(run())


async def frames_to_the_end(reader: Reader) -> list[Frame]:
    """Everything until the server closes."""
    return frames_of(await reader.read(-1))


def test_a_peer_that_stops_reading_is_not_read_and_then_gets_everything() -> None:
    body = bytes(range(256)) * (16 * MEGABYTE // 256)
    wanted = b"".join(data(1, piece) for piece in cut(message(body)))

    async def scenario(journal: Journal, reader: Reader, writer: Writer) -> None:
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(OPEN_WINDOWS + open_stream(1, ECHO))
        reading = asyncio.Event()

        async def write() -> None:
            for _ in range(2):
                writer.write(wanted)
                await writer.drain()
            writer.write(end(1))

        async def read() -> bytes:
            await reading.wait()
            received = bytearray()
            while not received.endswith(TRAILERS_OK):
                received += await reader.read(MEGABYTE)
            return bytes(received)

        async with asyncio.TaskGroup() as group:
            answers = group.create_task(read())
            writing = group.create_task(write())
            await journal.until(lambda: bool(journal.rpcs and journal.rpcs[0].messages))
            assert not writing.done()
            reading.set()
        assert messages_of(frames_of(answers.result()), 1) == [body, body]

    with_connection(scenario)


def test_a_peer_that_never_reads_is_cut_off_at_the_limit() -> None:
    async def scenario(journal: Journal, reader: Reader, writer: Writer) -> None:
        writer.write(OPEN_WINDOWS + open_stream(1, SILENT))
        await journal.until(lambda: len(journal.rpcs) == 1)
        call = journal.rpcs[0].call
        # The transport is full after the first answers; these wait for it.
        for _ in range(40):
            call.send(bytes(MEGABYTE))
            await asyncio.sleep(0)
        await journal.until(lambda: journal.closed == 1)
        assert not call.is_open

    with_connection(scenario, Limits(unsent_connection_bytes=20 * MEGABYTE))


def test_a_peer_that_has_stopped_reading_is_cut_off_in_time() -> None:
    async def scenario(journal: Journal, reader: Reader, writer: Writer) -> None:
        writer.write(OPEN_WINDOWS + open_stream(1, SILENT))
        await journal.until(lambda: len(journal.rpcs) == 1)
        journal.rpcs[0].call.send(bytes(40 * MEGABYTE))
        await journal.until(lambda: journal.closed == 1)

    with_connection(scenario, Limits(stalled_seconds=0.2))


def test_answers_of_one_iteration_leave_together() -> None:
    async def scenario(journal: Journal, reader: Reader, writer: Writer) -> None:
        writer.write(OPEN_WINDOWS + open_stream(1, SILENT))
        await journal.until(lambda: len(journal.rpcs) == 1)
        call = journal.rpcs[0].call
        for number in range(3):
            call.send(b"%d" % number)
        call.end()
        received = b""
        while b"grpc-status" not in received:
            received += await reader.read(MEGABYTE)
        assert messages_of(frames_of(received), 1) == [b"0", b"1", b"2"]

    with_connection(scenario)


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", PREFACE + window_update(0, 1)]
)
def test_what_is_not_http2_is_told_so_and_closed(start: bytes) -> None:
    async def scenario(journal: Journal, reader: Reader, writer: Writer) -> None:
        writer.write(start)
        assert (await frames_to_the_end(reader))[-1].kind == GOAWAY

    with_connection(scenario)


def test_a_silent_peer_is_closed_after_the_handshake_time() -> None:
    async def scenario(journal: Journal, reader: Reader, writer: Writer) -> None:
        writer.write(PREFACE)
        with contextlib.suppress(ConnectionResetError):
            while await reader.read(MEGABYTE):
                pass

    with_connection(scenario, Limits(handshake_seconds=0.05))


def test_a_peer_that_spoke_in_time_is_kept() -> None:
    async def scenario(journal: Journal, reader: Reader, writer: Writer) -> None:
        writer.write(START)
        await asyncio.sleep(0.1)  # the handshake's time passes
        writer.write(open_stream(1) + data(1, message(b"hi")) + end(1))
        await journal.until(lambda: journal.closed == 1)
        assert journal.rpcs[0].messages == [b"hi"]

    with_connection(scenario, Limits(handshake_seconds=0.05))


def test_connections_over_the_limit_are_refused() -> None:
    async def run() -> None:
        journal = Journal()
        server = await fast.serve(methods_of(journal), limits=Limits(connections=1))
        host, port = server.address.rsplit(":", 1)
        kept_reader, kept = await asyncio.open_connection(host, int(port))
        assert await kept_reader.readexactly(9)
        reader, refused = await asyncio.open_connection(host, int(port))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read(1) == b""
        kept.write(START + open_stream(1))
        await journal.until(lambda: len(journal.rpcs) == 1)
        for writer in (kept, refused):
            writer.transport.abort()
        await server.close()

    uvloop.run(run())


def test_a_drained_server_closes_idle_connections() -> None:
    async def run() -> None:
        server = await fast.serve(methods_of(Journal()))
        host, port = server.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(PREFACE + settings(((Setting.ENABLE_PUSH, 0),)) + frame(SETTINGS, ACK, 0))
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(server.drain(10))
            received = b""
            while b"dragoman" not in received:
                received += await reader.read(MEGABYTE)
            assert not draining.done()
            writer.write(frame(6, ACK, 0, b"dragoman"))
            assert frames_of(await reader.read(-1))[-1].kind == GOAWAY
        writer.close()

    uvloop.run(run())


def test_a_socket_file_left_by_a_dead_worker_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def run() -> None:
        server = await fast.serve(methods_of(Journal()), path=path)
        reader, writer = await asyncio.open_unix_connection(str(path))
        assert frames_of(await reader.readexactly(9 + 24))[0].kind == SETTINGS
        writer.close()
        await server.close()

    uvloop.run(run())


def test_an_answer_of_a_large_body_leaves_before_the_peer_reads(tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    answer = message(bytes(300_000))

    async def run() -> None:
        server = await fast.serve(methods_of(Journal()), path=path)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
            asked = b"".join(data(1, piece) for piece in cut(answer))
            try:
                await asyncio.to_thread(peer.sendall, OPEN_WINDOWS + open_stream(1) + asked)
                await asyncio.to_thread(
                    eventually, lambda: _waiting(peer) >= len(answer), "a whole answer", seconds=20
                )
            finally:
                await server.close()

    uvloop.run(run())


def _waiting(peer: socket.socket) -> int:
    """Bytes that were sent to it, and that it has not read."""
    answer = fcntl.ioctl(peer, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)
