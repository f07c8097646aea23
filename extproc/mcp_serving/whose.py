"""On whose behalf MCP servers are asked, and what of their words that client may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Raw, Struct

from extproc.mcp.lists import ListKind, Page
from extproc.mcp.merging import MODERN_REVISIONS
from extproc.mcp.requests import Client
from extproc.mcp.sessions import Session

_MODERN: Final = MODERN_REVISIONS[-1]


class Screen(Protocol):
    """What stands between what servers list and what a client sees of it."""

    async def pages(self, kind: ListKind, pages: Mapping[str, Page]) -> Mapping[str, Page | str]:
        """What is left of the lists, by server; text: why that cannot be said."""


class Whose(Struct, frozen=True):
    """On whose behalf servers are asked."""

    session: Session
    """Of the client; of one without, with nothing in it."""
    scope: str
    """Whose lists, and late sessions, these are: the session's number, or the caller."""
    client: Client
    screen: Screen | None = None
    """None: lists are seen as they are."""

    @property
    def key(self) -> bytes:
        """What ids of servers' requests are made with: no server knows it."""
        return self.session.nonce.encode()

    @property
    def is_sessionless(self) -> bool:
        """It speaks a revision without sessions."""
        return not self.session.nonce


def of_nobody(initialize: bytes) -> Session:
    """The session of a client that has none."""
    return Session("", {}, _MODERN, Raw(initialize), 0, "")
