"""What workers tell the hub of MCP beside the requests that they send there."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from extproc.mcp import renamed, rounds
from extproc.mcp.renamed import Renamed
from extproc.mcp.rounds import Envelope
from extproc.mcp.tickets import Connected
from extproc.ports import Asked, McpPeers, ServiceUnavailable
from gateway import names

logger = logging.getLogger(__name__)

_SECONDS: Final = 5.0
_JSON: Final = ("content-type", "application/json")


class Hub:
    """The way there. What it cannot be told is logged: nobody waits for it."""

    __slots__ = ("_peers",)

    def __init__(self, peers: McpPeers) -> None:
        self._peers = peers

    async def rename(self, said: Renamed) -> None:
        """A client subscribes to a resource that it calls otherwise than the server."""
        await self._tell(names.HUB_RENAMED, (_JSON,), renamed.encode(said))

    async def connected(self, said: Connected) -> None:
        """A caller has agreed that a server is used for them."""
        await self._tell(names.HUB_CONNECTED, (_JSON,), msgspec.json.encode(said))

    async def call_off(self, number: str, note: bytes) -> None:
        """A client has cancelled a call, which may be one that goes by the hub; all of them, where
        the note names none. `number` is its session's."""
        envelope = rounds.encode(Envelope("", "", number, ""))
        await self._tell(names.HUB_ROUNDS, ((names.MCP_ROUNDS_HEADER, envelope), _JSON), note)

    async def _tell(self, path: str, head: tuple[tuple[str, str], ...], body: bytes) -> None:
        asked = Asked("POST", path, head, body)
        try:
            await self._peers.ask(names.HUB_CLUSTER, asked, _SECONDS)
        except ServiceUnavailable as error:
            logger.warning("the hub was not told at %s: %s", path, error)
