"""What is said of the tools of MCP servers."""

from __future__ import annotations

import pytest

from gateway.mcp import CacheFor, McpView, PinMode, PinTerms, ToolChange, ToolSearch
from tests.gateway.config.loading import complaints, meant
from tests.kit.gateways import gateway_of

SERVERS = "a: {url: 'http://a'}, b: {url: 'http://b'}"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("'a b'", "must be the name of a tool"),
        ("''", "must be the name of a tool"),
        (f"{'x' * 129}", "must be the name of a tool"),
        ("search_tools", "is the name of a tool of the gateway's own"),
        ("a__x", "it begins like those of a server"),
    ],
)
def test_a_tool_is_given_a_name_that_can_be_its_own(name: str, complaint: str) -> None:
    (found,) = complaints(
        f"mcp: {{servers: {{a: {{url: 'http://a', tools: {{x: {{name: {name}}}}}}}}}}}"
    )
    assert found.startswith(f"mcp.servers.a.tools.x.name: {complaint}")


def test_no_two_tools_are_given_one_name() -> None:
    (found,) = complaints(
        "mcp: {servers: {a: {url: 'http://a', tools: {x: {name: go}}}, "
        "b: {url: 'http://b', tools: {y: {name: go}}}}}"
    )
    assert found.startswith("mcp.servers.b.tools.y.name: 'go' is 'x' of 'a' already")


@pytest.mark.parametrize("tools", ["[c__x]", "['c__*']", "[x]"])
def test_chosen_tools_are_of_servers_of_the_view(tools: str) -> None:
    (found,) = complaints(
        f"mcp: {{servers: {{{SERVERS}}}, views: {{v: {{servers: [a], tools: {tools}}}}}}}"
    )
    assert found.startswith("mcp.views.v.tools.0: the view has no server")


def test_tools_of_keys_are_of_servers() -> None:
    (found,) = complaints(
        f"mcp: {{servers: {{{SERVERS}}}}}\n"
        "identity: {api_keys: {keys: [{name: ci, key: k, tools: [a__x, '*__y', aa__z]}]}}"
    )
    assert found.startswith("identity.api_keys.keys.0.tools.2: no server 'aa'")


def test_changes_choices_and_searches_are_read() -> None:
    mcp = gateway_of(
        """
        mcp:
          servers:
            a:
              url: "http://a/mcp"
              tools: {x: {name: go, description: Goes}, y: {description: Stays}}
            b: {url: "http://b/mcp"}
          views:
            some: {servers: [a, b], tools: "?__x", search: {pinned: [go]}}
            chosen: {servers: [b], tools: [b__x]}
            alone: {servers: [b]}
          search: {}
          page: 100
        """
    ).mcp
    assert mcp.servers[0].tools == (
        ("x", ToolChange("go", "Goes")),
        ("y", ToolChange("", "Stays")),
    )
    assert mcp.views == (
        McpView("", ("a", "b"), True, search=ToolSearch()),
        McpView("a", ("a",), True),
        McpView("b", ("b",), False),
        McpView("some", ("a", "b"), True, ("?__x",), ToolSearch(("go",))),
        McpView("chosen", ("b",), True, ("b__x",)),
        McpView("alone", ("b",), False),
    )
    assert mcp.page_entries == 100


def test_results_are_kept_for_a_time_that_is_said() -> None:
    yaml = 'mcp: {servers: {a: {url: "http://a", tools: {t: %s}}}}'
    found = meant(yaml % "{cache: 60s, cache_for: everybody, read_only: true}").mcp.servers[0]
    ((_, terms),) = found.terms
    assert (terms.cache_seconds, terms.is_read_only) == (60.0, True)
    assert terms.cache_for is CacheFor.EVERYBODY
    assert meant(yaml % "{cache: 60s}").mcp.views[1].is_federated
    for wrong in ("{cache: 0s}", "{cache: 25h}", "{cache_for: everybody}", "{read_only: true}"):
        assert len(complaints(yaml % wrong)) == 1


def test_a_server_says_otherwise_than_all_whether_its_tools_are_pinned() -> None:
    servers = "a: {url: 'http://a'}, b: {url: 'http://b', pinning: {mode: none}}"
    found = meant(f"mcp: {{pinning: {{new_tools: quarantine}}, servers: {{{servers}}}}}").mcp
    assert [each.pinning for each in found.servers] == [PinTerms(PinMode.QUARANTINE, True), None]
    assert [view.is_federated for view in found.views] == [True, True, False]
    assert meant(f"mcp: {{servers: {{{SERVERS}}}}}").mcp.servers[0].pinning is None
