"""MCP servers, and where clients find them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.mcp_auth import McpAuthBlock
from gateway.config.mcp_consent import McpConsentBlock, McpConsentsBlock
from gateway.config.mcp_exchange import McpExchangeBlock
from gateway.config.mcp_tools import McpPinningBlock, McpSearchBlock, McpToolBlock
from gateway.config.openapi import OpenApiBlock
from gateway.config.providers import SentHeader
from gateway.config.referenced import TextFile
from gateway.config.remote_guards import ServiceAuthBlock
from gateway.config.routes import UrlPath
from gateway.config.scalars import Count, Duration, Flag, Globs, Name, Secret, Size, Text, Weight
from gateway.config.urls import Url, place
from gateway.mcp import Prefix, Transport
from gateway.openapi.values import Api
from gateway.problem import Problem

_SERVER = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,62}")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_PROCESSES = 10_000
SHORTEST_KEY = 32
_LONGEST_TIMEOUT = 120.0
_SHORTEST_IDLE = 60.0
"""Open streams note that their sessions are used, twice a minute."""


def _server(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise refusal(
            "must be the name of a server",
            "letters, digits, '.' and '-', a letter first, at most 63",
        )
    return value


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise refusal("must be an origin", "such as https://app.example.com, or * for any")
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise refusal("must be the name of a variable", "such as API_KEY")
    return value


def _argument(value: str) -> str:
    if "\0" in value:
        raise refusal("must have no NUL", is_shown=False)
    return value


def _session_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_KEY:
        raise refusal(f"must have at least {SHORTEST_KEY} characters", is_shown=False)
    return value


def _timeout(value: float) -> float:
    if not 0 < value <= _LONGEST_TIMEOUT:
        raise refusal(f"must be more than 0 and at most {_LONGEST_TIMEOUT:.0f}s")
    return value


def _processes(value: int) -> int:
    if not 1 <= value <= _MOST_PROCESSES:
        raise refusal(f"must be from 1 to {_MOST_PROCESSES}")
    return value


ServerName: TypeAlias = Annotated[str, AfterValidator(_server), WithJsonSchema({"type": "string"})]
ClientOrigin: TypeAlias = Annotated[
    str, AfterValidator(_origin), WithJsonSchema({"type": "string"})
]
Variable: TypeAlias = Annotated[str, AfterValidator(_variable), WithJsonSchema({"type": "string"})]
Argument: TypeAlias = Annotated[str, AfterValidator(_argument)]
SessionKey: TypeAlias = Annotated[
    Secret, AfterValidator(_session_key), WithJsonSchema({"type": "string", "format": "secret"})
]
Timeout: TypeAlias = Annotated[Duration, AfterValidator(_timeout)]
Processes: TypeAlias = Annotated[
    int,
    AfterValidator(_processes),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _MOST_PROCESSES}),
]
_OF_URL = ("transport", "key", "auth", "exchange", "consent", "headers", "ca")
_OF_COMMAND = ("environment", "directory", "shared", "max_processes", "memory", "open_files")


class McpServerBlock(Block):
    """An MCP server: at a `url`, a `command` that is run here, a REST API by its `openapi`, or the
    gateway's own list of `agents`."""

    url: Url | None = None
    """Its endpoint: `https://api.example.com/mcp`. Of a REST API: where it is, `https://api.example`,
    with its base path if it is not the document's. Default: where the document says; of one that is
    at a URL, where that is."""
    openapi: OpenApiBlock | None = None
    """The OpenAPI document of a REST API, whose operations become tools: the path of a file, or a
    block that says more, such as a url."""
    agents: Flag = False
    """Instead of anything else: the agents of `a2a`. Its tool, `search_agents`, finds those that
    the caller may ask by what they do."""
    transport: Transport | None = None
    """How it is spoken to: `streamable-http`, or `sse` for servers of revision 2024-11-05, whose
    url is that of the stream. Default: `streamable-http`."""
    key: Secret | None = None
    """Sent as `Authorization: Bearer …`, best as `${VARIABLE}`. It is given to Envoy alone."""
    auth: ServiceAuthBlock | None = None
    """Instead of a key: another kind of credential."""
    exchange: McpExchangeBlock | None = None
    """Instead of a key: a token of each caller's own, which is asked for with the one that the
    caller has brought."""
    consent: McpConsentBlock | None = None
    """Instead of a key: a token of each caller's own, for which the caller agrees once, in a
    browser, at the server's authorization server."""
    headers: dict[SentHeader, Text] = Field(default={})
    """Sent with every request. Not for secrets."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the server's certificate is checked against, instead of
    the system's. Needs an https url."""
    command: Annotated[tuple[Argument, ...], Field(min_length=1)] | None = None
    """A program that speaks MCP on its standard input and output, and its arguments:
    `[uvx, mcp-server-time]`."""
    environment: dict[Variable, Secret] = Field(default={})
    """Variables for the program, beside `PATH`, `HOME`, `LANG` and `TMPDIR`; best as
    `${VARIABLE}`."""
    directory: Text | None = None
    """Where the program starts. Default: where the hub was started."""
    shared: Flag = False
    """Whether one process serves all sessions; it cannot ask clients then (sampling, elicitation,
    roots). Default: each session has its own. Requests of 2026-07-28, which have no sessions, share
    one in any case."""
    max_processes: Processes = 64
    """How many processes may run at once, of a server that is not shared."""
    memory: Size | None = None
    """How much memory each process may have, as the limit of its data says (`RLIMIT_DATA`).
    Default: no limit."""
    open_files: Weight | None = None
    """How many files each process may have open (`RLIMIT_NOFILE`). Default: as many as the hub."""
    required: Flag = True
    """Whether it has to answer for the gateway to serve it together with others. `false`: while it
    gives no answer, the others are served without it."""
    timeout: Timeout = 10.0
    """How long it may take to answer what all servers are asked: `initialize` and lists; at most
    `120s`. Calls of tools may take as long as they like, but for those of REST APIs, for which this
    counts."""

    tools: dict[Text, McpToolBlock] = Field(default={})
    """Other names and descriptions for its tools, by the names that it gives them."""
    pinning: McpPinningBlock | None = None
    """Whether changes of its tools have to be approved. Default: as `mcp.pinning` says."""
    cache_lists: Duration = 0.0
    """How long its lists of tools, prompts and resources are kept where it does not say so itself
    (`ttlMs`), for all callers; for servers whose lists are the same for everybody. Default: not
    at all."""

    @model_validator(mode="after")
    def _has_one_form(self) -> McpServerBlock:
        if self.agents:
            self._is_own()
        elif self.openapi is not None:
            self._is_rest()
        elif (self.url is None) == (self.command is None):
            raise refusal("needs either url or command", is_shown=False)
        others = _OF_COMMAND if self.command is None else _OF_URL
        for name in others:
            if name in self.model_fields_set:
                form = "a url" if self.command is None else "a command"
                raise refusal(f"has {form}, and '{name}' is for the other", is_shown=False)
        if self.command is not None and not self.command[0].strip():
            raise refusal("has a command without a program", is_shown=False)
        if self.transport is Transport.STDIO:
            raise refusal("has a url, and the transport of commands", is_shown=False)
        if self.transport is Transport.OPENAPI:
            raise refusal("needs an openapi, and no transport", is_shown=False)
        if self.key is not None and self.auth is not None:
            raise refusal("has both key and auth", "keep one of them", is_shown=False)
        self._shows_one_thing()
        if self.ca is not None and not self.address.startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        return self

    def _shows_one_thing(self) -> None:
        for what, block in (("an exchange", self.exchange), ("a consent", self.consent)):
            if block is None:
                continue
            if self.key is not None or self.auth is not None:
                raise refusal(f"has {what}, and another credential", is_shown=False)
            if self.transport is Transport.SSE:
                raise refusal(f"has {what}, and the transport sse", is_shown=False)
            if self.cache_lists:
                raise refusal(f"has {what}, and lists that are for everybody", is_shown=False)
        if self.exchange is not None and self.consent is not None:
            raise refusal("has both exchange and consent", "keep one of them", is_shown=False)

    def _is_own(self) -> None:
        for name in ("url", "command", "openapi", *_OF_URL, *_OF_COMMAND):
            if name in self.model_fields_set:
                raise refusal(f"is the list of agents, and '{name}' is for others", is_shown=False)

    def _is_rest(self) -> None:
        for name in ("command", "transport", "exchange", "consent"):
            if name in self.model_fields_set:
                raise refusal(f"has an openapi, and '{name}' is for others", is_shown=False)

    @property
    def api(self) -> Api | tuple[Problem, ...] | None:
        """Of a REST API, its operations; None: it is none."""
        if self.openapi is None:
            return None
        path = place(self.url).path.rstrip("/") if self.url is not None else ""
        return self.openapi.read(path or None)

    @property
    def address(self) -> str:
        """Where it is: as is written, as its document says, or where that is fetched; empty: it is
        a command, or nobody says."""
        if self.url is None and self.openapi is not None and isinstance(self.api, Api):
            return self.api.url or self.openapi.origin
        return self.url or ""


