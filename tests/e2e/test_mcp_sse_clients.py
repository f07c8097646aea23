"""Clients of HTTP with SSE, as the official SDK has them: what is decided of others is decided of
them, and they find the same servers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp_types import CreateMessageResult, TextContent

from tests.kit import web
from tests.kit.mcp_clients import talk, text
from tests.kit.mcp_peers import McpServer, mcp_servers
from tests.kit.stack import Stack, eventually, running

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

YAML = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}", address: 127.0.0.1}}}}
identity: {{api_keys: {{keys: [{{name: ann, key: k-ann}}, {{name: bob, key: k-bob}}]}}}}
mcp:
  sse_path: /sse
  servers: {{one: {{url: "{one}"}}, two: {{url: "{two}"}}}}
authorize:
  - {{name: known, allow: 'principal.name != ""'}}
  - {{name: no-echo-for-bob, for: {{mcp: one}},
      deny: 'principal.name == "bob" && mcp.tool == "echo"'}}
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with mcp_servers(one=[], two=["--era", "legacy"]) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(
    servers: dict[str, McpServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("sse")
    config = folder / "gateway.yaml"
    config.write_text(YAML.format(**{name: each.url for name, each in servers.items()}))
    with running(config, folder / "state", workers=1) as stack:
        yield stack


class Bob:
    """A client, and a model that says everything in capitals."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.headers = {"authorization": f"Bearer {key}"}
        self.heard: list[Any] = []
        self.has_changed = asyncio.Event()
        """It has heard that lists of tools have."""
        self.steps: list[float] = []

    async def sample(self, _: Any, asked: Any) -> CreateMessageResult:
        loud = TextContent(type="text", text=asked.messages[0].content.text.upper())
        return CreateMessageResult(role="assistant", content=loud, model="loud")

    async def hear(self, message: Any) -> None:
        said = getattr(message, "method", message)
        self.heard.append(said)
        if said == "notifications/tools/list_changed":
            self.has_changed.set()

    async def step(self, progress: float, _total: float | None, _message: str | None) -> None:
        self.steps.append(progress)

    def talk(self, conversation: Callable[[ClientSession], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with (
                sse_client(self.url, headers=self.headers) as (read, write),
                ClientSession(
                    read, write, sampling_callback=self.sample, message_handler=self.hear
                ) as session,
            ):
                await session.initialize()
                await conversation(session)

        talk(whole)


@pytest.mark.parametrize(("path", "prefix", "name"), [("/two", "", "two"), ("", "one__", "one")])
def test_they_find_the_same_servers(gateway: Stack, path: str, prefix: str, name: str) -> None:
    client = Bob(f"{gateway.url}/sse{path}", "k-ann")

    async def conversation(session: ClientSession) -> None:
        names = {each.name for each in (await session.list_tools()).tools}
        assert f"{prefix}echo" in names
        said = await session.call_tool(f"{prefix}echo", {"text": "x"})
        assert text(said) == f"{name}: x"
        await session.call_tool(f"{prefix}progress", {"steps": 3}, progress_callback=client.step)
        assert client.steps == [1, 2, 3]
        said = await session.call_tool(f"{prefix}sample", {"prompt": "quiet"})
        assert text(said) == "the model said: QUIET"
        await session.call_tool(f"{prefix}grow", {"tool": f"more_{name}"})
        async with asyncio.timeout(10):
            await client.has_changed.wait()  # it may come after the answer to the call

    client.talk(conversation)
    assert "notifications/tools/list_changed" in client.heard


def test_rules_decide_of_them_too(gateway: Stack) -> None:
    async def conversation(session: ClientSession) -> None:
        names = {each.name for each in (await session.list_tools()).tools}
        assert "one__echo" not in names
        assert "two__echo" in names
        assert text(await session.call_tool("two__echo", {"text": "x"})) == "two: x"

    Bob(f"{gateway.url}/sse", "k-bob").talk(conversation)


def test_who_is_not_known_is_refused_and_a_stranger_cannot_use_a_stream(gateway: Stack) -> None:
    with web.stream("GET", f"{gateway.url}/sse/one", timeout=10) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: endpoint"
        place = next(lines).removeprefix("data: ")
        initialize = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {}},
        }
        assert web.post(f"{gateway.url}{place}", json=initialize, timeout=10).status_code == 401
        ann, bob = ({"authorization": f"Bearer k-{name}"} for name in ("ann", "bob"))
        begun = web.post(f"{gateway.url}{place}", json=initialize, headers=ann, timeout=10)
        assert begun.status_code == 202
        ask = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        stolen = web.post(f"{gateway.url}{place}", json=ask, headers=bob, timeout=10)
        assert stolen.status_code == 404  # the session is ann's


def test_who_hangs_up_ends_the_session_at_its_server(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    servers["one"].forget()

    async def conversation(session: ClientSession) -> None:
        await session.send_ping()

    Bob(f"{gateway.url}/sse/one", "k-ann").talk(conversation)

    def is_ended() -> bool:
        return any(row["method"] == "DELETE" for row in servers["one"].seen())

    eventually(is_ended, "the session was ended")
