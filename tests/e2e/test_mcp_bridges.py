"""Clients and servers of different eras, through a real Envoy: servers ask back all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from mcp import Client

from tests.kit.mcp_clients import ROOT, Ann, talk, text
from tests.kit.mcp_peers import McpServer, mcp_servers
from tests.kit.stack import Stack, running

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

YAML = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
mcp: {{servers: {{old: {{url: "{old}"}}, new: {{url: "{new}"}}}}}}
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
    config.write_text(YAML.format(old=servers["old"].url, new=servers["new"].url))
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


def test_a_stream_that_its_server_ends_is_taken_up_for_a_newer_client(gateway: Stack) -> None:
    async def talking() -> None:
        async with Ann().client(f"{gateway.url}/mcp") as client:
            assert text(await client.call_tool("old__polled", {})) == "old was polled"

    talk(talking)
