"""What workers tell the hub of MCP beside the requests that they send there."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from extproc.mcp import renamed, renewed, rounds
from extproc.mcp.renamed import Renamed
from extproc.mcp.renewed import Lost, Renewed
from extproc.mcp.rounds import Envelope
from extproc.mcp.sessions import ServerSession
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

    async def renew(self, number: str, server: str, session: ServerSession) -> None:
        """A session with a server was begun for a client's of this number that is older."""
        if number and session.id:
            said = Renewed(number, server, session.id, session.revision)
            await self._tell(names.HUB_RENEWED, (_JSON,), renewed.encode(said))

    async def instead(
        self, number: str, server: str, lost: ServerSession | None
    ) -> ServerSession | None:
        """What a worker has begun in the place of a session that is over; None: nothing is known of
        any. Clients without sessions have nothing in common but their worker."""
        if not number:
            return None
        said = Lost(number, server, "" if lost is None else lost.id)
        asked = Asked("POST", names.HUB_LOST, (_JSON,), renewed.encode(said))
        try:
            answer = await self._peers.ask(names.HUB_CLUSTER, asked, _SECONDS)
        except ServiceUnavailable as error:
            logger.warning("the hub was not asked at %s: %s", names.HUB_LOST, error)
            return None
        found = renewed.decode(answer.body) if answer.status == 200 else None
        return None if found is None else ServerSession(found.session, found.revision)

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
