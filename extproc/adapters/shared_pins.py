"""Definitions of tools that several machines know: what is known first on one of them, or approved,
is known on all. Calls and lists ask the file of their machine alone.

Who has a definition that is known in the place of another tells the server both: where the server
has a third, that one counts. So of two machines that know a tool for the first time, or approve
something at once, one goes before the other, and what is held back is never let through by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from extproc.adapters.sharing import Rhythm, Sharing
from extproc.adapters.tool_pins import SqliteToolPins
from extproc.ports import LedgerUnavailable, Pin, PinsUnavailable, Seen
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.model import Gateway

OVERLAP_MILLISECONDS: Final = 5_000
"""What was told before the last visit, but could not be seen by then; and jumps of clocks."""
_RHYTHM: Final = Rhythm()


class Known(NamedTuple):
    """A definition that may be shown and called."""

    server: str
    tool: str
    digest: str
    text: str


class Change(NamedTuple):
    """It is known now."""

    known: Known
    before: str
    """The digest that the server is thought to have; empty: none."""


class Heard(NamedTuple):
    """What the server answers."""

    now: int
    """Milliseconds by its clock."""
    known: Sequence[Known]


class PinServer(Protocol):
    """Where all tell. Raises LedgerUnavailable."""

    async def visit(self, changes: Sequence[Change], since: int) -> Heard:
        """Tell, then hear what has changed since, in milliseconds by the server's clock."""

    async def close(self) -> None:
        """Let go of the server."""


def server_at(place: LedgerPlace) -> PinServer:
    """A worker's way to a server; nothing is asked yet.

    A driver takes a tenth of a second to load, so only the one that is used is.
    """
    if place.kind is LedgerKind.POSTGRES:
        from extproc.adapters.postgres_pins import PostgresPins  # noqa: PLC0415

        return PostgresPins(place)
    from extproc.adapters.redis_pins import RedisPins  # noqa: PLC0415

    return RedisPins(place)


def pins_at(gateway: Gateway) -> LedgerPlace:
    """Where definitions are shared, if anywhere."""
    is_pinned = any(each.pinning is not None for each in gateway.mcp.servers)
    return gateway.ledger if is_pinned else LedgerPlace()


class SharedToolPins:
    """A worker's pins, on its event loop."""

    def __init__(
        self,
        local: SqliteToolPins,
        find_server: Callable[[LedgerPlace], PinServer] = server_at,
        rhythm: Rhythm = _RHYTHM,
    ) -> None:
        self._local = local
        self._find_server = find_server
        self._sharing = Sharing("definitions of MCP tools", self._visitor, rhythm)

    def of(self, server: str) -> Mapping[str, Pin]:
        return self._local.of(server)

    def put(self, server: str, seen: Sequence[Seen]) -> None:
        self._local.put(server, seen)
        self._sharing.hurry()

    def follow(self, place: LedgerPlace) -> None:
        """From now on share with others by this ledger, from any thread; one that is a file is
        shared with nobody."""
        self._sharing.follow(place)

    async def close(self) -> None:
        """Tell what is left, and let go of server and file."""
        await self._sharing.close()
        self._local.close()

    def _visitor(self, place: LedgerPlace) -> _Visitor:
        return _Visitor(self._local, self._find_server(place))


class _Visitor:
    """Of one server."""

    def __init__(self, local: SqliteToolPins, server: PinServer) -> None:
        self._local, self._server = local, server
        self._since = 0
        self._shared: dict[tuple[str, str], str] = {}
        """What the server has, as far as is heard: digests, by server and tool."""

    async def visit(self) -> None:
        try:
            own = self._local.known()
            changes = [self._change(key, own[key]) for key in own if self._is_news(key, own[key])]
            heard = await self._server.visit(changes, self._since)
            for each in heard.known:
                key = (each.server, each.tool)
                before = own.get(key, "")
                if before != each.digest:
                    self._local.learn(each.server, each.tool, each.digest, each.text, before)
                self._shared[key] = each.digest  # learnt: what differs from it later is news
        except PinsUnavailable as error:
            raise LedgerUnavailable(str(error)) from error
        self._since = heard.now - OVERLAP_MILLISECONDS

    async def leave(self) -> None:
        """What is in the file is told after the next start."""

    async def close(self) -> None:
        await self._server.close()

    def _is_news(self, key: tuple[str, str], digest: str) -> bool:
        return bool(digest) and self._shared.get(key) != digest

    def _change(self, key: tuple[str, str], digest: str) -> Change:
        text = self._local.known_text(*key)
        return Change(Known(*key, digest, text), self._shared.get(key, ""))
