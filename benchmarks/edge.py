"""What a gRPC message costs on each edge: CPU microseconds of the serving process.

An RPC is what ext_proc sends: HEADERS, four small messages, each answered by one, END_STREAM.
`python -m benchmarks.edge` prints a table; the client is a process of its own and is not counted.
Below it stands what a long message costs the machine alone: the body of a request, in frames of
16 KB as Envoy sends it, and sent back as one frame as Envoy takes it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator

import uvloop
from hpack import Encoder

from extproc.adapters.heap import keep_freed_memory
from extproc.edges import fast, reference
from extproc.edges.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADER,
    HEADER_BYTES,
    HEADERS,
    PING,
    PREFACE,
    SETTINGS,
    Setting,
    frame,
    settings,
    window_update,
)
from extproc.edges.headers import SHRINK_TABLE
from extproc.edges.http2 import Connection
from extproc.edges.service import Call, Limits, Methods

METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
MESSAGES_PER_RPC = 4
REQUEST = bytes(700)
ANSWER = bytes(40)
LONG_FRAME_BYTES = 256 << 10
LONG_CALLS = 2_000
EDGES: dict[str, Callable[..., object]] = {"fast": fast.serve, "reference": reference.serve}
FIELDS = [
    (":method", "POST", True),
    (":scheme", "http", True),
    (":path", METHOD, True),
    (":authority", "extproc", True),
    ("te", "trailers", True),
    ("content-type", "application/grpc", True),
    ("x-envoy-internal", "true", True),
    ("x-forwarded-for", "127.0.0.1", True),
]


class Constant:
    """Answers at once with the same bytes, so that the edge alone is measured."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def on_message(self, message: bytes) -> None:
        self._call.send(ANSWER)

    def on_half_close(self) -> None:
        self._call.end()

    def on_close(self) -> None: ...


METHODS: Methods = {METHOD: Constant}


class SentBack(Constant):
    """Answers with what it was sent."""

    def on_message(self, message: bytes) -> None:
        self._call.send(message)


def greeting() -> bytes:
    window = (1 << 31) - 1
    return (
        PREFACE
        + settings(((Setting.INITIAL_WINDOW_SIZE, window),))
        + window_update(0, window - 65_535)
    )


def rounds(rpcs: int, concurrent: int) -> Iterator[bytes]:
    """What the client writes before it waits: one message for each of the concurrent RPCs."""
    block = SHRINK_TABLE + bytes(Encoder().encode(FIELDS))
    body = b"\0" + len(REQUEST).to_bytes(4, "big") + REQUEST
    for first in range(0, rpcs, concurrent):
        ids = range(2 * first + 1, 2 * (first + concurrent) + 1, 2)
        opening = [
            frame(HEADERS, END_HEADERS, each, block) + frame(DATA, 0, each, body) for each in ids
        ]
        yield b"".join(opening)
        for _ in range(MESSAGES_PER_RPC - 1):
            yield b"".join(frame(DATA, 0, each, body) for each in ids)
        yield b"".join(frame(DATA, END_STREAM, each) for each in ids)


def machine_alone(rpcs: int, concurrent: int) -> float:
    """Without sockets: microseconds per message."""
    recorded = list(rounds(rpcs, concurrent))
    connection = Connection(METHODS, Limits(), time.monotonic, lambda: None)
    connection.receive(greeting() + frame(SETTINGS, ACK, 0))
    connection.take()
    started = time.process_time()
    for chunk in recorded:
        connection.receive(chunk)
        while connection.take():
            pass
    return (time.process_time() - started) * 1e6 / (rpcs * MESSAGES_PER_RPC)


