"""Somebody else's management server, which speaks one variant of ADS and knows nothing of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import envoy_api
import grpc
from envoy_api.discovery import ADS, Variant

SECONDS = 5


class ManagementServer:
    """Sends what it is told to; keeps what it is asked."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.requests: asyncio.Queue[Any] = asyncio.Queue()
        self._streams: asyncio.Queue[Any] = asyncio.Queue()
        self._stream: Any = None
        self._nonce = 0

    async def asked(self) -> Any:
        """The next request, of whichever stream."""
        async with asyncio.timeout(SECONDS):
            return await self.requests.get()

    async def send(self, name: str, version: str, message: Any) -> str:
        """One resource; the nonce."""
        self._nonce += 1
        packed = envoy_api.pack(message)
        fields: dict[str, Any] = {"type_url": packed.type_url, "nonce": f"n{self._nonce}"}
        if self.variant is Variant.DELTA:
            fields["resources"] = [{"name": name, "version": version, "resource": packed}]
        else:
            fields |= {"version_info": version, "resources": [packed]}
        async with asyncio.timeout(SECONDS):
            while self._stream is None or not self._streams.empty():
                self._stream = await self._streams.get()
            await self._stream.write(envoy_api.message(self.variant.response)(**fields))
        return f"n{self._nonce}"

    async def converse(self, _: object, context: Any) -> None:
        self._streams.put_nowait(context)
        while (request := await context.read()) is not grpc.aio.EOF:
            self.requests.put_nowait(request)


@asynccontextmanager
async def managing(variant: Variant, address: str) -> AsyncIterator[ManagementServer]:
    """Serves this variant, and not the other, inside the block."""
    played = ManagementServer(variant)
    method = grpc.stream_stream_rpc_method_handler(
        played.converse,
        request_deserializer=envoy_api.message(variant.request).FromString,
        response_serializer=envoy_api.message(variant.response).SerializeToString,
    )
    name = variant.method.rpartition("/")[2]
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ADS, {name: method}),))
    server.add_insecure_port(address)
    await server.start()
    try:
        yield played
    finally:
        await server.stop(0)
