"""A closed-loop HTTP/1.1 load generator: as many connections as asked, one request each at a time.

`python -m benchmarks.load.generator URL FILE CONNECTIONS SECONDS [HEADERS]` posts FILE, with
headers that are given as a JSON object, and prints one JSON object: requests, failures, seconds,
p50_ms, p99_ms. A prompt with a place for it has the request's number, so that no two are the same.
Small enough to cost less than what it measures, and it needs nothing that is not installed with the
project.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.load.configs import NUMBER

_END_OF_HEAD = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """Sends the request again as soon as the answer is whole, until the deadline."""

    def __init__(
        self,
        request: bytes,
        numbers: Iterator[int],
        deadline: float,
        done: asyncio.Future[None],
    ) -> None:
        self._before, self._number, self._behind = request.partition(NUMBER)
        self._numbers = numbers
        self._deadline = deadline
        self._done = done
        self._left = -1
        """Body bytes still to come; -1: in the head; -2: chunked."""
        self._buffer = b""
        self.latencies: list[float] = []
        self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own type
        self._send()

    def _send(self) -> None:
        self._left = -1
        self._buffer = b""
        self._began = time.perf_counter()
        number = b"%0*d" % (len(NUMBER), next(self._numbers)) if self._number else b""
        self._transport.writelines((self._before, number, self._behind))

    def data_received(self, data: bytes) -> None:
        if self._left == -1:
            data = self._buffer + data
            head, found, data = data.partition(_END_OF_HEAD)
            if not found:
                self._buffer = head
                return
            self._read_head(head)
        if self._left == -2:
            self._buffer = (self._buffer + data)[-5:]
            if self._buffer == b"0\r\n\r\n":
                self._answered()
            return
        self._left -= len(data)
        if self._left == 0:
            self._answered()

    def _read_head(self, head: bytes) -> None:
        self._buffer = b""
        if not head.startswith(b"HTTP/1.1 200"):
            self.failures += 1
        lower = head.lower()
        at = lower.find(b"\r\ncontent-length:")
        self._left = int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else -2

    def _answered(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._began)
        if now < self._deadline:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def generate(
    url: str, body: bytes, connections: int, seconds: float, headers: Mapping[str, str]
) -> dict[str, float]:
    """Run the load; what came of it."""
    parts = urlsplit(url)
    assert parts.hostname == "127.0.0.1", "load stays on this machine"
    request = (
        f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
        "authorization: Bearer dragoman-bench\r\ncontent-type: application/json\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        + f"user-agent: bench/1\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    made: list[Connection] = []
    numbers = itertools.count(time.time_ns() // 1_000_000 % 10_000_000)
    waits: list[asyncio.Future[None]] = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        connection = Connection(request, numbers, began + seconds, done)
        await loop.create_connection(lambda it=connection: it, parts.hostname, parts.port)  # type: ignore[misc]
        made.append(connection)
        waits.append(done)
    await asyncio.wait_for(asyncio.gather(*waits), seconds + 30)
    took = time.perf_counter() - began
    latencies = sorted(latency for each in made for latency in each.latencies)
    return {
        "requests": len(latencies),
        "failures": sum(each.failures for each in made),
        "seconds": took,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
    }


if __name__ == "__main__":
    _url, _file, _connections, _seconds, *_headers = sys.argv[1:]
    _more = json.loads(_headers[0]) if _headers else {"accept": "application/json"}
    _result = uvloop.run(
        generate(_url, Path(_file).read_bytes(), int(_connections), float(_seconds), _more)
    )
    print(json.dumps(_result))
