"""Clients and servers of different eras, through a real Envoy: servers ask back all the same."""

from __future__ import annotations

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
    with mcp_servers(old=["--era", "legacy"], new=["--era", "modern"]) as started:
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
