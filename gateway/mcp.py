"""MCP servers, as they are meant: whom the gateway speaks to, and how clients see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.identity import ClientAuth
from gateway.openapi.values import Api


class Transport(StrEnum):
    """How a server is spoken to."""

    STREAMABLE_HTTP = "streamable-http"
    """Revision 2025-03-26 and later: one endpoint."""
    SSE = "sse"
    """Revision 2024-11-05: a stream that tells where to post."""
    STDIO = "stdio"
    """A child process of the hub."""
    OPENAPI = "openapi"
    """A REST API, whose operations are tools."""


class Prefix(StrEnum):
    """When the names of tools and prompts have that of their server before them:
    `github__create_issue`."""

    AUTO = "auto"
    """Where several servers are served as one."""
    ALWAYS = "always"
    NEVER = "never"
    """The first server that has a name gets it."""
    ON_CONFLICT = "on_conflict"
    """Names that several servers have."""


OWN_TOOLS = ("search_tools", "call_tool")
"""Of the gateway itself, where tools are searched for."""
_AUTHORIZATION_SECONDS = 8.0
"""For two requests to authorization servers, one after the other."""
CONSENT_SECONDS = 30.0
"""How long a request may take longer where people are asked: to refresh a token, or to wait until
somebody has agreed."""
SEPARATOR = "__"
"""Between the name of a server and that of a tool. No server's name has one."""


@dataclass(frozen=True, slots=True)
class StdioCommand:
    """A server that is a child process."""

    command: tuple[str, ...]
    """The program, and its arguments."""
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """What is set beside the little that it gets of the hub's own. May be secrets."""
    directory: str = ""
    """Where it starts; empty: where the hub was started."""
    is_shared: bool = False
    """One process for all sessions; else each has its own."""
    max_processes: int = 64
    """At once, of one that is not shared."""
    memory_bytes: int | None = None
    """Of data (`RLIMIT_DATA`), for each process."""
    open_files: int | None = None
    """Of each process, at once."""


@dataclass(frozen=True, slots=True)
class ToolChange:
    """What clients are told of a tool instead of what its server says."""

    name: str = ""
    """What clients call it; empty: as the others."""
    description: str | None = None
    """None: its own."""


class PinMode(StrEnum):
    """What becomes of a tool whose definition has changed."""

    NONE = "none"
    """Nobody looks."""
    WARN = "warn"
    """It is logged, and can be looked up."""
    QUARANTINE = "quarantine"
    """It is neither listed nor called until somebody approves it."""


@dataclass(frozen=True, slots=True)
class PinTerms:
    """How definitions of a server's tools are watched."""

    mode: PinMode = PinMode.QUARANTINE
    holds_new: bool = False
    """New tools of a server that is known are treated like changed ones."""


class CacheFor(StrEnum):
    """Who gets a result that was kept."""

    CALLER = "caller"
    """Who asked before."""
    EVERYBODY = "everybody"
    """Whoever may call the tool."""


@dataclass(frozen=True, slots=True)
class ToolTerms:
    """On which terms a tool is called."""

    price: int = 0
    """Of a call, in nanodollars."""
    timeout_seconds: float | None = None
    """For the whole answer; None: as long as it likes."""
    retries: int = 0
    cache_seconds: float = 0.0
    """For how long its results are kept; 0: not at all."""
    cache_for: CacheFor = CacheFor.CALLER
    is_read_only: bool = False
    """It only reads, whatever it says of itself."""


ALL_TOOLS = "*"
"""Whose terms are those of all tools of a server that say none."""


@dataclass(frozen=True, slots=True)
class ToolSearch:
    """Tools are searched for, instead of listed."""

    pinned: tuple[str, ...] = ()
    """Globs over the names that clients know: these are listed all the same."""


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where tokens are asked for, and by whom."""

    path: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_auth: ClientAuth = ClientAuth.NONE
    scopes: tuple[str, ...] = ()
    resource: str = ""
    """The URI of what the token is for (RFC 8707 §2)."""


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """A token of the caller's own, for the one that the caller has brought (RFC 8693)."""

    endpoint: TokenEndpoint
    subject_type: str
    """Of the caller's token (RFC 8693 §3)."""
    audience: str = ""
    assertion: TokenEndpoint | None = None
    """What is given is an identity assertion (ID-JAG), for which the token is asked for here."""


