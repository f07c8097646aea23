"""What the block of the MCP gateway means: whom Envoy connects to, and what clients find where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gateway import names
from gateway.cel import Expression, TextExpression, compile_expression, compile_text
from gateway.config import mcp_auth, mcp_consent
from gateway.config.finding import Finding
from gateway.config.identity import IdentityBlock
from gateway.config.ledger import SqliteLedgerBlock
from gateway.config.mcp import McpBlock, McpServerBlock, McpViewBlock
from gateway.config.mcp_exchange import exchange, exchange_services
from gateway.config.mcp_tools import McpPinningBlock, McpToolBlock
from gateway.config.openapi import told
from gateway.config.provider_auth import NoAuthBlock
from gateway.config.provider_meaning import written_credential
from gateway.config.urls import place
from gateway.config.vendors import KeyForm
from gateway.config.written import Written
from gateway.credentials import Credential, StaticKey
from gateway.globs import is_like
from gateway.guards import Guard, RemoteGuard, SchemaGuard
from gateway.mcp import (
    SEPARATOR,
    Mcp,
    McpServer,
    McpView,
    StdioCommand,
    ToolChange,
    ToolSearch,
    ToolTerms,
    Transport,
)
from gateway.model import Service
from gateway.openapi.values import Api
from gateway.price_rows import NANODOLLARS_PER_DOLLAR
from gateway.problem import did_you_mean

_ALL = ("*",)
_CONNECT_SECONDS = 5.0
_NOT_BOTH = "leave one of them out"
_BEARER = KeyForm("authorization", "Bearer ")


def mcp(block: McpBlock, identity: IdentityBlock, guards: Sequence[Guard] = ()) -> Mcp:
    """What was written. `guards`: those of MCP."""
    servers = tuple(_server(*item, block.pinning) for item in block.servers.items())
    every = tuple(each.name for each in servers)
    judged = [each.terms.scope.mcp or "" for each in guards if _is_by_definition(each)]
    changed = frozenset(
        each.name for each in servers if each.is_changed or is_like(judged, each.name)
    )
    return Mcp(
        servers=servers,
        path=block.path.rstrip("/"),
        views=(
            *(
                (_view("", McpViewBlock(servers=every, search=block.search), changed),)
                if every
                else ()
            ),
            *(_view(name, McpViewBlock(servers=(name,)), changed) for name in every),
            *(_view(name, each, changed) for name, each in block.views.items()),
        ),
        prefix=block.prefix,
        denies_as_unknown=block.denied == "unknown",
        allowed_origins=block.allowed_origins,
        session_keys=tuple(each.get_secret_value() for each in block.sessions.secrets),
        page_entries=block.page or 0,
        idle_seconds=block.sessions.idle,
        sse_path=(block.sse_path or "").rstrip("/"),
        auth=None if block.auth is None else mcp_auth.meaning(block.auth, identity),
        consent_url=mcp_consent.consent_url(block.consents, block.auth),
        consent_login=block.consents.login or "",
        guard_seconds=sum(each.timeout_seconds for each in guards if isinstance(each, RemoteGuard)),
    )


def _is_by_definition(guard: Guard) -> bool:
    """It has to know tools as their servers list them."""
    return isinstance(guard, SchemaGuard) and guard.schema is None


def mcp_services(block: McpBlock, identity: IdentityBlock) -> Iterator[Service]:
    """Whom Envoy connects to."""
    if block.auth is not None:
        yield from mcp_auth.services(block.auth, identity)
    for name, server in block.servers.items():
        if not server.address:
            continue
        upstream = place(server.address).upstream(_CONNECT_SECONDS)
        if server.ca is not None:
            upstream = replace(upstream, ca=server.ca.text)
        yield Service(names.mcp_service(name), upstream, _credential(server))
        if server.exchange is not None:
            yield from exchange_services(name, server.exchange)
        if server.consent is not None:
            yield mcp_consent.consent_service(name, server.consent, server.address)


def servers_are_known(written: Written) -> Iterator[Finding]:
    """`servers: [githbu]`; a view that has the name of a server."""
    block = written.config.mcp
    known = frozenset(block.servers) | written.mcp_servers
    for name, view in block.views.items():
        if name in known:
            yield Finding(("mcp", "views", name), "this is the name of a server")
        for index, server in enumerate(view.servers):
            if server not in known:
                yield Finding(
                    ("mcp", "views", name, "servers", index),
                    f"no server '{server}'",
                    did_you_mean(server, known),
                )
            elif server in view.servers[:index]:
                yield Finding(
                    ("mcp", "views", name, "servers", index), f"'{server}' is there already"
                )


def tools_have_names(written: Written) -> Iterator[Finding]:
    """Two tools with one name; a name that looks like that of another server's tool."""
    block = written.config.mcp
    given: dict[str, str] = {}
    for server, each in block.servers.items():
        for tool, change in each.tools.items():
            path = ("mcp", "servers", server, "tools", tool, "name")
            name = change.name
            if name is None:
                continue
            if name in given:
                yield Finding(path, f"'{name}' is {given[name]} already")
            elif name.partition(SEPARATOR)[0] in block.servers and SEPARATOR in name:
                yield Finding(path, "it begins like those of a server", "give it another name")
            given.setdefault(name, f"{tool!r} of '{server}'")


