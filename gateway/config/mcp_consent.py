"""MCP servers that want each user's own consent: the gateway is an OAuth 2.0 client of their
authorization servers, for each of its callers.

RFC 6749 §4.1 with RFC 7636 (PKCE), RFC 8707 (resource), RFC 9207 (`iss`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field, model_validator

from gateway import names
from gateway.config.block import Block, refusal
from gateway.config.finding import Finding, Path
from gateway.config.identity import IdentityBlock
from gateway.config.mcp_auth import McpAuthBlock, Scope
from gateway.config.mcp_exchange import TokenClientBlock
from gateway.config.referenced import TextFile
from gateway.config.scalars import Flag, Text
from gateway.config.urls import Origin, Url, is_exposed, place
from gateway.identity import ClientAuth
from gateway.mcp import Consent
from gateway.model import Service
from gateway.problem import did_you_mean

_CONNECT_SECONDS = 5.0
_OWN_PARAMETERS = frozenset(
    (
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "resource",
        "response_type",
        "scope",
        "state",
    )
)
"""What the gateway says itself (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2.1)."""


class McpConsentBlock(Block):
    """A token of each caller's own for the server, for which the caller agrees once, in a browser,
    at the server's authorization server. Whoever is known can: by a token, a key, a password or a
    certificate. Tokens are kept encrypted, and renewed."""

    issuer: Url | None = None
    """The issuer identifier of the authorization server, whose metadata says where it is asked
    (RFC 8414, OpenID Connect Discovery); its endpoints have to be on the same host. Default: the
    origin of the server's url."""
    authorize_url: Url | None = None
    """Its authorization endpoint, where people are sent. With it and `token_url`, no metadata is
    asked for."""
    token_url: Url | None = None
    """Its token endpoint, which is asked through Envoy."""
    revoke_url: Url | None = None
    """Its revocation endpoint (RFC 7009), on the host of the token endpoint. Default: as metadata
    says; where it is written down, there is none."""
    client: TokenClientBlock | None = None
    """Who asks: the gateway, as the authorization server knows it. Its redirect URI there is
    `URL/mcp/.oauth/callback/NAME`, with the `url` of `mcp.consents` and the server's name. Default:
    the gateway shows a client ID metadata document, where the server takes those, and else
    registers itself (RFC 7591)."""
    scopes: tuple[Scope, ...] = ()
    """What is asked for. Default: as the server likes."""
    resource: Text | None = None
    """The URI of what tokens are for (RFC 8707). Default: the server's url."""
    send_resource: Flag = True
    """Whether `resource` is said. `false` for authorization servers that refuse it."""
    parameters: dict[Text, Text] = Field(default={})
    """More parameters of the authorization endpoint: `{access_type: offline, prompt: consent}` has
    Google give refresh tokens."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the authorization server's certificate is checked
    against. Default: the system's."""

    @model_validator(mode="after")
    def _is_whole(self) -> McpConsentBlock:
        if (self.authorize_url is None) != (self.token_url is None):
            raise refusal("needs both authorize_url and token_url, or neither", is_shown=False)
        if self.revoke_url is not None:
            if self.token_url is None:
                raise refusal("has a revoke_url, and no token_url", is_shown=False)
            if place(self.revoke_url).origin != place(self.token_url).origin:
                raise refusal("has a revoke_url on another host than token_url", is_shown=False)
        if self.token_url is not None and self.client is None:
            raise refusal("needs a client: no metadata says how to register", is_shown=False)
        for url in (self.issuer, self.authorize_url, self.token_url):
            if url is not None and is_exposed(url):
                raise refusal("would send codes and tokens without tls", "https", is_shown=False)
        if taken := _OWN_PARAMETERS & self.parameters.keys():
            raise refusal(f"has the parameter {min(taken)}, which the gateway sets itself")
        return self


