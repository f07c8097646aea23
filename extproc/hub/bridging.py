"""Calls between a client and a server of different eras, where the server may ask the client back:
`in_rounds` where the client has a session, `parked` where the server has one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Final

from extproc.hub import replies
from extproc.hub.asking import NoAnswer
from extproc.hub.asks import Ask
from extproc.hub.driver import WayOut
from extproc.hub.in_rounds import InRounds
from extproc.hub.parked import Parked
from extproc.hub.session import Refused
from extproc.hub.silent import Silent
from extproc.hub.web import Reply, Request
from extproc.mcp import headers, jsonrpc, messages, rounds
from extproc.mcp.jsonrpc import INTERNAL_ERROR
from extproc.mcp.messages import Kind, Message
from extproc.mcp.views import Served
from gateway import names

_TAKEN: Final = Reply(202)
_UNREADABLE: Final = Refused(400, jsonrpc.INVALID_REQUEST, "nothing says which server it is for")


class Bridges:
    """All such calls."""

    def __init__(
        self,
        way: WayOut,
        name: Callable[[], str] = lambda: secrets.token_hex(16),
        silent: Silent | None = None,
    ) -> None:
        """`way`: to the servers; `name` gives what nobody guesses."""
        self._in_rounds = InRounds(way, name)
        self._parked = Parked(way, name, silent or Silent())
        self._servers: Mapping[str, Served] = {}

    async def heard(self, server: str, session: str, message: Message) -> None:
        """What a server asks in the stream of its session, to which a client listens."""
        await self._parked.unasked.heard(server, session, message)

    def take(self, servers: Mapping[str, Served]) -> None:
        """From now on these, by name."""
        self._servers = servers

    async def answer(self, request: Request) -> Reply:
        """A request of a client, its answer to a question, or what it calls off."""
        envelope = rounds.decode(request.headers.get(names.MCP_ROUNDS_HEADER, ""))
        message = messages.read(request.body)
        if envelope is None or not isinstance(message, Message):
            return replies.refusal(_UNREADABLE)
        if message.is_answer:
            self._in_rounds.answered(message)
            return _TAKEN
        if message.kind is Kind.NOTIFICATION:
            if message.method == "notifications/cancelled":
                self._in_rounds.call_off(envelope.key, message.params.get("requestId"))
            return _TAKEN
        served = self._servers.get(envelope.server)
        if served is None:
            gone = Refused(502, INTERNAL_ERROR, f"there is no server '{envelope.server}' any more")
            return replies.refusal(gone, message.raw_id)
        ask = Ask(envelope, served, request, message)
        try:
            if headers.is_modern(envelope.revision):
                return await self._in_rounds.call(ask, message.body)
            return await self._parked.call(ask, message)
        except NoAnswer as error:
            refused = Refused(502, INTERNAL_ERROR, ask.why(str(error)))
            return replies.refusal(refused, message.raw_id)

    async def close(self) -> None:
        """Nobody is waited for any more."""
        await self._parked.close()
