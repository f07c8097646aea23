"""An application on a socket for as long as a block lasts."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from xds_server.http_edge import listening_socket, serving


def test_it_serves_inside_the_block_and_not_after() -> None:
    async def scenario() -> None:
        listener = listening_socket("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        async with httpx.AsyncClient(trust_env=False) as client:
            async with serving(PlainTextResponse("here"), listener):
                assert (await client.get(url)).text == "here"
            with pytest.raises(httpx.ConnectError):
                await client.get(url)

    asyncio.run(scenario())


def test_a_taken_port_is_an_error() -> None:
    with (
        listening_socket("127.0.0.1", 0) as first,
        pytest.raises(OSError, match="in use"),
    ):
        listening_socket("127.0.0.1", first.getsockname()[1])
