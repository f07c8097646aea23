"""Clients and servers of different eras, through a real Envoy: servers ask back all the same."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import httpx
import pytest
from mcp import Client

from tests.kit.mcp_clients import ROOT, Ann, talk, text
from tests.kit.mcp_peers import McpServer, ModernRawClient, mcp_servers
from tests.kit.stack import Stack, eventually, running

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

YAML = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
mcp:
  servers:
    old: {{url: "{old}"}}
    new: {{url: "{new}"}}
    program: {{command: ["{python}", "{program}"]}}
"""
PROGRAM = """
import json, sys

def say(**said):
    print(json.dumps({"jsonrpc": "2.0", **said}), flush=True)

def read():
    return json.loads(sys.stdin.readline() or sys.exit())

while asked := read():
    method, identity = asked.get("method"), asked.get("id")
    if method == "initialize":
        can = asked["params"]["capabilities"]
        said = {"capabilities": {"tools": {}}, "serverInfo": {"name": "program", "version": "1"}}
        say(id=identity, result={"protocolVersion": "2025-06-18", **said})
    elif method == "tools/list":
        say(id=identity, result={"tools": [{"name": "who", "inputSchema": {"type": "object"}}]})
    elif method == "tools/call":
        form = {"type": "object", "properties": {"name": {"type": "string"}}}
        say(id="q", method="elicitation/create", params={"message": "?", "requestedSchema": form})
        while (answer := read()).get("id") != "q":
            pass
        told = f"{answer['result']['content']['name']}, {' and '.join(sorted(can))}"
        say(id=identity, result={"content": [{"type": "text", "text": told}]})
    elif identity is not None:
        say(id=identity, error={"code": -32601, "message": "unknown"})
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with mcp_servers(old=["--era", "legacy", "--resumable"], new=["--era", "modern"]) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(
    servers: dict[str, McpServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("mcp-bridges")
    config = folder / "gateway.yaml"
    program = folder / "program.py"
    program.write_text(PROGRAM)
    urls = {name: each.url for name, each in servers.items()}
    config.write_text(YAML.format(python=sys.executable, program=program, **urls))
    with running(config, folder / "state", workers=1) as stack:
        yield stack


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("server", ["old", "new"])
def test_a_server_asks_a_client_of_either_era(gateway: Stack, server: str, mode: str) -> None:
    ann = Ann()

    async def conversation(client: Client) -> None:
        said = await client.call_tool(f"{server}__sample", {"prompt": "quiet"})
        assert text(said) == "the model said: QUIET"
        assert text(await client.call_tool(f"{server}__greet", {})) == "hello Ann"
        assert text(await client.call_tool(f"{server}__roots", {})) == ROOT
        added = await client.call_tool(f"{server}__add", {"a": 2, "b": 3})
        assert added.structured_content == {"total": 5, "by": server}
        read = await client.read_resource(f"{server}://about")
        assert read.contents
        prompt = await client.get_prompt(f"{server}__review", {"colour": "red"})
        assert prompt.messages

    async def talking() -> None:
        async with ann.client(f"{gateway.url}/mcp", mode) as client:
            await conversation(client)

    talk(talking)
    assert ann.asked == ["sampling", "elicitation", "roots"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("server", ["old", "new"])
def test_a_server_asks_about_what_no_list_has(
    gateway: Stack, servers: dict[str, McpServer], server: str, mode: str
) -> None:
    """All are asked in turn, and the one that knows the resource asks back."""
    ann = Ann()
    for each in servers.values():
        each.forget()

    async def talking() -> str:
        async with ann.client(f"{gateway.url}/mcp", mode) as client:
            read = await client.read_resource(f"hidden://{server}")
            return str(read.contents[0].text)  # type: ignore[union-attr]

    assert talk(talking) == f"{server} knows {{'name': 'Ann'}}"
    assert ann.asked == ["elicitation"]
    (other,) = servers.keys() - {server}
    for each in servers[other].asked("resources/read"):
        assert "requestState" not in str(each)


@pytest.mark.parametrize("is_askable", [True, False])
def test_newer_clients_that_call_their_requests_the_same_get_their_own_answers(
    gateway: Stack, is_askable: bool
) -> None:
    """They share a session with an older server: as one caller, and nobody, do."""

    def client() -> Client:
        url = f"{gateway.url}/mcp"
        return Ann().client(url) if is_askable else Client(url, cache=None)

    async def talking() -> None:
        async with client() as one, client() as other:
            waiting = asyncio.ensure_future(one.call_tool("old__slow", {"seconds": 0.5}))
            await asyncio.sleep(0.1)
            assert text(await other.call_tool("old__echo", {"text": "x"})) == "old: x"
            assert text(await waiting) == "old waited"

    talk(talking)


@pytest.mark.parametrize("is_askable", [True, False])
def test_an_older_server_is_told_when_a_newer_client_leaves(
    gateway: Stack, servers: dict[str, McpServer], is_askable: bool
) -> None:
    """By the hub, where the client can be asked; else straight through Envoy."""
    old = servers["old"]
    old.forget()
    client = ModernRawClient(
        f"{gateway.url}/mcp", capabilities={"sampling": {}} if is_askable else {}
    )
    client.patience = 0.5
    with pytest.raises(httpx.ReadTimeout):
        client.call("old__slow", {"seconds": 20})
    (asked,) = old.asked("tools/call")
    eventually(lambda: bool(old.asked("notifications/cancelled")), "the server to be told")
    (told,) = old.asked("notifications/cancelled")
    assert told["params"]["requestId"] == asked["id"]


def test_a_stream_that_its_server_ends_is_taken_up_for_a_newer_client(gateway: Stack) -> None:
    async def talking() -> None:
        async with Ann().client(f"{gateway.url}/mcp") as client:
            assert text(await client.call_tool("old__polled", {})) == "old was polled"

    talk(talking)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_program_of_the_older_era_asks_too(gateway: Stack, mode: str) -> None:
    async def talking() -> None:
        async with Ann().client(f"{gateway.url}/mcp", mode) as client:
            said = await client.call_tool("program__who", {})
            assert text(said) == "Ann, elicitation and roots and sampling"

    talk(talking)


def test_a_round_is_of_use_for_the_call_that_it_is_of_and_once(gateway: Stack) -> None:
    raw = ModernRawClient(f"{gateway.url}/mcp", capabilities={"elicitation": {}})
    asked = raw.call("old__greet", {}).result
    assert asked["resultType"] == "input_required"
    (key,) = asked["inputRequests"]
    given = {
        "requestState": asked["requestState"],
        "inputResponses": {key: {"action": "accept", "content": {"name": "Bob"}}},
    }
    other = raw.ask("tools/call", {"name": "old__echo", "arguments": {"text": "x"}, **given})
    again = {"name": "old__greet", "arguments": {}, **given}
    said = raw.ask("tools/call", again).result
    assert said["content"][0]["text"] == "hello Bob"
    for refused in (other, raw.ask("tools/call", again)):
        assert refused.error["code"] == -32602
        assert "requestState" in refused.error["message"]


def test_models_are_told_when_the_hub_that_a_call_waited_in_is_gone(gateway: Stack) -> None:
    raw = ModernRawClient(f"{gateway.url}/mcp", capabilities={"elicitation": {}})
    asked = raw.call("old__greet", {}).result
    (key,) = asked["inputRequests"]
    before = hub(gateway)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: hub(gateway) not in (0, before), "there is another hub")
    given = {
        "requestState": asked["requestState"],
        "inputResponses": {key: {"action": "accept", "content": {"name": "Bob"}}},
    }
    again = {"name": "old__greet", "arguments": {}, **given}
    eventually(lambda: raw.ask("tools/call", again).status == 200, "it answers", seconds=30)
    said = raw.ask("tools/call", again).result
    assert said["isError"]
    assert "the gateway was restarted" in said["content"][0]["text"]
    assert raw.call("old__greet", {}).result["resultType"] == "input_required"


def hub(gateway: Stack) -> int:
    """Its process; 0: there is none."""
    status = httpx.get(f"{gateway.admin_url}/api/status", timeout=10, trust_env=False).json()
    return next((each["pid"] or 0 for each in status["processes"] if each["name"] == "hub"), 0)
