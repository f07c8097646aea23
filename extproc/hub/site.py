"""What the hub answers at which path, and its servers: those of the configuration in force.

A change touches the servers whose block has changed, and no others.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extproc.hub import replies, sse_server
from extproc.hub.bridging import Bridges
from extproc.hub.joined import JoinedStreams
from extproc.hub.keeping import Keeping
from extproc.hub.links import Connect, Ears, Link
from extproc.hub.offered import Offered
from extproc.hub.process import Child, environment_of, start
from extproc.hub.session import Refused
from extproc.hub.sse_clients import Paths, SseClients
from extproc.hub.sse_server import SseServer, Ways
from extproc.hub.terms import Terms
from extproc.hub.web import Reply, Request
from extproc.mcp import jsonrpc
from extproc.mcp.listings import listings
from extproc.mcp.views import served
from gateway import names
from gateway.mcp import Mcp, McpServer
from gateway.model import Rule

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class _Entry:
    meant: tuple[McpServer, float]
    offered: Offered


@dataclass(frozen=True, slots=True)
class Parts:
    """What the hub does beside servers of its own."""

    joined: JoinedStreams
    bridges: Bridges
    clients: SseClients


class HubSite:
    """The hub, without its HTTP server."""

    def __init__(
        self,
        keeping: Keeping,
        clock: Callable[[], float],
        ways: Callable[[str], Ways],
        parts: Parts,
    ) -> None:
        """`ways`: to a server, by the name of its cluster."""
        self._parts = parts
        self._paths: Paths | None = None
        self._keeping = keeping
        self._ways = ways
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._is_told = False
        self._closing: set[asyncio.Future[None]] = set()

    def take(self, mcp: Mcp, rules: Sequence[Rule] = ()) -> None:
        """From now on these servers, and no others. `rules`: who sees what."""
        self._is_told = True
        servers = {each.name: served(each) for each in mcp.servers}
        self._parts.bridges.take(servers)
        self._parts.joined.take(servers, listings(mcp, rules))
        self._paths = Paths(mcp.sse_path, mcp.path) if mcp.sse_path else None
        meant = {each.name: _meant(each, mcp) for each in mcp.servers if each.is_hubs}
        for name, entry in tuple(self._entries.items()):
            if meant.get(name) != entry.meant:
                del self._entries[name]
                self._put_away(entry.offered)
        for name, facts in meant.items():
            if name not in self._entries:
                self._entries[name] = _Entry(facts, self._offered(*facts))

    async def answer(self, request: Request) -> Reply:
        """One request of Envoy's."""
        if not self._is_told:
            text = "the hub has no configuration yet"
            return replies.refusal(Refused(503, jsonrpc.INTERNAL_ERROR, text))
        if request.path == "/healthz":
            return Reply(200)
        if request.path == names.HUB_STREAMS:
            return await self._parts.joined.answer(request)
        if request.path == names.HUB_RENAMED:
            return self._parts.joined.told(request)
        if request.path == names.HUB_CONNECTED:
            return self._parts.joined.connected(request)
        if request.path == names.HUB_RENEWED:
            return self._parts.joined.renewed(request)
        if request.path == names.HUB_LOST:
            return self._parts.joined.lost(request)
        if request.path == names.HUB_ROUNDS:
            return await self._parts.bridges.answer(request)
        prefix = names.hub_path("")
        if request.path.startswith(prefix):
            entry = self._entries.get(request.path.removeprefix(prefix))
            if entry is not None:
                return await entry.offered.answer(request)
        mcp_path = None if self._paths is None else self._paths.of(request.path)
        if mcp_path is not None:
            return await self._parts.clients.answer(request, mcp_path)
        unknown = Refused(404, jsonrpc.INVALID_REQUEST, f"nothing is at {request.path}")
        return replies.refusal(unknown)

    async def run(self) -> None:
        """Ends sessions that nobody uses, for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for entry in self._entries.values():
                entry.offered.sweep()

    async def close(self) -> None:
        """Stop all servers."""
        await self._parts.clients.close()
        self._parts.joined.close()
        self.take(Mcp())
        await self._parts.bridges.close()
        await asyncio.gather(*self._closing)

    def _put_away(self, offered: Offered) -> None:
        closing = asyncio.ensure_future(offered.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _offered(self, server: McpServer, idle_seconds: float) -> Offered:
        if server.stdio is None:
            terms = Terms(idle_seconds=idle_seconds)
            return Offered(server.name, self._connecting(server), terms, self._clock)
        is_shared = server.stdio.is_shared
        terms = Terms(idle_seconds=idle_seconds)
        if not is_shared:
            terms = replace(terms, sessions=server.stdio.max_processes)
        child = child_of(server, terms, os.environ)
        return Offered(server.name, self._starting(child), terms, self._clock, is_shared=is_shared)

    def _starting(self, child: Child) -> Connect:
        async def connect(headers: Mapping[str, str], ears: Ears) -> Link:
            return await start(child, ears, self._keeping)

        return connect

    def _connecting(self, server: McpServer) -> Connect:
        far = SseServer(server.name, server.origin, server.path, server.headers)
        ways = self._ways(names.service_cluster(names.mcp_service(server.name)))

        async def connect(headers: Mapping[str, str], ears: Ears) -> Link:
            return await sse_server.connect(far, ways, ears)

        return connect


def _meant(server: McpServer, mcp: Mcp) -> tuple[McpServer, float]:
    """What of a server, when it changes, ends its sessions."""
    plain = McpServer(server.name, server.transport, server.path, server.stdio, server.headers)
    return replace(plain, origin=server.origin), mcp.idle_seconds


def child_of(server: McpServer, terms: Terms, ours: Mapping[str, str]) -> Child:
    """How to start a server that is a child process; `ours`: the hub's environment."""
    stdio = server.stdio
    assert stdio is not None
    limits = {"memory": stdio.memory_bytes, "files": stdio.open_files}
    return Child(
        name=server.name,
        command=stdio.command,
        environment=environment_of(dict(stdio.environment), ours),
        directory=Path(stdio.directory) if stdio.directory else None,
        message_bytes=terms.message_bytes,
        limits={name: number for name, number in limits.items() if number is not None},
    )
