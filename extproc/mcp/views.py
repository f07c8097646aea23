"""What clients find at the paths of the MCP gateway, compiled: which servers, and how each is
reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import Struct

from extproc.mcp.naming import Naming, of_prompts, of_tools
from extproc.mcp.sessions import Sealer
from extproc.principal import Principal
from gateway import names
from gateway.mcp import Mcp, McpServer, ToolSearch

ANY = "*"


class Served(Struct, frozen=True):
    """A server, as it is asked."""

    name: str
    cluster: str
    """Of Envoy's: its own, or the hub's."""
    path: str
    headers: tuple[tuple[str, str], ...]
    is_required: bool
    timeout_seconds: float
    list_seconds: float = 0.0
    """How long its lists may be kept, where it does not say."""
    is_api: bool = False
    """A REST API, or the list of agents, for which the worker answers."""
    is_agents: bool = False
    """That list."""
    is_personal: bool = False
    """Callers have to agree that it is used for them."""


class View(Struct, frozen=True):
    """Servers that a client sees as one."""

    name: str
    """Empty: all of them."""
    servers: Mapping[str, Served]
    """By name, in the order in which their tools are listed."""
    is_federated: bool
    """Else it is passed through as it is."""
    tools: Naming
    """How they are called, and which of them there are."""
    prompts: Naming
    search: ToolSearch | None = None
    """Tools are searched for; None: all are listed."""

    @property
    def only(self) -> Served:
        """The server of a view that is none of several."""
        return next(iter(self.servers.values()))


class Views:
    """All of them, by path."""

    __slots__ = (
        "_any",
        "_by_name",
        "_origins",
        "_path",
        "denies_as_unknown",
        "idle_seconds",
        "page_entries",
        "sealer",
    )

    def __init__(self, mcp: Mcp, secrets: Sequence[str]) -> None:
        """`secrets`: what sessions are sealed with."""
        by_name = {each.name: served(each) for each in mcp.servers}
        self._path = mcp.path
        self._by_name = {
            view.name: View(
                view.name,
                {name: by_name[name] for name in view.servers},
                view.is_federated,
                of_tools(mcp, view),
                of_prompts(mcp, view),
                view.search,
            )
            for view in mcp.views
        }
        self._origins = frozenset(map(str.lower, mcp.allowed_origins))
        self._any = ANY in self._origins
        self.sealer = Sealer(secrets)
        self.idle_seconds = mcp.idle_seconds
        """After so long, a session that nobody has used is over."""
        self.page_entries = mcp.page_entries
        """Of a list, at once; 0: all."""
        self.denies_as_unknown = mcp.denies_as_unknown

    @property
    def all(self) -> Mapping[str, View]:
        """By name."""
        return self._by_name

    def find(self, path: str) -> View | None:
        """What is at a path, which may have a query."""
        path = path.partition("?")[0]
        if not path.startswith(self._path):
            return None
        rest = path[len(self._path) :].rstrip("/")
        if rest and not rest.startswith("/"):
            return None
        return self._by_name.get(rest[1:])

    def may_ask(self, origin: str, host: str) -> bool:
        """Whether a page of that origin may ask (MCP, "Streamable HTTP", "Security Warning").

        Of the gateway's own pages those that no other can pretend to be: a name without TLS may be
        anybody's that resolves to this machine (DNS rebinding).
        """
        if self._any:
            return True
        said = origin.lower()
        if said in self._origins:
            return True
        try:
            there = urlsplit(said)
        except ValueError:
            return False
        if not there.netloc or there.netloc != host.lower():
            return False
        return there.scheme == "https" or (there.scheme == "http" and _is_own(there.hostname or ""))


def _is_own(host: str) -> bool:
    """Whether no name server is asked for it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def binding_of(principal: Principal | None) -> str:
    """Whom a session belongs to."""
    if principal is None:
        return ""
    issuer = "" if principal.claims is None else principal.claims.get("iss", "")
    return f"{principal.kind}\n{issuer}\n{principal.name}\n{principal.user}"


def served(server: McpServer) -> Served:
    """How a server is asked."""
    cluster = names.HUB_CLUSTER
    path = names.hub_path(server.name)
    if not server.is_hubs:
        cluster = names.service_cluster(names.mcp_service(server.name))
        path = server.path
    return Served(
        server.name,
        cluster,
        path,
        server.headers,
        server.is_required,
        server.timeout_seconds,
        server.list_seconds,
        server.api is not None or server.is_agents,
        server.is_agents,
        server.consent is not None,
    )
