"""Which tools of a server that is served alone are none, since a guard keeps them from its list.
The list is asked for beside the client, in its own session, and no other is begun for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from extproc.mcp import requests
from extproc.mcp.kept import Kept
from extproc.mcp.lists import ListKind
from extproc.mcp.requests import Answer
from extproc.mcp.views import View
from extproc.mcp_serving.federation import ROUTING_SECONDS
from extproc.mcp_serving.whole_lists import whole
from extproc.mcp_serving.whose import Whose
from extproc.ports import McpPeers, ServiceUnavailable
from extproc.verdict import Deny

_MOST_KEPT: Final = 16_384

Withheld: TypeAlias = Mapping[str, Deny]
"""By the names of tools: why they are not listed."""


class _Known(Struct, frozen=True):
    withheld: Withheld
    at: float


class ListsAlone:
    """What is known of them, each for one client. The clock gives seconds that never go back."""

    __slots__ = ("_clock", "_kept", "_peers")

    def __init__(self, peers: McpPeers, clock: Callable[[], float]) -> None:
        self._peers = peers
        self._clock = clock
        self._kept: Kept[tuple[str, str], _Known] = Kept(
            _MOST_KEPT, lambda known: 1 + len(known.withheld)
        )

    def known(self, view: View, scope: str) -> Withheld | None:
        """None: it has to be asked for."""
        found = self._kept.get((view.name, scope))
        is_fresh = found is not None and self._clock() - found.at < ROUTING_SECONDS
        return found.withheld if found is not None and is_fresh else None

    def forget(self, view: View, scope: str) -> None:
        """The client asks for the list itself, and may be told another."""
        self._kept.drop((view.name, scope))

    async def ask(self, view: View, whose: Whose) -> Withheld | Answer:
        """An `Answer`: the server gives no list, or it cannot be said what is to be withheld."""
        served, screen = view.only, whose.screen
        session, at = whose.session.servers[served.name], self._clock()

        async def page(params: bytes) -> Answer:
            kind = ListKind.TOOLS
            asked = requests.asked(served, session, kind.method, params, whose.client)
            try:
                found = await self._peers.ask(served.cluster, asked, served.timeout_seconds)
            except ServiceUnavailable as error:
                return Answer(0, why=str(error))
            return requests.read(found.status, found.headers, found.body)

        listed = await whole(ListKind.TOOLS, page)
        if isinstance(listed, Answer):
            return listed
        if screen is not None:
            shown = (await screen.pages(ListKind.TOOLS, {served.name: listed}))[served.name]
            if isinstance(shown, str):
                return Answer(0, why=shown)
            listed = shown
        self._kept.put((view.name, whose.scope), _Known(listed.withheld, at))
        return listed.withheld