class McpViewBlock(Block):
    """Some of the servers as one."""

    servers: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Which, by name, in the order in which their tools are listed."""
    tools: Globs = ("*",)
    """Globs over their tools, as `SERVER__TOOL` whatever clients call them: `github__create_*`.
    Others are unknown there. Default: all of them."""
    search: McpSearchBlock | None = None
    """Tools are searched for instead of listed, for views with more tools than a model can take.
    Default: all are listed."""


def _idle(value: float) -> float:
    if value < _SHORTEST_IDLE:
        raise refusal("must be at least 1m")
    return value


class McpSessionsBlock(Block):
    """Sessions of clients."""

    secrets: tuple[SessionKey, ...] = ()
    """What session ids are sealed with (AES-256-GCM), each of at least 32 characters, best as
    `${VARIABLE}`: the first seals, and all of them open, so that a new one is put first. Machines
    that have the same keys take over sessions of each other. Default: one is made, and kept in the
    state directory."""
    idle: Annotated[Duration, AfterValidator(_idle)] = 1800.0
    """After so long a session that nobody has used, and of which no stream is open, is over; at
    least 1m."""


class McpBlock(Block):
    """The MCP gateway: many servers at one address."""

    path: UrlPath = "/mcp"
    """Where clients find all servers as one; each server alone, and each view, is at its name
    behind it: `/mcp/github`."""
    sse_path: UrlPath | None = None
    """Where clients of HTTP with SSE (revision 2024-11-05) find the same: `/sse` for all servers as
    one, `/sse/github` for one alone. Default: nowhere."""
    servers: dict[ServerName, McpServerBlock] = Field(default={})
    """The servers, by a name of your choice."""
    views: dict[Name, McpViewBlock] = Field(default={})
    """Choices of servers, by a name of your choice, which is no server's."""
    prefix: Prefix = Prefix.AUTO
    """When names of tools and prompts get that of their server before them, with `__` between:
    `auto` where several servers are served as one, `always`, `never` (the first server that has a
    name gets it), or `on_conflict`, where several have it."""
    search: McpSearchBlock | None = None
    """At the path of all servers, tools are searched for instead of listed. Default: all are
    listed."""
    pinning: McpPinningBlock | None = None
    """Whether changes of tools have to be approved. Default: nobody looks."""
    page: Count | None = None
    """How many entries of a list are told at once; clients ask for the next page. Default: all."""
    allowed_origins: tuple[ClientOrigin, ...] = ()
    """The origins of web pages that may ask, beside those of the gateway's own host, by https, or
    by http where it is `localhost` or an address; `*` for all. Requests of other pages are refused
    with 403, as the specification asks."""
    denied: Literal["unknown", "forbidden"] = "unknown"
    """What is said of a tool, prompt or resource that rules deny: as if it did not exist, or that
    it is forbidden (403)."""
    sessions: McpSessionsBlock = McpSessionsBlock()
    """Sessions of clients."""
    consents: McpConsentsBlock = McpConsentsBlock()
    """Where people agree that servers with `consent` are used for them."""
    auth: McpAuthBlock | None = None
    """The gateway as an OAuth 2.0 protected resource: where clients get tokens, and which scopes
    they need. Default: nobody is told."""
