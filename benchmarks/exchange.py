"""What one LLM request costs in Python, without sockets.

`python -m benchmarks.exchange [--profile]`

Four ext_proc messages of a request, without policy and under the full policy of the load benchmark,
with the real ledger; the edge is left out (`benchmarks.edge` has it). The least of several rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop
from envoy_api import message, pack

from benchmarks.load.configs import FULL, NUMBER, PLAIN, body
from extproc.adapters.heap import keep_freed_memory
from extproc.adapters.sqlite_ledger import open_ledger
from extproc.process import Process
from extproc.program import build
from gateway import names
from gateway.config.load import load
from gateway.resolve import resolve

REQUESTS = 20_000
ROUNDS = 5
_Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
_TokenUsage: Any = message("envoy.data.ai.v3.TokenUsage")


class NullCall:
    """Takes the answers and counts them."""

    metadata: Mapping[str, str] = {}
    is_open = True
    sent = 0

    def send(self, message: bytes) -> None:
        self.sent += 1

    def end(self, status: int = 0, message: str = "") -> None:
        self.is_open = False


def messages(size: int, *, is_new: bool) -> tuple[bytes, ...]:
    """What Envoy sends for one request, in order; `is_new`: whose prompt is another each time."""
    sent = {
        ":method": "POST",
        ":path": "/v1/chat/completions",
        "authorization": "Bearer dragoman-bench",
        "x-request-id": "0fbf1c1a-6e3b-4b0a-9d5e-3b8a1c2d4e5f",
    }
    headers = _Request(
        request_headers={
            "headers": {"headers": [{"key": key, "raw_value": sent[key].encode()} for key in sent]}
        }
    )
    request_body = _Request(
        request_body={"body": body(size, is_stream=False, is_new=is_new), "end_of_stream": True}
    )
    status = _Request(
        response_headers={"headers": {"headers": [{"key": ":status", "raw_value": b"200"}]}}
    )
    attributes = status.attributes["envoy.filters.http.ext_proc"].fields
    attributes["xds.cluster_name"].string_value = names.provider_cluster("first")
    end = _Request(response_trailers={})
    usage = _TokenUsage(input_tokens={"value": 210}, output_tokens={"value": 40})
    end.metadata_context.typed_filter_metadata[names.USAGE_NAMESPACE].CopyFrom(pack(usage))
    return tuple(each.SerializeToString() for each in (headers, request_body, status, end))


async def measure(profile: cProfile.Profile | None) -> None:
    """Print the cost for each size of body."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = await open_ledger(Path(folder) / "ledger.db", worker="bench")
        for name, text, is_new in (
            ("no policy", PLAIN, False),
            ("full policy", FULL, True),
            ("sent again", FULL, False),
        ):
            config = load(
                text.replace("UPSTREAM", "127.0.0.1:1"),
                file="bench",
                environment={"DRAGOMAN_PORT": "1"},
            )
            assert not isinstance(config, tuple), config
            process = Process(time.time)
            gateway = resolve(config)
            process.program = build(gateway, "1", ledger=ledger, choose=lambda: 0.5, created=1)
            for size in (1_000, 16_000, 200_000):
                sent = messages(size, is_new=is_new)
                await _run(process, sent, 100)
                if profile and size == 1_000:
                    profile.enable()
                count = (REQUESTS if size == 1_000 else REQUESTS // 10) // ROUNDS
                least = min([await _timed(process, sent, count) for _ in range(ROUNDS)])
                if profile:
                    profile.disable()
                print(f"{name:12} {size:7} bytes: {least:6.1f} µs")
        await ledger.close()


async def _timed(process: Process, sent: tuple[bytes, ...], count: int) -> float:
    """Microseconds of CPU for each request."""
    began = time.process_time()
    await _run(process, sent, count)
    return (time.process_time() - began) / count * 1e6


async def _run(process: Process, sent: tuple[bytes, ...], count: int) -> None:
    headers, request_body, *answer = sent
    before, is_new, behind = request_body.partition(NUMBER)
    for number in range(count):
        call = NullCall()
        stream = process(call)
        if is_new:
            sent = (
                headers,
                before + b"%08d" % (time.perf_counter_ns() % 100_000_000) + behind,
                *answer,
            )
        for each in sent:
            if call.is_open:
                stream.on_message(each)
            if call.sent == 0 or not call.is_open:
                await asyncio.sleep(0)
        stream.on_close()
        if number % 16 == 15:
            await asyncio.sleep(0)  # what the loop would do between reads
        if number < 8:
            await asyncio.sleep(0.05)  # the ledger's first visits to its file


def main() -> None:
    """Measure, and profile if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true")
    profile = cProfile.Profile() if parser.parse_args().profile else None
    keep_freed_memory(os.environ)
    uvloop.run(measure(profile))
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