class McpConsentsBlock(Block):
    """Where people agree that MCP servers are used for them."""

    url: Origin | None = None
    """What browsers call the gateway: `https://mcp.example.com`. Default: `mcp.auth.url`."""
    login: Text | None = None
    """The login of `identity.logins` by which it is made sure that who opens a link is whom it was
    made for. Default: the page names them, and whoever has the link can say yes."""


def meaning(block: McpConsentBlock, server_url: str) -> Consent:
    """What is meant. `server_url`: of the MCP server."""
    client = block.client
    there = place(_asked(block, server_url))
    resource = block.resource or server_url
    written = block.token_url is not None
    return Consent(
        block.issuer or ("" if written else place(server_url).origin),
        there.authority,
        block.authorize_url or "",
        place(block.token_url).path or "/" if block.token_url is not None else "",
        place(block.revoke_url).path or "/" if block.revoke_url is not None else "",
        client.id if client else "",
        client.secret.get_secret_value() if client and client.secret else "",
        ClientAuth(client.method) if client else ClientAuth.NONE,
        block.scopes,
        resource if block.send_resource else "",
        tuple(block.parameters.items()),
    )


def consent_service(server: str, block: McpConsentBlock, server_url: str) -> Service:
    """Whom Envoy connects to."""
    upstream = place(_asked(block, server_url)).upstream(_CONNECT_SECONDS)
    if block.ca is not None:
        upstream = replace(upstream, ca=block.ca.text)
    return Service(names.mcp_consent_service(server), upstream)


def consent_url(block: McpConsentsBlock, auth: McpAuthBlock | None) -> str:
    """What browsers call the gateway; empty: nobody says so."""
    said = block.url or ("" if auth is None else auth.url)
    return said.rstrip("/")


def findings(
    servers: dict[str, tuple[McpConsentBlock, str]],
    consents: McpConsentsBlock,
    auth: McpAuthBlock | None,
    identity: IdentityBlock,
) -> Iterator[Finding]:
    """What the blocks cannot know alone. `servers`: with their urls, those that want consent."""
    for name, (block, url) in servers.items():
        at: Path = ("mcp", "servers", name, "consent")
        if not _knows_anybody(identity):
            yield Finding(at, "nobody is known whose consent it could be", "write an identity")
        if not consent_url(consents, auth):
            yield Finding(at, "nobody says what browsers call the gateway", "mcp.consents.url")
        asked = _asked(block, url)
        if is_exposed(asked):
            yield Finding(at, "would send codes and tokens without tls", "write an https issuer")
        if block.ca is not None and not asked.startswith("https:"):
            yield Finding((*at, "ca"), "the authorization server has no https url")
    if consents.login is not None and consents.login not in identity.logins:
        hint = did_you_mean(consents.login, identity.logins)
        yield Finding(("mcp", "consents", "login"), f"no login '{consents.login}'", hint)
    chosen = identity.logins.get(consents.login or "")
    if chosen is not None and chosen.sessions == "server":
        hint = "the login of consents has sessions: browser"
        yield Finding(("mcp", "consents", "login"), "tells Envoy nothing of who is there", hint)
    said = consent_url(consents, auth)
    if servers and said and is_exposed(said):
        where: Path = ("mcp", "auth", "url") if consents.url is None else ("mcp", "consents", "url")
        yield Finding(where, "codes would come back without tls", "https")


def warnings(are_any: bool, consents: McpConsentsBlock) -> Iterator[Finding]:
    """Who could be led to agree for somebody else. `are_any`: servers want consent."""
    if are_any and consents.login is None:
        yield Finding(
            ("mcp", "consents"),
            "nobody makes sure that who opens a link is whom it was made for",
            "say a login",
        )


def _asked(block: McpConsentBlock, server_url: str) -> str:
    return block.token_url or block.issuer or server_url


def _knows_anybody(identity: IdentityBlock) -> bool:
    return bool(
        identity.jwt
        or identity.accepted_keys
        or identity.has_stored_keys
        or identity.basic
        or identity.introspection
        or identity.certificates
    )
