"""An authorization server that MCP clients find at the gateway, and what is put right on the way:
not every vendor's server does what MCP clients expect of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import model_validator

from gateway import names
from gateway.config.block import Block, refusal
from gateway.config.finding import Finding, Path
from gateway.config.referenced import TextFile
from gateway.config.scalars import Flag, Secret, Text
from gateway.config.urls import Url, is_exposed, place
from gateway.mcp import AuthorizationProxy
from gateway.mcp_auth import SERVER_METADATA
from gateway.model import Service

AT: Path = ("mcp", "auth", "proxy")
_CONNECT_SECONDS = 5.0
_OAUTH, _OPENID = SERVER_METADATA


class AuthVendor(StrEnum):
    """Whose server it is."""

    KEYCLOAK = "keycloak"
    AUTH0 = "auth0"
    OKTA = "okta"
    ENTRA = "entra"
    DESCOPE = "descope"
    AUTHENTIK = "authentik"


@dataclass(frozen=True, slots=True)
class _Ways:
    """What a vendor's server does otherwise."""

    metadata: str = _OPENID
    """Behind the issuer identifier."""
    needs_client: bool = False
    """Nobody can register."""
    needs_audience: bool = False
    strips_resource: bool = False
    relays_registration: bool = False
    adds_pkce: bool = False
    is_advertised: bool = True


_WAYS: Mapping[AuthVendor, _Ways] = {
    AuthVendor.KEYCLOAK: _Ways(relays_registration=True, is_advertised=False),
    AuthVendor.AUTH0: _Ways(needs_audience=True, relays_registration=True),
    AuthVendor.OKTA: _Ways(_OAUTH, needs_client=True),
    AuthVendor.ENTRA: _Ways(needs_client=True, strips_resource=True, adds_pkce=True),
    AuthVendor.DESCOPE: _Ways(relays_registration=True, is_advertised=False),
    AuthVendor.AUTHENTIK: _Ways(needs_client=True),
}


class McpClientBlock(Block):
    """The client that all MCP clients are, at a server with which they cannot register."""

    id: Text
    """Its id. The redirect URIs of MCP clients have to be registered with the server."""
    secret: Secret | None = None
    """Its secret, best as `${VARIABLE}`: the gateway adds it where a person's code, with PKCE, or a
    refresh token is exchanged. MCP clients are never told. Default: it has none."""


class McpProxyBlock(Block):
    """An authorization server that clients find at the gateway, too: its metadata is at
    `/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`. Clients of
    revision 2025-03-26 look nowhere else; and what vendors' servers do otherwise than clients
    expect is put right there."""

    issuer: Url | None = None
    """Its issuer identifier. Default: the only one of `authorization_servers`."""
    vendor: AuthVendor | None = None
    """Whose server it is, which says what is put right: `keycloak` and `descope`: pages can
    register. `auth0`: likewise, and authorization is asked for with `audience`. `okta`,
    `authentik`: clients are told a `client` when they register. `entra`: likewise, `resource` is
    taken away, and PKCE is told of. Default: nothing, and Envoy passes the metadata on as it is."""
    metadata: Url | None = None
    """Where its metadata is. Default: where the vendor has it; without one, where RFC 8414 says."""
    client: McpClientBlock | None = None
    """What clients are told when they register, instead of registering them."""
    audience: Text | None = None
    """What authorization is asked for with: the identifier of the API at Auth0."""
    advertised: Flag | None = None
    """Whether the metadata of the resource names the gateway as the authorization server, so that
    clients find what is put right. Such clients refuse answers that carry an `iss` of the server's
    own (RFC 9207), which Keycloak sends unless its client is told not to. Default: true for
    `auth0`, `okta`, `entra` and `authentik`."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the server's certificate is checked against. Default: the
    system's."""

    @model_validator(mode="after")
    def _fits_its_vendor(self) -> McpProxyBlock:
        ways = self.ways
        if ways.needs_client and self.client is None:
            raise refusal(f"needs a client: nobody can register at {self.vendor}", is_shown=False)
        if ways.needs_audience and self.audience is None:
            raise refusal(f"needs an audience, as {self.vendor} does", is_shown=False)
        if self.ca is not None and not (self.metadata or self.issuer or "https:").startswith(
            "https:"
        ):
            raise refusal("has a ca, and no https url", is_shown=False)
        return self

    @property
    def ways(self) -> _Ways:
        """What its vendor does otherwise."""
        return _Ways(is_advertised=False) if self.vendor is None else _WAYS[self.vendor]

    @property
    def is_advertised(self) -> bool:
        """Whether clients are told that it is here."""
        return self.ways.is_advertised if self.advertised is None else self.advertised


def proxied(block: McpProxyBlock, issuers: tuple[str, ...]) -> AuthorizationProxy:
    """What is meant."""
    there = place(_metadata(block, issuers))
    ways = block.ways
    client, secret = ("", "") if block.client is None else (block.client.id, _secret(block.client))
    return AuthorizationProxy(
        there.authority,
        there.path,
        is_changed=bool(block.vendor or block.client or block.audience or block.is_advertised),
        client_id=client,
        client_secret=secret,
        audience=block.audience or "",
        strips_resource=ways.strips_resource,
        relays_registration=ways.relays_registration,
        adds_pkce=ways.adds_pkce,
    )


def proxied_service(block: McpProxyBlock, issuers: tuple[str, ...]) -> Service:
    """Whom Envoy connects to."""
    upstream = place(_metadata(block, issuers)).upstream(_CONNECT_SECONDS)
    if block.ca is not None:
        upstream = replace(upstream, ca=block.ca.text)
    return Service(names.MCP_AUTHORIZATION, upstream)


def findings(block: McpProxyBlock, issuers: tuple[str, ...]) -> Iterator[Finding]:
    """What the block cannot know alone."""
    issuer = block.issuer or (issuers[0] if len(issuers) == 1 else "")
    if not issuer:
        yield Finding(AT, "does not say which authorization server", "write its issuer")
    elif block.issuer and block.issuer not in issuers:
        yield Finding((*AT, "issuer"), "is none of the authorization servers")
    elif not issuer.startswith(("https://", "http://")) or urlsplit(issuer).query:
        yield Finding(AT, f"the issuer '{issuer}' is no url", "write its metadata")
    if block.client is not None and block.client.secret and is_exposed(block.metadata or issuer):
        yield Finding((*AT, "client", "secret"), "would be sent without tls", "https")


def _metadata(block: McpProxyBlock, issuers: tuple[str, ...]) -> str:
    if block.metadata is not None:
        return block.metadata
    issuer = (block.issuer or issuers[0]).rstrip("/")
    if block.vendor is not None:
        return f"{issuer}{block.ways.metadata}"
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}{_OAUTH}{parts.path}"


def _secret(client: McpClientBlock) -> str:
    return client.secret.get_secret_value() if client.secret is not None else ""
