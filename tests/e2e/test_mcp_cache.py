"""`examples/mcp-cache.yaml` through a real Envoy: results that are kept, in both eras."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.mcp_gateways import example_before
from tests.kit.mcp_peers import McpServer, ModernRawClient, RawClient, mcp_servers
from tests.kit.stack import Stack

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def server() -> Iterator[McpServer]:
    with mcp_servers(github=[]) as started:
        yield started["github"]


@pytest.fixture(scope="module")
def gateway(server: McpServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("mcp-cache")
    with example_before({"github": server}, "mcp-cache.yaml", folder) as stack:
        yield stack


@pytest.fixture(params=["legacy", "modern"])
def client(request: pytest.FixtureRequest, gateway: Stack) -> RawClient:
    if request.param == "modern":
        return ModernRawClient(f"{gateway.url}/mcp/github")
    of = RawClient(f"{gateway.url}/mcp/github")
    of.initialize()
    return of


def test_the_server_is_asked_once(client: RawClient, server: McpServer) -> None:
    server.forget()
    first = client.call("add", {"a": 2, "b": 3}).result
    again = client.call("add", {"b": 3, "a": 2}).result
    assert again.pop("_meta")["dragoman/cached"]["age"] >= 0
    first.pop("_meta", None)
    assert again == first
    assert again["structuredContent"] == {"total": 5, "by": "github"}
    assert len(server.asked("tools/call")) == 1


def test_everybody_gets_what_is_for_everybody(gateway: Stack, client: RawClient) -> None:
    text = {"text": type(client).__name__}
    client.call("echo", text)
    other = type(client)(client.url)
    if not isinstance(other, ModernRawClient):
        other.initialize()
    assert "dragoman/cached" in other.call("echo", text).result["_meta"]


def test_what_may_do_something_is_done_each_time(client: RawClient, server: McpServer) -> None:
    server.forget()
    for _ in range(2):
        assert client.call("log", {"text": "x"}).result["content"][0]["text"] == "logged"
    assert len(server.asked("tools/call")) == 2
