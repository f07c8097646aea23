"""MCP servers as one: everything that one of them can do, all of them can do at one address."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.mcp_clients import ROOT, Ann, all_tools, talk, text
from tests.kit.mcp_gateways import gateway_before
from tests.kit.mcp_peers import McpServer, ModernRawClient, RawClient, mcp_servers
from tests.kit.stack import Stack, eventually, free_ports

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

SERVERS = {
    "alpha": ["--resumable"],
    "beta": [],
    "gamma": ["--json"],
    "old": ["--era", "legacy"],
    "new": ["--era", "modern"],
}
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  required: false
  api_keys: {keys: [{name: ann, key: k-ann}, {name: bob, key: k-bob}]}
mcp:
  views:
    pair: {servers: [alpha, beta]}
    eras: {servers: [old, new]}
    holes: {servers: [alpha, gone]}
    broken: {servers: [alpha, dead]}
    brittle: {servers: [alpha, gamma]}
  servers:
    gone: {url: "http://127.0.0.1:GONE/mcp", required: false, timeout: 1s}
    dead: {url: "http://127.0.0.1:GONE/mcp", timeout: 1s}
"""
MODES = ["legacy", "auto"]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with mcp_servers(**SERVERS) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(
    serve: Serve, servers: dict[str, McpServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    text = YAML.replace("GONE", str(free_ports(1)[0]))
    with gateway_before(servers, text, tmp_path_factory.mktemp("federation"), serve) as stack:
        yield stack


def at(gateway: Stack, view: str) -> str:
    return f"{gateway.url}/mcp/{view}"


def tell(client: Client, conversation: object) -> None:
    async def opened() -> None:
        async with client:
            await conversation(client)  # type: ignore[operator]

    talk(opened)


@pytest.mark.parametrize("mode", MODES)
def test_both_servers_are_found_as_one(gateway: Stack, mode: str) -> None:
    async def conversation(client: Client) -> None:
        said = client.instructions or ""
        assert "Ask alpha for sums." in said
        assert "Ask beta for sums." in said
        capabilities = client.server_capabilities
        assert capabilities.tools is not None
        assert capabilities.prompts is not None
        assert capabilities.resources is not None
        tools = [each.name for each in await all_tools(client)]
        assert {"alpha__add", "beta__add", "alpha__echo", "beta__echo"} <= set(tools)
        assert tools.index("alpha__add") < tools.index("beta__add")
        prompts = [each.name for each in (await client.list_prompts()).prompts]
        assert prompts == ["alpha__review", "beta__review"]
        uris = [str(each.uri) for each in (await client.list_resources()).resources]
        assert sorted(uris) == [
            "alpha+shared://note",
            "alpha://about",
            "beta+shared://note",
            "beta://about",
        ]
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == [
            "alpha://rooms/{room}",
            "beta://rooms/{room}",
        ]

    tell(Ann().client(at(gateway, "pair"), mode), conversation)


@pytest.mark.parametrize("mode", MODES)
def test_each_call_reaches_its_server(gateway: Stack, mode: str) -> None:
    async def conversation(client: Client) -> None:
        for name in ("alpha", "beta"):
            added = await client.call_tool(f"{name}__add", {"a": 2, "b": 3})
            assert added.structured_content == {"total": 5, "by": name}
            about = await client.read_resource(f"{name}://about")
            assert getattr(about.contents[0], "text", "") == f"this is {name}"
            note = await client.read_resource(f"{name}+shared://note")
            assert getattr(note.contents[0], "text", "") == f"the note of {name}"
            room = await client.read_resource(f"{name}://rooms/7")
            assert getattr(room.contents[0], "text", "") == f"room 7 of {name}"
            prompt = await client.get_prompt(f"{name}__review", {"colour": "red"})
            assert getattr(prompt.messages[0].content, "text", "") == f"{name}, review red"
            reference = PromptReference(type="ref/prompt", name=f"{name}__review")
            found = await client.complete(reference, {"name": "colour", "value": "a"})
            assert found.completion.values == ["amber", "azure", name]
            template = ResourceTemplateReference(
                type="ref/resource", uri=f"{name}://rooms/{{room}}"
            )
            rooms = await client.complete(template, {"name": "room", "value": "b"})
            assert rooms.completion.values == ["black", "brown", name]

    tell(Ann().client(at(gateway, "pair"), mode), conversation)


@pytest.mark.parametrize("mode", MODES)
def test_servers_ask_the_client_through_the_federation(gateway: Stack, mode: str) -> None:
    ann = Ann()

    async def conversation(client: Client) -> None:
        for name in ("alpha", "beta"):
            said = await client.call_tool(f"{name}__sample", {"prompt": "quiet"})
            assert text(said) == "the model said: QUIET"
            assert text(await client.call_tool(f"{name}__greet", {})) == "hello Ann"
            assert text(await client.call_tool(f"{name}__roots", {})) == ROOT

    tell(ann.client(at(gateway, "pair"), mode), conversation)
    assert ann.asked == ["sampling", "elicitation", "roots"] * 2


@pytest.mark.parametrize("mode", MODES)
def test_progress_comes_back_by_the_clients_token(gateway: Stack, mode: str) -> None:
    ann = Ann()

    async def conversation(client: Client) -> None:
        for name in ("alpha", "beta"):
            await client.call_tool(f"{name}__progress", {"steps": 2}, progress_callback=ann.step)

    tell(ann.client(at(gateway, "pair"), mode), conversation)
    assert ann.progress == [
        (step, 2, f"{name} step {step}") for name in ("alpha", "beta") for step in (1, 2)
    ]


def test_a_session_hears_of_changes_of_all_servers(gateway: Stack) -> None:
    ann = Ann()

    async def conversation(client: Client) -> None:
        for name in ("alpha", "beta"):
            await client.subscribe_resource(f"{name}://about")
            await client.call_tool(f"{name}__update", {"uri": f"{name}://about"})
            await client.call_tool(f"{name}__grow", {"tool": f"grown_{gateway.port}"})
        changed = "notifications/tools/list_changed"
        await ann.until(lambda: len(ann.heard(changed)) >= 2, "both lists have changed")
        tools = {each.name for each in await all_tools(client)}
        assert {f"alpha__grown_{gateway.port}", f"beta__grown_{gateway.port}"} <= tools

    tell(ann.client(at(gateway, "pair"), "legacy"), conversation)
    updated = [str(each.params.uri) for each in ann.heard("notifications/resources/updated")]
    assert sorted(updated) == ["alpha://about", "beta://about"]


@pytest.mark.parametrize("view", ["pair", "eras"])
def test_who_listens_hears_of_changes_of_all_servers(gateway: Stack, view: str) -> None:
    """Of servers without sessions, and of those that have some."""
    names = ("alpha", "beta") if view == "pair" else ("old", "new")

    async def conversation(client: Client) -> None:
        watched = [f"{name}+shared://note" for name in names]
        async with client.listen(tools_list_changed=True, resource_subscriptions=watched) as events:
            for name in names:
                await client.call_tool(f"{name}__update", {"uri": "shared://note"})
                event = await anext(events)
                assert str(getattr(event, "uri", "")) == f"{name}+shared://note"
                await client.call_tool(f"{name}__grow", {"tool": f"heard_{gateway.port}"})
                assert type(await anext(events)).__name__ == "ToolsListChanged"

    tell(Ann().client(at(gateway, view)), conversation)


@pytest.mark.parametrize("mode", MODES)
def test_a_name_that_no_server_has_is_refused(gateway: Stack, mode: str) -> None:
    async def conversation(client: Client) -> None:
        for name in ("add", "delta__add", "alpha__", "__add"):
            with pytest.raises(MCPError) as refused:
                await client.call_tool(name, {})
            assert refused.value.error.code == -32602
        with pytest.raises(MCPError) as refused:
            await client.read_resource("delta://about")
        assert refused.value.error.code in (-32002, -32602)

    tell(Ann().client(at(gateway, "pair"), mode), conversation)


def test_answers_whose_ids_are_changed_are_asked_for_without_a_coding(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    client = RawClient(at(gateway, "pair"))
    client.initialize()
    servers["alpha"].forget()
    client.call("alpha__add", {"a": 1, "b": 2}, accept_encoding="gzip")
    (row,) = servers["alpha"].seen()
    assert "accept-encoding" not in row["headers"]


@pytest.mark.parametrize(("view", "server"), [("pair", "beta"), ("brittle", "gamma")])
def test_large_answers_pass_and_hold_nobody_up(gateway: Stack, view: str, server: str) -> None:
    """In event streams, of which Envoy shows a part of a line at a time, and in JSON."""
    client = RawClient(at(gateway, view))
    client.initialize()
    text = "x" * 3_000_000
    said = client.call(f"{server}__echo", {"text": text}).result
    assert said["content"][0]["text"] == f"{server}: {text}"
    assert client.call(f"{server}__add", {"a": 1, "b": 2}).status == 200


def test_an_answer_that_was_cut_is_fetched_again(gateway: Stack) -> None:
    async def conversation(client: Client) -> None:
        assert text(await client.call_tool("alpha__polled", {})) == "alpha was polled"

    tell(Ann().client(at(gateway, "pair"), "legacy"), conversation)


def test_servers_get_their_own_names_and_sessions(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    client = RawClient(at(gateway, "pair"))
    client.initialize()
    for each in servers.values():
        each.forget()
    assert client.call("alpha__add", {"a": 1, "b": 1}).status == 200
    (call,) = servers["alpha"].asked("tools/call")
    assert call["params"] == {"name": "add", "arguments": {"a": 1, "b": 1}}
    (row,) = [each for each in servers["alpha"].seen() if each["body"]]
    assert row["headers"]["mcp-session-id"] != client.session
    assert servers["beta"].seen() == []
    modern = ModernRawClient(at(gateway, "pair"))
    assert modern.call("beta__add", {"a": 1, "b": 1}).status == 200
    (row,) = [each for each in servers["beta"].seen() if "tools/call" in (each["body"] or "")]
    assert row["headers"]["mcp-name"] == "add"
    assert "mcp-session-id" not in row["headers"]


def test_a_call_goes_straight_to_its_server(gateway: Stack) -> None:
    """One request to Envoy, and one by it to the server; none to others, nor to the hub."""
    client = RawClient(at(gateway, "pair"))
    client.initialize()
    client.call("alpha__add", {"a": 1, "b": 1})
    before = gateway.envoy_stat("cluster.service/mcp/alpha.upstream_rq_total")
    others = gateway.envoy_stat("cluster.service/mcp/(beta|old|new|gamma).upstream_rq_total")
    for _ in range(5):
        client.call("alpha__add", {"a": 1, "b": 1})
    assert gateway.envoy_stat("cluster.service/mcp/alpha.upstream_rq_total") == before + 5
    assert (
        gateway.envoy_stat("cluster.service/mcp/(beta|old|new|gamma).upstream_rq_total") == others
    )


def test_a_deleted_session_is_over_at_all_servers(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    client = RawClient(at(gateway, "pair"))
    client.initialize()
    assert client.call("alpha__add", {"a": 1, "b": 1}).status == 200
    assert client.call("beta__add", {"a": 1, "b": 1}).status == 200
    for each in servers.values():
        each.forget()
    assert client.delete().status_code in (200, 204)
    for name in ("alpha", "beta"):
        eventually(
            lambda name=name: any(row["method"] == "DELETE" for row in servers[name].seen()),
            f"{name} was told",
        )
    assert client.call("alpha__add", {"a": 1, "b": 1}).status == 404


def test_a_session_of_another_principal_is_none(gateway: Stack) -> None:
    ann = RawClient(at(gateway, "pair"), headers={"authorization": "Bearer k-ann"})
    ann.initialize()
    assert ann.call("alpha__add", {"a": 1, "b": 1}).status == 200
    for headers in ({"authorization": "Bearer k-bob"}, {}):
        thief = RawClient(at(gateway, "pair"), headers=headers, session=ann.session)
        assert thief.call("alpha__add", {"a": 1, "b": 1}).status == 404
    assert ann.call("alpha__add", {"a": 1, "b": 1}).status == 200


def test_a_session_of_another_view_is_none(gateway: Stack) -> None:
    client = RawClient(at(gateway, "pair"))
    client.initialize()
    other = RawClient(at(gateway, "holes"), session=client.session)
    assert other.ask("tools/list").status == 404


@pytest.mark.parametrize("mode", MODES)
def test_a_dead_optional_server_is_left_out(gateway: Stack, mode: str) -> None:
    async def conversation(client: Client) -> None:
        assert (await client.call_tool("alpha__add", {"a": 1, "b": 1})).structured_content
        tools = {each.name for each in await all_tools(client)}
        assert "alpha__add" in tools
        assert not any(each.startswith("gone__") for each in tools)

    tell(Ann().client(at(gateway, "holes"), mode), conversation)


def test_a_call_of_a_server_that_has_gone_is_an_error_of_json_rpc(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    """Alone, and as one of several: Envoy says so, in the words that clients read."""
    client = RawClient(at(gateway, "brittle"))
    alone = RawClient(at(gateway, "gamma"))
    for each in (client, alone):
        each.initialize()
    servers["gamma"].kill()
    try:
        for each, name in ((client, "gamma__add"), (alone, "add")):
            refused = each.call(name, {"a": 1, "b": 1})
            assert refused.status == 503
            assert refused.headers["content-type"] == "application/json"
            assert refused.error["code"] == -32603
            assert refused.error["data"] == {"code": "server_unavailable"}
    finally:
        servers["gamma"].restart()


def test_a_dead_required_server_is_an_error(gateway: Stack) -> None:
    client = RawClient(at(gateway, "broken"))
    refused = client.ask(
        "initialize",
        {
            "protocolVersion": client.version,
            "capabilities": {},
            "clientInfo": {"name": "x", "version": "1"},
        },
    )
    assert refused.error["code"] == -32603
    assert "dead" in refused.error["message"]


def test_a_server_that_starts_again_is_initialized_again(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    client = RawClient(at(gateway, "brittle"))
    client.initialize()
    assert client.call("gamma__add", {"a": 1, "b": 1}).status == 200
    servers["gamma"].restart()
    assert client.call("gamma__add", {"a": 2, "b": 2}).result["structuredContent"]["total"] == 4
    assert client.call("alpha__add", {"a": 2, "b": 2}).result["structuredContent"]["total"] == 4
    assert client.call("gamma__add", {"a": 3, "b": 3}).result["structuredContent"]["total"] == 6


def test_a_call_in_which_such_a_server_asks_is_refused_at_once_and_the_next_one_goes_on(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    ann = Ann()

    async def conversation() -> tuple[Any, float, Any]:
        async with ann.client(at(gateway, "pair"), "legacy") as client:
            await client.list_tools()
            servers["beta"].restart()
            begun = time.monotonic()
            first = await client.call_tool("beta__greet", {})
            lasted = time.monotonic() - begun
            return first, lasted, await client.call_tool("beta__greet", {})

    first, lasted, second = talk(conversation)
    assert first.is_error
    assert first.meta == {"dragoman/denied": "asked_anew"}
    assert lasted < 5  # the server may take ten seconds
    eventually(
        lambda: bool(servers["beta"].asked("notifications/cancelled")), "the server to be told"
    )
    assert text(second) == "hello Ann"


def test_who_listens_hears_of_a_server_that_starts_again_and_what_it_says_from_then_on(
    gateway: Stack, servers: dict[str, McpServer]
) -> None:
    client = RawClient(at(gateway, "brittle"))
    client.initialize()
    heard: list[str] = []

    def listen() -> None:
        headers = {"accept": "text/event-stream", "mcp-session-id": client.session}
        with web.stream("GET", client.url, headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                heard.append(line)
                if "about" in line:
                    return

    with ThreadPoolExecutor(1) as threads:
        listening = threads.submit(listen)
        eventually(lambda: bool(heard), "the stream to begin")
        servers["gamma"].restart()
        changed = "notifications/tools/list_changed"
        eventually(lambda: any(changed in each for each in heard), "lists to change", seconds=15)
        assert client.call("gamma__add", {"a": 1, "b": 1}).status == 200
        told = {"uri": "gamma://about"}

        def is_heard() -> bool:  # the hub's stream begins a moment after the session
            assert "updated" in client.call("gamma__update", told).text
            return listening.done()

        eventually(is_heard, "what the server says now", seconds=15)
        listening.result()


@pytest.mark.parametrize("mode", MODES)
def test_a_client_of_one_era_uses_servers_of_both(gateway: Stack, mode: str) -> None:
    async def conversation(client: Client) -> None:
        tools = {each.name for each in await all_tools(client)}
        assert {"old__add", "new__add"} <= tools
        for name in ("old", "new"):
            added = await client.call_tool(f"{name}__add", {"a": 2, "b": 3})
            assert added.structured_content == {"total": 5, "by": name}
            about = await client.read_resource(f"{name}://about")
            assert getattr(about.contents[0], "text", "") == f"this is {name}"

    tell(Ann().client(at(gateway, "eras"), mode), conversation)