def long_alone(size: int, service: type[Constant]) -> float:
    """A call of one message of so many bytes, without sockets: microseconds, the least of many."""
    connection = Connection({METHOD: service}, Limits(), time.monotonic, lambda: None)
    announced = settings(((Setting.MAX_FRAME_SIZE, LONG_FRAME_BYTES),))
    connection.receive(greeting() + announced + frame(SETTINGS, ACK, 0))
    connection.take()
    block = SHRINK_TABLE + bytes(Encoder().encode(FIELDS))
    framed = b"\0" + size.to_bytes(4, "big") + bytes(size)
    least = float("inf")
    for number in range(LONG_CALLS):
        stream_id = 2 * number + 1
        pieces = [framed[at : at + 16_384] for at in range(0, len(framed), 16_384)]
        chunks = (
            frame(HEADERS, END_HEADERS, stream_id, block),
            b"".join(frame(DATA, 0, stream_id, piece) for piece in pieces),
            frame(DATA, END_STREAM, stream_id),
        )
        started = time.process_time()
        for chunk in chunks:
            connection.receive(chunk)
            while connection.take():
                pass
        least = min(least, time.process_time() - started)
    return least * 1e6


async def served(name: str, rpcs: int, concurrent: int) -> float:
    """With sockets and a client beside it: microseconds per message."""
    server = await EDGES[name](METHODS)  # type: ignore[misc]
    arguments = ("client", server.address, str(rpcs), str(concurrent))
    started = time.process_time()
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.edge", *arguments
    )
    code = await client.wait()
    spent = time.process_time() - started
    await server.close()
    if code:
        raise SystemExit(f"the client of the {name} edge failed")
    return spent * 1e6 / (rpcs * MESSAGES_PER_RPC)


def run_client(address: str, rpcs: int, concurrent: int) -> None:
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(greeting())
        reader = Reader(connection)
        for number, chunk in enumerate(rounds(rpcs, concurrent)):
            connection.sendall(chunk)
            is_last = number % (MESSAGES_PER_RPC + 1) == MESSAGES_PER_RPC
            reader.wait_for(ends=concurrent) if is_last else reader.wait_for(answers=concurrent)


class Reader:
    """Counts answers and ends, and keeps the connection alive."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self._answers = 0
        self._ends = 0

    def wait_for(self, *, answers: int = 0, ends: int = 0) -> None:
        while self._answers < answers or self._ends < ends:
            received = self._connection.recv(1 << 20)
            if not received:
                raise SystemExit("the server closed the connection")
            self._read(self._rest + received)
        self._answers -= answers
        self._ends -= ends

    def _read(self, data: bytes) -> None:
        position = 0
        while len(data) - position >= HEADER_BYTES:
            high, low, kind, flags, _ = HEADER.unpack_from(data, position)
            start = position + HEADER_BYTES
            stop = start + (high << 16 | low)
            if stop > len(data):
                break
            if kind == DATA and stop > start:
                self._answers += 1
            elif kind == HEADERS and flags & END_STREAM:
                self._ends += 1
            elif kind in (PING, SETTINGS) and not flags & ACK:
                payload = data[start:stop] if kind == PING else b""
                self._connection.sendall(frame(kind, ACK, 0, payload))
            position = stop
        self._rest = data[position:]


def report(rpcs: int) -> None:
    print("CPU microseconds per message (receive one, send one), and per RPC of four")
    print(f"{'concurrent':>10} {'machine alone':>16} {'fast':>16} {'reference':>16}")
    for concurrent in (1, 16, 128):
        costs = [machine_alone(rpcs, concurrent)]
        costs += [uvloop.run(served(name, rpcs, concurrent)) for name in EDGES]
        cells = [f"{cost:7.2f} {cost * MESSAGES_PER_RPC:8.1f}" for cost in costs]
        print(f"{concurrent:>10} " + " ".join(cells))
    print("\na call of one long message, machine alone, and the same with the message sent back")
    for size in (16_000, 200_000):
        costs = [long_alone(size, service) for service in (Constant, SentBack)]
        print(f"{size:>10} bytes {costs[0]:7.1f} {costs[1]:7.1f}")


def main() -> None:
    keep_freed_memory(os.environ)
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command")
    client = commands.add_parser("client")
    client.add_argument("address")
    client.add_argument("rpcs", type=int)
    client.add_argument("concurrent", type=int)
    parser.add_argument("--rpcs", type=int, default=6_400)
    arguments = parser.parse_args()
    if arguments.command == "client":
        run_client(arguments.address, arguments.rpcs, arguments.concurrent)
    else:
        report(arguments.rpcs)


if __name__ == "__main__":
    main()
