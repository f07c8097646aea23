"""What the hub is told beside requests."""

from __future__ import annotations

import asyncio
import json

from extproc.mcp import rounds
from extproc.mcp.renamed import Renamed
from extproc.mcp.sessions import ServerSession
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


def test_sessions_that_were_begun_later_are_known_to_all_workers() -> None:
    known = json.dumps({"number": "n", "server": "a", "session": "s-2", "revision": "r"}).encode()
    servers = Servers({names.HUB_CLUSTER: lambda _: Answered(200, {}, known)})
    hub, later = Hub(servers), ServerSession("s-2", "r")
    assert asyncio.run(hub.instead("n", "a", ServerSession("s-1", "r"))) == later
    assert json.loads(servers.asked[0][1].body)["session"] == "s-1"
    asyncio.run(hub.renew("n", "a", later))
    assert servers.asked[1][1].path == names.HUB_RENEWED
    assert json.loads(servers.asked[1][1].body) == json.loads(known)
    assert asyncio.run(hub.instead("", "a", None)) is None  # no session of the client's
    asyncio.run(hub.renew("", "a", later))
    asyncio.run(hub.renew("n", "a", ServerSession("", "2026-07-28")))
    assert len(servers.asked) == 2
    for away in (Servers(), Servers({names.HUB_CLUSTER: taken})):
        assert asyncio.run(Hub(away).instead("n", "a", None)) is None


def test_nobody_waits_for_a_hub_that_is_away() -> None:
    asyncio.run(Hub(Servers()).call_off("n", b"{}"))
