"""What the block of the MCP gateway means, and who is told what of it."""

from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.credentials import StaticKey
from gateway.mcp import McpView, StdioCommand, Transport
from tests.gateway.config.loading import complaints
from tests.kit.gateways import gateway_of

SECRET = "0123456789abcdef0123456789abcdef"
YAML = f"""
mcp:
  servers:
    github:
      {{url: "https://mcp.example/api/mcp/", key: the-key, headers: {{x-a: b}}, required: false}}
    old: {{url: "http://old.example/sse", transport: sse, timeout: 2s}}
    time: {{command: [uvx, mcp-server-time], environment: {{TOKEN: hidden-value}}, shared: true}}
  views: {{some: {{servers: [time, github]}}}}
  sessions: {{secrets: ["{SECRET}"]}}
"""


def test_each_server_is_behind_a_cluster_or_the_hub() -> None:
    gateway = gateway_of(YAML)
    github, old, time = gateway.mcp.servers
    assert (github.transport, github.path) == (Transport.STREAMABLE_HTTP, "/api/mcp")
    assert (github.is_required, github.headers, github.is_hubs) == (False, (("x-a", "b"),), False)
    assert (old.transport, old.path, old.timeout_seconds) == (Transport.SSE, "/sse", 2.0)
    command = ("uvx", "mcp-server-time")
    assert time.stdio == StdioCommand(command, (("TOKEN", "hidden-value"),), is_shared=True)
    assert time.is_hubs
    assert time.path == "/servers/time"
    services = {each.name: each for each in gateway.services}
    assert list(services) == ["mcp/github", "mcp/old"]
    assert services["mcp/github"].credential == StaticKey("authorization", "Bearer ", "the-key")


def test_all_servers_are_one_and_each_is_alone_and_some_are_a_view() -> None:
    mcp = gateway_of(YAML).mcp
    assert mcp.views == (
        McpView("", ("github", "old", "time"), True),
        McpView("github", ("github",), False),
        McpView("old", ("old",), False),
        McpView("time", ("time",), False),
        McpView("some", ("time", "github"), True),
    )
    assert mcp.has_hub
    assert mcp.view("nobody") is None


def test_one_server_alone_is_passed_through_at_both_paths() -> None:
    mcp = gateway_of("mcp: {servers: {a: {url: 'http://a/mcp'}}}").mcp
    assert mcp.views == (McpView("", ("a",), False), McpView("a", ("a",), False))
    assert not mcp.has_hub


def test_workers_are_told_what_they_and_the_hub_do_and_no_key_of_a_server() -> None:
    config = load(YAML, file="a.yaml", environment={})
    assert isinstance(config, Config)
    told = for_workers(config)
    assert "the-key" not in told
    assert "mcp.example" not in told
    mcp = gateway_of(told).mcp
    assert mcp == gateway_of(YAML).mcp
    shown = published(config)
    assert not any(each in shown for each in ("the-key", "hidden-value", SECRET))


@pytest.mark.parametrize(
    ("views", "complaint"),
    [
        ("{a: {servers: [a]}}", "mcp.views.a: this is the name of a server"),
        ("{v: {servers: [b]}}", "mcp.views.v.servers.0: no server 'b'"),
        ("{v: {servers: [a, a]}}", "mcp.views.v.servers.1: 'a' is there already"),
    ],
)
def test_a_view_is_of_servers_that_are_there(views: str, complaint: str) -> None:
    (found,) = complaints(f"mcp: {{servers: {{a: {{url: 'http://a'}}}}, views: {views}}}")
    assert found.startswith(complaint)


def test_a_rule_is_for_a_server_that_is_there() -> None:
    (found,) = complaints(
        "{mcp: {servers: {abc: {url: 'http://a'}}}, "
        "authorize: [{name: r, for: {mcp: abd}, allow: 'true'}]}"
    )
    assert found.startswith("authorize.0.for.mcp: no MCP server 'abd'")


SSE = "mcp: {sse_path: /sse, servers: {a: {url: 'http://a/mcp'}}}\n"


def test_clients_of_http_with_sse_need_the_hub() -> None:
    gateway = gateway_of(SSE)
    assert (gateway.mcp.sse_path, gateway.mcp.has_hub) == ("/sse", True)
    assert not gateway_of("mcp: {servers: {a: {url: 'http://a/mcp'}}}").mcp.has_hub


@pytest.mark.parametrize("path", ["/", "/mcp", "/mcp/sse"])
def test_they_have_a_path_of_their_own(path: str) -> None:
    text = f"mcp: {{sse_path: {path}, servers: {{a: {{url: 'http://a/mcp'}}}}}}"
    assert complaints(text)[0].startswith("mcp.sse_path: ")


def test_rules_and_limits_by_address_and_they_exclude_each_other() -> None:
    rule = "authorize: [{name: near, require: 'source.address.startsWith(\"10.\")'}]\n"
    (found,) = complaints(SSE + rule)
    assert found.startswith("authorize.0.require: the address of clients at mcp.sse_path is not")
    limit = "limits: [{name: each, by: source.address, requests: 1/min}]\n"
    (found,) = complaints(SSE + limit)
    assert found.startswith("limits.0.by: the address of clients at mcp.sse_path is not known")
