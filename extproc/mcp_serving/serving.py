"""The MCP gateway of a program: its views, how Envoy is told of each server, and who asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from extproc.direct_wire import encode_way, patience
from extproc.mcp.pinning import Pinning
from extproc.mcp.protection import Protection
from extproc.mcp.results import Results
from extproc.mcp.vault import Vault
from extproc.mcp.views import Served, View, Views
from extproc.mcp_serving.alone import ListsAlone
from extproc.mcp_serving.apis import with_apis
from extproc.mcp_serving.connections import Connections, WithConsent, connections
from extproc.mcp_serving.consent_desk import ConsentDesk, consent_desk
from extproc.mcp_serving.federation import Federation
from extproc.mcp_serving.front import Front, front
from extproc.mcp_serving.tokens import Exchanger, exchanger
from extproc.policies.authenticate import Authenticate
from extproc.ports import Consents, McpPeers, SessionBoard, ToolPins
from gateway import names
from gateway.mcp import ALL_TOOLS, Mcp, McpServer, ToolTerms

_CONSENT = b"dragoman mcp consent"
_RETRY_ON = "gateway-error,connect-failure,refused-stream,reset"


class Ways:
    """How Envoy is told of each server, encoded once."""

    __slots__ = ("_after_body", "_after_headers", "hub", "listening", "rounds")

    def __init__(self, servers: Iterable[Served]) -> None:
        served = tuple(servers)
        self._after_body = {each.name: _way(each, is_read=True) for each in served}
        self._after_headers = {each.name: _way(each, is_read=False) for each in served}
        self.listening = encode_way(names.HUB_CLUSTER, names.HUB_STREAMS, (), is_read=True)
        """The same after a body."""
        self.hub = encode_way(names.HUB_CLUSTER, names.HUB_STREAMS, (), is_read=False)
        """To the streams of several servers, after headers."""
        self.rounds = encode_way(names.HUB_CLUSTER, names.HUB_ROUNDS, (), is_read=True)
        """To the bridges between eras, after the body."""

    def to(self, server: str, *, is_read: bool) -> bytes:
        """`is_read`: it answers the body, else the headers."""
        return (self._after_body if is_read else self._after_headers)[server]


class World(Struct, frozen=True):
    """What is there whatever the configuration says."""

    peers: McpPeers
    board: SessionBoard
    clock: Callable[[], float]
    """Gives seconds that never go back."""
    pins: ToolPins
    consents: Consents
    now: Callable[[], float]
    """Gives seconds since 1970."""


class Serving(Struct, frozen=True):
    """What MCP requests are answered by."""

    views: Views
    ways: Ways
    federation: Federation
    alone: ListsAlone
    """Of servers that are none of several."""
    board: SessionBoard
    patience: bytes
    """What Envoy is told when servers have to be asked: for how long it may take."""
    terms: Mapping[str, Mapping[str, ToolTerms]]
    """By server and tool."""
    timed: frozenset[str]
    """Servers some of whose tools have to answer in time."""
    clock: Callable[[], float]
    """Gives seconds that never go back."""
    results: Results
    """Of tools that only read."""
    pinning: Pinning | None
    """Whose definitions of tools are watched; None: nobody's."""
    authenticate: Authenticate | None = None
    """Who may come in, since tokens can be for these alone; None: as anywhere."""
    protection: Protection | None = None
    """Who tells clients where to get a token; None: nobody."""
    exchanger: Exchanger | None = None
    """Who gets tokens of callers' own for servers; None: no server wants one."""
    front: Front | None = None
    """The authorization server that clients find here, where it is changed; None: none."""
    connections: Connections | None = None
    """Who has tokens that callers have agreed to; None: no server wants that."""
    desk: ConsentDesk | None = None
    """Where people agree in their browsers."""

    def is_timed(self, view: View) -> bool:
        """Whether a tool of the view has to answer in time."""
        return bool(self.timed) and not self.timed.isdisjoint(view.servers)

    def terms_of(self, server: str, tool: str) -> ToolTerms | None:
        """On which a tool is called; None: on none, or it is no tool."""
        of_server = self.terms.get(server)
        if of_server is None or not tool:
            return None
        return of_server.get(tool) or of_server.get(ALL_TOOLS)


def serving(mcp: Mcp, secrets: Sequence[str], world: World) -> Serving | None:
    """None: there are no servers. `secrets`: what sessions are sealed with, where the configuration
    says none."""
    if not mcp.servers:
        return None
    keys = mcp.session_keys or secrets
    views = Views(mcp, keys)
    served: Mapping[str, Served] = {
        name: each for view in views.all.values() for name, each in view.servers.items()
    }
    pinned = {each.name: each.pinning for each in mcp.servers if each.pinning is not None}
    pinning = Pinning(world.pins, pinned) if pinned else None
    agreed = connections(mcp, Vault(keys, _CONSENT), world.consents, world.peers, world.now)
    peers = world.peers
    if agreed is not None:
        clusters = {each.cluster: each.name for each in served.values() if each.is_personal}
        peers = WithConsent(peers, agreed, clusters)
    asking = with_apis(peers, mcp.servers, served.values())
    return Serving(
        views,
        Ways(served.values()),
        Federation(asking, world.clock, pinning),
        ListsAlone(asking, world.clock),
        world.board,
        patience(mcp.longest_seconds),
        {each.name: dict(each.terms) for each in mcp.servers if each.terms},
        frozenset(each.name for each in mcp.servers if _is_timed(each)),
        world.clock,
        Results(world.clock),
        pinning,
        exchanger=exchanger(mcp, world.peers, world.clock),
        front=front(mcp, world.peers, world.clock),
        connections=agreed,
        desk=consent_desk(mcp, agreed, world.peers),
    )


def _is_timed(server: McpServer) -> bool:
    return any(each.timeout_seconds is not None for _, each in server.terms)


def _way(served: Served, *, is_read: bool) -> bytes:
    return encode_way(served.cluster, served.path, served.headers, is_read=is_read)


def head_of(terms: ToolTerms | None) -> tuple[tuple[str, str], ...]:
    """What Envoy is told of them: how long it waits, and how often it tries again."""
    if terms is None:
        return ()
    head: list[tuple[str, str]] = []
    if terms.timeout_seconds is not None:
        milliseconds = max(1, round(terms.timeout_seconds * 1000))
        head.append((names.TIMEOUT_HEADER, str(milliseconds)))
    if terms.retries:
        head.append((names.RETRY_ON_HEADER, _RETRY_ON))
        head.append((names.MAX_RETRIES_HEADER, str(terms.retries)))
    return tuple(head)
