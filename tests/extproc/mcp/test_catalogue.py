from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.mcp import lists
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.lists import ListKind, Page
from extproc.mcp.naming import Naming, Target
from gateway.mcp import Prefix, ToolChange

SERVERS = ("github", "jira")


def entries(kind: ListKind, *names: str | dict[str, Any]) -> Page:
    """What a server answers."""
    documents = [{kind.key: each} if isinstance(each, str) else each for each in names]
    return lists.read_page(kind, json.dumps({kind.member: documents}).encode())


def catalogue(
    prefix: Prefix = Prefix.AUTO,
    changes: dict[Target, ToolChange] | None = None,
    **listed: dict[str, list[Any]],
) -> Catalogue:
    """By the name of the kind in lower case."""
    return Catalogue(
        SERVERS,
        Naming(prefix, SERVERS, changes or {}),
        Naming(prefix, SERVERS),
        {
            ListKind[kind.upper()]: {
                server: entries(ListKind[kind.upper()], *names) for server, names in each.items()
            }
            for kind, each in listed.items()
        },
    )


def shown(of: Catalogue, kind: ListKind) -> list[dict[str, Any]]:
    page = lists.page(of.listings[kind])
    assert isinstance(page, bytes)
    found = json.loads(page)[kind.member]
    assert [each[kind.key] for each in found] == [each.name for each in of.listings[kind].entries]
    return list(found)


def names(of: Catalogue, kind: ListKind) -> list[str]:
    return [each[kind.key] for each in shown(of, kind)]


# --- tools and prompts ---------------------------------------------------------------------


def test_tools_of_all_servers_are_one_list() -> None:
    of = catalogue(tools={"jira": ["search"], "github": ["search", "star"]})
    assert names(of, ListKind.TOOLS) == ["github__search", "github__star", "jira__search"]
    assert of.tool("jira__search") == Target("jira", "search")
    assert of.tool("other__search") is None


def test_prompts_are_named_like_tools() -> None:
    of = catalogue(prompts={"jira": ["plan"], "github": ["review"]})
    assert names(of, ListKind.PROMPTS) == ["github__review", "jira__plan"]
    assert of.prompt("jira__plan") == Target("jira", "plan")


def test_everything_but_the_name_stays_as_it_was_written() -> None:
    text = b'{"title": "A", "name" : "a", "inputSchema":{"n":1.0,"x-mcp-header":"N"}, "new": [ ]}'
    page = lists.read_page(ListKind.TOOLS, b'{"tools":[%s]}' % text)
    of = Catalogue(
        SERVERS,
        Naming(Prefix.AUTO, SERVERS),
        Naming(Prefix.AUTO, SERVERS),
        {ListKind.TOOLS: {"jira": page}},
    )
    (entry,) = of.listings[ListKind.TOOLS].entries
    assert entry.text == text.replace(b'"a"', b'"jira__a"')
    assert entry.target == Target("jira", "a")


def test_names_and_descriptions_of_the_operators_go_before_the_servers() -> None:
    of = catalogue(
        changes={
            Target("jira", "a"): ToolChange("close", "Closes it"),
            Target("jira", "b"): ToolChange(),
        },
        tools={"jira": [{"name": "a", "description": "x"}, {"name": "b"}]},
    )
    assert shown(of, ListKind.TOOLS) == [
        {"name": "close", "description": "Closes it"},
        {"name": "jira__b"},
    ]
    assert of.tool("close") == Target("jira", "a")
    assert of.tool("jira__a") is None


def test_what_cannot_be_reached_is_not_listed_but_told() -> None:
    of = catalogue(Prefix.NEVER, tools={"github": ["search"], "jira": ["search", "close"]})
    assert names(of, ListKind.TOOLS) == ["search", "close"]
    assert of.hidden == (Target("jira", "search"),)


def test_what_a_server_lists_twice_is_there_once() -> None:
    of = catalogue(tools={"jira": [{"name": "a", "title": "first"}, {"name": "a"}]})
    assert shown(of, ListKind.TOOLS) == [{"name": "jira__a", "title": "first"}]


def test_servers_of_other_views_are_left_out() -> None:
    of = catalogue(tools={"other": ["a"]}, resources={"other": ["test://a"]})
    assert names(of, ListKind.TOOLS) == []
    assert names(of, ListKind.RESOURCES) == []


# --- resources -----------------------------------------------------------------------------


def test_a_resource_is_found_by_its_uri() -> None:
    of = catalogue(resources={"github": ["gh://a"], "jira": ["jira://a"]})
    assert names(of, ListKind.RESOURCES) == ["gh://a", "jira://a"]
    assert of.resource("jira://a") == (Target("jira", "jira://a"),)
    assert of.shown_uri("jira", "jira://a") == "jira://a"


