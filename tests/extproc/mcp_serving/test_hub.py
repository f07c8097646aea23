"""What the hub is told beside requests."""

from __future__ import annotations

import asyncio
import json

from extproc.mcp import rounds
from extproc.mcp.renamed import Renamed
from extproc.mcp_serving.hub import Hub
from extproc.ports import Answered, Asked
from gateway import names
from tests.kit.mcp_exchange import Servers


def taken(_: Asked) -> Answered:
    return Answered(204, {}, b"")


def test_it_is_told_what_clients_call_resources_and_what_they_cancel() -> None:
    servers = Servers({names.HUB_CLUSTER: taken})
    asyncio.run(Hub(servers).rename(Renamed("n", "a", "test://x", "a+test://x")))
    asyncio.run(Hub(servers).call_off("n", b'{"method":"notifications/cancelled"}'))
    (_, first), (_, second) = servers.asked
    assert (first.path, json.loads(first.body)["shown"]) == (names.HUB_RENAMED, "a+test://x")
    envelope = rounds.decode(dict(second.headers)[names.MCP_ROUNDS_HEADER])
    assert envelope is not None
    assert (second.path, envelope.key) == (names.HUB_ROUNDS, "n")


def test_nobody_waits_for_a_hub_that_is_away() -> None:
    asyncio.run(Hub(Servers()).call_off("n", b"{}"))