def chosen_tools_are_of_servers(written: Written) -> Iterator[Finding]:
    """`tools: [githbu__search]`, where the view has no such server, or nobody has."""
    for name, view in written.config.mcp.views.items():
        for index, glob in enumerate(view.tools):
            server = glob.partition(SEPARATOR)[0]
            if not {"*", "?"} & set(server) and server not in view.servers:
                path = ("mcp", "views", name, "tools", index)
                hint = did_you_mean(server, view.servers) or "say it as SERVER__TOOL"
                yield Finding(path, f"the view has no server '{server}'", hint)
    known = frozenset(written.config.mcp.servers) | written.mcp_servers
    for position, key in enumerate(written.config.identity.api_keys.keys):
        for index, glob in enumerate(key.tools):
            server = glob.partition(SEPARATOR)[0]
            if not {"*", "?"} & set(server) and server not in known:
                where = ("identity", "api_keys", "keys", position, "tools", index)
                hint = did_you_mean(server, known) or "say it as SERVER__TOOL"
                yield Finding(where, f"no server '{server}'", hint)


def tokens_can_be_had(written: Written) -> Iterator[Finding]:
    """`auth` without an issuer; scopes of what there is not."""
    block = written.config.mcp
    if block.auth is not None:
        servers = frozenset(block.servers) | written.mcp_servers
        views = frozenset(block.views)
        yield from mcp_auth.findings(block.auth, written.config.identity, servers, views)


def consents_can_be_had(written: Written) -> Iterator[Finding]:
    """`consent` without an identity; who would see codes."""
    config = written.config
    wanted = {
        name: (each.consent, each.address)
        for name, each in config.mcp.servers.items()
        if each.consent is not None and each.address
    }
    yield from mcp_consent.findings(wanted, config.mcp.consents, config.mcp.auth, config.identity)
    is_file = isinstance(config.ledger, SqliteLedgerBlock)
    if wanted and not is_file and not config.mcp.sessions.secrets:
        at = ("mcp", "sessions")
        yield Finding(at, "other machines cannot open tokens that this one keeps", "say secrets")


def sse_clients_can_be_told_apart(written: Written) -> Iterator[Finding]:
    """Their requests come to Envoy again, from itself: without address and certificate."""
    config = written.config
    sse, whole = (config.mcp.sse_path or "").rstrip("/"), config.mcp.path.rstrip("/")
    if config.mcp.sse_path is None:
        return
    path = ("mcp", "sse_path")
    if not sse:
        yield Finding(path, "nothing else would be served", "such as /sse")
    if f"{sse}/".startswith(f"{whole}/") or f"{whole}/".startswith(f"{sse}/"):
        yield Finding(path, "it must not be at mcp.path, below or above it", "such as /sse")
    if any(each.tls is not None and each.tls.client_ca for each in config.gateways.values()):
        yield Finding(path, "a gateway asks for certificates, which these clients cannot show")
    for index, rule in enumerate(config.authorize):
        if _reads_source(compile_expression(rule.expression)):
            where = ("authorize", index, rule.effect.value)
            yield Finding(where, "the address of clients at mcp.sse_path is not known", _NOT_BOTH)
    for index, limit in enumerate(config.limits):
        if limit.by is not None and _reads_source(compile_text(limit.by)):
            yield Finding(
                ("limits", index, "by"),
                "the address of clients at mcp.sse_path is not known",
                _NOT_BOTH,
            )


