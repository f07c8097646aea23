"""Which changes of a configuration change which lists of which views."""

from __future__ import annotations

from dataclasses import replace

import pytest

from extproc.mcp.listings import KINDS, NOTHING, changed, listings
from gateway.mcp import Mcp, McpServer, McpView, PinTerms, Prefix, ToolChange, ToolSearch, Transport
from gateway.model import Effect, Rule, Scope
from gateway.openapi.values import Api

ONE = McpServer("one", Transport.STREAMABLE_HTTP, "/mcp")
TWO = McpServer("two", Transport.STREAMABLE_HTTP, "/mcp")
REST = McpServer("rest", Transport.OPENAPI, "/", api=Api("a", "1"))
ALL = McpView("", ("one", "two", "rest"), True)
SOME = McpView("some", ("one", "two"), True)
ALONE = McpView("one", ("one",), False)
MCP = Mcp((ONE, TWO, REST), views=(ALL, SOME, ALONE))
RULE = Rule("r", Scope(mcp="*"), Effect.DENY, "true")


def seen(now: Mcp, view: str = "", *rules: Rule) -> tuple[str, ...]:
    return changed(listings(MCP)[view], listings(now, rules).get(view, NOTHING))


def with_servers(*servers: McpServer) -> Mcp:
    return replace(MCP, servers=servers)


def with_view(view: McpView) -> Mcp:
    return replace(MCP, views=(view, SOME))


def test_views_of_several_have_lists_of_their_own() -> None:
    found = listings(MCP)
    assert set(found) == {"", "some"}, "those that are passed through are their servers' own"
    assert found[""].speaking == ("one", "two"), "REST APIs say nothing unasked"


@pytest.mark.parametrize(
    "now",
    [
        MCP,
        replace(MCP, idle_seconds=1.0, page_entries=7, allowed_origins=("*",)),
        with_servers(replace(ONE, timeout_seconds=3.0, is_required=False), TWO, REST),
        with_servers(ONE, TWO, replace(REST, secret_query=(("key", "x"),), api=Api("a", "1"))),
    ],
    ids=["same", "terms", "terms-of-one", "query"],
)
def test_what_changes_no_list_is_told_to_nobody(now: Mcp) -> None:
    assert seen(now) == seen(now, "some") == ()


@pytest.mark.parametrize(
    "now",
    [
        with_servers(replace(ONE, tools=(("a", ToolChange("b")),)), TWO, REST),
        with_servers(replace(ONE, pinning=PinTerms()), TWO, REST),
        with_servers(ONE, TWO, replace(REST, api=Api("a", "2"))),
        with_view(replace(ALL, tools=("one__*",))),
        with_view(replace(ALL, search=ToolSearch())),
    ],
    ids=["renamed", "pinned", "document", "chosen", "search"],
)
def test_what_is_said_of_tools_changes_those_alone(now: Mcp) -> None:
    assert seen(now) == ("tools",)


def test_it_is_told_where_it_is_seen() -> None:
    now = with_servers(ONE, TWO, replace(REST, api=Api("a", "2")))
    assert seen(now, "some") == ()


def test_servers_change_all_lists_and_prefixes_those_of_names() -> None:
    assert seen(with_view(replace(ALL, servers=("one", "two")))) == KINDS
    assert seen(with_servers(replace(ONE, path="/v2"), TWO, REST)) == KINDS
    assert seen(replace(MCP, views=(SOME,))) == KINDS
    assert seen(replace(MCP, prefix=Prefix.NEVER)) == ("tools", "prompts")


def test_rules_of_mcp_change_what_is_seen() -> None:
    assert seen(MCP, "", RULE) == seen(MCP, "", replace(RULE, scope=Scope(team="a"))) == KINDS
    assert seen(MCP, "", replace(RULE, scope=Scope(llm="*"))) == ()