@dataclass(frozen=True, slots=True)
class Consent:
    """How each caller agrees, at a server's own authorization server, that the gateway uses the
    server for them (the authorization code flow of RFC 6749, with PKCE)."""

    issuer: str
    """Its issuer identifier; empty: what it calls itself is not looked at."""
    authority: str
    """Of the host that is asked for metadata and tokens."""
    authorize_url: str = ""
    """Where browsers are sent; empty: the metadata says so, as all that is empty here."""
    token_path: str = ""
    revoke_path: str = ""
    client_id: str = ""
    """Empty: the gateway shows a document, or registers itself."""
    client_secret: str = field(default="", repr=False)
    client_auth: ClientAuth = ClientAuth.NONE
    scopes: tuple[str, ...] = ()
    resource: str = ""
    """The URI of the server (RFC 8707); empty: nothing is said."""
    parameters: tuple[tuple[str, str], ...] = ()
    """What else authorization is asked for with."""

    @property
    def is_discovered(self) -> bool:
        """Whether metadata says where it is asked."""
        return not self.token_path


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server."""

    name: str
    transport: Transport
    path: str
    """Of its endpoint, behind its cluster."""
    stdio: StdioCommand | None = None
    """Of those that are child processes."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request, whatever the client sends."""
    is_required: bool = True
    """Without it, nothing is served; else it is left out while it gives no answer."""
    timeout_seconds: float = 10.0
    """How long it may take to answer what is asked of all servers: initialize, lists."""
    list_seconds: float = 0.0
    """How long its lists may be kept, where it does not say (`ttlMs`)."""
    tools: tuple[tuple[str, ToolChange], ...] = ()
    """What is changed of tools, by the server's own names."""
    terms: tuple[tuple[str, ToolTerms], ...] = ()
    """By the server's own names, or for `ALL_TOOLS`."""
    origin: str = ""
    """Scheme and authority, of those of revision 2024-11-05, which say where to post."""
    api: Api | None = field(default=None, repr=False)
    """Of a REST API."""
    is_agents: bool = False
    """It is the list of A2A agents, for which the worker answers."""
    secret_query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Of a REST API: what every request has in its query."""
    exchange: TokenExchange | None = None
    """What it is shown of who calls; None: nothing."""
    consent: Consent | None = None
    """How callers agree that it is used for them; None: nobody is asked."""

    pinning: PinTerms | None = None
    """None: nobody looks whether definitions of its tools change."""

    @property
    def is_changed(self) -> bool:
        """Whether clients may see it otherwise than it is: its tools are changed or watched, some
        of their results are kept, or its callers have to agree before there are any."""
        is_kept = any(terms.cache_seconds for _, terms in self.terms)
        is_watched = self.pinning is not None or self.consent is not None
        return bool(self.tools) or is_kept or is_watched

    @property
    def is_hubs(self) -> bool:
        """Whether it is reached by way of the hub, which offers it as one of Streamable HTTP."""
        return self.transport in (Transport.SSE, Transport.STDIO)


@dataclass(frozen=True, slots=True)
class McpView:
    """What clients find at one path."""

    name: str
    """Behind the path of all, which has no name itself."""
    servers: tuple[str, ...]
    """In the order in which they are listed."""
    is_federated: bool
    """Several servers as one, or one that is shown otherwise than it is; else the only one is
    passed through as it is."""
    tools: tuple[str, ...] = ("*",)
    """Globs over `SERVER__TOOL`, whatever clients call them: which tools there are."""
    search: ToolSearch | None = None


@dataclass(frozen=True, slots=True)
class McpScopes:
    """Which scopes a token needs (RFC 6749 §3.3): all that apply."""

    every: tuple[str, ...] = ()
    """For anything."""
    views: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For anything at the path of a view, or of a server alone; by name."""
    servers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For what a server is asked in particular: its tools, prompts, resources; by name."""
    tools: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """For calls: server, a glob over the server's own name of the tool, scopes."""