def _reads_source(compiled: Expression | TextExpression | str) -> bool:
    names_read = frozenset[str]() if isinstance(compiled, str) else compiled.names
    return any(each.startswith("source.") for each in names_read)


def agents_are_there(written: Written) -> Iterator[Finding]:
    """A list of agents, where there are none."""
    for name, server in written.config.mcp.servers.items():
        if server.agents and not written.config.a2a.agents:
            yield Finding(("mcp", "servers", name, "agents"), "there are no agents", "a2a.agents")


def documents_are_apis(written: Written) -> Iterator[Finding]:
    """What is wrong with documents of REST APIs, and whether it is known where these are."""
    for name, server in written.config.mcp.servers.items():
        path, api = ("mcp", "servers", name, "openapi"), server.api
        if isinstance(api, Api) and not server.address:
            yield Finding(
                path, "the document does not say where the API is", "give the server a url"
            )
        if isinstance(api, Api) and server.url is None and server.openapi is not None:
            origin = server.openapi.origin
            if origin and api.url not in ("", origin):  # who writes it would get the credentials
                message = f"the document is at '{origin}', and says that the API is at '{api.url}'"
                yield Finding(path, message, "if that is right, give the server this url")
        for problem in api if isinstance(api, tuple) else ():
            yield Finding(path, str(replace(problem, hint="")), problem.hint)


def _server(name: str, block: McpServerBlock, pinning: McpPinningBlock | None) -> McpServer:
    pinning = block.pinning or pinning
    api = block.api
    if block.agents or isinstance(api, Api):
        transport, path, stdio = Transport.OPENAPI, "/", None
    elif block.command is not None:
        transport, path = Transport.STDIO, names.hub_path(name)
        stdio = StdioCommand(
            block.command,
            tuple((key, value.get_secret_value()) for key, value in block.environment.items()),
            block.directory or "",
            block.shared,
            block.max_processes,
            block.memory,
            block.open_files,
        )
    else:
        transport = block.transport or Transport.STREAMABLE_HTTP
        path, stdio = place(block.url or "").path or "/", None
    is_sse = transport is Transport.SSE
    return McpServer(
        name,
        transport,
        path,
        stdio,
        tuple(block.headers.items()),
        block.required,
        block.timeout,
        block.cache_lists,
        tools=tuple(
            (tool, ToolChange(each.name or "", each.description))
            for tool, each in block.tools.items()
            if each.changes
        ),
        terms=tuple((tool, _terms(each)) for tool, each in block.tools.items()),
        origin=place(block.url or "").origin if is_sse else "",
        api=api if isinstance(api, Api) else None,
        is_agents=block.agents,
        pinning=None if pinning is None else pinning.meaning,
        secret_query=() if block.openapi is None else tuple(told(block.openapi).items()),
        exchange=None if block.exchange is None else exchange(block.exchange),
        consent=None
        if block.consent is None
        else mcp_consent.meaning(block.consent, block.address),
    )


def _terms(block: McpToolBlock) -> ToolTerms:
    price = 0 if block.price is None else int(block.price * NANODOLLARS_PER_DOLLAR)
    return ToolTerms(
        price,
        block.timeout,
        block.retries,
        block.cache or 0.0,
        block.cache_for,
        block.read_only,
    )


def _view(name: str, block: McpViewBlock, changed: frozenset[str]) -> McpView:
    """`changed`: servers of which something is changed."""
    search = None if block.search is None else ToolSearch(block.search.pinned)
    is_as_it_is = (
        len(block.servers) == 1
        and changed.isdisjoint(block.servers)
        and block.tools == _ALL
        and search is None
    )
    return McpView(name, block.servers, not is_as_it_is, block.tools, search)


def _credential(block: McpServerBlock) -> Credential | None:
    if block.key is not None:
        return StaticKey(_BEARER.header, _BEARER.prefix, block.key.get_secret_value())
    if block.auth is None or isinstance(block.auth, NoAuthBlock):
        return None
    return written_credential(block.auth, _BEARER, "")
