"""The MCP gateway of a program: its views, how Envoy is told of each server, and who asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from extproc.mcp.views import Served, Views
from extproc.mcp_federation import Federation
from extproc.mcp_wire import encode_way, patience
from extproc.ports import McpPeers
from gateway import names
from gateway.mcp import Mcp


class Ways:
    """How Envoy is told of each server, encoded once."""

    __slots__ = ("_after_body", "_after_headers", "hub")

    def __init__(self, servers: Iterable[Served]) -> None:
        served = tuple(servers)
        self._after_body = {each.name: _way(each, is_read=True) for each in served}
        self._after_headers = {each.name: _way(each, is_read=False) for each in served}
        self.hub = encode_way(names.HUB_CLUSTER, names.HUB_STREAMS, (), is_read=False)
        """To the streams of several servers, after headers."""

    def to(self, server: str, *, is_read: bool) -> bytes:
        """`is_read`: it answers the body, else the headers."""
        return (self._after_body if is_read else self._after_headers)[server]


class Serving(Struct, frozen=True):
    """What MCP requests are answered by."""

    views: Views
    ways: Ways
    federation: Federation
    patience: bytes
    """What Envoy is told when servers have to be asked: for how long it may take."""


def serving(
    mcp: Mcp, secrets: Sequence[str], peers: McpPeers, clock: Callable[[], float]
) -> Serving | None:
    """None: there are no servers. `secrets`: what sessions are sealed with, where the configuration
    says none; `clock` gives seconds that never go back."""
    if not mcp.servers:
        return None
    views = Views(mcp, mcp.session_keys or secrets)
    served: Mapping[str, Served] = {
        name: each for view in views.all.values() for name, each in view.servers.items()
    }
    return Serving(
        views,
        Ways(served.values()),
        Federation(peers, clock),
        patience(mcp.longest_seconds),
    )


def _way(served: Served, *, is_read: bool) -> bytes:
    return encode_way(served.cluster, served.path, served.headers, is_read=is_read)
