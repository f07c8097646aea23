"""The MCP gateway as an OAuth 2.0 protected resource: where clients get tokens, and which scopes
they need (RFC 9728, MCP "Authorization")."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema

from gateway.config.block import Block, refusal
from gateway.config.finding import Finding, Path
from gateway.config.identity import IdentityBlock
from gateway.config.mcp_proxy import McpProxyBlock, proxied, proxied_service
from gateway.config.mcp_proxy import findings as proxy_findings
from gateway.config.scalars import Flag, Text
from gateway.config.urls import Origin
from gateway.mcp import McpAuth, McpScopes
from gateway.model import Service
from gateway.problem import did_you_mean

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_OWN_MEMBERS = frozenset(
    {"resource", "authorization_servers", "scopes_supported", "bearer_methods_supported"}
)
_LONGEST_METADATA = 2048
"""Envoy says at most 4 KB by itself."""


def _scope(value: str) -> str:
    if not _SCOPE.fullmatch(value):
        raise refusal("must be a scope", "printable, without spaces, quotes and backslashes")
    return value


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        if name in _OWN_MEMBERS:
            raise refusal(f"has '{name}', which the gateway says itself", is_shown=False)
    if len(json.dumps(value)) > _LONGEST_METADATA:
        raise refusal(f"must be at most {_LONGEST_METADATA} bytes of json", is_shown=False)
    return value


Scope: TypeAlias = Annotated[str, AfterValidator(_scope), WithJsonSchema({"type": "string"})]
Scopes: TypeAlias = Annotated[tuple[Scope, ...], Field(min_length=1)]
Metadata: TypeAlias = Annotated[
    dict[str, Any], AfterValidator(_metadata), WithJsonSchema({"type": "object", "format": "json"})
]


class McpScopesBlock(Block):
    """Which scopes a token needs: all of those that apply. They are read from its claim `scope` or
    `scp`; who has come in by a key, a password or a certificate has none. Without one: 403
    `insufficient_scope`, with what to ask the authorization server for."""

    every: tuple[Scope, ...] = ()
    """For anything."""
    views: dict[Text, Scopes] = Field(default={})
    """For anything at the path of a view, or of a server alone, by its name."""
    servers: dict[Text, Scopes] = Field(default={})
    """For tools, prompts and resources of a server, by its name, at whichever path. Lists need
    none, so that clients see what they can ask for."""
    tools: dict[Text, Scopes] = Field(default={})
    """For calls of tools: `github/create_issue`, by the server's own names; `*` is any text."""


class McpAuthBlock(Block):
    """The MCP gateway as an OAuth 2.0 protected resource (RFC 9728): clients without a token are
    told where to get one, and tokens must be for this gateway: their audience is one of those of
    their issuer in `identity`, or the address that the client calls."""

    url: Origin
    """What clients call the gateway: `https://mcp.example.com`. With the path of a view, it is the
    resource that tokens are for (RFC 8707). It is not taken from requests, since those say what
    they like."""
    authorization_servers: tuple[Text, ...] | None = None
    """Who gives tokens, by their issuer identifiers. Default: the issuers of `identity.jwt`."""
    required: Flag = True
    """Whether MCP requests without a credential are refused, whatever `identity.required` says:
    that refusal tells clients where to get a token."""
    scopes: McpScopesBlock = McpScopesBlock()
    """Which scopes a token needs."""
    scopes_supported: tuple[Scope, ...] = ()
    """What clients are told to ask for at first. Default: what is needed for anything at their
    path; they are told of more when they need it."""
    metadata: Metadata = Field(default={})
    """What else the metadata says: `resource_name`, `resource_documentation`, and so on."""
    proxy: McpProxyBlock | None = None
    """An authorization server that clients find at the gateway, too. Default: none."""


def issuers(block: McpAuthBlock, identity: IdentityBlock) -> tuple[str, ...]:
    """Who gives tokens."""
    if block.authorization_servers is not None:
        return block.authorization_servers
    return tuple(each.issuer for each in identity.jwt)


def meaning(block: McpAuthBlock, identity: IdentityBlock) -> McpAuth:
    """What is meant."""
    scopes, proxy, servers = block.scopes, block.proxy, issuers(block, identity)
    url = block.url.rstrip("/")
    return McpAuth(
        url,
        (url,) if proxy is not None and proxy.is_advertised else servers,
        block.required,
        McpScopes(
            scopes.every,
            tuple(scopes.views.items()),
            tuple(scopes.servers.items()),
            tuple((*_parts(name), each) for name, each in scopes.tools.items()),
        ),
        block.scopes_supported,
        json.dumps(block.metadata, sort_keys=True, ensure_ascii=False) if block.metadata else "{}",
        None if proxy is None else proxied(proxy, servers),
    )


def services(block: McpAuthBlock, identity: IdentityBlock) -> Iterator[Service]:
    """Whom Envoy connects to."""
    if block.proxy is not None:
        yield proxied_service(block.proxy, issuers(block, identity))


def findings(
    block: McpAuthBlock, identity: IdentityBlock, servers: frozenset[str], views: frozenset[str]
) -> Iterator[Finding]:
    """What the block cannot know alone."""
    at: Path = ("mcp", "auth")
    if not identity.jwt and identity.introspection is None:
        yield Finding(at, "no token opens anything", "identity needs jwt, or introspection")
    elif not issuers(block, identity):
        yield Finding(at, "nobody gives tokens", "authorization_servers says who does")
    if block.proxy is not None:
        yield from proxy_findings(block.proxy, issuers(block, identity))
    for index, each in enumerate(block.authorization_servers or ()):
        if not each.startswith(("https://", "http://")):
            path: Path = (*at, "authorization_servers", index)
            yield Finding(path, "must be an issuer identifier, which is a url")
    for name in block.scopes.views:
        if name not in servers | views:
            hint = did_you_mean(name, servers | views)
            yield Finding((*at, "scopes", "views", name), f"no view and no server '{name}'", hint)
    for name in block.scopes.servers:
        if name not in servers:
            hint = did_you_mean(name, servers)
            yield Finding((*at, "scopes", "servers", name), f"no server '{name}'", hint)
    for name in block.scopes.tools:
        server, tool = _parts(name)
        path = (*at, "scopes", "tools", name)
        if not tool:
            yield Finding(path, "must name a server and a tool", "such as github/create_issue")
        elif server not in servers:
            yield Finding(path, f"no server '{server}'", did_you_mean(server, servers))


def _parts(name: str) -> tuple[str, str]:
    server, _, tool = name.partition("/")
    return server, tool
