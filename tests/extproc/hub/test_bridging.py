"""Calls between clients and servers of different eras: what is common to both ways."""

from __future__ import annotations

import asyncio
from pathlib import Path

from extproc.hub.bridging import Bridges
from extproc.hub.driver import WayOut
from extproc.hub.web import Request
from extproc.mcp.views import Served
from gateway import names
from tests.kit.mcp_bridges import (
    NEW,
    OLD,
    Far,
    Reading,
    call,
    play,
    replied,
    request,
)


def test_a_stream_that_ends_too_early_is_an_error(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        for revision in (OLD, NEW):
            far.answers = lambda _: far.stream()
            far.more.put_nowait(None)
            last = await Reading(await bridges.answer(request(revision, call()))).next()
            assert (last["id"], last["error"]["code"]) == (1, -32603)

    play(tmp_path, scene)


def test_a_server_that_is_gone_is_an_error(tmp_path: Path) -> None:
    async def scene(far: Far, bridges: Bridges) -> None:
        bridges.take({})
        assert (await replied(bridges, call()))[0] == 502
        reply = await bridges.answer(Request("POST", names.HUB_ROUNDS, "", {}, b"{}"))
        assert reply.status == 400

    play(tmp_path, scene)

    async def alone() -> None:
        bridges = Bridges(WayOut(f"unix:{tmp_path / 'none'}"))
        bridges.take({"a": Served("a", "service/mcp/a", "/mcp", (), True, 1.0)})
        status, said = await replied(bridges, call())
        assert (status, said["error"]["code"]) == (502, -32603)

    asyncio.run(alone())