@dataclass(frozen=True, slots=True)
class AuthorizationProxy:
    """An authorization server that clients find at the gateway, too."""

    authority: str
    """Its host, and its port where that is none of the usual."""
    metadata_path: str
    """Where its metadata is."""
    is_changed: bool = False
    """The gateway says itself what is there; else Envoy passes it on as it is."""
    client_id: str = ""
    """What every client is told to be; empty: they register themselves, as the server likes."""
    client_secret: str = field(default="", repr=False)
    """Added to requests for tokens; clients are not told."""
    audience: str = ""
    """What authorization is asked for with, instead of a resource."""
    strips_resource: bool = False
    """The server takes no resource (RFC 8707)."""
    relays_registration: bool = False
    """Clients register by way of the gateway, so that pages can."""
    adds_pkce: bool = False
    """Its metadata does not say that it knows PKCE."""


@dataclass(frozen=True, slots=True)
class McpAuth:
    """The gateway as an OAuth 2.0 protected resource (RFC 9728)."""

    url: str
    """What clients call the gateway: an origin, without a slash at its end."""
    servers: tuple[str, ...]
    """Authorization servers that give tokens for it, by their issuer identifiers."""
    is_required: bool = True
    """Who brings no credential is told where to get a token."""
    scopes: McpScopes = McpScopes()
    offered: tuple[str, ...] = ()
    """What clients are told to ask for; empty: what is needed for anything at their path."""
    metadata: str = "{}"
    """What else the metadata says: a JSON object."""
    proxy: AuthorizationProxy | None = None
    """None: clients find authorization servers at their own addresses alone."""


@dataclass(frozen=True, slots=True)
class Mcp:
    """The MCP gateway."""

    servers: tuple[McpServer, ...] = ()
    path: str = "/mcp"
    """Where all servers are found as one; each alone is at its name behind it."""
    views: tuple[McpView, ...] = ()
    prefix: Prefix = Prefix.AUTO
    denies_as_unknown: bool = True
    """Who may not call a tool is told that there is none; else, that it is forbidden."""
    allowed_origins: tuple[str, ...] = ()
    """Whose pages browsers may ask from, beside those of the gateway's own host; `*`: any."""
    session_keys: tuple[str, ...] = field(default=(), repr=False)
    """What session ids are sealed with: the first seals, all open. Empty: a key is made, and kept
    in the state directory."""
    page_entries: int = 0
    """Of a list, at once; 0: all."""
    idle_seconds: float = 1800.0
    """After so long, a session nobody has used is over."""
    sse_path: str = ""
    """Where clients of revision 2024-11-05 find the same as at `path`; empty: nowhere."""
    auth: McpAuth | None = None
    """None: nobody is told where to get a token."""
    consent_url: str = ""
    """What browsers call the gateway, where people agree that servers are used for them: an origin,
    without a slash at its end."""
    consent_login: str = ""
    """By which login it is made sure who they are; empty: by none."""
    guard_seconds: float = 0.0
    """How long the services of guards may take, one after the other."""

    @property
    def longest_seconds(self) -> float:
        """How long it may take to ask authorization servers, guards, and all servers, some of them
        twice; 0: there are none."""
        longest = max((each.timeout_seconds for each in self.servers), default=0.0) * 2
        proxy = None if self.auth is None else self.auth.proxy
        if self.exchanges_tokens or (proxy is not None and proxy.is_changed):
            longest += _AUTHORIZATION_SECONDS
        if self.asks_for_consent:
            longest += CONSENT_SECONDS
        return longest + self.guard_seconds if longest else 0.0

    @property
    def has_hub(self) -> bool:
        """Whether something needs the hub."""
        is_federated = any(each.is_federated for each in self.views)
        has_sse_clients = bool(self.sse_path and self.servers)
        return is_federated or has_sse_clients or any(each.is_hubs for each in self.servers)

    @property
    def exchanges_tokens(self) -> bool:
        """Whether tokens of callers are needed to get others."""
        return any(each.exchange is not None for each in self.servers)

    @property
    def asks_for_consent(self) -> bool:
        """Whether callers are asked to agree that servers are used for them."""
        return any(each.consent is not None for each in self.servers)

    @property
    def shows_tokens(self) -> bool:
        """Whether servers are shown tokens of callers' own."""
        return self.exchanges_tokens or self.asks_for_consent

    def view(self, name: str) -> McpView | None:
        """What is at a path."""
        return next((each for each in self.views if each.name == name), None)
