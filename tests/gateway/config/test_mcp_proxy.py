"""Authorization servers that MCP clients find at the gateway: what is put right for each vendor."""

from __future__ import annotations

import pytest

from gateway import names
from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.mcp import AuthorizationProxy
from gateway.model import Gateway
from tests.gateway.config.loading import complaints
from tests.kit.gateways import gateway_of

KEYS = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a", "kid": "1"}]}'


def written(proxy: str, issuer: str = "https://idp.example/a", more: str = "") -> str:
    return f"""
identity: {{jwt: [{{issuer: '{issuer}', audiences: [a], jwks: {{inline: '{KEYS}'}}}}]}}
mcp:
  servers: {{a: {{url: 'http://a'}}}}
  auth: {{url: 'https://gw', {more} proxy: {{{proxy}}}}}
"""


def proxy_of(gateway: Gateway) -> AuthorizationProxy:
    assert gateway.mcp.auth is not None
    assert gateway.mcp.auth.proxy is not None
    return gateway.mcp.auth.proxy


@pytest.mark.parametrize(
    ("proxy", "complaint"),
    [
        ("vendor: okta", "mcp.auth.proxy: needs a client: nobody can register at okta"),
        ("vendor: auth0", "mcp.auth.proxy: needs an audience, as auth0 does"),
        ("issuer: 'https://other'", "mcp.auth.proxy.issuer: is none of the authorization servers"),
        ("vendor: other", "mcp.auth.proxy.vendor:"),
        ("metadata: 'http://idp', ca: {file: x}", "mcp.auth.proxy"),
        (
            "metadata: 'http://idp.example/m', client: {id: a, secret: b}",
            "mcp.auth.proxy.client.secret: would be sent without tls",
        ),
    ],
)
def test_what_cannot_be_is_told(proxy: str, complaint: str) -> None:
    found = complaints(written(proxy))
    assert found[0].startswith(complaint)


def test_of_several_servers_one_is_named() -> None:
    several = "authorization_servers: ['https://a.example', 'https://b.example'],"
    (found,) = complaints(written("", more=several))
    assert found.startswith("mcp.auth.proxy: does not say which authorization server")
    one = gateway_of(written("issuer: 'https://b.example'", more=several))
    assert proxy_of(one).authority == "b.example"


@pytest.mark.parametrize(
    ("proxy", "issuer", "path"),
    [
        ("", "https://idp.example/a", "/.well-known/oauth-authorization-server/a"),
        ("", "https://idp.example", "/.well-known/oauth-authorization-server"),
        ("vendor: keycloak", "https://idp.example/a", "/a/.well-known/openid-configuration"),
        ("vendor: descope", "https://idp.example/P1", "/P1/.well-known/openid-configuration"),
        (
            "vendor: auth0, audience: x",
            "https://idp.example/",
            "/.well-known/openid-configuration",
        ),
        (
            "vendor: okta, client: {id: a}",
            "https://idp.example/oauth2/default",
            "/oauth2/default/.well-known/oauth-authorization-server",
        ),
        (
            "vendor: entra, client: {id: a}",
            "https://idp.example/t/v2.0",
            "/t/v2.0/.well-known/openid-configuration",
        ),
        (
            "vendor: authentik, client: {id: a}",
            "https://idp.example/application/o/x/",
            "/application/o/x/.well-known/openid-configuration",
        ),
        ("metadata: 'https://idp.example/m'", "https://idp.example/a", "/m"),
    ],
)
def test_metadata_is_where_the_vendor_has_it(proxy: str, issuer: str, path: str) -> None:
    gateway = gateway_of(written(proxy, issuer))
    assert proxy_of(gateway).metadata_path == path
    (service,) = (each for each in gateway.services if each.name == names.MCP_AUTHORIZATION)
    assert service.upstream.authority == "idp.example"


@pytest.mark.parametrize(
    ("proxy", "servers"),
    [
        ("", "https://idp.example/a"),
        ("vendor: keycloak", "https://idp.example/a"),
        ("vendor: keycloak, advertised: true", "https://gw"),
        ("vendor: okta, client: {id: a}", "https://gw"),
        ("vendor: okta, client: {id: a}, advertised: false", "https://idp.example/a"),
    ],
)
def test_clients_are_sent_where_it_is_put_right(proxy: str, servers: str) -> None:
    auth = gateway_of(written(proxy)).mcp.auth
    assert auth is not None
    assert auth.servers == (servers,)


def test_envoy_passes_on_what_needs_nothing() -> None:
    assert not proxy_of(gateway_of(written(""))).is_changed
    assert proxy_of(gateway_of(written("vendor: descope"))).is_changed


def test_the_secret_is_told_workers_alone() -> None:
    text = written("vendor: entra, client: {id: a, secret: hidden-secret}")
    config = load(text, file="test.yaml", environment={})
    assert isinstance(config, Config)
    assert "hidden-secret" not in published(config)
    told = gateway_of(for_workers(config))
    assert proxy_of(told) == proxy_of(gateway_of(text))
    assert "hidden-secret" not in repr(told)
