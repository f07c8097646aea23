"""What a question to the rate limit service costs: `python -m benchmarks.rate_limit_service`.

CPU microseconds of a worker for each `ShouldRateLimit`, from the bytes that Envoy sends to those
that it gets: HTTP/2, protobuf, the tree, the counters. Sockets are left out.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envoy_api import message
from hpack import Encoder

from benchmarks.edge import FIELDS, greeting
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.edges.frames import ACK, DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame
from extproc.edges.headers import SHRINK_TABLE
from extproc.edges.http2 import Connection
from extproc.edges.service import Limits
from extproc.process import Process
from extproc.program import build
from extproc.rate_limit import METHOD, RateLimits
from tests.kit.gateways import gateway_of
from tests.kit.memory_ledger import MemoryLedger

YAML = """
rate_limit_service:
  domains:
    - domain: edge
      descriptors:
        - {key: tenant, rate_limit: {unit: minute, requests_per_unit: 1000000000}}
        - key: path
          descriptors:
            - {key: remote_address, rate_limit: {unit: minute, requests_per_unit: 1000000000}}
"""
QUESTIONS = 20_000
AT_ONCE = 16


def questions(entries: Sequence[Sequence[tuple[str, str]]], values: int) -> list[bytes]:
    """One for each value of the first entry."""
    request: Any = message("envoy.service.ratelimit.v3.RateLimitRequest")
    found = []
    for number in range(values):
        asked = [
            {"entries": [{"key": key, "value": f"{value}{number}"} for key, value in each]}
            for each in entries
        ]
        found.append(request(domain="edge", descriptors=asked).SerializeToString())
    return found


def measure(folder: Path, bodies: Sequence[bytes]) -> float:
    """Microseconds for each question."""
    limiter = MappedLimiter(folder, lambda _seconds, _what: None)
    process = Process(time.time)
    process.program = build(
        gateway_of(YAML),
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=1,
        limiter=limiter,
    )
    fields = [(name, METHOD if name == ":path" else value, kept) for name, value, kept in FIELDS]
    block = SHRINK_TABLE + bytes(Encoder().encode(fields))
    chunks = []
    for first in range(0, QUESTIONS, AT_ONCE):
        parts = []
        for number in range(first, first + AT_ONCE):
            stream, body = 2 * number + 1, bodies[number % len(bodies)]
            data = b"\0" + len(body).to_bytes(4, "big") + body
            parts.append(frame(HEADERS, END_HEADERS, stream, block))
            parts.append(frame(DATA, END_STREAM, stream, data))
        chunks.append(b"".join(parts))
    connection = Connection({METHOD: RateLimits(process)}, Limits(), time.monotonic, lambda: None)
    connection.receive(greeting() + frame(SETTINGS, ACK, 0))
    connection.take()
    began, answered = time.process_time(), 0
    for chunk in chunks:
        connection.receive(chunk)
        while taken := connection.take():
            answered += len(taken)
    spent = time.process_time() - began
    assert answered > 20 * QUESTIONS
    limiter.close()
    return spent / QUESTIONS * 1e6


def main() -> None:
    """A line for each scenario."""
    nested = [("path", "/login"), ("remote_address", "10.0.0.")]
    for name, entries, values in (
        ("one descriptor", [[("tenant", "a")]], 1),
        ("one descriptor, 1000 values in turn", [[("tenant", "a")]], 1000),
        ("two descriptors, one nested", [[("tenant", "a")], nested], 1),
        ("a descriptor without a limit", [[("unknown", "a")]], 1),
    ):
        with tempfile.TemporaryDirectory() as folder:
            spent = measure(Path(folder), questions(entries, values))
        print(f"{name:<40} {spent:6.1f} µs, {1e6 / spent:8,.0f} questions/s of one core")


if __name__ == "__main__":
    main()
