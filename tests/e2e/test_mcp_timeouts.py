"""Tools that have to answer in time, through a real Envoy: what clients hear when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from mcp import Client, MCPError

from tests.kit.any_envoy import running_beside
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.mcp_clients import Ann, talk
from tests.kit.mcp_peers import McpServer, ModernRawClient, RawClient, mcp_servers
from tests.kit.stack import Stack, eventually, running

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

SERVERS: dict[str, list[str]] = {"alpha": [], "beta": ["--json"], "guarded": []}
YAML = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
identity: {{required: false}}
mcp:
  servers:
    alpha: {{url: "{alpha}", tools: {tools}}}
    beta: {{url: "{beta}", tools: {tools}}}
    guarded: {{url: "{guarded}", tools: {tools}}}
guardrails:
  - {{name: g, type: regex, patterns: [begins], action: mask, phase: both, for: {{mcp: guarded}}}}
"""
TOOLS = "{slow: {timeout: 1s}, stuck: {timeout: 1s}, progress: {timeout: 20s}}"
LATE = "the MCP server did not answer in time"
PLACES = {
    "alone": ("mcp/alpha", ""),
    "plain": ("mcp/beta", ""),
    "guarded": ("mcp/guarded", ""),
    "several": ("mcp", "alpha__"),
    "several, guarded": ("mcp", "guarded__"),
}
SERVED = {NEWEST: partial(running, workers=1), OLDEST: partial(running_beside, version=OLDEST)}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with mcp_servers(**SERVERS) as started:
        yield started


@pytest.fixture(scope="module", params=SERVED)
def gateway(
    request: pytest.FixtureRequest,
    servers: dict[str, McpServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("timeouts")
    config = folder / "gateway.yaml"
    urls = {name: each.url for name, each in servers.items()}
    config.write_text(YAML.format(tools=TOOLS, **urls))
    with SERVED[request.param](config, folder / "state") as stack:
        yield stack


@pytest.fixture(params=PLACES)
def client(gateway: Stack, request: pytest.FixtureRequest) -> tuple[RawClient, str]:
    """A client, and what its tools begin with."""
    path, prefix = PLACES[request.param]
    of = RawClient(f"{gateway.url}/{path}")
    of.initialize()
    return of, prefix


def test_what_comes_in_time_comes_as_it_is(client: tuple[RawClient, str]) -> None:
    of, prefix = client
    assert of.call(f"{prefix}add", {"a": 1, "b": 2}).result["structuredContent"]["total"] == 3
    waited = of.call(f"{prefix}slow", {"seconds": 0.2}).result
    assert waited["content"][0]["text"].endswith(" waited")
    asked = {"name": f"{prefix}progress", "arguments": {"steps": 3}, "_meta": {"progressToken": 5}}
    said = of.ask("tools/call", asked)
    steps = [each for each in said.messages if each.get("method") == "notifications/progress"]
    if steps:  # not where answers are no streams
        assert [each["params"]["progressToken"] for each in steps] == [5, 5, 5]
    assert said.result["content"][0]["text"].endswith(" took 3 steps")


def test_what_says_nothing_in_time_is_answered_with_504_and_called_off(
    client: tuple[RawClient, str], servers: dict[str, McpServer]
) -> None:
    of, prefix = client
    for each in servers.values():
        each.forget()
    late = of.call(f"{prefix}slow", {"seconds": 60})
    assert late.status == 504
    assert late.error["message"] == LATE
    assert late.error["data"] == {"code": "server_timeout"}

    def is_told() -> bool:
        told = [one for each in servers.values() for one in each.asked("notifications/cancelled")]
        return bool(told) and "it took longer than it may" in str(told)

    eventually(is_told, "the server is told")
    assert of.call(f"{prefix}add", {"a": 1, "b": 2}).result["structuredContent"]["total"] == 3


def test_a_stream_whose_time_is_over_ends_with_an_error(client: tuple[RawClient, str]) -> None:
    of, prefix = client
    late = of.call(f"{prefix}stuck")
    if late.headers["content-type"] == "application/json":  # nothing could be said before
        assert late.status == 504
        return
    assert late.status == 200
    first, last = late.messages
    is_masked = "guarded" in (of.url + prefix)
    assert first["params"]["data"].endswith("[redacted]" if is_masked else " begins")
    assert last["id"] == of._last_id
    assert last["error"] == {
        "code": -32603,
        "message": LATE,
        "data": {"code": "server_timeout"},
    }


@pytest.mark.parametrize("path", ["mcp/alpha", "mcp"])
def test_clients_of_the_newest_revision_are_told_the_same(gateway: Stack, path: str) -> None:
    prefix = "" if path == "mcp/alpha" else "alpha__"
    of = ModernRawClient(f"{gateway.url}/{path}")
    late = of.call(f"{prefix}slow", {"seconds": 60})
    assert (late.status, late.error["message"]) == (504, LATE)
    said = of.call(f"{prefix}slow", {"seconds": 0.1}).result
    assert said["content"][0]["text"] == "alpha waited"


@pytest.mark.parametrize("path", ["mcp/alpha", "mcp"])
def test_the_sdk_waits_no_longer(gateway: Stack, path: str) -> None:
    tool = "stuck" if path == "mcp/alpha" else "alpha__stuck"

    async def conversation(client: Client) -> str:
        with pytest.raises(MCPError) as raised:
            await asyncio.wait_for(client.call_tool(tool, {}), 10)
        assert not (await client.call_tool(tool.replace("stuck", "slow"), {"seconds": 0})).is_error
        return str(raised.value)

    async def whole() -> str:
        async with Ann().client(f"{gateway.url}/{path}", "legacy") as client:
            return await conversation(client)

    assert LATE in talk(whole)
