"""Servers are told of calls that their clients have left."""

from __future__ import annotations

import asyncio
import json

from extproc.mcp.sessions import ServerSession
from extproc.mcp.views import Served
from extproc.mcp_serving.calling_off import CallingOff
from extproc.ports import Asked

SERVED = Served("a", "service/mcp/a", "/mcp", (("x-one", "1"),), True, 1.0)


def test_who_calls_off_does_not_wait_until_the_server_knows() -> None:
    told: list[tuple[str, Asked]] = []

    async def scene() -> None:
        goes_on = asyncio.Event()

        async def tell(served: Served, asked: Asked) -> None:
            await goes_on.wait()
            told.append((served.name, asked))

        CallingOff(tell)(SERVED, ServerSession("s-1", "2025-06-18"), b'"own"')
        await asyncio.sleep(0)
        assert told == []
        goes_on.set()
        await asyncio.sleep(0.01)

    asyncio.run(scene())
    ((name, asked),) = told
    assert name == "a"
    assert {("mcp-session-id", "s-1"), ("x-one", "1")} <= set(asked.headers)
    assert json.loads(asked.body) == {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": "own", "reason": "the client has gone"},
    }
