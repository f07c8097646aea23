"""The block by which the MCP gateway is an OAuth 2.0 protected resource."""

from __future__ import annotations

import pytest

from gateway.mcp import McpAuth
from tests.gateway.config.loading import complaints
from tests.kit.gateways import gateway_of, golden_gateway

KEYS = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a", "kid": "1"}]}'
ISSUER = f"jwt: [{{issuer: 'https://idp', audiences: [a], jwks: {{inline: '{KEYS}'}}}}]"
SERVERS = "servers: {github: {url: 'http://a'}}, views: {work: {servers: [github]}}"


def written(auth: str, identity: str = ISSUER) -> str:
    return f"identity: {{{identity}}}\nmcp: {{{SERVERS}, auth: {{{auth}}}}}"


@pytest.mark.parametrize(
    ("auth", "complaint"),
    [
        ("{}", "mcp.auth.url:"),
        ("url: 'https://gw/mcp'", "mcp.auth.url: must have no path"),
        ("url: 'https://gw', scopes: {every: ['a b']}", "mcp.auth.scopes.every.0: must be a scope"),
        ("url: 'https://gw', scopes: {views: {wrok: [a]}}", "mcp.auth.scopes.views.wrok: no view"),
        ("url: 'https://gw', scopes: {servers: {work: [a]}}", "mcp.auth.scopes.servers.work: no s"),
        ("url: 'https://gw', scopes: {tools: {github: [a]}}", "mcp.auth.scopes.tools.github: must"),
        ("url: 'https://gw', scopes: {tools: {x/y: [a]}}", "mcp.auth.scopes.tools.x/y: no server"),
        ("url: 'https://gw', metadata: {resource: x}", "mcp.auth.metadata: has 'resource', which"),
        ("url: 'https://gw', authorization_servers: [idp]", "mcp.auth.authorization_servers.0: mu"),
        ("url: 'https://gw', authorization_servers: []", "mcp.auth: nobody gives tokens"),
    ],
)
def test_what_cannot_be_is_told(auth: str, complaint: str) -> None:
    (found,) = complaints(written(auth.strip("{}") if auth == "{}" else auth))
    assert found.startswith(complaint)


def test_without_an_issuer_no_token_opens_anything() -> None:
    (found,) = complaints(written("url: 'https://gw'", "api_keys: {keys: [{name: a, key: k}]}"))
    assert found.startswith("mcp.auth: no token opens anything")


def test_long_metadata_is_refused() -> None:
    (found,) = complaints(written(f"url: 'https://gw', metadata: {{a: '{'x' * 3000}'}}"))
    assert "must be at most 2048 bytes of json" in found


def test_the_issuers_give_tokens_unless_others_are_named() -> None:
    auth = gateway_of(written("url: 'https://gw/'")).mcp.auth
    assert auth == McpAuth("https://gw", ("https://idp",))
    other = gateway_of(written("url: 'https://gw', authorization_servers: ['https://other']"))
    assert other.mcp.auth is not None
    assert other.mcp.auth.servers == ("https://other",)


def test_scopes_are_of_tools_by_their_servers_own_names() -> None:
    auth = golden_gateway("mcp-auth").mcp.auth
    assert auth is not None
    assert auth.scopes.tools == (("github", "delete_*", ("github:write",)),)
