"""The way to MCP servers, of which some are REST APIs, or the list of agents: these are answered
for here, and asked in their own words, as all are through Envoy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import quote, urlencode

from msgspec import Struct, structs

from extproc.mcp import messages
from extproc.mcp.jsonrpc import INVALID_REQUEST, Fault
from extproc.mcp.messages import Batch, Message
from extproc.mcp.openapi.server import ApiServer, Call
from extproc.mcp.views import Served
from extproc.mcp_serving import agents
from extproc.ports import Answered, Asked, McpPeers, ServiceUnavailable
from gateway import names
from gateway.mcp import McpServer

_NO_SESSIONS = Answered(405, {"allow": "POST"}, b"")
_ALONE = Fault(INVALID_REQUEST, "this tool is not called in a batch: call it alone")
_JSON = {"content-type": "application/json"}
_OF_ENVOY = (names.TIMEOUT_HEADER, names.RETRY_ON_HEADER, names.MAX_RETRIES_HEADER)
"""The terms on which a tool is called."""


class _Api(Struct, frozen=True):
    """One of them."""

    server: ApiServer
    served: Served
    query: str
    """What every request has in its query; may be secret."""
    is_asked: bool = True
    """There is something behind it; else what is called is answered elsewhere, one at a time."""


class Apis:
    """Asks for the others as it is asked."""

    __slots__ = ("_peers", "_servers")

    def __init__(self, peers: McpPeers, servers: dict[str, _Api]) -> None:
        """`servers` by cluster."""
        self._peers = peers
        self._servers = servers

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        """Raises `ServiceUnavailable`."""
        known = self._servers.get(cluster)
        if known is None:
            return await self._peers.ask(cluster, asked, timeout_seconds)
        if asked.method != "POST":
            return _NO_SESSIONS
        found = messages.read(asked.body)
        if isinstance(found, Fault):
            return Answered(found.status, _JSON, found.body())
        if isinstance(found, Message):
            return await self._one(known, asked, found)
        return await self._all(known, asked, found)

    async def _all(self, api: _Api, asked: Asked, batch: Batch) -> Answered:
        every = (self._one(api, asked, each) for each in batch.messages)
        bodies = [each.body for each in await asyncio.gather(*every) if each.body]
        if not bodies:
            return Answered(202, {}, b"")
        return Answered(200, _JSON, b"[%b]" % b",".join(bodies))

    async def _one(self, api: _Api, asked: Asked, message: Message) -> Answered:
        server, served = api.server, api.served
        found = server.on_message(dict(asked.headers), message)
        if not isinstance(found, Call):
            return found
        if not api.is_asked:
            return Answered(200, _JSON, structs.replace(_ALONE, raw_id=message.raw_id).body())
        request, path = found.request, found.request.path
        if api.query:
            path += f"{'&' if '?' in path else '?'}{api.query}"
        of_envoy = (each for each in asked.headers if each[0] in _OF_ENVOY)
        head = (*request.headers, *served.headers, *of_envoy)
        told = Asked(request.method, path, head, request.body)
        try:
            answer = await self._peers.ask(served.cluster, told, served.timeout_seconds)
        except ServiceUnavailable as error:
            return server.on_silence(found, str(error))
        return server.on_answer(found, answer.status, answer.headers, answer.body)


def with_apis(peers: McpPeers, servers: Iterable[McpServer], served: Iterable[Served]) -> McpPeers:
    """The way to all servers; the same, if none is an API."""
    by_name = {each.name: each for each in served}
    apis = {
        by_name[each.name].cluster: _Api(
            ApiServer(each.name, each.api or agents.described()),
            by_name[each.name],
            urlencode(each.secret_query, quote_via=quote),
            not each.is_agents,
        )
        for each in servers
        if (each.api is not None or each.is_agents) and each.name in by_name
    }
    return Apis(peers, apis) if apis else peers