def test_a_uri_of_several_servers_has_the_name_of_theirs() -> None:
    of = catalogue(resources={"github": ["test://a"], "jira": ["test://a", "test://b"]})
    assert names(of, ListKind.RESOURCES) == ["github+test://a", "jira+test://a", "test://b"]
    assert of.resource("jira+test://a") == (Target("jira", "test://a"),)
    assert of.resource("test://a") == (Target("github", "test://a"), Target("jira", "test://a"))
    assert of.shown_uri("jira", "test://a") == "jira+test://a"
    assert of.shown_uri("jira", "test://b") == "test://b"


def test_the_template_that_says_most_is_asked_first() -> None:
    of = catalogue(
        templates={"github": ["file:///{+path}", "gh://{x}"], "jira": ["file:///logs/{name}"]}
    )
    assert of.resource("file:///logs/a") == (
        Target("jira", "file:///logs/a"),
        Target("github", "file:///logs/a"),
    )
    assert of.resource("file:///a") == (Target("github", "file:///a"),)
    assert of.resource("gh://a") == (Target("github", "gh://a"),)


def test_a_template_of_several_servers_has_the_name_of_theirs() -> None:
    of = catalogue(templates={"github": ["test://{id}"], "jira": ["test://{id}"]})
    assert names(of, ListKind.TEMPLATES) == ["github+test://{id}", "jira+test://{id}"]
    assert of.resource("jira+test://5") == (Target("jira", "test://5"),)
    assert of.template("jira+test://{id}") == (Target("jira", "test://{id}"),)
    assert of.shown_uri("jira", "test://5") == "jira+test://5"


def test_a_listed_uri_goes_before_templates() -> None:
    of = catalogue(
        templates={"github": ["test://{id}"]}, resources={"jira": ["test://5", "test://6"]}
    )
    assert of.resource("test://5") == (Target("jira", "test://5"),)
    assert of.resource("test://7") == (Target("github", "test://7"),)
    assert of.shown_uri("jira", "test://5") == "test://5"


def test_what_nobody_lists_is_asked_of_everybody() -> None:
    of = catalogue()
    assert of.resource("x://a") == (Target("github", "x://a"), Target("jira", "x://a"))


def test_the_name_of_a_server_before_a_uri_is_remembered_when_no_longer_needed() -> None:
    of = catalogue(resources={"jira": ["test://a"]})
    assert of.resource("jira+test://a")[0] == Target("jira", "test://a")
    assert len(of.resource("jira+ssh://a")) == 3  # it may be a scheme, too
    assert of.resource("other+test://a") == (
        Target("github", "other+test://a"),
        Target("jira", "other+test://a"),
    )


def test_a_completion_may_name_a_resource() -> None:
    of = catalogue(resources={"jira": ["test://a"]}, templates={"github": ["gh://{x}"]})
    assert of.template("gh://{x}") == (Target("github", "gh://{x}"),)
    assert of.template("test://a") == (Target("jira", "test://a"),)


# --- what tools show their results with ----------------------------------------------------

NOW = {"name": "chart", "_meta": {"ui": {"resourceUri": "ui://widget", "visibility": ["model"]}}}
BEFORE = {"name": "chart", "_meta": {"ui/resourceUri": "ui://widget"}}


@pytest.mark.parametrize("tool", [NOW, BEFORE])
def test_a_tool_keeps_its_resource(tool: dict[str, Any]) -> None:
    of = catalogue(tools={"jira": [tool], "github": ["star"]})
    assert shown(of, ListKind.TOOLS)[1] == {**tool, "name": "jira__chart"}
    assert of.resource("ui://widget") == (Target("jira", "ui://widget"),)


def test_tools_that_name_the_same_resource_of_two_servers_each_get_their_own() -> None:
    of = catalogue(tools={"github": [BEFORE], "jira": [NOW]})
    github, jira = shown(of, ListKind.TOOLS)
    assert github["_meta"] == {"ui/resourceUri": "github+ui://widget"}
    assert jira["_meta"]["ui"] == {
        "resourceUri": "jira+ui://widget",
        "visibility": ["model"],
    }
    assert of.resource("jira+ui://widget") == (Target("jira", "ui://widget"),)


@pytest.mark.parametrize("meta", [{"ui": 5}, {"ui": {"resourceUri": 5}}, {"resourceUri": "x"}, []])
def test_what_names_no_resource_is_left_alone(meta: Any) -> None:
    tool = {"name": "a", "_meta": meta}
    of = catalogue(tools={"jira": [tool]}, resources={"jira": ["test://a"], "github": ["test://a"]})
    assert shown(of, ListKind.TOOLS) == [{**tool, "name": "jira__a"}]


# --- tasks ---------------------------------------------------------------------------------


def test_tasks_name_their_server() -> None:
    of = catalogue(tasks={"jira": [{"taskId": "7", "status": "working"}]})
    assert shown(of, ListKind.TASKS) == [{"taskId": "jira/7", "status": "working"}]
