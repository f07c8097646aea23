"""`examples/mcp-tools.yaml` through a real Envoy: which tools there are, and by which names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit import web
from tests.kit.mcp_gateways import example_before
from tests.kit.mcp_peers import McpServer, RawClient, mcp_servers
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with mcp_servers(github=[], notes=["--era", "legacy"]) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(
    servers: dict[str, McpServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("mcp-tools")
    with example_before(servers, "mcp-tools.yaml", folder) as stack:
        yield stack


def client(gateway: Stack, path: str, key: str = "sk-desk") -> RawClient:
    of = RawClient(f"{gateway.url}{path}", {"authorization": f"Bearer {key}"})
    of.initialize()
    return of


def listed(of: RawClient) -> list[str]:
    """Names of all tools, page by page."""
    names: list[str] = []
    cursor = {}
    while True:
        page = of.ask("tools/list", cursor).result
        assert len(page["tools"]) <= 5
        names += [each["name"] for each in page["tools"]]
        if "nextCursor" not in page:
            return names
        cursor = {"cursor": page["nextCursor"]}


def test_a_view_has_the_tools_that_were_chosen(gateway: Stack) -> None:
    of = client(gateway, "/mcp/small")
    assert listed(of) == ["count_issues", "notes__echo"]
    assert of.call("count_issues", {"a": 2, "b": 3}).result["structuredContent"]["by"] == "github"
    assert of.call("github__add", {"a": 2, "b": 3}).error["message"] == "Unknown tool: github__add"
    assert of.call("notes__add", {"a": 2, "b": 3}).error["message"] == "Unknown tool: notes__add"


def test_tools_have_other_names_where_their_server_is_alone_too(gateway: Stack) -> None:
    of = client(gateway, "/mcp/github")
    names = listed(of)
    assert "count_issues" in names
    assert "add" not in names
    assert len(names) > 5


def test_tools_are_searched_for_and_called(gateway: Stack) -> None:
    of = client(gateway, "/mcp")
    assert listed(of) == ["search_tools", "call_tool", "count_issues"]
    found = of.call("search_tools", {"query": "numbers of issues", "limit": 1}).result
    (tool,) = found["structuredContent"]["tools"]
    assert tool["name"] == "count_issues"
    assert tool["description"] == "Adds two numbers of issues"
    numbers = {"a": 2, "b": 3}
    assert of.call("count_issues", numbers).result["structuredContent"]["total"] == 5
    wrapped = of.call("call_tool", {"name": "notes__add", "arguments": numbers}).result
    assert wrapped["structuredContent"] == {"total": 5, "by": "notes"}


def test_a_key_of_the_file_opens_its_tools_alone(gateway: Stack) -> None:
    assert listed(client(gateway, "/mcp/notes", "sk-reader")) == ["echo"]
    of = client(gateway, "/mcp", "sk-reader")
    found = of.call("search_tools", {"query": "numbers add echo"}).result["structuredContent"]
    assert {each["name"] for each in found["tools"]} == {"count_issues", "notes__echo"}
    assert of.call("count_issues", {"a": 2, "b": 3}).result["structuredContent"]["total"] == 5
    wrapped = {"name": "notes__add", "arguments": {"a": 2, "b": 3}}
    assert of.call("call_tool", wrapped).error["message"] == "Unknown tool: notes__add"
    assert of.call("notes__add", {"a": 2, "b": 3}).error["message"] == "Unknown tool: notes__add"


def test_a_key_that_is_made_at_run_time_opens_its_tools_alone(gateway: Stack) -> None:
    where = {"authorization": f"Bearer {(gateway.state / 'admin-token').read_text().strip()}"}
    asked = f"http://127.0.0.1:{gateway.admin_port}/api/keys"
    made = web.post(asked, json={"name": "ci", "tools": ["notes__add"]}, headers=where)
    assert made.json()["tools"] == ["notes__add"]
    of = client(gateway, "/mcp/notes", made.json()["key"])
    assert listed(of) == ["add"]
    assert of.call("add", {"a": 2, "b": 3}).result["structuredContent"]["total"] == 5
    assert of.call("echo", {"text": "x"}).error["message"] == "Unknown tool: echo"
    changed = web.request("PATCH", f"{asked}/ci", json={"tools": ["notes__e*"]}, headers=where)
    assert changed.status_code == 200
    eventually(lambda: listed(of) == ["echo"], "the change is known")
    assert of.call("add", {"a": 2, "b": 3}).error["message"] == "Unknown tool: add"


def test_a_resource_that_nobody_lists_is_asked_of_all(gateway: Stack) -> None:
    of = client(gateway, "/mcp")
    assert of.ask("resources/read", {"uri": "nobody://x"}).error["code"] in (-32002, -32602)
    both = of.ask("resources/read", {"uri": "notes+shared://note"}).result
    assert both["contents"][0]["uri"] == "shared://note"


def test_a_tool_has_a_limit_of_its_own(gateway: Stack) -> None:
    of = client(gateway, "/mcp/notes")
    statuses = [of.call("log", {"text": "x"}).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert of.call("log", {"text": "x"}).error["data"] == {"code": "rate_limit_exceeded"}
    assert of.call("echo", {"text": "x"}).status == 200
