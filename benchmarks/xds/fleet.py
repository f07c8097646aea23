"""`python -m benchmarks.xds.fleet TARGET CLIENTS FILE`: many delta clients in one process.

Each has a connection of its own, asks for everything as Envoy does, acknowledges what comes, and
comes back when its stream breaks, saying what it holds. Each response becomes a line of FILE:
time, client, type, resources, bytes; so do connections, their ends, and the moment when a client
has all its routes. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any, TextIO

import envoy_api
import grpc
import uvloop
from envoy_api.dial import channel_target
from envoy_api.discovery import Variant

from xds_server.snapshot import CLUSTER, FILTER, LISTENER, ROUTES

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
RESPONSE = envoy_api.message(Variant.DELTA.response)
REQUEST = envoy_api.message(Variant.DELTA.request)


@dataclass(slots=True)
class Client:
    """One stream after another."""

    number: int
    target: str
    log: TextIO
    held: dict[str, dict[str, str]] = field(default_factory=dict)
    """Type → name → version."""

    async def run(self) -> None:
        while True:
            try:
                await self._converse()
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
                code = error.code().name if isinstance(error, grpc.aio.AioRpcError) else "broken"
                self._write("broken", code, 0)
            await asyncio.sleep(random.random() * 0.2)

    async def _converse(self) -> None:
        async with grpc.aio.insecure_channel(self.target, options=OPTIONS) as channel:
            await channel.channel_ready()
            call = channel.stream_stream(
                Variant.DELTA.method, request_serializer=REQUEST.SerializeToString
            )()
            self._write("connected", "", 0)
            is_whole = False
            for type_url in (CLUSTER, LISTENER, FILTER):
                await call.write(self._asking(type_url, ("*",)))
            await self._ask_for_routes(call)
            while (data := await call.read()) is not grpc.aio.EOF:
                await self._take(call, data)
                if not is_whole and self._is_whole():
                    is_whole = True
                    self._write("whole", "", 0)

    async def _take(self, call: Any, data: bytes) -> None:
        response = RESPONSE.FromString(data)
        short = response.type_url.rpartition(".")[2]
        self._write(short, str(len(response.resources)), len(data))
        held = self.held.setdefault(response.type_url, {})
        held.update(
            (sys.intern(each.name), sys.intern(each.version)) for each in response.resources
        )  # one string for all clients
        for name in response.removed_resources:
            held.pop(name, None)
        await call.write(REQUEST(type_url=response.type_url, response_nonce=response.nonce))
        if response.type_url == LISTENER:
            await self._ask_for_routes(call)

    async def _ask_for_routes(self, call: Any) -> None:
        """Route tables have the names of their listeners."""
        if names := tuple(self.held.get(LISTENER, ())):
            await call.write(self._asking(ROUTES, names))

    def _is_whole(self) -> bool:
        """It has every route table that its listeners name."""
        listeners = self.held.get(LISTENER)
        return bool(listeners) and self.held.get(ROUTES, {}).keys() >= listeners.keys()

    def _asking(self, type_url: str, names: tuple[str, ...]) -> Any:
        return REQUEST(
            node={
                "id": f"client-{self.number}",
                "user_agent_name": "envoy",
                "user_agent_build_version": {
                    "version": {"major_number": 1, "minor_number": 40, "patch": 0}
                },
            },
            type_url=type_url,
            resource_names_subscribe=names,
            initial_resource_versions=self.held.get(type_url, {}),
        )

    def _write(self, kind: str, detail: str, size: int) -> None:
        self.log.write(f"{time.monotonic():.6f} {self.number} {kind} {detail} {size}\n")


async def run(target: str, count: int, path: str) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, lambda: sys.stdin.read(1) or ended.set())
    with open(path, "w", buffering=1 << 16) as log:  # noqa: ASYNC230
        clients = [Client(number, channel_target(target), log) for number in range(count)]
        tasks = [asyncio.ensure_future(client.run()) for client in clients]
        while not ended.is_set():
            await asyncio.sleep(0.05)
            log.flush()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
