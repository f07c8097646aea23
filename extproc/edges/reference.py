"""The same services on `grpc.aio`: an independent edge that the fast one is tested against."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import grpc

from extproc.edges.service import Call, Limits, Methods, Status, Stream

logger = logging.getLogger(__name__)

Context: TypeAlias = Any  # grpc.aio.ServicerContext; grpcio has no types
SETTLING_SECONDS = 0.005
"""grpcio reports a cancelled RPC as the end of its messages first, as a cancellation just after."""
STATUS_OF = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class End:
    status: int
    message: str


async def serve(
    methods: Methods,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    path: Path | None = None,
    limits: Limits | None = None,
) -> ReferenceServer:
    """Listen on a Unix socket if a path is given, else on TCP."""
    limits = limits or Limits()
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", limits.message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", limits.concurrent_streams),
            ("grpc.max_metadata_size", limits.header_bytes),
            ("grpc.so_reuseport", 0),
        )
    )
    server.add_generic_rpc_handlers((Handlers(methods, limits),))
    if path is not None:
        address = f"unix:{path}"
        server.add_insecure_port(address)
    else:
        address = f"{host}:{server.add_insecure_port(f'{host}:{port}')}"
    await server.start()
    return ReferenceServer(address, server)


class ReferenceServer:
    def __init__(self, address: str, server: Any) -> None:
        self.address = address
        self._server = server

    async def drain(self, timeout_seconds: float) -> None:
        await self._server.stop(timeout_seconds)

    async def close(self) -> None:
        await self._server.stop(None)


class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Looks methods up by path; an unknown one gets UNIMPLEMENTED from grpcio."""

    def __init__(self, methods: Methods, limits: Limits) -> None:
        self._methods = methods
        self._limits = limits

    def service(self, details: Any) -> Any:
        factory = self._methods.get(details.method)
        if factory is None:
            return None
        limits = self._limits

        async def behaviour(requests: AsyncIterator[bytes], context: Context) -> None:
            await _run(factory, requests, context, limits)

        return grpc.stream_stream_rpc_method_handler(behaviour)


class ReferenceCall:
    """What the service sends waits here for the writing task."""

    def __init__(self, metadata: Mapping[str, str], limits: Limits) -> None:
        self.metadata = metadata
        self.is_open = True
        self.answers: asyncio.Queue[bytes | End] = asyncio.Queue()
        self._limit_bytes = limits.unsent_stream_bytes
        self._unsent_bytes = 0

    def send(self, message: bytes) -> None:
        if not self.is_open:
            return
        self._unsent_bytes += len(message)
        if self._unsent_bytes > self._limit_bytes:
            self.end(Status.CANCELLED, "answers are not read")
            return
        self.answers.put_nowait(message)

    def end(self, status: int = 0, message: str = "") -> None:
        if self.is_open:
            self.is_open = False
            self.answers.put_nowait(End(status, message))

    def written(self, message: bytes) -> None:
        self._unsent_bytes -= len(message)

    def guarded(self, callback: Callable[[], object]) -> None:
        """Run the service's code: its bugs cost its RPC only."""
        try:
            callback()
        except Exception:
            logger.exception("a service failed")
            self.end(Status.INTERNAL, "internal error")


async def _run(
    factory: Callable[[Call], Stream],
    requests: AsyncIterator[bytes],
    context: Context,
    limits: Limits,
) -> None:
    call = ReferenceCall(_metadata(context), limits)
    streams: list[Stream] = []
    call.guarded(lambda: streams.append(factory(call)))
    try:
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(_read(call, stream, requests)) for stream in streams]
            end = await _write(call, context)
            for reader in readers:
                reader.cancel()
    finally:
        call.is_open = False
        for stream in streams:
            call.guarded(stream.on_close)
    context.set_code(STATUS_OF[end.status])
    context.set_details(end.message)


async def _read(call: ReferenceCall, stream: Stream, requests: AsyncIterator[bytes]) -> None:
    async for message in requests:
        if not call.is_open:
            return
        call.guarded(lambda message=message: stream.on_message(message))  # type: ignore[misc]
    await asyncio.sleep(SETTLING_SECONDS)
    if call.is_open:
        call.guarded(stream.on_half_close)


async def _write(call: ReferenceCall, context: Context) -> End:
    while True:
        answer = await call.answers.get()
        if isinstance(answer, End):
            return answer
        await context.write(answer)
        call.written(answer)


def _metadata(context: Context) -> Mapping[str, str]:
    metadata: dict[str, str] = {}
    for key, value in context.invocation_metadata() or ():
        text = value if isinstance(value, str) else value.decode("latin-1")
        metadata[key] = f"{metadata[key]},{text}" if key in metadata else text
    return metadata
