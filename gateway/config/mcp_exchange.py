"""What an MCP server is shown of who calls: a token of the caller's own, which an authorization
server gives for the one that the caller has brought.

Token exchange: RFC 8693. Identity assertions: draft-ietf-oauth-identity-assertion-authz-grant, and
RFC 7523 §2.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Literal
from urllib.parse import urlsplit

from pydantic import model_validator

from gateway import names
from gateway.config.block import Block, refusal
from gateway.config.mcp_auth import Scope
from gateway.config.referenced import TextFile
from gateway.config.scalars import Secret, Text
from gateway.config.urls import Url, is_exposed, place
from gateway.identity import ClientAuth
from gateway.mcp import TokenEndpoint, TokenExchange
from gateway.model import Service

_CONNECT_SECONDS = 5.0
_TYPE = "urn:ietf:params:oauth:token-type:"


class Subject(StrEnum):
    """What the caller's token is."""

    ACCESS_TOKEN = "access_token"
    ID_TOKEN = "id_token"
    JWT = "jwt"


class TokenClientBlock(Block):
    """Who asks: the gateway, as the authorization server knows it (RFC 6749 §2.3)."""

    id: Text
    """The client's id."""
    secret: Secret | None = None
    """Its secret, best as `${VARIABLE}`. Default: it has none."""
    method: Literal["basic", "post"] = "basic"
    """How it is shown: in the header `Authorization`, or in the body."""


class TokenEndpointBlock(Block):
    """A token endpoint, and who asks there."""

    url: Url
    """The token endpoint. It is asked through Envoy."""
    client: TokenClientBlock | None = None
    """Who asks. Default: nobody in particular."""
    scopes: tuple[Scope, ...] = ()
    """What is asked for. Default: as the server likes."""
    resource: Text | None = None
    """The URI of what the token is for (RFC 8707). Default: nothing is said."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the server's certificate is checked against. Default: the
    system's."""

    @model_validator(mode="after")
    def _is_shown_to_nobody_else(self) -> TokenEndpointBlock:
        if is_exposed(self.url):
            raise refusal("would be sent tokens without tls", "https", is_shown=False)
        if self.ca is not None and not self.url.startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        return self


class McpExchangeBlock(TokenEndpointBlock):
    """A token of the caller's own for the server, given for the one that the caller has brought
    (RFC 8693). Workers keep it until shortly before it expires. Who has brought a key, a password
    or a certificate has no token, and does not get to the server."""

    subject: Subject = Subject.ACCESS_TOKEN
    """What the caller's token is, for the authorization server."""
    audience: Text | None = None
    """For whom the token is, as the authorization server calls it. Default: nothing is said."""
    assertion: TokenEndpointBlock | None = None
    """Identity assertion grant: what is given is an assertion (ID-JAG), with which the token is
    asked for here, at the server's own authorization server (RFC 7523); `audience` is then its
    issuer identifier. Default: what is given is the token."""

    @model_validator(mode="after")
    def _asserts_to_somebody(self) -> McpExchangeBlock:
        if self.assertion is not None and self.audience is None:
            raise refusal("has an assertion, and no audience to which it is made", is_shown=False)
        return self


def exchange(block: McpExchangeBlock) -> TokenExchange:
    """What is meant."""
    return TokenExchange(
        _endpoint(block),
        f"{_TYPE}{block.subject}",
        block.audience or "",
        None if block.assertion is None else _endpoint(block.assertion),
    )


def exchange_services(server: str, block: McpExchangeBlock) -> Iterator[Service]:
    """Whom Envoy connects to."""
    yield _service(names.mcp_token_service(server), block)
    if block.assertion is not None:
        yield _service(names.mcp_assertion_service(server), block.assertion)


def _endpoint(block: TokenEndpointBlock) -> TokenEndpoint:
    client = block.client
    secret = client.secret.get_secret_value() if client and client.secret else ""
    auth = ClientAuth.NONE if client is None else ClientAuth(client.method)
    return TokenEndpoint(
        urlsplit(block.url).path or "/",  # a slash at its end is part of it
        client.id if client else "",
        secret,
        auth,
        block.scopes,
        block.resource or "",
    )


def _service(name: str, block: TokenEndpointBlock) -> Service:
    upstream = place(block.url).upstream(_CONNECT_SECONDS)
    if block.ca is not None:
        upstream = replace(upstream, ca=block.ca.text)
    return Service(name, upstream)
