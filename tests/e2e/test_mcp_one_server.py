"""MCP servers each alone at an address of the gateway: nothing of what they say is lost or changed,
whichever revision they and their clients speak."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest
from mcp import Client

from tests.kit import web
from tests.kit.mcp_clients import ROOT, Ann, all_tools, talk, text
from tests.kit.mcp_gateways import gateway_before
from tests.kit.mcp_peers import (
    ACCEPT,
    LEGACY,
    MODERN,
    McpServer,
    ModernRawClient,
    RawClient,
    mcp_servers,
)
from tests.kit.stack import Stack, eventually

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

SERVERS = {"one": ["--resumable"], "old": ["--era", "legacy"], "new": ["--era", "modern"]}
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
mcp:
  servers:
"""
TALKS = [("one", "legacy"), ("one", "auto"), ("old", "auto"), ("new", "auto")]
"""Server and how the client opens: `auto` asks for the newest revision, and falls back."""


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with mcp_servers(**SERVERS) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(
    servers: dict[str, McpServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    with gateway_before(servers, YAML, tmp_path_factory.mktemp("mcp")) as stack:
        yield stack


def at(gateway: Stack, name: str) -> str:
    return f"{gateway.url}/mcp/{name}"


@pytest.mark.parametrize(("name", "mode"), TALKS)
def test_a_client_finds_all_that_the_server_has(gateway: Stack, name: str, mode: str) -> None:
    async def conversation(client: Client) -> None:
        tools = [each.name for each in (await client.list_tools()).tools]
        assert {"add", "echo", "sample"} <= set(tools)
        added = await client.call_tool("add", {"a": 2, "b": 3})
        assert added.structured_content == {"total": 5, "by": name}
        assert (await client.call_tool("fail", {})).is_error
        link = (await client.call_tool("link", {})).content[0]
        assert getattr(link, "uri", "") == f"{name}://about"
        uris = [str(each.uri) for each in (await client.list_resources()).resources]
        assert uris == [f"{name}://about", "shared://note"]
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == [f"{name}://rooms/{{room}}"]
        read = await client.read_resource(f"{name}://rooms/7")
        assert getattr(read.contents[0], "text", "") == f"room 7 of {name}"
        prompt = await client.get_prompt("review", {"colour": "red"})
        assert getattr(prompt.messages[0].content, "text", "") == f"{name}, review red"

    talk(lambda: _with(Ann().client(at(gateway, name), mode), conversation))


@pytest.mark.parametrize(("name", "mode"), TALKS)
def test_the_server_asks_the_client_in_the_midst_of_a_call(
    gateway: Stack, name: str, mode: str
) -> None:
    ann = Ann()

    async def conversation(client: Client) -> None:
        said = await client.call_tool("sample", {"prompt": "quiet"})
        assert text(said) == "the model said: QUIET"
        assert text(await client.call_tool("greet", {})) == "hello Ann"
        assert text(await client.call_tool("roots", {})) == ROOT

    talk(lambda: _with(ann.client(at(gateway, name), mode), conversation))
    assert ann.asked == ["sampling", "elicitation", "roots"]


@pytest.mark.parametrize(("name", "mode"), TALKS)
def test_progress_comes_as_it_is_made(gateway: Stack, name: str, mode: str) -> None:
    ann = Ann()

    async def conversation(client: Client) -> None:
        await client.call_tool("progress", {"steps": 3}, progress_callback=ann.step)

    talk(lambda: _with(ann.client(at(gateway, name), mode), conversation))
    assert ann.progress == [(step, 3, f"{name} step {step}") for step in (1, 2, 3)]


@pytest.mark.parametrize("name", ["one", "old"])
def test_a_session_hears_of_changes_on_its_stream(gateway: Stack, name: str) -> None:
    ann = Ann()

    async def conversation(client: Client) -> None:
        await client.subscribe_resource("shared://note")
        await client.call_tool("update", {"uri": "shared://note"})
        await client.call_tool("grow", {"tool": f"grown_{gateway.port}"})
        await ann.until(
            lambda: bool(ann.heard("notifications/tools/list_changed")), "the list has changed"
        )
        assert f"grown_{gateway.port}" in [each.name for each in await all_tools(client)]

    talk(lambda: _with(ann.client(at(gateway, name), "legacy"), conversation))
    (updated,) = ann.heard("notifications/resources/updated")
    assert str(updated.params.uri) == "shared://note"


@pytest.mark.parametrize("name", ["one", "new"])
def test_who_listens_hears_of_changes(gateway: Stack, name: str) -> None:
    async def conversation(client: Client) -> None:
        async with client.listen(
            tools_list_changed=True, resource_subscriptions=["shared://note"]
        ) as events:
            await client.call_tool("update", {"uri": "shared://note"})
            await client.call_tool("grow", {"tool": f"heard_{gateway.port}"})
            kinds = [type(await anext(events)).__name__ for _ in range(2)]
        assert kinds == ["ResourceUpdated", "ToolsListChanged"]

    talk(lambda: _with(Ann().client(at(gateway, name)), conversation))


def test_an_answer_that_was_cut_is_fetched_again(gateway: Stack) -> None:
    """The server closes the stream of a call, and the client asks by `Last-Event-ID`."""

    async def conversation(client: Client) -> None:
        assert text(await client.call_tool("polled", {})) == "one was polled"

    talk(lambda: _with(Ann().client(at(gateway, "one"), "legacy"), conversation))


@pytest.mark.parametrize("method", ["tools/list", "resources/list", "prompts/list"])
def test_answers_have_the_bytes_of_the_server(
    gateway: Stack, servers: dict[str, McpServer], method: str
) -> None:
    for name in ("old", "new"):
        kind = RawClient if name == "old" else ModernRawClient
        pair = [kind(at(gateway, name)), kind(servers[name].url)]
        if name == "old":
            for each in pair:
                each.initialize()
        through, straight = [each.ask(method) for each in pair]
        assert through.status == straight.status == 200
        assert through.text == straight.text
        assert through.headers["content-type"] == straight.headers["content-type"]


def test_the_session_is_the_servers_own(gateway: Stack, servers: dict[str, McpServer]) -> None:
    client = RawClient(at(gateway, "old"))
    client.initialize()
    straight = RawClient(servers["old"].url, session=client.session)
    assert straight.ask("ping").result == {}
    assert client.delete().status_code == 200
    assert straight.ask("ping").status == 404


@pytest.mark.parametrize("name", ["one", "old", "new"])
def test_refusals_of_servers_pass_so_that_clients_know_their_era(
    gateway: Stack, servers: dict[str, McpServer], name: str
) -> None:
    """Of an unknown session, of `initialize`, of a revision, of an unknown method."""
    for url in (servers[name].url, at(gateway, name)):
        gone = RawClient(url, session="0123456789abcdef").ask("ping")
        opened = RawClient(url).ask("initialize", {"protocolVersion": LEGACY})
        modern = ModernRawClient(url).ask("server/discover")
        unknown = ModernRawClient(url).ask("no/such")
        seen = [
            (each.status, each.messages, each.text if each.status >= 400 else "")
            for each in (gone, opened, modern, unknown)
        ]
        if url == servers[name].url:
            straight = seen
    assert seen == straight


def test_headers_that_differ_from_the_body_are_refused(gateway: Stack) -> None:
    client = ModernRawClient(at(gateway, "new"))
    for headers in ({"mcp_method": "tools/list"}, {"mcp_name": "echo"}, {"mcp_name": ""}):
        refused = client.call("add", {"a": 1, "b": 2}, **headers)
        assert refused.status == 400
        assert refused.error["code"] == -32020
    assert client.call("add", {"a": 1, "b": 2}).status == 200


def test_a_name_in_base64_is_the_name(gateway: Stack) -> None:
    client = ModernRawClient(at(gateway, "new"))
    assert client.call("add", {"a": 1, "b": 2}, mcp_name="=?base64?YWRk?=").status == 200


def test_a_client_that_hangs_up_is_seen_by_the_server(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    servers["new"].forget()
    client = ModernRawClient(at(gateway, "new"))
    with pytest.raises(httpx.ReadTimeout):
        _impatient(client, "slow", {"seconds": 20})
    eventually(
        lambda: any(row["left"] and not row.get("answered") for row in servers["new"].seen()),
        "the server knows that the client has left",
    )


def _impatient(client: ModernRawClient, tool: str, arguments: dict[str, float]) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "accept": ACCEPT,
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    web.post(client.url, json=body, headers=headers, timeout=0.5)


def test_the_stream_of_a_session_is_open_until_the_client_leaves(gateway: Stack) -> None:
    client = RawClient(at(gateway, "old"))
    client.initialize()
    headers = {
        "accept": "text/event-stream",
        "mcp-session-id": client.session,
        "mcp-protocol-version": client.version,
    }
    with web.stream("GET", client.url, headers=headers, timeout=20) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        began = time.monotonic()
        assert client.call("grow", {"tool": f"streamed_{gateway.port}"}).status == 200
        for line in stream.iter_lines():
            if line.startswith("data:") and "list_changed" in line:
                break
        assert json.loads(line[5:])["method"] == "notifications/tools/list_changed"
        assert time.monotonic() - began < 10


def test_no_server_has_this_name(gateway: Stack) -> None:
    answer = RawClient(at(gateway, "nobody")).ask("initialize", {})
    assert answer.status == 404


async def _with(client: Client, conversation: object) -> None:
    async with client:
        await conversation(client)  # type: ignore[operator]
