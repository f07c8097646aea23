"""The hub's paths, and what a change of the configuration does to its servers."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from extproc.adapters.service_client import ServiceClient
from extproc.hub.asking import Answer, NoAnswer, Question
from extproc.hub.bridging import Bridges
from extproc.hub.driver import WayOut
from extproc.hub.joined import JoinedStreams
from extproc.hub.keeping import Keeping
from extproc.hub.site import HubSite, Parts, child_of
from extproc.hub.sse_clients import SseClients
from extproc.hub.terms import Terms
from extproc.hub.ways import WaysByEnvoy
from extproc.hub.web import Reply, Request
from gateway.mcp import Mcp, McpServer, StdioCommand, ToolChange, Transport
from tests.kit.in_a_loop import in_a_loop
from tests.kit.mcp_links import Events, initialize, post, said

SERVER = (
    "import json, os, sys\n"
    "for line in sys.stdin:\n"
    "    asked = json.loads(line)\n"
    "    told = {'protocolVersion': '2025-11-25', 'env': os.environ.get('KEY')}\n"
    "    print(json.dumps({'jsonrpc': '2.0', 'id': asked['id'], 'result': told}), flush=True)\n"
)
COMMAND = StdioCommand((sys.executable, "-I", "-S", "-c", SERVER), (("KEY", "k"),))


async def nobody(question: Question) -> Answer:
    raise NoAnswer("nobody is there")


def parts() -> Parts:
    bridges = Bridges("unix:/nowhere")
    joined = JoinedStreams("unix:/nowhere", None, lambda: 0.0, bridges.heard)
    return Parts(joined, bridges, SseClients(nobody))


def ways(cluster: str) -> WaysByEnvoy:
    return WaysByEnvoy(WayOut("unix:/nowhere"), ServiceClient("unix:/nowhere"), cluster)


def server(name: str, **changed: object) -> McpServer:
    return McpServer(
        name,
        Transport.STDIO,
        f"/servers/{name}",
        stdio=replace(COMMAND, **changed),  # type: ignore[arg-type]
    )


@contextlib.asynccontextmanager
async def hub(*servers: McpServer) -> AsyncIterator[HubSite]:
    keeping = Keeping()
    site = HubSite(keeping, lambda: 0.0, ways, parts())
    site.take(Mcp(servers))
    try:
        yield site
    finally:
        await site.close()
        await keeping.stop()


async def ask(site: HubSite, name: str, request: Request) -> Reply:
    return await site.answer(replace(request, path=f"/servers/{name}"))


@in_a_loop
async def test_each_server_is_at_its_path_and_nothing_anywhere_else() -> None:
    async with hub(server("one"), server("two")) as site:
        reply = await ask(site, "two", initialize())
        assert said(reply)["result"]["env"] == "k"
        for path in ("/servers/three", "/servers/", "/", "/servers/one/more"):
            assert (await site.answer(Request("POST", path, "", {}))).status == 404
        assert (await site.answer(Request("GET", "/healthz", "", {}))).status == 200


@in_a_loop
async def test_clients_of_http_with_sse_have_a_path_where_one_is_written() -> None:
    async with hub(server("one")) as site:
        request = Request("GET", "/sse/one", "", {})
        assert (await site.answer(request)).status == 404
        site.take(Mcp((server("one"),), sse_path="/sse"))
        reply = await site.answer(request)
        endpoint = await anext(Events.of(reply).pieces)
        assert endpoint.startswith(b"event: endpoint\ndata: /sse/one?session=")
        assert (await site.answer(replace(request, path="/ssed"))).status == 404


@in_a_loop
async def test_without_a_configuration_nothing_is_answered() -> None:
    keeping = Keeping()
    site = HubSite(keeping, lambda: 0.0, ways, parts())
    assert (await site.answer(Request("GET", "/healthz", "", {}))).status == 503
    assert (await ask(site, "one", initialize())).status == 503
    await keeping.stop()


@in_a_loop
async def test_a_change_touches_the_servers_whose_block_has_changed() -> None:
    async with hub(server("same"), server("changed"), server("gone")) as site:
        names = ("same", "changed", "gone")
        sessions = {
            name: (await ask(site, name, initialize())).headers["mcp-session-id"] for name in names
        }
        changed = server("changed", environment=(("KEY", "new"),))
        site.take(Mcp((server("same"), changed, server("new"))))

        async def status(name: str) -> int:
            return (await ask(site, name, post("ping", 1, session=sessions[name]))).status

        assert [await status(name) for name in names] == [200, 404, 404]
        reply = await ask(site, "changed", initialize())
        assert said(reply)["result"]["env"] == "new"
        assert (await ask(site, "new", initialize())).status == 200


@in_a_loop
async def test_so_many_processes_and_sessions_of_a_shared_one_as_there_come() -> None:
    few = server("few", max_processes=1)
    async with hub(few, server("shared", max_processes=1, is_shared=True)) as site:
        for name, status in (("few", 503), ("shared", 200)):
            assert (await ask(site, name, initialize())).status == 200
            assert (await ask(site, name, initialize())).status == status


@in_a_loop
async def test_other_names_of_tools_end_no_session() -> None:
    async with hub(server("one")) as site:
        session = (await ask(site, "one", initialize())).headers["mcp-session-id"]
        renamed = replace(server("one"), tools=(("a", ToolChange("b")),), is_required=False)
        site.take(Mcp((renamed,)))
        assert (await ask(site, "one", post("ping", 1, session=session))).status == 200


@in_a_loop
async def test_a_server_of_the_first_revision_that_cannot_be_reached_is_503() -> None:
    old = McpServer("old", Transport.SSE, "/sse", origin="http://old.example")
    async with hub(old) as site:
        reply = await ask(site, "old", initialize())
        assert reply.status == 503
        assert said(reply)["error"]["message"].startswith("server old: the way out is not open")


def test_a_child_is_what_is_written_of_it() -> None:
    written = replace(COMMAND, directory="/srv", memory_bytes=1 << 30, open_files=99)
    meant = McpServer("one", Transport.STDIO, "/servers/one", stdio=written)
    child = child_of(meant, Terms(message_bytes=5), {"PATH": "/bin", "SECRET": "s"})
    assert (child.name, child.command, child.message_bytes) == ("one", COMMAND.command, 5)
    assert child.environment == {"PATH": "/bin", "KEY": "k"}
    assert (child.directory, child.limits) == (Path("/srv"), {"memory": 1 << 30, "files": 99})
    plain = child_of(server("one"), Terms(), dict(os.environ))
    assert (plain.directory, plain.limits) == (None, {})
