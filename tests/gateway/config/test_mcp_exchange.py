"""What is written of tokens of callers' own for MCP servers."""

from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.identity import ClientAuth
from gateway.mcp import TokenEndpoint, TokenExchange
from tests.gateway.config.loading import complaints
from tests.kit.gateways import gateway_of

TYPE = "urn:ietf:params:oauth:token-type:"
BOTH = """
mcp:
  servers:
    a:
      url: http://a.example/mcp
      exchange:
        url: https://idp.example/token
        client: {id: us, secret: hidden-one, method: post}
        scopes: [x, y]
        resource: https://a.example/mcp
        subject: id_token
        audience: https://as.example
        assertion: {url: "https://as.example/t", client: {id: them, secret: hidden-two}}
"""


@pytest.mark.parametrize(
    ("server", "complaint"),
    [
        ("exchange: {}", "mcp.servers.a.exchange.url:"),
        ("exchange: {url: 'http://idp/t'}", "mcp.servers.a.exchange: would be sent tokens without"),
        ("key: k, exchange: {url: 'https://i'}", "mcp.servers.a: has an exchange, and another"),
        ("auth: {type: none}, exchange: {url: 'https://i'}", "mcp.servers.a: has an exchange, and"),
        ("transport: sse, exchange: {url: 'https://i'}", "mcp.servers.a: has an exchange, and the"),
        ("cache_lists: 1m, exchange: {url: 'https://i'}", "mcp.servers.a: has an exchange, and li"),
        (
            "exchange: {url: 'https://i', assertion: {url: 'https://j'}}",
            "mcp.servers.a.exchange: has an assertion, and no audience",
        ),
        (
            "exchange: {url: 'https://i', audience: x, assertion: {url: 'http://j'}}",
            "mcp.servers.a.exchange.assertion: would be sent tokens without tls",
        ),
    ],
)
def test_what_cannot_be_is_told(server: str, complaint: str) -> None:
    (found,) = complaints(f"mcp: {{servers: {{a: {{url: 'http://a', {server}}}}}}}")
    assert found.startswith(complaint)


def test_a_program_is_shown_nothing() -> None:
    (found,) = complaints("mcp: {servers: {a: {command: [a], exchange: {url: 'https://i'}}}}")
    assert found.startswith("mcp.servers.a: has a command, and 'exchange' is for the other")


def test_what_was_written_is_meant() -> None:
    gateway = gateway_of(BOTH)
    post, basic = ClientAuth.POST, ClientAuth.BASIC
    assert gateway.mcp.servers[0].exchange == TokenExchange(
        TokenEndpoint("/token", "us", "hidden-one", post, ("x", "y"), "https://a.example/mcp"),
        f"{TYPE}id_token",
        "https://as.example",
        TokenEndpoint("/t", "them", "hidden-two", basic),
    )
    services = {each.name: each.upstream.authority for each in gateway.services}
    assert services == {
        "mcp/a": "a.example",
        "mcp-token/a": "idp.example",
        "mcp-assertion/a": "as.example",
    }
    assert gateway.mcp.longest_seconds == 28


def test_workers_are_told_the_secrets_and_nobody_else() -> None:
    config = load(BOTH, file="test.yaml", environment={})
    assert isinstance(config, Config)
    assert "hidden" not in published(config)
    told = gateway_of(for_workers(config))
    assert told.mcp.servers[0].exchange == gateway_of(BOTH).mcp.servers[0].exchange
    assert "hidden" not in repr(told)
    assert "idp.example" not in for_workers(config)


def test_a_slash_at_the_end_of_an_endpoint_is_part_of_it() -> None:
    text = BOTH.replace("idp.example/token", "idp.example/o/token/")
    config = load(text, file="a.yaml", environment={})
    assert isinstance(config, Config), config
    assert "https://nowhere/o/token/" in for_workers(config)
    exchange = gateway_of(text).mcp.servers[0].exchange
    assert exchange is not None
    assert exchange.endpoint.path == "/o/token/"
